"""The calibration on published figures: what is left out is left out, the fit by another method, the band's rank."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from leadwire.board import CORES, list_boards
from leadwire.forecast import calibration, errors_table
from leadwire.forecast.calibration import (
    BOARD_DEVIATION,
    CORE_DEVIATION,
    REST_DEVIATION,
    HeldOut,
    calibrate,
    conformal,
    group_scores,
    leave_one_out,
    modelled,
    usable,
)
from leadwire.forecast.errors_table import errors_markdown, forecast_errors
from leadwire.forecast.tables import Published, published, timings
from leadwire.resources import ROOT

MODELS, ROWS = published()
USABLE = [row for row in ROWS if usable(row)]


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    calibrate.cache_clear()
    leave_one_out.cache_clear()


def use(monkeypatch: pytest.MonkeyPatch, rows: list[Published]) -> None:
    monkeypatch.setattr(calibration, "published", lambda: (MODELS, tuple(rows)))
    monkeypatch.setattr(errors_table, "published", lambda: (MODELS, tuple(rows)))
    calibrate.cache_clear()
    leave_one_out.cache_clear()


def test_the_table_is_whole_and_every_core_of_a_board_has_a_timing() -> None:
    assert MODELS == ("kws", "vww", "ic", "ad")
    assert len(ROWS) == 52
    assert {len(row.milliseconds) for row in ROWS} == {4}
    assert all(0 < ms < 2000 for row in ROWS for ms in row.milliseconds)
    assert set(timings()) == set(CORES) - {"host"}
    known = set(list_boards()) | {"stm32f746", "rx65n", "b-u585i-iot02a", "xg24-dk2601b"}
    assert {row.board for row in ROWS} <= known
    assert len({(row.board, row.software) for row in ROWS}) == len(ROWS), "of a software on a board the first round"
    assert len({(row.round, row.submission) for row in ROWS}) == len(ROWS)
    assert all(row.submission.startswith("closed/") for row in ROWS)


@pytest.mark.parametrize(("board", "edition", "throughput"), [
    ("nucleo-h7a3zi-q", "v1.0", (59.667, 19.722, 18.401, 547.705)),
    ("nucleo-u575zi-q", "v1.0", (22.608, 7.496, 7.158, 206.211)),
    ("nucleo-l4r5zi", "v0.7", (10.241, 3.927, 3.956, 103.460)),
])  # fmt: skip
def test_milliseconds_are_those_of_the_published_median_throughput(
    board: str, edition: str, throughput: tuple[float, ...]
) -> None:
    """X-CUBE-AI's inferences a second, from results.txt of its submissions."""
    (row,) = (
        row for row in ROWS if (row.board, row.round) == (board, edition) and row.software.startswith("X-CUBE-AI")
    )
    assert row.milliseconds == pytest.approx([1000 / one for one in throughput], rel=5e-4)


def test_every_submission_is_compared_or_its_reason_is_named() -> None:
    """The command, its JSON and the manual show the same list."""
    found = forecast_errors()
    compared = {(one.board, one.software) for one in found.held_out if one.log_error is not None}
    assert len(compared) + len(found.not_used) == len(ROWS)
    assert sum("on no other board of this table" in text for text in found.not_used) == 4
    assert all(f"- {text}" in errors_markdown() for text in found.not_used)


@pytest.mark.parametrize(("board", "software", "megacycles"), [
    ("nucleo-l4r5zi", "X-CUBE-AI 9.0", (5.18, 10.7, 19.8, 0.63)),
    ("nucleo-g0b1re", "Bosch HALE 1.0.175", (30.4, 90.5, 97.4, 2.62)),
    ("nucleo-h7a3zi-q", "Plumerai 2023.05", (3.88, 7.51, 14.3, 0.38)),
])  # fmt: skip
def test_cycles_are_milliseconds_times_the_clock(board: str, software: str, megacycles: tuple[float, ...]) -> None:
    row = next(row for row in ROWS if (row.board, row.software) == (board, software))
    for index, expected in enumerate(megacycles):
        assert row.megacycles(index) == pytest.approx(expected, rel=0.01)


def test_accelerators_and_helium_say_nothing_of_a_core() -> None:
    assert {row.board for row in ROWS if not usable(row)} == {"xg24-dk2601b", "ek-ra8d1", "rx65n"}


def test_a_board_that_is_left_out_has_no_say_in_its_own_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {one.model: one.forecast_ms for one in leave_one_out("board") if one.board == "nucleo-g0b1re"}
    use(
        monkeypatch,
        [
            replace(row, milliseconds=tuple(10 * ms for ms in row.milliseconds))
            if row.board == "nucleo-g0b1re"
            else row
            for row in ROWS
        ],
    )
    after = {one.model: one.forecast_ms for one in leave_one_out("board") if one.board == "nucleo-g0b1re"}
    assert after == before
    assert None not in before.values()


