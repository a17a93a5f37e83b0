"""p values: of non-inferiority, of equality with patients for independent, of equivalence, and of several at once."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from leadwire.stats import (
    Bootstrap,
    Floats,
    PairedTable,
    bootstrap_interval,
    bootstrap_p_value,
    fixed_sequence,
    holm,
    obuchowski_p_value,
    paired_ratio_delta,
    paired_ratio_p_value,
    ratio_loss,
    tango,
    tango_p_value,
    tost,
)

PSYCHIATRY = """7 0 4  6 1 2  7 1 3  6 1 2  4 0 1  6 3 3  5 3 0  8 3 2  4 1 2  7 0 4  3 0 2  6 1 4  7 0 3  6 0 2  5 0 1
4 0 3  6 0 1  5 0 2  4 3 0  3 1 0  5 1 0  4 2 2  4 0 1  2 0 2  3 0 2  2 0 0  2 0 0  3 0 1  1 0 1"""
"""Pairs, first only, second only of 29 psychiatrists (Donner and Petryshen, Psychiatry Research 28:41-46, 1989)."""

# ---------------------------------------------------------------------------------------------- clustered, paired


def psychiatry() -> Floats:
    counts = np.array(PSYCHIATRY.split(), dtype=np.float64).reshape(-1, 3)
    assert counts[:, 0].sum() == 135
    return counts[:, 1] - counts[:, 2]


def test_obuchowski_gives_the_published_statistic() -> None:
    """7.19 in Durkalski et al., Statistics in Medicine 22:2417-2428, 2003; McNemar on the same pairs says 11.85."""
    statistic = scipy_stats.chi2.isf(obuchowski_p_value(psychiatry()), 1)
    assert round(float(statistic), 2) == 7.19


def test_obuchowski_is_the_variance_of_the_pooled_difference_under_equality() -> None:
    """Its own form: difference of pooled shares over a variance between patients, at equal shares."""
    draw = np.random.default_rng(8)
    differences = draw.integers(-3, 4, 22).astype(float)
    n = draw.integers(5, 50, 22)
    variance = 22 / 21 * float((differences**2).sum()) / n.sum() ** 2
    z = differences.sum() / n.sum() / math.sqrt(variance)
    assert obuchowski_p_value(differences) == pytest.approx(2 * scipy_stats.norm.sf(abs(z)))


def test_nothing_that_changed_is_no_evidence_and_one_patient_says_nothing() -> None:
    assert obuchowski_p_value(np.zeros(22)) == 1.0
    assert math.isnan(obuchowski_p_value(np.array([3.0])))


def test_obuchowski_holds_its_level_where_mcnemar_does_not() -> None:
    """Patients in whom all changes go one way: equal on average, clustered completely."""
    draw = np.random.default_rng(22)
    repeats, wrong, mcnemar_wrong = 2000, 0, 0
    for _ in range(repeats):
        changes = draw.poisson(3, 40) * draw.choice([-1.0, 1.0], 40)
        wrong += obuchowski_p_value(changes) < 0.05
        total = np.abs(changes).sum()
        mcnemar_wrong += total > 0 and changes.sum() ** 2 / total > scipy_stats.chi2.isf(0.05, 1)
    assert wrong / repeats < 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert mcnemar_wrong / repeats > 0.15


# ---------------------------------------------------------------------------------------------- non-inferiority


@pytest.mark.parametrize("counts", [(59, 6, 16, 80), (500, 9, 2, 40), (0, 5, 0, 3), (100, 0, 0, 0), (900, 12, 20, 50)])
@pytest.mark.parametrize("alpha", [0.025, 0.05])
def test_tangos_p_is_alpha_where_the_margin_is_the_limit(counts: tuple[int, int, int, int], alpha: float) -> None:
    a, b, c, d = counts
    table = PairedTable(both=a, first_only=b, second_only=c, neither=d)
    high = tango(table, 1 - 2 * alpha).high
    if high < 1:
        assert tango_p_value(table, high) == pytest.approx(alpha, abs=1e-6)
        assert tango_p_value(table, min(1.0, high + 1e-3)) < alpha < tango_p_value(table, high - 1e-3)
    assert tango_p_value(PairedTable(both=0, first_only=0, second_only=0, neither=0), 0.1) == 1.0


def cohort(seed: int, patients: int = 30) -> Floats:
    draw = np.random.default_rng(seed)
    beats = draw.integers(50, 400, patients)
    lost, gained = draw.binomial(beats, 0.02), draw.binomial(beats, 0.01)
    right = beats - draw.binomial(beats, 0.05) - gained
    return np.stack([right, beats, right - lost + gained, beats], axis=1).astype(float)


@pytest.mark.parametrize("method", ["percentile", "bca", "bootstrap-t"])
@pytest.mark.parametrize("alpha", [0.025, 0.1])
def test_the_bootstraps_p_is_alpha_where_the_margin_is_the_limit(method: str, alpha: float) -> None:
    for seed in range(5):
        rows = cohort(seed)
        bootstrap = Bootstrap(resamples=2000, seed=seed, method=method)  # type: ignore[arg-type]
        interval = bootstrap_interval(rows, ratio_loss, bootstrap, 1 - 2 * alpha)
        assert interval is not None
        p = bootstrap_p_value(rows, ratio_loss, bootstrap, interval.high, 1 - 2 * alpha)
        assert p == pytest.approx(alpha, abs=2e-4)
        less = bootstrap_p_value(rows, ratio_loss, bootstrap, interval.high + 0.002)
        more = bootstrap_p_value(rows, ratio_loss, bootstrap, interval.high - 0.002)
        assert less is not None and more is not None and less < alpha < more


def test_the_bootstraps_p_never_claims_more_than_its_resamples_can_show() -> None:
    rows = cohort(1)
    for method in ("percentile", "bca", "bootstrap-t"):
        bootstrap = Bootstrap(resamples=1000, seed=1, method=method)  # type: ignore[arg-type]
        assert bootstrap_p_value(rows, ratio_loss, bootstrap, 0.9) == pytest.approx(1 / 1001)
        assert bootstrap_p_value(rows, ratio_loss, bootstrap, -0.9) == 1.0
    assert bootstrap_p_value(rows[:1], ratio_loss, bootstrap, 0.01) is None


def test_the_delta_methods_p_is_alpha_where_the_margin_is_the_limit() -> None:
    draw = np.random.default_rng(4)
    beats = draw.choice(np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1.0]]), 400)
    high = paired_ratio_delta(beats, 0.95).high
    assert paired_ratio_p_value(beats, high) == pytest.approx(0.025)
    assert paired_ratio_p_value(np.zeros((0, 4)), 0.1) == 1.0


# ---------------------------------------------------------------------------------------------- equivalence


def test_tost_of_one_beat_per_patient_is_two_t_tests() -> None:
    differences = np.random.default_rng(3).normal(0.002, 0.02, 40)
    rows = np.stack([differences, np.ones(40)], axis=1)
    result = tost(rows, 0.01, 0.05)
    upper = scipy_stats.ttest_1samp(differences, 0.01, alternative="less").pvalue
    lower = scipy_stats.ttest_1samp(differences, -0.01, alternative="greater").pvalue
    assert result.p_value == pytest.approx(max(upper, lower))
    assert result.estimate == pytest.approx(differences.mean())
    limits = scipy_stats.ttest_1samp(differences, 0.0).confidence_interval(0.90)
    assert (result.interval.low, result.interval.high) == pytest.approx((limits.low, limits.high))
    assert result.interval.level == pytest.approx(0.90)


def test_tosts_p_is_below_alpha_where_the_interval_is_within_the_margins() -> None:
    draw = np.random.default_rng(6)
    seen = set()
    for _ in range(200):
        n = draw.integers(1, 60, 12)
        rows = np.stack([n * draw.normal(0.003, 0.01, 12), n], axis=1).astype(float)
        result = tost(rows, 0.01, 0.05)
        within = result.interval.low > -0.01 and result.interval.high < 0.01
        assert within == (result.p_value < 0.05)
        seen.add(within)
    assert seen == {True, False}


def test_tost_of_too_little_shows_nothing() -> None:
    for rows in (np.zeros((0, 2)), np.array([[0.0, 5.0]]), np.zeros((3, 2))):
        result = tost(rows, 0.01, 0.05)
        assert result.p_value == 1.0 and (result.interval.low, result.interval.high) == (-1.0, 1.0)
    same = tost(np.array([[0.0, 5.0], [0.0, 7.0]]), 0.01, 0.05)
    assert (same.p_value, same.interval.low, same.interval.high) == (0.0, 0.0, 0.0)
    for margin, alpha in ((0.0, 0.05), (0.01, 0.5), (math.nan, 0.05)):
        with pytest.raises(ValueError, match="TOST"):
            tost(np.ones((3, 2)), margin, alpha)


def test_tost_shows_equivalence_at_the_margin_as_rarely_as_it_says() -> None:
    """The true difference is the margin; patients differ, and so do their numbers of beats."""
    draw = np.random.default_rng(15)
    repeats, shown = 2000, 0
    for _ in range(repeats):
        n = draw.integers(20, 60, 40)
        mean = draw.normal(0.01, 0.01, 40)
        rows = np.stack([n * mean + draw.normal(0, 0.05, 40) * np.sqrt(n), n], axis=1)
        shown += tost(rows, 0.01, 0.05).p_value < 0.05
    assert shown / repeats == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / repeats))


# ---------------------------------------------------------------------------------------------- several endpoints


def test_holm_by_hand() -> None:
    """By hand: 4 x 0.005, 3 x 0.01, 2 x 0.03; 1 x 0.04 is less than the one before and takes its value."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, 0.7]) == (1.0, 1.0)
    assert holm([]) == ()


