"""Which beats are paired and what counts, on cases small enough to be counted by hand."""

from __future__ import annotations

from math import isnan

import pytest

from ec57_example import RATE, START, Marks, annotations, file, rhythm
from leadwire.artifacts import Ec57Record, Ec57Result
from leadwire.ec57 import Rule, score
from leadwire.ec57.beats import compare_beats, mark
from leadwire.ec57.labels import ROWS
from leadwire.errors import BadInputError


def scored(reference: Marks, test: Marks, rule: Rule | None = None) -> Ec57Record:
    (record,) = score([(file(reference), file(test))], rule).records
    return record


def cells(record: Ec57Record) -> dict[str, int]:
    """'Vn': 3 for three beats V that are called n."""
    return {
        row + column.lower(): count
        for row, counts in zip(ROWS, record.matrix, strict=True)
        for column, count in zip(ROWS, counts, strict=True)
        if count
    }


def test_the_window_ends_at_150_ms() -> None:
    reference = rhythm("NNN")
    assert cells(scored(reference, [(t + 54, "N") for t, _ in reference])) == {"Nn": 3}
    assert cells(scored(reference, [(t - 54, "N") for t, _ in reference])) == {"Nn": 3}
    assert cells(scored(reference, [(t + 55, "N") for t, _ in reference])) == {"No": 3, "On": 3}


def test_the_closer_of_two_is_the_match() -> None:
    first = START + 1000
    assert cells(scored([(first, "V")], [(first - 40, "N"), (first + 10, "V")])) == {"Vv": 1, "On": 1}
    assert cells(scored([(first, "V")], [(first - 10, "N"), (first + 40, "V")])) == {"Vn": 1, "Ov": 1}


def test_a_neighbour_with_a_better_partner_gives_way() -> None:
    """The alternative of November 2002, on its own example: window 37; 96 and 160 against 128 and 185."""
    window = 37
    marked = [mark(annotations([(at, "N") for at in times]), window, 0) for times in ((96, 160), (128, 185))]
    compared = compare_beats(marked[0], marked[1], window=window, start=0, end=1000)
    assert compared.matrix[0][0] == 2 and sum(map(sum, compared.matrix)) == 2


def test_the_learning_period_does_not_count() -> None:
    before = rhythm("VVV", first=START - 900)
    assert before[-1][0] == START - 300
    after = rhythm("NN", first=START)
    assert cells(scored(before + after, after)) == {"Nn": 2}
    assert cells(scored(before + after, before + after, Rule(start_s=0.0))) == {"Nn": 2, "Vv": 3}


def test_a_test_beat_of_the_learning_period_can_be_of_the_first_beat_that_counts() -> None:
    assert cells(scored([(START, "V")], [(START - 20, "V")])) == {"Vv": 1}
    assert cells(scored([(START, "V")], [(START - 20, "V"), (START + 10, "N")])) == {"Vn": 1}


def test_a_test_beat_of_a_beat_before_the_start_is_passed_over() -> None:
    """The detection at START + 10 is late for the beat at START - 10, which does not count: neither does it."""
    reference = [(START - 10, "N"), (START + 300, "N")]
    assert cells(scored(reference, [(START + 10, "N"), (START + 300, "N")])) == {"Nn": 1}


def test_fusion_and_unknown_called_v_are_neither_right_nor_wrong() -> None:
    record = scored(rhythm("VFQNSQ"), rhythm("VVVVVS"))
    figures = {one.name: (one.numerator, one.denominator) for one in record.figures}
    assert figures["VEB positive predictivity"] == (1, 3)
    assert figures["VEB sensitivity"] == (1, 1)
    assert figures["VEB false positive rate"] == (2, 3)
    assert figures["SVEB positive predictivity"] == (0, 0)
    assert figures["QRS sensitivity"] == figures["QRS positive predictivity"] == (6, 6)


def test_beats_during_fibrillation_do_not_count() -> None:
    at = START + 3000
    reference = [*rhythm("NN"), (at, "["), (at + 300, "!"), (at + 900, "]"), (at + 1200, "N")]
    test = [*rhythm("NN"), (at + 300, "V"), (at + 600, "V"), (at + 1200, "N")]
    record = scored(reference, test)
    assert cells(record) == {"Nn": 3}
    assert record.episodes[1].missed == 1 and record.episodes[1].reference_s == 900 / RATE
    assert record.rr_error_ms is not None


def test_beats_in_shutdown_are_x() -> None:
    """The algorithm stops for four beats; of 3 s of shutdown the matrix and the time tell."""
    reference = rhythm("NNVSFQNN")
    first = reference[2][0] - 60
    test = [*rhythm("NN"), (first, "~"), (first + 3 * RATE, "="), *rhythm("NN", first=reference[6][0])]
    record = scored(reference, test)
    assert cells(record) == {"Nn": 4, "Vx": 1, "Sx": 1, "Fx": 1, "Qx": 1}
    assert record.shutdown_s == 3
    assert record.figures[0].numerator == 4 and record.figures[0].denominator == 8


def test_one_annotation_for_a_shutdown_stands_for_the_stretch_around_it() -> None:
    """As in the AHA database: from 150 ms after the beat before to 150 ms before the next annotation."""
    reference = rhythm("NNNNN")
    test = [reference[0], (reference[2][0], "~"), reference[4]]
    record = scored(reference, test)
    assert cells(record) == {"Nn": 2, "Nx": 3}
    assert record.shutdown_s == round((1200 - 108) / RATE)


