"""Which layers quantization hurts: each operator of the float graph alone in int8, all others in float.

The operator runs as it would on the device: int8 weights, int8 in and out, TFLite's own kernel. A tensor whose int8
form costs much shows in the operator that writes it and in the one that reads it; both stand near the top, and kept
together they pass it on in 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from leadwire.artifacts import LayerSensitivity, QuantizationEffect
from leadwire.datasets import Dataset
from leadwire.model.editing import EditableModel
from leadwire.model.tflite import parse_tflite

from .effect import effect_of, outputs_of
from .islands import Form, body, compose, computing, follow

Progress = Callable[[int, int], None]


def rank_layers(
    forms: Mapping[Form, bytes], samples: Dataset, progress: Progress | None = None
) -> tuple[LayerSensitivity, ...]:
    """Every operator that computes, by the SQNR of the model's outputs when it alone is int8, the worst first.

    `forms` are "float" and "int8" of one graph. Operators that only move values cost nothing and are left out.
    """
    plain = EditableModel(forms["float"])
    model = parse_tflite(forms["float"], "float")
    names = {op.outputs[0]: op for op in model.operators}
    floats = outputs_of(forms["float"], samples)
    found = []
    candidates = computing(plain)
    for done, index in enumerate(candidates, start=1):
        alone = compose(forms, follow(plain, {index: "int8"}, "float"))
        operator = names[int(body(plain)[index].outputs[0])]
        found.append(
            LayerSensitivity(
                operator_index=index,
                kind=operator.kind,
                tensor=model.output(operator).label,
                effect=effect_of(floats, outputs_of(alone, samples), samples),
            )
        )
        if progress is not None:
            progress(done, len(candidates))
    return tuple(sorted(found, key=lambda layer: (layer.effect.sqnr_db, layer.operator_index)))


def keep_worst(
    forms: Mapping[Form, bytes],
    ranked: tuple[LayerSensitivity, ...],
    count: int,
    keep_as: Form,
) -> bytes:
    """The int8 model with the `count` worst layers in another form."""
    plain = EditableModel(forms["float"])
    kept: dict[int, Form] = {layer.operator_index: keep_as for layer in ranked[:count]}
    return compose(forms, follow(plain, kept, "int8"))


def keep_enough(
    forms: Mapping[Form, bytes],
    ranked: tuple[LayerSensitivity, ...],
    samples: Dataset,
    keep_as: Form,
    target_sqnr_db: float,
) -> tuple[int, bytes | None, QuantizationEffect]:
    """The smallest number of worst layers with which the outputs come as close to float as the target says, the model,
    and what it costs. The model is None, and the effect the best one reached, where no number is enough."""
    floats = outputs_of(forms["float"], samples)
    best: tuple[int, QuantizationEffect] | None = None
    for count in range(len(ranked) + 1):
        content = keep_worst(forms, ranked, count, keep_as)
        effect = effect_of(floats, outputs_of(content, samples), samples)
        if effect.sqnr_db >= target_sqnr_db:
            return count, content, effect
        if best is None or effect.sqnr_db > best[1].sqnr_db:
            best = count, effect
    assert best is not None
    return best[0], None, best[1]