def test_holm_depends_on_no_order_and_agrees_with_step_down_testing() -> None:
    values = [0.004, 0.011, 0.02, 0.3]
    for order in permutations(range(4)):
        adjusted = holm([values[place] for place in order])
        assert [adjusted[order.index(place)] for place in range(4)] == pytest.approx([0.016, 0.033, 0.04, 0.3])
    draw = np.random.default_rng(2)
    for _ in range(100):
        p = draw.beta(0.5, 3, 5)
        claimed, going = set(), True
        for rank, place in enumerate(np.argsort(p)):
            going = going and p[place] < 0.05 / (5 - rank)
            if going:
                claimed.add(int(place))
        assert claimed == {place for place, value in enumerate(holm(list(p))) if value < 0.05}


def test_a_fixed_sequence_ends_at_the_first_that_is_not_shown() -> None:
    assert fixed_sequence([0.01, 0.2, 0.001]) == (0.01, 0.2, 0.2)


def test_holm_keeps_the_risk_of_any_false_claim() -> None:
    """Four endpoints, two of them at their margin, strongly correlated or not at all."""
    draw = np.random.default_rng(9)
    repeats = 4000
    for shared in (0.0, 0.9):
        common = draw.normal(size=(repeats, 1))
        z = math.sqrt(shared) * common + math.sqrt(1 - shared) * draw.normal(size=(repeats, 4)) - [0, 0, 3, 3]
        p = scipy_stats.norm.cdf(z)
        false = sum(min(holm(list(row))[:2]) < 0.05 for row in p)
        assert false / repeats < 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
