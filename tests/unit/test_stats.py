"""Intervals, tests and bootstrap against published values, other implementations and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from leadwire.artifacts import Interval
from leadwire.stats import (
    Bootstrap,
    PairedTable,
    bootstrap_interval,
    bootstrap_sums,
    clopper_pearson,
    clusters_needed,
    excess_loss,
    mcnemar,
    newcombe_paired,
    paired_ratio_delta,
    ratio,
    ratio_loss,
    tango,
    wilson,
)

Z = stats.norm.ppf(0.975)


def table(both: int, first_only: int, second_only: int, neither: int) -> PairedTable:
    return PairedTable(both=both, first_only=first_only, second_only=second_only, neither=neither)


def limits(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


# ---------------------------------------------------------------------------------------------- one proportion


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 30), (7, 30), (30, 30), (1382, 1837), (49000, 49659)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_one_proportion_agrees_with_scipy(successes: int, n: int, level: float) -> None:
    oracle = stats.binomtest(successes, n)
    for ours, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        expected = oracle.proportion_ci(level, method=method)
        assert limits(ours(successes, n, level)) == pytest.approx((expected.low, expected.high), abs=1e-10)


def test_one_proportion_of_nothing_is_anything() -> None:
    assert limits(wilson(0, 0)) == limits(clopper_pearson(0, 0)) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (1, -1)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    for interval in (wilson, clopper_pearson):
        with pytest.raises(ValueError, match="successes"):
            interval(successes, n)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95.0, math.nan])
def test_a_level_outside_0_1_is_refused(level: float) -> None:
    for call in (
        lambda: wilson(1, 2, level),
        lambda: clopper_pearson(1, 2, level),
        lambda: tango(table(1, 1, 1, 1), level),
    ):
        with pytest.raises(ValueError, match="level"):
            call()


# ---------------------------------------------------------------------------------------------- two, paired


@pytest.mark.parametrize(
    ("counts", "level", "low", "high", "digits"),
    [
        (
            (59, 6, 16, 80),
            0.95,
            -0.1240,
            -0.0054,
            4,
        ),  # Cavo et al. 2012, airway hyper-responsiveness (contingencytables)
        ((1, 1, 7, 12), 0.95, -0.517, -0.026, 3),  # Bentur et al. 2009 (contingencytables)
        ((0, 3, 0, 0), 0.95, -0.1230, 1.0, 4),
        # PropCIs' scoreci.mp(b=25, c=28, n=618) gives [-0.0148, 0.0247]: it estimates (c - b) / n, ours swapped
        ((565, 28, 25, 0), 0.90, -0.0148, 0.0247, 4),
        ((565, 25, 28, 0), 0.90, -0.0247, 0.0148, 4),
        ((100, 40, 20, 0), 0.95, 0.030865, 0.218064, 6),
        ((100, 0, 0, 0), 0.95, -0.03699, 0.03699, 5),
    ],
)
def test_tango_gives_the_published_limits(
    counts: tuple[int, int, int, int], level: float, low: float, high: float, digits: int
) -> None:
    assert limits(tango(table(*counts), level)) == pytest.approx((low, high), abs=10.0**-digits)


def test_newcombe_gives_the_published_limits() -> None:
    assert limits(newcombe_paired(table(59, 6, 16, 80))) == pytest.approx((-0.1186, -0.0046), abs=5e-5)


def test_zero_flips_still_leave_the_limit_of_n_beats() -> None:
    for n in (10, 100, 1837, 49659):
        bound = Z**2 / (n + Z**2)
        assert limits(tango(table(n, 0, 0, 0))) == pytest.approx((-bound, bound), abs=1e-9)


@pytest.mark.parametrize("counts", [(59, 6, 16, 80), (1, 1, 7, 12), (500, 9, 2, 40), (0, 5, 0, 3), (20, 0, 4, 0)])
def test_tango_limits_solve_the_score_equation(counts: tuple[int, int, int, int]) -> None:
    """Second witness: the restricted estimate found by maximising the likelihood numerically, not by the formula."""
    paired = table(*counts)
    b, c, n = paired.first_only, paired.second_only, paired.n

    def score(delta: float) -> float:
        def minus_log_likelihood(q: float) -> float:
            p = q + delta
            rest = 1 - p - q
            terms = ((b, p), (c, q), (n - b - c, rest))
            return -sum(count * math.log(max(share, 1e-300)) for count, share in terms if count)

        bounds = (max(0.0, -delta), (1 - delta) / 2)
        q = optimize.minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        return (b - c - n * delta) / math.sqrt(n * (2 * q + delta * (1 - delta)))

    interval = tango(paired)
    assert score(interval.low) == pytest.approx(Z, abs=1e-3)
    assert score(interval.high) == pytest.approx(-Z, abs=1e-3)


def test_paired_intervals_of_an_empty_table_exclude_nothing() -> None:
    empty = table(0, 0, 0, 0)
    assert math.isnan(empty.difference)
    assert limits(tango(empty)) == limits(newcombe_paired(empty)) == (-1.0, 1.0)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        table(1, -1, 0, 0)
    with pytest.raises(ValueError, match="negative"):
        mcnemar(-1, 3)


def test_mcnemar_gives_the_published_p_values() -> None:
    cavo = mcnemar(6, 16)
    assert cavo.exact == pytest.approx(0.052479, abs=5e-7)
    assert cavo.mid_p == pytest.approx(0.034690, abs=5e-7)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 1), (3, 3), (5, 30), (400, 300)])
def test_mcnemar_agrees_with_the_binomial_test(b: int, c: int) -> None:
    if b + c:
        assert mcnemar(b, c).exact == pytest.approx(stats.binomtest(b, b + c).pvalue, abs=1e-12)
    assert mcnemar(b, c) == mcnemar(c, b)
    assert 0 < mcnemar(b, c).mid_p <= mcnemar(b, c).exact <= 1


# ---------------------------------------------------------------------------------------------- patient bootstrap


def patients_with_losses(count: int, seed: int = 0) -> np.ndarray:
    """Rows (right float, beats, right INT8, beats) of patients that differ in size and in loss."""
    draw = np.random.default_rng(seed)
    beats = draw.integers(50, 400, count)
    lost, won = draw.binomial(beats, 0.02), draw.binomial(beats, 0.01)
    right = draw.binomial(beats, 0.9)
    return np.stack([right, beats, right - lost + won, beats], axis=1).astype(np.float64)


def test_draws_are_those_of_a_plain_loop_over_pcg64_words() -> None:
    """The recipe of the docstring, in Python integers: anyone can repeat the draws."""
    rows = patients_with_losses(7)
    bootstrap = Bootstrap(resamples=1000, seed=20040719, method="percentile")
    words = np.random.PCG64(20040719)
    expected = []
    for _ in range(bootstrap.resamples):
        drawn = [7 * (int(words.random_raw()) >> 32) >> 32 for _ in range(7)]
        expected.append(rows[drawn].sum(axis=0))
    assert np.array_equal(bootstrap_sums(rows, bootstrap), np.array(expected))


def test_drawing_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = patients_with_losses(30)
    bootstrap = Bootstrap(resamples=1000, seed=3, method="percentile")
    whole = bootstrap_sums(rows, bootstrap)
    monkeypatch.setattr("leadwire.stats.resampling._DRAWS_AT_ONCE", 100)
    assert np.array_equal(bootstrap_sums(rows, bootstrap), whole)


def test_percentile_bootstrap_agrees_with_the_closed_form() -> None:
    """Many patients of equal size: the loss is a mean over patients, its interval the normal one."""
    draw = np.random.default_rng(5)
    beats = np.full(400, 100.0)
    right = draw.binomial(100, 0.9, 400).astype(float)
    int8 = right - draw.binomial(5, 0.3, 400)
    rows = np.stack([right, beats, int8, beats], axis=1)
    loss = (right - int8) / 100
    half = Z * loss.std(ddof=1) / math.sqrt(len(loss))
    interval = bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=4000, seed=1, method="percentile"))
    assert interval is not None
    assert limits(interval) == pytest.approx((loss.mean() - half, loss.mean() + half), abs=0.06 * 2 * half)


def test_one_beat_per_patient_agrees_with_tango() -> None:
    paired = table(900, 60, 25, 215)
    cells = [(1, 1, 1, 1)] * 900 + [(1, 1, 0, 1)] * 60 + [(0, 1, 1, 1)] * 25 + [(0, 1, 0, 1)] * 215
    rows = np.array(cells, dtype=float)
    interval = bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=4000, seed=2, method="bca"))
    assert interval is not None
    assert limits(interval) == pytest.approx(limits(tango(paired)), abs=0.002)


@pytest.mark.parametrize("patients", [5, 22, 60])
def test_bca_agrees_with_a_loop_over_the_same_resamples(patients: int) -> None:
    rows = patients_with_losses(patients, seed=patients)
    bootstrap = Bootstrap(resamples=2000, seed=11, method="bca")
    drawn = [float(ratio_loss(row)) for row in bootstrap_sums(rows, bootstrap)]
    whole = float(ratio_loss(rows.sum(axis=0)))
    share = sum((value < whole) + 0.5 * (value == whole) for value in drawn) / len(drawn)
    bias = stats.norm.ppf(share)
    left_out = [float(ratio_loss(np.delete(rows, i, axis=0).sum(axis=0))) for i in range(patients)]
    mean = sum(left_out) / patients
    acceleration = sum((mean - one) ** 3 for one in left_out) / (6 * sum((mean - one) ** 2 for one in left_out) ** 1.5)
    expected = []
    for z in (-Z, Z):
        tail = stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        expected.append(float(np.quantile(drawn, tail)))
    interval = bootstrap_interval(rows, ratio_loss, bootstrap)
    assert interval is not None
    assert limits(interval) == pytest.approx(tuple(expected), abs=1e-9)


def test_bca_agrees_with_scipy_on_other_draws() -> None:
    rows = patients_with_losses(40, seed=1)
    ours = bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=10_000, seed=1, method="bca"))
    theirs = stats.bootstrap(
        tuple(rows.T), lambda a, b, c, d, axis: a.sum(axis) / b.sum(axis) - c.sum(axis) / d.sum(axis),
        paired=True, vectorized=True, n_resamples=10_000, method="BCa", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    assert ours is not None
    assert limits(ours) == pytest.approx((theirs.low, theirs.high), abs=4e-4)


def test_the_interval_names_how_it_was_made() -> None:
    interval = bootstrap_interval(
        patients_with_losses(9), ratio_loss, Bootstrap(resamples=1000, seed=7, method="bca"), 0.9
    )
    assert interval is not None
    assert interval.method == "patient bootstrap BCa, B=1000, seed 7"
    assert interval.level == 0.9


@pytest.mark.parametrize("method", ["percentile", "bca", "bootstrap-t"])
def test_patients_that_are_all_alike_give_no_width(method: str) -> None:
    rows = np.tile([90.0, 100.0, 88.0, 100.0], (12, 1))
    interval = bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=1000, seed=1, method=method))  # type: ignore[arg-type]
    assert interval is not None
    assert limits(interval) == pytest.approx((0.02, 0.02), abs=1e-12)


def test_one_patient_says_nothing_of_others() -> None:
    assert (
        bootstrap_interval(patients_with_losses(1), ratio_loss, Bootstrap(resamples=1000, seed=1, method="bca")) is None
    )


def test_a_class_in_too_few_patients_has_no_interval() -> None:
    """With 2 of 30 patients having the class, 13 % of resamples have none of it."""
    rows = np.zeros((30, 4))
    rows[:2] = [[5, 10, 5, 10], [9, 10, 8, 10]]
    for method in ("percentile", "bca", "bootstrap-t"):
        assert bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=1000, seed=1, method=method)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("patients", [5, 22, 60])
@pytest.mark.parametrize("tail", [0.025, 0.1])
def test_bootstrap_t_agrees_with_a_loop_over_the_same_resamples(patients: int, tail: float) -> None:
    """Its definition in plain loops, slopes by numerical differentiation. A third of the patients change nothing."""
    rows = patients_with_losses(patients, seed=patients)
    rows[::3, 2] = rows[::3, 0]
    bootstrap = Bootstrap(resamples=1000, seed=11, method="bootstrap-t")

    def loss(sums: np.ndarray) -> float:
        return float(sums[0] / sums[1] - sums[2] / sums[3])

    def variance(drawn: np.ndarray) -> float:
        total = drawn.sum(axis=0)
        pulls = [(loss(total + 1e-4 * row) - loss(total - 1e-4 * row)) / 2e-4 for row in drawn]
        return patients / (patients - 1) * sum(pull * pull for pull in pulls)

    whole, words, ratios = loss(rows.sum(axis=0)), np.random.PCG64(11), []
    for _ in range(bootstrap.resamples):
        drawn = rows[[patients * (int(words.random_raw()) >> 32) >> 32 for _ in range(patients)]]
        ratios.append((loss(drawn.sum(axis=0)) - whole) / math.sqrt(variance(drawn) + 1e-4 * variance(rows)))
    left_out = [loss(np.delete(rows, i, axis=0).sum(axis=0)) for i in range(patients)]
    error = math.sqrt((patients - 1) * float(np.var(left_out)))
    total = rows.sum(axis=0)
    pulls = [abs(loss(total + 1e-4 * row) - loss(total - 1e-4 * row)) for row in rows]
    effective = max(3.0, min(sum(parts) ** 2 / sum(one * one for one in parts) for parts in (rows[:, 1], pulls)))
    own, most = stats.t.ppf(1 - tail, effective - 1), stats.t.ppf(1 - tail, 1.7)
    share = stats.norm.cdf(-math.sqrt(effective / (effective - 1)) * own)
    low, high = np.quantile(ratios, [share, 1 - share])
    interval = bootstrap_interval(rows, ratio_loss, bootstrap, 1 - 2 * tail)
    assert interval is not None and interval.method == "patient bootstrap t, B=1000, seed 11"
    expected = (whole - error * max(own, min(high, most)), whole + error * max(own, min(-low, most)))
    assert limits(interval) == pytest.approx(expected, abs=1e-7)


def test_bootstrap_t_of_normal_means_is_students_t() -> None:
    """Patients of equal size, whose losses are normal: the interval that is exact for them, or a little wider."""
    draw = np.random.default_rng(8)
    loss = draw.normal(0.01, 0.02, 25)
    rows = np.stack([900 + 1000 * loss, np.full(25, 1000.0), np.full(25, 900.0), np.full(25, 1000.0)], axis=1)
    interval = bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=8000, seed=2, method="bootstrap-t"))
    half = stats.t.ppf(0.975, 24) * loss.std(ddof=1) / 5
    assert interval is not None
    assert -1e-9 <= loss.mean() - half - interval.low < 0.3 * half
    assert -1e-9 <= interval.high - loss.mean() - half < 0.3 * half


def test_bootstrap_t_is_bounded_where_one_patient_has_it_all() -> None:
    """Three of 22 patients lose a beat each: resamples without them have no spread, and no limit is beyond t on
    1.7 degrees."""
    rows = np.tile([1900.0, 2000.0, 1900.0, 2000.0], (22, 1))
    rows[:3, 2] -= 1
    interval = bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=2000, seed=2, method="bootstrap-t"))
    percentile = bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=2000, seed=2, method="percentile"))
    assert interval is not None and percentile is not None
    loss = 3 / 44000
    error = math.sqrt(3 / 22 * 19 / 22 / 21) / 2000
    assert interval.high == pytest.approx(loss + stats.t.ppf(0.975, 1.7) * error, rel=1e-6)
    assert percentile.high < interval.high < 5e-4
    sure = rows[:3].copy()
    sure[:, 2] = 0
    sure[0, 2] = 1900
    wide = bootstrap_interval(sure, ratio_loss, Bootstrap(resamples=2000, seed=2, method="bootstrap-t"))
    assert wide is not None and wide.high == 1.0


def test_bootstrap_t_needs_two_patients_who_count() -> None:
    rows = np.zeros((30, 4))
    rows[0] = [900, 1000, 880, 1000]
    assert bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=1000, seed=1, method="bootstrap-t")) is None
    assert bootstrap_interval(rows[1:], ratio_loss, Bootstrap(resamples=1000, seed=1, method="bootstrap-t")) is None


def test_slopes_are_the_derivatives() -> None:
    draw = np.random.default_rng(6)
    for statistic, columns in ((ratio, 2), (ratio_loss, 4), (ratio_loss, 12), (excess_loss, 8), (excess_loss, 24)):
        sums = draw.uniform(10, 90, columns)
        steps = 1e-5 * np.eye(columns)
        found = [(float(statistic(sums + step)) - float(statistic(sums - step))) / 2e-5 for step in steps]
        assert statistic.slopes(sums) == pytest.approx(np.array(found), abs=1e-8)


def test_an_undefined_loss_is_nan_and_not_an_exception() -> None:
    assert math.isnan(float(ratio_loss(np.zeros(4))))
    assert math.isnan(float(ratio_loss(np.array([1.0, 2.0, 0.0, 0.0]))))


# ---------------------------------------------------------------------------------------------- ratios that move


def predictive_value_rows(draw: np.random.Generator, beats: int, change: float = 0.1) -> np.ndarray:
    """Beats of which float calls some; INT8 repeats the call but for a share `change`, at random (no true loss)."""
    is_class = draw.random(beats) < 0.3
    called = np.where(is_class, draw.random(beats) < 0.9, draw.random(beats) < 0.1)

    def noisy() -> np.ndarray:
        return np.where(draw.random(beats) < change, ~called, called)

    first, second = noisy(), noisy()
    return np.stack([first & is_class, first, second & is_class, second], axis=1).astype(float)


def test_delta_interval_agrees_with_a_bootstrap_of_beats() -> None:
    rows = predictive_value_rows(np.random.default_rng(3), 3000)
    delta = paired_ratio_delta(rows)
    beats = bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=4000, seed=4, method="percentile"))
    assert beats is not None
    assert limits(delta) == pytest.approx(limits(beats), abs=0.002)


def test_delta_interval_keeps_a_width_without_any_change() -> None:
    rows = np.array([[1, 1, 1, 1]] * 80 + [[0, 1, 0, 1]] * 20, dtype=float)
    changes = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=float)
    assert limits(paired_ratio_delta(rows)) == (0.0, 0.0)
    low, high = limits(paired_ratio_delta(rows, unseen=changes))
    assert low == -high
    assert 0.005 < high < 0.04


def test_delta_interval_of_nothing_excludes_nothing() -> None:
    assert limits(paired_ratio_delta(np.zeros((0, 4)))) == (-1.0, 1.0)
    assert limits(paired_ratio_delta(np.array([[1.0, 1.0, 0.0, 0.0]]))) == (-1.0, 1.0)


# ---------------------------------------------------------------------------------------------- coverage


def test_paired_intervals_cover_the_true_difference() -> None:
    """n = 60, P(first only) 0.10, P(second only) 0.04: 2,000 tables, nominal 95 %; standard error 0.5 %."""
    draw = np.random.default_rng(1)
    tables = draw.multinomial(60, [0.70, 0.10, 0.04, 0.16], size=2000)
    kinds, times = np.unique(tables, axis=0, return_counts=True)
    for method in (tango, newcombe_paired):
        covered = sum(
            int(count) * (interval.low <= 0.06 <= interval.high)
            for kind, count in zip(kinds, times, strict=True)
            for interval in [method(table(*map(int, kind)))]
        )
        assert 0.935 < covered / 2000 < 0.975


def test_delta_interval_covers_the_true_difference() -> None:
    draw = np.random.default_rng(2)
    changes = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=float)
    inside = 0
    for _ in range(800):
        interval = paired_ratio_delta(predictive_value_rows(draw, 300, change=0.02), unseen=changes)
        inside += interval.low <= 0 <= interval.high
    assert 0.93 < inside / 800 <= 0.99


def test_the_patient_bootstrap_covers_where_beats_alone_do_not() -> None:
    """60 patients whose loss differs from patient to patient: an interval over beats is far too narrow."""
    draw = np.random.default_rng(3)
    by_patient = by_beat = 0
    for repeat in range(300):
        beats = np.full(60, 200)
        chance = draw.beta(0.5, 0.5 * 0.98 / 0.02, 60)
        lost = draw.binomial(beats, chance)
        right = np.full(60, 190)
        rows = np.stack([right, beats, right - np.minimum(lost, right), beats], axis=1).astype(float)
        interval = bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=1000, seed=repeat, method="bca"))
        flips = int(lost.sum())
        closed = tango(table(12000 - flips - 600, flips, 0, 600))
        assert interval is not None
        by_patient += interval.low <= 0.02 <= interval.high
        by_beat += closed.low <= 0.02 <= closed.high
    assert by_patient / 300 > 0.88
    assert by_beat / 300 < 0.75


# ---------------------------------------------------------------------------------------------- planning


def test_patients_needed_follow_the_stated_formula() -> None:
    needed = clusters_needed(clusters=22, estimate=0.005, upper=0.035, margin=0.02, level=0.95, power=0.8)
    by_hand = 22 * ((1.959964 + 0.841621) / 1.959964 * 0.030 / 0.015) ** 2
    assert needed == math.ceil(by_hand) == 180


def test_that_many_patients_do_end_the_doubt_with_the_stated_power() -> None:
    """Simulated: loss per patient normal, mean 0.01, spread 0.05, margin 0.02, planned from 50 patients."""
    sigma, mean, margin = 0.05, 0.01, 0.02
    upper = mean + Z * sigma / math.sqrt(50)
    needed = clusters_needed(clusters=50, estimate=mean, upper=upper, margin=margin, level=0.95, power=0.8)
    assert needed is not None
    means = np.random.default_rng(1).normal(mean, sigma / math.sqrt(needed), 20_000)
    assert np.mean(means + Z * sigma / math.sqrt(needed) < margin) == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize(
    ("estimate", "upper"), [(0.02, 0.03), (0.05, 0.06), (math.nan, 0.1), (0.0, math.inf), (0.0, math.nan)]
)
def test_no_number_of_patients_helps_a_loss_at_the_margin(estimate: float, upper: float) -> None:
    assert clusters_needed(clusters=22, estimate=estimate, upper=upper, margin=0.02, level=0.95, power=0.8) is None
