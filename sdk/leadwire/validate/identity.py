"""Are the bytes of two runtimes the same; if not, where do they first part, and is the cause known?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import DifferingBeat, Divergence
from leadwire.datasets.dataset import STRIP_HZ, Dataset
from leadwire.protocols import HostDeviceRule

from .inputs import Run

_BEATS_EXAMINED = 8
_SAME_ARITHMETIC = ("tflm", "host_c", "device")
"""Runtimes that must give the same bytes; desktop TFLite ('tflite') is for comparison only."""

_NOWHERE = "all operators agree where they can be read: the difference arises on the device or on the link"
_KERNELS = (
    "known cause, not measured: reference and optimized kernels round the scaled sum once or twice "
    "(tensorflow#99072: 80 of 51,200 values off by one)"
)
_TABLES = "known cause, not measured: one runtime looks the function up in a table, the other computes it"
_DIVISION = "known cause, not measured: the division by the number of values is rounded at another place"
_QUOTIENTS = (
    "known cause, not measured: TensorFlow Lite forms the quotient of the scales in float32, TensorFlow Lite Micro in "
    "double; up to 1 LSB"
)
_UNDEFINED_IN_TFLM = {
    "SPACE_TO_BATCH_ND": "known cause, not measured: TensorFlow Lite and leadwire pad with the zero point, "
    "TensorFlow Lite Micro with a byte that it never sets",
}
_KNOWN_TFLITE_CAUSES = {
    "FULLY_CONNECTED": "known cause, not measured: with one scale for all outputs, TensorFlow Lite Micro rounds twice "
    "(SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT) where desktop TFLite rounds once; up to 2 LSB",
    "CONV_2D": _KERNELS,
    "DEPTHWISE_CONV_2D": _KERNELS,
    "TRANSPOSE_CONV": _KERNELS,
    "SOFTMAX": "known cause, not measured: one runtime takes the exponential from a table, the other in fixed point",
    "LOGISTIC": _TABLES,
    "TANH": _TABLES,
    "RELU": _QUOTIENTS,
    "LEAKY_RELU": _QUOTIENTS,
    "ABS": _QUOTIENTS,
    "RESIZE_BILINEAR": "known cause, not measured: positions between samples are rounded in another way",
    "MEAN": _DIVISION,
    "AVERAGE_POOL_2D": _DIVISION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorOutput:
    """Bytes of one operator's output for one beat; messages name it by `description`: "op 7 CONV_2D 'block2/conv'".
    No bytes where the runtime does without it: a PAD that the convolutions behind it do.

    `alone` runs the operator again on the inputs that it had, once by each rule of rescaling that is known: name of the
    rule -> bytes; empty where that is not known of the operator, None where its inputs were not at hand.
    """

    description: str
    kind: str
    values: npt.NDArray[np.int8]
    alone: Callable[[], Mapping[str, npt.NDArray[np.int8]]] | None = None


OperatorOutputs = Callable[[str, int], Sequence[OperatorOutput]]
"""(runtime, beat of the dataset) -> all operators' outputs in execution order; empty where they cannot be read."""


def compare(
    first: Run, second: Run, dataset: Dataset, runs: dict[str, Run], outputs_of: OperatorOutputs | None
) -> Divergence:
    """Comparison of two quantized runtimes, value by value, over the beats that both predicted."""
    beats = np.intersect1d(first.beats, second.beats, assume_unique=True)
    runtimes = (first.runtime, second.runtime)
    if len(beats) == 0 or first.raw is None or second.raw is None:
        return not_compared(runtimes)
    one, other = first.at(beats), second.at(beats)
    apart = np.abs(first.raw[one].astype(np.int32) - second.raw[other].astype(np.int32))
    differing = beats[apart.any(axis=1)]
    sizes, counts = np.unique(apart[apart > 0], return_counts=True)
    places = [_part(first, second, int(beat), runs, outputs_of) for beat in differing[:_BEATS_EXAMINED]]
    earliest = min((place for place in places if place.position is not None), key=_position, default=None)
    if earliest is None:
        earliest = places[0] if places else _Place(cause="identical")
        readable = (place for place in places if place.cause == _NOWHERE)
        earliest = next(readable, earliest)
    return Divergence(
        compared=len(beats),
        identical=len(beats) - len(differing),
        max_abs_lsb=int(apart.max()),
        decisions_changed=int(np.count_nonzero(first.decided[one] != second.decided[other])),
        first_operator=earliest.operator,
        cause=earliest.cause,
        runtimes=runtimes,
        values=int(apart.size),
        differing_values=int(counts.sum()),
        lsb_histogram=tuple((int(size), int(count)) for size, count in zip(sizes, counts, strict=True)),
        beats=tuple(
            _differing(int(beat), place, first, second, dataset)
            for beat, place in zip(differing[:_BEATS_EXAMINED], places, strict=True)
        ),
    )


