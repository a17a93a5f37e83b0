"""Where runtimes differ, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingBeat:
    """A beat whose output bytes differ between two INT8 runtimes. `differences` are second - first of every output
    value; `margins` the lead of the largest output over the second largest in both, in steps of the output.
    """

    index: int
    record: str
    time_s: float
    reference: str
    classes: tuple[str, str]
    margins: tuple[int, int]
    differences: tuple[int, ...]
    first_operator: str | None
    cause: str
    strip_mv: tuple[float, ...] = ()
    strip_hz: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DivergenceCause:
    """How many of the examined beats part first at this operator (None: at none), for this cause."""

    operator: str | None
    cause: str
    beats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginBin:
    """Beats whose float margin, in steps of INT8's output, lies in [low, high), and how many INT8 decides otherwise.
    `high` None: no end.
    """

    low: float
    high: float | None
    beats: int
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatDivergence:
    """Why INT8 decides otherwise than float. An operator counts as off where a value of its output is more than
    `threshold_steps` of its scale away from the float model's; `examined` of the changed decisions were looked into.
    `step` is the step of INT8's output in real units.
    """

    threshold_steps: float
    examined: int
    causes: tuple[DivergenceCause, ...]
    step: float
    margins: tuple[MarginBin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Output bytes of two runtimes, beat by beat. `first_operator` is the first whose output differs, None when all
    are equal or it cannot be told.

    `compared` and `identical` count beats, `values` and `differing_values` output values; `lsb_histogram` holds
    (absolute difference, values) for each difference that occurs; `runtimes` names the two. `beats` are the first
    beats that differ, examined one by one.
    """

    compared: int
    identical: int
    max_abs_lsb: int
    decisions_changed: int
    first_operator: str | None
    cause: str
    runtimes: tuple[str, str] = ("", "")
    values: int = 0
    differing_values: int = 0
    lsb_histogram: tuple[tuple[int, int], ...] = ()
    beats: tuple[DifferingBeat, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedDecision:
    """A beat whose class changed between float and INT8; the strip is millivolts around the beat for the report.

    `float_margin` and `int8_margin` are the lead of the largest output over the second. `output_steps` is INT8 - float
    of each output in INT8's steps; `first_operator` the first that is off (see FloatDivergence), by `off_by_steps`,
    None where none is; `cause` says why, as far as it is known.
    """

    index: int
    record: str
    time_s: float
    reference: str
    float_class: str
    int8_class: str
    float_margin: float
    strip_mv: tuple[float, ...]
    strip_hz: float
    int8_margin: float = 0.0
    output_steps: tuple[int, ...] = ()
    first_operator: str | None = None
    off_by_steps: float = 0.0
    cause: str = "not examined: operator outputs were not at hand"
