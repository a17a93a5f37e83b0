"""From one float model to any mode by any recipe: what each needs is made once and kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, get_args

from leadwire import tensorflow_process
from leadwire.artifacts import Calibrator, QuantizationMode, QuantizationRecipe
from leadwire.datasets import Dataset
from leadwire.errors import BadInputError, DatasetError
from leadwire.tensorflow_process import IntegerForm

from .bias import correct_biases
from .equalize import equalize
from .islands import Form
from .ranges import Spread, choose_range, measure_spreads
from .sensitivity import keep_enough, keep_worst, rank_layers
from .weights import to_dynamic_range, to_half

_PLAIN: Final = QuantizationRecipe()
_BITS: Final[dict[IntegerForm, int]] = {"int8": 8, "int16x8": 16}
_HOST_ALONE: Final = ("dynamic", "fp16")

Request = tuple[QuantizationMode, QuantizationRecipe]
COMPARED: Final[tuple[Request, ...]] = (
    *(("int8", QuantizationRecipe(calibrator=one)) for one in get_args(Calibrator)),
    ("int8", QuantizationRecipe(equalize=True)),
    ("int8", QuantizationRecipe(bias_correction=True)),
    ("int8", QuantizationRecipe(equalize=True, bias_correction=True)),
    ("mixed", _PLAIN),
    ("mixed", QuantizationRecipe(keep_as="float")),
    ("int16x8", _PLAIN),
    ("dynamic", _PLAIN),
    ("fp16", _PLAIN),
)
"""What `compare_modes` sets side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A quantized .tflite, the float one of the same graph, and what was done to them (see `QuantizedModel`)."""

    content: bytes
    floating: bytes
    equalized: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def check_recipe(mode: QuantizationMode, recipe: QuantizationRecipe) -> None:
    """BadInputError for figures out of range and for what a mode cannot have."""
    if not 50 < recipe.percentile <= 100:
        raise BadInputError(f"percentile {recipe.percentile:g} is not above 50 and at most 100", hint="99.99 is usual")
    if recipe.keep < 0 or (recipe.target_sqnr_db is not None and not 0 < recipe.target_sqnr_db <= 200):
        raise BadInputError(
            f"mode mixed cannot keep {recipe.keep} layers for {recipe.target_sqnr_db} dB",
            hint="give a number of layers from 0 on, or a target above 0 and at most 200 dB",
        )
    if recipe.percentile != _PLAIN.percentile and recipe.calibrator != "percentile":
        raise BadInputError(
            f"a percentile is of calibrator percentile, not of {recipe.calibrator}", hint="leave one of them out"
        )
    if mode in _HOST_ALONE and (recipe.calibrator != "minmax" or recipe.bias_correction):
        raise BadInputError(
            f"mode {mode} has float activations and float biases: no range to calibrate, no bias to correct",
            hint="leave calibrator and bias correction out; equalization is for its weights too",
        )
    of_mixed = (recipe.keep, recipe.keep_as, recipe.target_sqnr_db)
    if mode != "mixed" and of_mixed != (_PLAIN.keep, _PLAIN.keep_as, _PLAIN.target_sqnr_db):
        raise BadInputError(f"layers are kept in mode mixed, not in {mode}", hint="ask for mode mixed")


def is_for_device(mode: QuantizationMode, recipe: QuantizationRecipe) -> bool:
    """Whether firmware can be made from it: integers all over."""
    return mode not in _HOST_ALONE and not (mode == "mixed" and recipe.keep_as == "float")


class Maker:
    """Quantizes one source on one calibration set. Modes without ranges read nothing of it but the inputs' shapes."""

    def __init__(self, source: Path, drawn: Dataset, *, per_tensor_dense: bool, timeout_s: float) -> None:
        self.source, self.drawn = source, drawn
        self.per_tensor_dense, self.timeout_s = per_tensor_dense, timeout_s
        self._inputs = dict(zip(drawn.input_names, drawn.inputs, strict=True))
        self._integers: dict[tuple[IntegerForm, Calibrator, float, bool], bytes] = {}
        self._spreads: dict[bool, dict[int, Spread]] = {}

    @cached_property
    def floating(self) -> bytes:
        """The float .tflite as it came from TensorFlow."""
        if self.source.suffix == ".tflite":
            return self.source.read_bytes()
        return tensorflow_process.convert_to_float(self.source, self._inputs, timeout_s=self.timeout_s)

    @cached_property
    def _equalized(self) -> tuple[bytes, tuple[str, ...]]:
        return equalize(self.floating)

    def make(self, mode: QuantizationMode, recipe: QuantizationRecipe, held_out: Dataset | None) -> Made:
        """Mode mixed ranks layers on `held_out`. Errors of `tensorflow_process.convert`; DatasetError where mode
        mixed has nothing to rank on; BadInputError where its target cannot be reached."""
        if mode in ("int8", "int16x8") and self._is_plain(recipe) and _key(mode, recipe) not in self._integers:
            return self._by_converter(mode)
        floating = self._equalized[0] if recipe.equalize else self.floating
        equalized = self._equalized[1] if recipe.equalize else ()
        if mode in _HOST_ALONE:
            content = to_half(floating) if mode == "fp16" else to_dynamic_range(floating)
            return Made(content=content, floating=floating, equalized=equalized)
        kept: tuple[str, ...] = ()
        if mode == "mixed":
            content, kept = self._mixed(recipe, held_out)
        else:
            form: IntegerForm = "int16x8" if mode == "int16x8" else "int8"
            content = self.forms((form,), recipe)[form]
        corrected: tuple[str, ...] = ()
        if recipe.bias_correction:
            content, corrected = correct_biases(content, floating, self.drawn)
        return Made(content=content, floating=floating, equalized=equalized, corrected=corrected, kept=kept)

    def forms(self, wanted: Iterable[IntegerForm], recipe: QuantizationRecipe) -> dict[Form, bytes]:
        """The float form, equalized where the recipe says so, and the integer forms asked for."""
        self.make_ready([(form, recipe) for form in wanted])
        made: dict[Form, bytes] = {form: self._integers[_key(form, recipe)] for form in wanted}
        return {"float": self._equalized[0] if recipe.equalize else self.floating, **made}

    def make_ready(self, requests: Iterable[Request]) -> None:
        """Make the integer forms that all these need at once: TensorFlow takes seconds to start."""
        needed: dict[bool, dict[tuple[IntegerForm, Calibrator, float, bool], QuantizationRecipe]] = {}
        for mode, recipe in requests:
            for form in _forms_of(mode, recipe):
                if (key := _key(form, recipe)) not in self._integers:
                    needed.setdefault(recipe.equalize, {})[key] = recipe
        for equalized, keys in needed.items():
            floating = self._equalized[0] if equalized else self.floating
            wanted = {
                str(place): (key[0], self._ranges(floating, key[0], recipe))
                for place, (key, recipe) in enumerate(keys.items())
            }
            found = tensorflow_process.quantize(
                floating, self._inputs, wanted, per_tensor_dense=self.per_tensor_dense, timeout_s=self.timeout_s
            )
            self._integers |= {key: found[str(place)] for place, key in enumerate(keys)}

    def _ranges(self, floating: bytes, form: IntegerForm, recipe: QuantizationRecipe) -> dict[int, tuple[float, float]]:
        if recipe.calibrator == "minmax":
            return {}
        if recipe.equalize not in self._spreads:
            self._spreads[recipe.equalize] = measure_spreads(floating, self.drawn)
        return {
            tensor: choose_range(spread, recipe.calibrator, bits=_BITS[form], percentile=recipe.percentile)
            for tensor, spread in self._spreads[recipe.equalize].items()
        }

    def _mixed(self, recipe: QuantizationRecipe, held_out: Dataset | None) -> tuple[bytes, tuple[str, ...]]:
        if held_out is None:
            raise DatasetError(
                self.drawn.name,
                f"calibration takes all {len(self.drawn)} samples, none is left to rank layers on",
                hint="set a smaller calibration.count",
            )
        forms = self.forms(("int8",) if recipe.keep_as == "float" else ("int8", "int16x8"), recipe)
        ranked = rank_layers(forms, held_out)
        count = min(recipe.keep, len(ranked))
        if recipe.target_sqnr_db is None:
            content = keep_worst(forms, ranked, count, recipe.keep_as)
        else:
            count, found, effect = keep_enough(forms, ranked, held_out, recipe.keep_as, recipe.target_sqnr_db)
            if found is None:
                raise BadInputError(
                    f"no mix of int8 and {recipe.keep_as} comes to {recipe.target_sqnr_db:g} dB: the best one, with "
                    f"{count} of {len(ranked)} layers kept, has {effect.sqnr_db:.1f} dB",
                    hint="lower the target, equalize, or keep layers as float",
                )
            content = found
        return content, tuple(layer.tensor for layer in ranked[:count])

    def _by_converter(self, mode: IntegerForm) -> Made:
        integer, floating = tensorflow_process.convert(
            self.source, self._inputs, mode=mode, per_tensor_dense=self.per_tensor_dense, timeout_s=self.timeout_s
        )
        return Made(content=integer, floating=floating)

    def _is_plain(self, recipe: QuantizationRecipe) -> bool:
        return recipe.calibrator == "minmax" and not recipe.equalize and not recipe.bias_correction


def _key(form: IntegerForm, recipe: QuantizationRecipe) -> tuple[IntegerForm, Calibrator, float, bool]:
    return form, recipe.calibrator, recipe.percentile, recipe.equalize


def _forms_of(mode: QuantizationMode, recipe: QuantizationRecipe) -> tuple[IntegerForm, ...]:
    if mode == "mixed":
        return ("int8",) if recipe.keep_as == "float" else ("int8", "int16x8")
    return () if mode in _HOST_ALONE else (mode,)  # type: ignore[return-value]