def _differing(beat: int, place: _Place, first: Run, second: Run, dataset: Dataset) -> DifferingBeat:
    at = np.asarray([beat], dtype=np.int64)
    rows = (int(first.at(at)[0]), int(second.at(at)[0]))
    assert first.raw is not None
    assert second.raw is not None
    raw = (first.raw[rows[0]].astype(np.int64), second.raw[rows[1]].astype(np.int64))
    ranked = [np.sort(one) for one in raw]
    names = dataset.label_names
    millivolts = dataset.strip_mv(beat)
    return DifferingBeat(
        index=beat,
        record=dataset.records[beat],
        time_s=float(dataset.times_s[beat]),
        reference=names[int(dataset.labels[beat])],
        classes=(names[int(first.decided[rows[0]])], names[int(second.decided[rows[1]])]),
        margins=(int(ranked[0][-1] - ranked[0][-2]), int(ranked[1][-1] - ranked[1][-2])),
        differences=tuple(int(value) for value in raw[1] - raw[0]),
        first_operator=place.operator,
        cause=place.cause,
        strip_mv=millivolts,
        strip_hz=STRIP_HZ if millivolts else 0.0,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where two runtimes part on one beat: the operator's place and name, None where it cannot be told, and why."""

    position: int | None = None
    operator: str | None = None
    cause: str


def _position(place: _Place) -> int:
    return -1 if place.position is None else place.position


def _part(first: Run, second: Run, beat: int, runs: dict[str, Run], outputs_of: OperatorOutputs | None) -> _Place:
    if outputs_of is None:
        return _Place(cause="not examined: operator outputs were not at hand")
    one = outputs_of(_readable_twin(first, beat, runs), beat)
    other = outputs_of(_readable_twin(second, beat, runs), beat)
    if not one or not other:
        return _Place(cause="not examined: this runtime does not give operator outputs")
    position = _first_difference(one, other)
    if position is None:
        return _Place(cause=_NOWHERE)
    found = one[position]
    cause = _cause(first.runtime, second.runtime, found.kind)
    measured = _measured((first.runtime, second.runtime), found, other[position])
    if measured:
        cause = f"{cause}; {measured}" if must_agree(first.runtime, second.runtime) else measured
    return _Place(position=position, operator=found.description, cause=cause)


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
        if left.values.size and right.values.size and not np.array_equal(left.values, right.values):
            return place
    return None


def _measured(runtimes: tuple[str, str], one: OperatorOutput, other: OperatorOutput) -> str:
    """What rule of rescaling gives each side's bytes on the same inputs; empty where no rule is known of the
    operator."""
    alone = one.alone or other.alone
    rules = alone() if alone is not None else {}
    if not rules:
        return ""
    by = [[rule for rule, values in rules.items() if np.array_equal(values, side.values)] for side in (one, other)]
    said = [f"{who}'s bytes by {' or '.join(names)}" for who, names in zip(runtimes, by, strict=True) if names]
    if all(by):
        return f"measured: run alone on the same inputs, this operator gives {' and '.join(said)}"
    missing = " and ".join(who for who, names in zip(runtimes, by, strict=True) if not names)
    gives = f"gives {said[0]} and " if said else ""
    return f"measured: run alone on the same inputs, this operator {gives}by no known rule the bytes of {missing}"


def _cause(first: str, second: str, kind: str) -> str:
    if "tflm" in (first, second) and kind in _UNDEFINED_IN_TFLM:
        return _UNDEFINED_IN_TFLM[kind]
    if must_agree(first, second):
        return "unknown: these runtimes share one arithmetic, so this is a fault of kernel, compiler, board or link"
    return _KNOWN_TFLITE_CAUSES.get(kind, f"unknown: no difference between the runtimes is known for {kind}")