def test_where_the_world_is_as_the_model_says_nothing_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Software times core and no deviation: each board is forecast exactly from the others."""
    costs = {row.software: 1.0 + i for i, row in enumerate(ROWS)}

    def ideal(row: Published) -> Published:
        cycles = [costs[row.software] * 1e6 * (1 + model) * math.exp(modelled(row.core)) for model in range(4)]
        return replace(row, milliseconds=tuple(1000 * cycle / row.clock_hz for cycle in cycles))

    use(monkeypatch, [ideal(row) for row in USABLE])
    errors = [abs(one.log_error) for one in leave_one_out("board") if one.log_error is not None]
    assert max(errors) < 1e-9
    assert all(abs(value) < 1e-9 for value in calibrate().deviations.values())


def test_a_core_that_is_slower_than_its_timing_says_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """All Cortex-M7 boards 1.3 times as slow: the M7's deviation rises against the M4's by most of it."""
    before = calibrate().deviations
    use(
        monkeypatch,
        [
            replace(row, milliseconds=tuple(1.3 * ms for ms in row.milliseconds)) if row.core == "cortex-m7f" else row
            for row in ROWS
        ],
    )
    after = calibrate().deviations
    moved = (after["cortex-m7f"] - after["cortex-m4f"]) - (before["cortex-m7f"] - before["cortex-m4f"])
    assert 0.6 * math.log(1.3) < moved < math.log(1.3)


def test_the_fit_is_that_of_another_method() -> None:
    """Backfitting: each group of effects is the shrunken mean of what the others leave, again and again."""
    cores = sorted({row.core for row in USABLE})
    boards = sorted({row.board for row in USABLE})
    software = sorted({row.software for row in USABLE})
    figures = [(row, model) for row in USABLE for model in range(4)]
    left = np.array([math.log(row.milliseconds[m] * row.clock_hz / 1e9) - modelled(row.core) for row, m in figures])
    effects = (
        (np.array([cores.index(row.core) for row, _ in figures]), (REST_DEVIATION / CORE_DEVIATION) ** 2),
        (np.array([boards.index(row.board) for row, _ in figures]), (REST_DEVIATION / BOARD_DEVIATION) ** 2),
        (np.array([4 * software.index(row.software) + m for row, m in figures]), 0.0),
    )
    found = [np.zeros(index.max() + 1) for index, _ in effects]
    for _ in range(5000):
        for number, (index, pull) in enumerate(effects):
            rest = left - sum(found[other][effects[other][0]] for other in range(3) if other != number)
            found[number] = np.bincount(index, rest) / (np.bincount(index) + pull)
    for name, value in zip(cores, found[0], strict=True):
        assert calibrate().deviations[name] == pytest.approx(value, abs=1e-6)


def test_the_band_has_its_coverage_by_counting() -> None:
    """Of n + 1 distinct scores each is as likely the next one: count how many lie in the band of the n others."""
    for n in (4, 9, 10, 19):
        scores = [float(i) for i in range(n + 1)]
        covered = 0
        for held in scores:
            half, promised = conformal([score for score in scores if score != held])
            covered += held <= half
        assert covered / (n + 1) >= promised - 1e-9
    assert conformal([1.0, 2.0, 3.0, 4.0]) == (4.0, 0.8)
    assert conformal([5.0, 7.0]) == (7.0, 2 / 3)
    assert conformal([float(i) for i in range(1, 10)]) == (8.0, 0.8)
    random = np.random.default_rng(7)
    draws = random.exponential(size=(4000, 10))
    assert np.mean([row[9] <= conformal(list(row[:9]))[0] for row in draws]) == pytest.approx(0.8, abs=0.02)


def test_a_boards_score_is_its_worst_figure() -> None:
    one = HeldOut(
        board="b", core="c", software="s", round="r", model="kws", published_ms=10, forecast_ms=11, blind_ms=1
    )
    two = replace(one, forecast_ms=5.0)
    unknown = replace(one, board="other", forecast_ms=None)
    assert group_scores([one, two, unknown], "board") == {"b": pytest.approx(math.log(2))}


def test_forecasts_were_this_far_off() -> None:
    """The figures that the manual states; a change of table or timing has to be looked at."""
    found = forecast_errors()
    by_core = {one.core: one for one in found.by_core}
    assert set(by_core) == {"cortex-m4f", "cortex-m33f", "cortex-m7f", "cortex-m0+"}
    assert all(one.median_percent < 20 for one in by_core.values())
    assert all(one.largest_percent < 55 for one in by_core.values())
    assert found.covered >= 0.8 * found.boards - 1
    assert 1.2 < found.boards_factor < 1.6
    assert found.blind_largest_factor > 2 * found.boards_factor, "the software matters more than the silicon"


def test_the_software_matters_as_much_as_the_manual_says() -> None:
    """On one board the same model takes 2.9 to 6.8 times as long with one runtime as with another."""
    rows = [row for row in ROWS if row.board == "nucleo-l4r5zi"]
    ratios = [max(a.milliseconds[m] / b.milliseconds[m] for a, b in combinations(rows, 2)) for m in range(4)]
    assert min(ratios) == pytest.approx(2.9, abs=0.05)
    assert max(ratios) == pytest.approx(6.8, abs=0.06)


def test_the_manual_shows_these_tables() -> None:
    """docs/manual/forecast.md holds what `python -m leadwire.forecast` prints."""
    assert errors_markdown() in (ROOT / "docs" / "manual" / "forecast.md").read_text()
