"""Simulated coverage of each interval of `leadwire.stats`, within the Monte Carlo error of the simulation.

The cases are those of the manual's tables (`benchmarks/coverage.py`, `make coverage`), repeated 400 times here, or
`LEADWIRE_COVERAGE` times. Where an interval is known to cover more than its level (Clopper-Pearson: by construction;
Tango and Newcombe: the statistic is discrete; bootstrap-t: the wider of two limits) only too little is an error.
"""

from __future__ import annotations

import importlib.util
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

from leadwire.artifacts import Interval
from leadwire.stats import PairedTable, clopper_pearson, tango, wilson

_SPEC = importlib.util.spec_from_file_location(
    "coverage_of_intervals", Path(__file__).parents[2] / "benchmarks" / "coverage.py"
)
assert _SPEC is not None and _SPEC.loader is not None
simulated = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = simulated
_SPEC.loader.exec_module(simulated)

REPEATS = int(os.environ.get("LEADWIRE_COVERAGE", "400"))
LEVEL = 0.95
MAY_COVER_MORE = ("Clopper", "Tango, 60", "Newcombe")
MILD, FEW, EVEN = simulated.COHORTS[0], simulated.COHORTS[1], simulated.COHORTS[2]


def error(repeats: int) -> float:
    """Three standard errors, and half a point for what the asymptotic formulas are off at these sizes."""
    return 3 * math.sqrt(LEVEL * (1 - LEVEL) / repeats) + 0.005


def of_share(interval: Callable[[int, int, float], Interval], n: int, p: float) -> float:
    limits = [interval(k, n, LEVEL) for k in range(n + 1)]
    return float(sum(binom.pmf(k, n, p) for k, one in enumerate(limits) if one.low <= p <= one.high))


def of_tango(n: int, b: float, c: float) -> float:
    """Over all numbers of changed pairs that are likelier than one in 10^9."""
    total = 0.0
    for changed in range(n + 1):
        of_changed = float(binom.pmf(changed, n, b + c))
        for first in range(changed + 1) if of_changed > 1e-9 else ():
            chance = of_changed * float(binom.pmf(first, changed, b / (b + c)))
            if chance > 1e-9:
                table = PairedTable(both=n - changed, first_only=first, second_only=changed - first, neither=0)
                one = tango(table, LEVEL)
                total += chance * (one.low <= b - c <= one.high)
    return total


EXACT: dict[str, Callable[[], float]] = {
    "Wilson, n = 300, share 0.9": lambda: of_share(wilson, 300, 0.9),
    "Wilson, n = 100, share 0.3": lambda: of_share(wilson, 100, 0.3),
    "Clopper–Pearson, n = 300, share 0.9": lambda: of_share(clopper_pearson, 300, 0.9),
    "Clopper–Pearson, n = 50, share 0.98": lambda: of_share(clopper_pearson, 50, 0.98),
    "Tango, 500 pairs, 3 % and 2 % changed": lambda: of_tango(500, 0.03, 0.02),
    "Tango, 60 pairs, 5 % and 2 % changed": lambda: of_tango(60, 0.05, 0.02),
}
"""Where every outcome can be listed the coverage is known, and the simulation must give it."""


@pytest.mark.parametrize("name", EXACT)
def test_simulation_and_enumeration_agree(name: str) -> None:
    exact, found = EXACT[name](), simulated.coverage(simulated.CLOSED_FORMS[name], REPEATS).covered
    print(f"{name}: exactly {100 * exact:.2f} %, simulated {100 * found:.2f} %")
    assert abs(found - exact) <= 3 * math.sqrt(exact * (1 - exact) / REPEATS) + 1 / REPEATS
    assert exact >= (LEVEL if "Clopper" in name else LEVEL - 0.015)


@pytest.mark.requirement("LW-VAL-001")
@pytest.mark.parametrize("name", [name for name in simulated.CLOSED_FORMS if name not in EXACT])
def test_intervals_cover_what_they_say(name: str) -> None:
    found = simulated.coverage(simulated.CLOSED_FORMS[name], REPEATS).covered
    print(f"{name}: {100 * found:.1f} %")
    assert found >= LEVEL - error(REPEATS)
    assert name.startswith(MAY_COVER_MORE) or found <= LEVEL + error(REPEATS)


@pytest.mark.requirement("LW-VAL-001")
@pytest.mark.parametrize("cohort", simulated.COHORTS, ids=lambda cohort: str(cohort.title))
def test_twenty_patients_are_enough_for_bootstrap_t(cohort: Any) -> None:
    """Its coverage is nominal within the simulation's error, or above; from 200 where longer recordings change more."""
    patients = 200 if cohort.longer else 20
    found = simulated.cohort_coverage(cohort, patients, REPEATS, ("bootstrap-t",))["bootstrap-t"]
    print(f"{found}")
    assert found.missing <= 0.02 * REPEATS
    assert LEVEL - error(REPEATS) <= found.covered <= 0.995
    assert found.below <= 0.025 + 0.025 + 3 * math.sqrt(0.025 / REPEATS)


@pytest.mark.parametrize("cohort", [MILD, EVEN], ids=lambda cohort: str(cohort.title))
def test_hundreds_of_patients_whose_losses_are_spread_are_enough_for_all(cohort: Any) -> None:
    for method, one in simulated.cohort_coverage(cohort, 200, REPEATS).items():
        print(f"{method}: {100 * one.covered:.1f} %")
        assert LEVEL - error(REPEATS) <= one.covered <= LEVEL + error(REPEATS)


def test_twenty_patients_are_too_few_for_percentile_and_bca() -> None:
    """The manual says so, and the check above would see it."""
    found = simulated.cohort_coverage(FEW, 20, REPEATS, ("percentile", "bca"))
    for method, one in found.items():
        print(f"{method}: {100 * one.covered:.1f} %")
        assert 0.80 <= one.covered < LEVEL - error(REPEATS)


def test_the_check_sees_an_interval_that_is_too_narrow() -> None:
    """Wilson's at 90 % called 95 %."""
    narrow = simulated.coverage(lambda draw: (wilson(int(draw.binomial(300, 0.9)), 300, 0.90), 0.9), REPEATS)
    assert narrow.covered < LEVEL - error(REPEATS)


def test_the_manual_has_a_row_for_each_case(root: Path) -> None:
    text = (root / "docs" / "manual" / "statistics.md").read_text(encoding="utf-8")
    made = text.partition(simulated.START)[2].partition(simulated.END)[0]
    for name in simulated.CLOSED_FORMS:
        assert f"| {name} |" in made
    for cohort in simulated.COHORTS:
        assert all(f"| {cohort.title} | {patients} |" in made for patients in simulated.PATIENTS)
