"""Laws that every interval keeps, whatever the counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leadwire.artifacts import Interval
from leadwire.stats import (
    Bootstrap,
    Floats,
    PairedTable,
    bootstrap_interval,
    clopper_pearson,
    mcnemar,
    newcombe_paired,
    ratio_loss,
    tango,
    wilson,
)

counts = st.integers(0, 60_000) | st.integers(0, 5)
levels = st.sampled_from([0.8, 0.9, 0.95, 0.99])
tables = st.builds(PairedTable, both=counts, first_only=counts, second_only=counts, neither=counts)
unhurried = settings(deadline=None)
"""The first example pays for the import of SciPy."""


def limits(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


@unhurried
@given(counts, counts, levels)
def test_a_proportion_lies_in_its_interval_and_mirrors(right: int, wrong: int, level: float) -> None:
    n = right + wrong
    for method in (wilson, clopper_pearson):
        low, high = limits(method(right, n, level))
        assert 0 <= low <= high <= 1
        if n:
            assert low - 1e-12 <= right / n <= high + 1e-12
        assert limits(method(wrong, n, level)) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@unhurried
@given(tables, levels)
def test_a_paired_difference_lies_in_its_interval_and_mirrors(table: PairedTable, level: float) -> None:
    swapped = PairedTable(
        both=table.both, first_only=table.second_only, second_only=table.first_only, neither=table.neither
    )
    for method in (tango, newcombe_paired):
        low, high = limits(method(table, level))
        assert -1 <= low <= high <= 1
        if table.n:
            assert low - 1e-9 <= table.difference <= high + 1e-9
        assert limits(method(swapped, level)) == pytest.approx((-high, -low), abs=1e-9)


@unhurried
@given(tables)
def test_more_confidence_is_never_narrower(table: PairedTable) -> None:
    for method in (tango, newcombe_paired):
        inner, outer = limits(method(table, 0.9)), limits(method(table, 0.99))
        assert outer[0] <= inner[0] + 1e-9
        assert outer[1] >= inner[1] - 1e-9


@unhurried
@given(st.integers(0, 3000), st.integers(0, 3000))
@example(1, 1074)  # both terms of mid-p are subnormal
def test_mcnemar_is_a_probability_and_mid_p_is_below_exact(b: int, c: int) -> None:
    found = mcnemar(b, c)
    assert 0 <= found.mid_p <= found.exact <= 1


rows = st.lists(
    st.tuples(st.integers(1, 300), st.integers(0, 300), st.integers(0, 300)).map(
        lambda one: (min(one[0], one[1]), one[0], min(one[0], one[2]), one[0])
    ),
    min_size=2,
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(rows, st.sampled_from(["percentile", "bca", "bootstrap-t"]), st.integers(0, 2**63 - 1))
def test_bootstrap_is_repeatable_bounded_and_blind_to_scale(
    cells: list[tuple[int, int, int, int]], method: str, seed: int
) -> None:
    table = np.array(cells, dtype=float)
    bootstrap = Bootstrap(resamples=1000, seed=seed, method=method)  # type: ignore[arg-type]
    low, high = limits(bootstrap_interval(table, ratio_loss, bootstrap))
    assert -1 <= low <= high <= 1
    assert limits(bootstrap_interval(table, ratio_loss, bootstrap)) == (low, high)
    assert limits(bootstrap_interval(8 * table, ratio_loss, bootstrap)) == pytest.approx((low, high), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(rows, st.integers(0, 2**63 - 1))
def test_swapping_float_and_int8_mirrors_the_interval(cells: list[tuple[int, int, int, int]], seed: int) -> None:
    table = np.array(cells, dtype=float)
    for method in ("percentile", "bootstrap-t"):
        mirrors(table, Bootstrap(resamples=1000, seed=seed, method=method))  # type: ignore[arg-type]


def mirrors(table: Floats, bootstrap: Bootstrap) -> None:
    low, high = limits(bootstrap_interval(table, ratio_loss, bootstrap))
    mirrored = limits(bootstrap_interval(table[:, [2, 3, 0, 1]], ratio_loss, bootstrap))
    assert mirrored == pytest.approx((-high, -low), abs=1e-12)
    assert math.isfinite(low)
