"""Are the bytes of two runtimes the same; if not, where do they first part, and is the cause known?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import Divergence
from leadwire.protocols import HostDeviceRule

from .inputs import Integers, Run

_BEATS_EXAMINED = 8
_SAME_ARITHMETIC = ("tflm", "host_c", "device")
"""Runtimes that must give the same bytes; desktop TFLite ('tflite') is for comparison only."""

_KNOWN_TFLITE_CAUSES = {
    "FULLY_CONNECTED": "known: with one scale for all outputs, TensorFlow Lite Micro rounds twice "
    "(SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT) where desktop TFLite rounds once; up to 2 LSB",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorOutput:
    """Bytes of one operator's output for one beat; messages name it by `description`: "op 7 CONV_2D 'block2/conv'"."""

    description: str
    kind: str
    values: npt.NDArray[np.int8]


OperatorOutputs = Callable[[str, int], Sequence[OperatorOutput]]
"""(runtime, beat of the dataset) -> all operators' outputs in execution order; empty where they cannot be read."""


def compare(first: Run, second: Run, runs: dict[str, Run], outputs_of: OperatorOutputs | None) -> Divergence:
    """Comparison of two quantized runtimes, value by value, over the beats that both predicted."""
    beats = np.intersect1d(first.beats, second.beats, assume_unique=True)
    runtimes = (first.runtime, second.runtime)
    if len(beats) == 0 or first.raw is None or second.raw is None:
        return not_compared(runtimes)
    one, other = first.at(beats), second.at(beats)
    apart = np.abs(first.raw[one].astype(np.int32) - second.raw[other].astype(np.int32))
    differing = beats[apart.any(axis=1)]
    sizes, counts = np.unique(apart[apart > 0], return_counts=True)
    operator, cause = _explain(first, second, differing, runs, outputs_of)
    return Divergence(
        compared=len(beats),
        identical=len(beats) - len(differing),
        max_abs_lsb=int(apart.max()),
        decisions_changed=int(np.count_nonzero(first.decided[one] != second.decided[other])),
        first_operator=operator,
        cause=cause,
        runtimes=runtimes,
        values=int(apart.size),
        differing_values=int(counts.sum()),
        lsb_histogram=tuple((int(size), int(count)) for size, count in zip(sizes, counts, strict=True)),
    )


def not_compared(runtimes: tuple[str, str]) -> Divergence:
    return Divergence(
        compared=0,
        identical=0,
        max_abs_lsb=0,
        decisions_changed=0,
        first_operator=None,
        cause="not compared: no beat was predicted by both",
        runtimes=runtimes,
    )


def broken_rule(divergence: Divergence, rule: HostDeviceRule) -> str:
    """Which demand of the protocol on host and device this comparison breaks; empty when none."""
    pair = " and ".join(divergence.runtimes)
    ppm = 1e6 * divergence.differing_values / divergence.values if divergence.values else 0.0
    for value, limit, unit in (
        (divergence.max_abs_lsb, rule.max_abs_lsb, "LSB apart"),
        (ppm, rule.max_differing_ppm, "ppm of values differ"),
        (divergence.decisions_changed, rule.max_decisions_changed, "decisions differ"),
    ):
        if value > limit:
            at = f"; first at {divergence.first_operator}" if divergence.first_operator else ""
            return f"{pair}: {value:g} {unit}, at most {limit:g} allowed{at}"
    return ""


def must_agree(first: str, second: str) -> bool:
    return first in _SAME_ARITHMETIC and second in _SAME_ARITHMETIC


def _explain(
    first: Run, second: Run, differing: Integers, runs: dict[str, Run], outputs_of: OperatorOutputs | None
) -> tuple[str | None, str]:
    """First diverging operator over the first differing beats, and the cause."""
    if len(differing) == 0:
        return None, "identical"
    if outputs_of is None:
        return None, "not examined: operator outputs were not at hand"
    readable, earliest = False, None
    for beat in differing[:_BEATS_EXAMINED]:
        one = outputs_of(_readable_twin(first, int(beat), runs), int(beat))
        other = outputs_of(_readable_twin(second, int(beat), runs), int(beat))
        readable |= bool(one) and bool(other)
        place = _first_difference(one, other)
        if place is not None and (earliest is None or place < earliest[0]):
            earliest = place, one[place]
    if earliest is not None:
        return earliest[1].description, _cause(first.runtime, second.runtime, earliest[1].kind)
    if readable:
        return None, "all operators agree where they can be read: the difference arises on the device or on the link"
    return None, "not examined: this runtime does not give operator outputs"


def _readable_twin(run: Run, beat: int, runs: dict[str, Run]) -> str:
    """A device does not hand out its operators' outputs: TFLM stands in on beats where both gave the same bytes."""
    twin = runs.get("tflm")
    if run.runtime not in ("device", "host_c") or twin is None or twin.raw is None or run.raw is None:
        return run.runtime
    at = np.asarray([beat], dtype=np.int64)
    same = twin.covers(at) and np.array_equal(twin.raw[twin.at(at)], run.raw[run.at(at)])
    return "tflm" if same else run.runtime


def _first_difference(one: Sequence[OperatorOutput], other: Sequence[OperatorOutput]) -> int | None:
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if not np.array_equal(left.values, right.values):
            return place
    return None


def _cause(first: str, second: str, kind: str) -> str:
    if must_agree(first, second):
        return "unknown: these runtimes share one arithmetic, so this is a fault of kernel, compiler, board or link"
    return _KNOWN_TFLITE_CAUSES.get(kind, f"unknown: no difference between the runtimes is known for {kind}")
