"""Runs and episodes, counted by hand."""

from __future__ import annotations

import pytest

from ec57_example import RATE, START, Marks, annotations, rhythm
from leadwire.artifacts import Ec57Episodes, Ec57Runs
from leadwire.ec57.episodes import compare_episodes
from leadwire.ec57.runs import compare_runs


def runs(reference: Marks, test: Marks, place: int = 0) -> Ec57Runs:
    both = annotations(reference), annotations(test)
    return compare_runs(*both, window=54, start=START, end=2 * START)[place]


def test_a_run_is_found_where_the_tests_is_at_least_as_long_as_its_kind() -> None:
    """A couplet, a run of 4 and one of 7; the test breaks the run of 4 into 1 + 2 and the one of 7 into 5 + 1."""
    reference = rhythm("NVVNNVVVVNNVVVVVVVN")
    test = rhythm("NVVNNVNVVNNVVVVVNVN")
    found = runs(reference, test)
    assert (found.couplets, found.short, found.long) == ((1, 0, 2, 0), (0, 1, 1, 0), (0, 1, 0, 0))
    assert found.sensitivity[4][2] == 1 and found.sensitivity[6][5] == 1


def test_runs_that_only_the_test_sees_are_false() -> None:
    found = runs(rhythm("NNNNNNNNN"), rhythm("NVVNVVVNN"))
    assert (found.couplets, found.short) == ((0, 0, 0, 1), (0, 0, 0, 1))


def test_fusion_belongs_to_a_ventricular_run_and_s_to_the_other_kind() -> None:
    assert runs(rhythm("NVFVN"), rhythm("NVFVN")).short == (1, 0, 1, 0)
    both = rhythm("NSSN"), rhythm("NSSN")
    assert runs(*both).couplets == (0, 0, 0, 0)
    assert runs(*both, place=1).couplets == (1, 0, 1, 0)


def test_normal_beats_in_atrial_fibrillation_are_a_long_supraventricular_run() -> None:
    marks = [(START + 500, "(AFIB"), *rhythm("NNNNN"), (START + 4000, "(N"), (START + 4300, "N")]
    assert runs(marks, marks, place=1).long == (1, 0, 1, 0)
    assert runs(marks, rhythm("NNNNN"), place=1).long == (0, 1, 0, 0)


def test_ventricular_fibrillation_is_a_long_ventricular_run() -> None:
    marks = [*rhythm("NN"), (START + 2000, "["), (START + 3000, "]"), (START + 3300, "N")]
    assert runs(marks, marks).long == (1, 0, 1, 0)
    beats = [*rhythm("NN"), *rhythm("VVVVVVN", first=START + 2000, every=160)]
    assert runs(marks, beats).long == (1, 0, 1, 0)


def test_runs_of_the_learning_period_do_not_count() -> None:
    before = rhythm("VVVVN", first=START - 3000)
    assert runs([*before, *rhythm("NN")], rhythm("NN")).short == (0, 0, 0, 0)
    assert runs(before, before).short == (0, 0, 0, 0)


def test_unreadable_signal_ends_a_run() -> None:
    marks = [*rhythm("NVV"), (START + 1700, "~"), (START + 1800, "="), *rhythm("VVN", first=START + 1900)]
    assert runs(marks, marks).couplets == (2, 0, 2, 0)


# ---------------------------------------------------------------------------------------------- episodes


def episodes(reference: Marks, test: Marks, place: int = 0, end: int = 2 * START) -> Ec57Episodes:
    both = annotations(reference), annotations(test)
    return compare_episodes(*both, start=START, end=end, sample_rate_hz=RATE)[place]


def af(begin_s: float, end_s: float) -> Marks:
    return [(int(begin_s * RATE), "(AFIB"), (int(end_s * RATE), "(N")]


def test_any_overlap_detects_an_episode_and_durations_overlap() -> None:
    found = episodes([*af(310, 330), *af(400, 410)], [*af(325, 345), *af(500, 505)])
    assert (found.detected, found.missed, found.confirmed, found.false) == (1, 1, 1, 1)
    assert (found.reference_s, found.test_s) == (30.0, 25.0)
    assert (found.reference_overlap_s, found.test_overlap_s) == (5.0, 5.0)


def test_what_is_before_the_start_or_after_the_end_is_cut_off() -> None:
    found = episodes(af(290, 310), af(300, 310))
    assert (found.reference_s, found.reference_overlap_s, found.detected) == (10.0, 10.0, 1)
    late = episodes(af(590, 700), af(590, 700))
    assert (late.reference_s, late.test_overlap_s) == (10.0, 10.0)
    assert episodes(af(100, 200), af(100, 200)) == episodes([], [])


def test_an_episode_without_an_end_lasts() -> None:
    begun: Marks = [(START + RATE, "(AFIB")]
    assert episodes(begun, begun).reference_s == 299.0
    assert episodes(begun, [*begun, (START + 11 * RATE, "N")], end=0).test_s == 10.0


@pytest.mark.parametrize("place", [0, 1])
def test_flutter_is_no_fibrillation(place: int) -> None:
    flutter: Marks = [(START + 10, "(AFL"), (START + 5000, "(N")]
    assert episodes(flutter, flutter, place).detected == 0


def test_ventricular_fibrillation_goes_from_bracket_to_bracket() -> None:
    marks: Marks = [(START + 360, "["), (START + 720, "]")]
    found = episodes(marks, marks, 1)
    assert (found.detected, found.reference_s, found.test_overlap_s) == (1, 1.0, 1.0)