def test_extra_beats_in_reference_shutdown_are_x() -> None:
    reference = [(START + 1000, "N"), (START + 1100, "~"), (START + 1900, "="), (START + 2000, "N")]
    assert cells(scored(reference, [(START + 1000, "N"), (START + 1500, "V"), (START + 2000, "N")])) == {
        "Nn": 2,
        "Xv": 1,
    }


def test_rr_error_is_of_the_intervals_of_paired_beats() -> None:
    """Intervals 300, 300, 300 against 300, 290, 310: root of (0 + 100 + 100) / 3 samples; the first beat has none."""
    reference = rhythm("NNNN")
    test = [(at - (10 if place == 2 else 0), "N") for place, (at, _) in enumerate(reference)]
    error = scored(reference, test).rr_error_ms
    assert error == pytest.approx((200 / 3) ** 0.5 / RATE * 1000)


def test_an_end_is_kept() -> None:
    reference = rhythm("NNNN")
    rule = Rule(end_s=(reference[1][0] + 10) / RATE)
    assert cells(scored(reference, reference, rule)) == {"Nn": 2}


def test_an_unknown_length_lasts_to_the_references_last_beat() -> None:
    reference, test = rhythm("NN"), rhythm("NNN")
    (record,) = score([(file(reference, length=0), file(test, length=0))]).records
    assert cells(record) == {"Nn": 2}


def test_flutter_waves_are_no_beats_of_a_class() -> None:
    assert cells(scored([(START + 500, "!"), *rhythm("N")], [(START + 500, "N"), *rhythm("N")])) == {"On": 1, "Nn": 1}


# ---------------------------------------------------------------------------------------------- sets of records


def set_of(*names: str, rule: Rule | None = None, **more: object) -> Ec57Result:
    marks = rhythm("NVSN")
    return score([(file(marks, record=name), file(marks, record=name)) for name in names], rule, **more)  # type: ignore[arg-type]


def test_gross_pools_beats_and_average_takes_records_alike() -> None:
    one = rhythm("VVVV"), rhythm("VNNN")
    other = rhythm("VNNNNN"), rhythm("VNNNNN")
    none = rhythm("NN"), rhythm("NN")
    pairs = [
        (file(a, record=name), file(b, record=name)) for name, (a, b) in zip("123", (one, other, none), strict=True)
    ]
    result = score(pairs)
    assert result.gross[2].estimate == 2 / 5
    assert result.average[2].estimate == pytest.approx((1 / 4 + 1) / 2)
    assert isnan(result.records[2].figures[2].estimate)


def test_paced_records_are_left_out() -> None:
    paced = [*rhythm("NN"), (START + 5000, "/")]
    pairs = [(file(rhythm("NN"), record="100"), file(rhythm("NN"), record="100"))]
    pairs.append((file(paced, record="102"), file(paced, record="102")))
    result = score(pairs)
    assert result.excluded == (("102", "paced"),) and [one.record for one in result.records] == ["100"]
    kept = score(pairs, Rule(include_paced=True))
    assert kept.excluded == () and any("paced records were not left out: 102" in one for one in kept.deviations)
    assert cells(kept.records[1]) == {"Nn": 2, "Qq": 1}
    with pytest.raises(BadInputError, match="no record is left to score"):
        score(pairs[1:])


def test_a_part_of_a_database_is_not_the_database() -> None:
    result = set_of("100", "101")
    assert not result.standard and result.database == "MIT-BIH Arrhythmia Database"
    assert result.deviations == (
        "records of the MIT-BIH Arrhythmia Database are missing: 103 105 106 108 109 111 112 113 114 115 116 117 118 "
        "119 121 122 123 124 200 201 202 203 205 207 208 209 210 212 213 214 215 219 220 221 222 "
        "223 228 230 231 232 233 234",
    )


def test_whole_databases_are_standard() -> None:
    assert set_of(*(f"cu{number:02d}" for number in range(1, 36))).standard
    assert set_of(*(f"e0{number:03d}" for number in range(1, 91))).standard
    assert "1 of 90" in set_of(*(f"e0{number:03d}" for number in range(1, 90))).deviations[0]


@pytest.mark.parametrize(
    ("rule", "more", "said"),
    [
        (Rule(window_s=0.1), {}, "match window 0.1 s"),
        (Rule(start_s=0.0), {}, "scored from 0 s"),
        (Rule(end_s=600.0), {}, "scored until 600 s"),
        (None, {"without_test": ["cu36"]}, "records without test annotations: cu36"),
        (
            None,
            {"also_deviates": ["beats are classified where the reference has them"]},
            "where the reference has them",
        ),
    ],
)
def test_what_deviates_is_said(rule: Rule | None, more: dict[str, object], said: str) -> None:
    result = set_of(*(f"cu{number:02d}" for number in range(1, 36)), rule=rule, **more)
    assert not result.standard and any(said in one for one in result.deviations)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"window_s": 0.0}, "match window"),
        ({"window_s": float("nan")}, "match window"),
        ({"start_s": -1.0}, "start at"),
        ({"start_s": float("inf")}, "start at"),
        ({"end_s": 300.0}, "after the start"),
    ],
)
def test_rules_that_are_none(more: dict[str, float], problem: str) -> None:
    with pytest.raises(BadInputError, match=problem):
        Rule(**more)  # type: ignore[arg-type]


def test_files_that_do_not_belong_together() -> None:
    with pytest.raises(BadInputError, match="reference at 360 Hz, test at 250 Hz"):
        score([(file(rhythm("N")), file(rhythm("N"), rate=250))])
    with pytest.raises(BadInputError, match="before scoring starts"):
        score([(file(rhythm("N"), length=1000), file(rhythm("N"), length=1000))])
