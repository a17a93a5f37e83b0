"""prune_weights: the smallest weights become zero, more and more of them while the network trains, and stay zero.

The arithmetic does not change: kernels multiply by zeros as by other numbers. Zeros make the model smaller where it is
kept or sent compressed, and that is all they buy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from leadwire.compress.layer_names import LayerNames
from leadwire.compress.recipe import Count, Fraction, StepSettings
from leadwire.compress.work import Facts, StepOutcome, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StepSettings):
    """`sparsity`: the fraction of the weights of the kernels chosen that is zero in the end. It is reached by a cubic
    schedule (Zhu and Gupta 2018) between the fractions `begin` and `end` of the training, masks anew every `every`
    batches; what is left of the training is fine-tuning. `scope`: that fraction of each kernel, or of all of them by
    one threshold. `layers` (all that have a kernel, if empty) less `skip`, by name or pattern.
    """

    sparsity: Annotated[float, Field(gt=0, lt=1)]
    scope: Literal["layer", "global"] = "layer"
    begin: Fraction = 0.0
    end: Fraction = 0.6
    every: Count = 20
    layers: LayerNames = ()
    skip: LayerNames = ()

    @property
    def mistakes(self) -> tuple[str, ...]:
        if self.begin >= self.end:
            return (f"begin: must lie before end, found {self.begin:g} and {self.end:g}",)
        return ()

    @property
    def named_layers(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (("", (*self.layers, *self.skip)),)


def apply(settings: Settings, work: Work) -> StepOutcome:
    from leadwire.compress.layer_names import chosen_layers
    from leadwire.compress.masks import Masks, cubic_sparsity, deflated_bytes, kernels_of, sparsity_of
    from leadwire.compress.training import check_classifier, fit

    model = work.model
    check_classifier(model, work.train)
    owned = kernels_of(model)
    names = chosen_layers(dict.fromkeys(name for name, _ in owned), settings.layers, settings.skip, model.name)
    chosen = [(name, kernel) for name, kernel in owned if name in names]
    kernels = [kernel for _, kernel in chosen]
    everything = [kernel for _, kernel in owned]
    packed, masks = deflated_bytes(everything), Masks(kernels, settings.scope)

    def after_batch(batch: int, batches: int) -> None:
        begin, end = round(settings.begin * batches), max(1, round(settings.end * batches))
        if begin < batch <= end and ((batch - begin) % settings.every == 0 or batch == end):
            masks.raise_to(cubic_sparsity(settings.sparsity, begin, end, batch))

    epochs = settings.epochs or work.training.epochs
    history = fit(
        work, model, settings, after_batch=after_batch, masks=masks, keep_from=math.ceil(settings.end * epochs)
    )
    facts: Facts = (
        ("sparsity of the kernels chosen", round(sparsity_of(kernels), 4)),
        ("sparsity of all kernels", round(sparsity_of(everything), 4)),
        ("kernels in DEFLATE before, bytes", packed),
        ("kernels in DEFLATE after, bytes", deflated_bytes(everything)),
        ("macro F1 on held-out patients before", round(history.tune_f1[0], 4)),
        ("macro F1 on held-out patients after", round(history.tune_f1[history.kept_epoch], 4)),
        *((f"sparsity of {name}, {kernel.name}", round(sparsity_of([kernel]), 4)) for name, kernel in chosen),
    )
    return StepOutcome(model=model, facts=facts)
