"""Why a decision changed: where float and INT8 first part, by how much, and how close the decision was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import ChangedDecision, DivergenceCause, FloatDivergence, MarginBin
from leadwire.datasets.dataset import STRIP_HZ, Dataset

from .inputs import Integers, Run

THRESHOLD_STEPS = 2.0
"""A value that is rounded once is off by half a step at most, one computed from rounded values by a little more; beyond
two steps more is seen than the rounding of one operator."""
_MARGIN_EDGES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPair:
    """One tensor of one beat: the float model's values, and INT8's with their scale. `description` is how messages name
    it: "op 7 CONV_2D 'block2/conv'", or "input 'beat'". `limits` are the ends of the tensor's range."""

    description: str
    real: npt.NDArray[np.float64]
    raw: npt.NDArray[np.signedinteger[Any]]
    scale: float
    zero_point: int
    limits: tuple[int, int] = (-128, 127)


FloatLayers = Callable[[Sequence[int]], Sequence[Sequence[LayerPair]]]
"""Beats of the dataset -> for each the inputs and operators in execution order, as far as both models have them."""


def changed_decisions(
    dataset: Dataset, float_run: Run, judged: Run, changed: Integers, limit: int, step: float | None
) -> tuple[ChangedDecision, ...]:
    """The first `limit` beats that float and INT8 decide differently, those that INT8 newly gets wrong first."""
    harmed = float_run.decided[changed] == dataset.labels[changed]
    names = dataset.label_names
    listed = []
    for beat in (int(beat) for beat in np.concatenate([changed[harmed], changed[~harmed]])[:limit]):
        millivolts = dataset.strip_mv(beat)
        place = int(judged.at(np.asarray([beat]))[0])
        apart = judged.outputs[place] - float_run.outputs[beat]
        listed.append(
            ChangedDecision(
                index=beat,
                record=dataset.records[beat],
                time_s=float(dataset.times_s[beat]),
                reference=names[int(dataset.labels[beat])],
                float_class=names[int(float_run.decided[beat])],
                int8_class=names[int(judged.decided[place])],
                float_margin=float(float_run.margins[beat]),
                int8_margin=float(judged.margins[place]),
                output_steps=() if step is None else tuple(int(value) for value in np.rint(apart / step)),
                strip_mv=millivolts,
                strip_hz=STRIP_HZ if millivolts else 0.0,
            )
        )
    return tuple(listed)


def explained(
    listed: tuple[ChangedDecision, ...], layers: FloatLayers | None, step: float | None
) -> tuple[ChangedDecision, ...]:
    """The same beats with the first operator that is off and the cause; as they are where layers are not at hand."""
    if layers is None or not listed:
        return listed
    pairs = layers([one.index for one in listed])
    return tuple(_explained(one, of_beat, step) for one, of_beat in zip(listed, pairs, strict=True))


def _explained(one: ChangedDecision, pairs: Sequence[LayerPair], step: float | None) -> ChangedDecision:
    if not pairs:
        return replace(one, cause="not examined: the float model's operators cannot be read")
    worst = 0.0
    for pair in pairs:
        error = pair.scale * (pair.raw.astype(np.float64) - pair.zero_point) - pair.real
        steps = np.abs(error) / pair.scale
        worst = max(worst, float(steps.max(initial=0.0)))
        if steps.max(initial=0.0) > THRESHOLD_STEPS:
            return replace(
                one, first_operator=pair.description, off_by_steps=float(steps.max()), cause=_cause(pair, error, steps)
            )
    close = "" if step is None else f", on a decision with a lead of {one.float_margin / step:.1f} steps of the output"
    rounding = f"known: rounding; no operator is off by more than {THRESHOLD_STEPS:g} steps{close}"
    return replace(one, off_by_steps=worst, cause=rounding)


def _cause(pair: LayerPair, error: npt.NDArray[np.float64], steps: npt.NDArray[np.float64]) -> str:
    """Saturation where most of what is off stands at an end of the range with the real value beyond it."""
    off = steps > THRESHOLD_STEPS
    ended = ((pair.raw == pair.limits[1]) & (error < 0)) | ((pair.raw == pair.limits[0]) & (error > 0))
    if 2 * np.count_nonzero(off & ended) >= np.count_nonzero(off):
        return (
            "known: saturation; the real value lies beyond the range that calibration gave this tensor: calibrate with "
            "inputs that reach as far"
        )
    return "known: rounding errors of the operators before it add up beyond the threshold"


def float_divergence(listed: tuple[ChangedDecision, ...], float_run: Run, judged: Run, step: float) -> FloatDivergence:
    """The causes of the examined beats, most frequent first, and how close the changed decisions were among all."""
    examined = [one for one in listed if not one.cause.startswith("not examined")]
    counted = Counter((one.first_operator, _kind(one.cause)) for one in examined)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0][0] or "", item[0][1]))
    margins = float_run.margins[judged.beats] / step
    differ = float_run.decided[judged.beats] != judged.decided
    bins = []
    for low, high in pairwise(_MARGIN_EDGES):
        inside = (margins >= low) & (margins < high)
        if inside.any():
            harmed = int(np.count_nonzero(inside & differ))
            end = None if high == inf else high
            bins.append(MarginBin(low=low, high=end, beats=int(inside.sum()), changed=harmed))
    return FloatDivergence(
        threshold_steps=THRESHOLD_STEPS,
        examined=len(examined),
        causes=tuple(
            DivergenceCause(operator=operator, cause=cause, beats=beats) for (operator, cause), beats in ordered
        ),
        step=step,
        margins=tuple(bins),
    )


def _kind(cause: str) -> str:
    """A cause without what is of one beat alone."""
    return cause.partition(", on a decision")[0]
