"""What WFDB's annotation codes mean to EC57."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leadwire.datasets.annotations import Annotation

CLASSES = "NSVFQ"
ROWS = "NSVFQOX"
"""The classes, then O (no beat) and X (no beat because of shutdown)."""

CODES = {"N": 1, "S": 9, "V": 5, "F": 6, "Q": 13}
"""A code of each class, to write what an algorithm decided."""

NOISE, RHYTHM, VF_ON, VF_OFF = 14, 28, 32, 33
PACED = 12

# Normal and bundle branch blocks; premature, aberrated and escape beats from above the ventricles; premature, R-on-T
# and escape beats of the ventricles; fusion; unclassified, paced, fusion with paced and learning beats. Flutter waves
# are QRS annotations of no class.
_BEATS = (
    dict.fromkeys((1, 2, 3, 25), "N")
    | dict.fromkeys((4, 7, 8, 9, 11, 34, 35), "S")
    | dict.fromkeys((5, 10, 41), "V")
    | {6: "F"}
    | dict.fromkeys((12, 13, 30, 38), "Q")
    | {31: "O"}
)


def beat_class(annotation: Annotation) -> str | None:
    """N, S, V, F or Q; O for a QRS annotation of no class; None for what is no beat."""
    return _BEATS.get(annotation.code)


def starts_shutdown(annotation: Annotation) -> bool:
    """No signal is readable: both of the bits that mark one as unreadable are set."""
    return annotation.code == NOISE and annotation.subtype & 0x30 == 0x30


def is_paced(annotations: Sequence[Annotation]) -> bool:
    return any(one.code == PACED for one in annotations)


@dataclass(slots=True)
class _State:
    in_af: bool = False
    in_vf: bool = False
    unreadable: bool = False


def run_symbols(annotations: Sequence[Annotation]) -> list[tuple[int, str]]:
    """Sample and symbol of each annotation for the comparison of runs.

    Beats are N S V F Q, a normal beat during atrial fibrillation counting as S. [ and ] begin and end ventricular, {
    and } atrial fibrillation, U begins a stretch that cannot be read; anything else is O.
    """
    state = _State()
    return [(one.sample, _run_symbol(one, state)) for one in annotations]


def _run_symbol(one: Annotation, state: _State) -> str:
    beat = beat_class(one)
    if beat is not None:
        return "S" if beat == "N" and state.in_af else beat
    if one.code == NOISE:
        began = starts_shutdown(one) and not state.unreadable
        state.unreadable = starts_shutdown(one)
        return "U" if began else "O"
    begins_vf = one.code == VF_ON or (one.code == RHYTHM and one.aux.startswith("(VF"))
    if begins_vf and not state.in_vf:
        state.in_af, state.in_vf = False, True
        return "["
    if one.code == RHYTHM and one.aux.startswith("(AF") and not state.in_af:
        state.in_af, state.in_vf = True, False
        return "{"
    if one.code == VF_OFF and state.in_vf:
        state.in_vf = False
        return "]"
    if one.code == RHYTHM and one.aux and not one.aux.startswith(("(AF", "(VF")):
        ended = "}" if state.in_af else "]" if state.in_vf else "O"
        state.in_af = state.in_vf = False
        return ended
    return "O"
