"""How often the upper limit that judges an endpoint lies below the true loss: the false-pass risk, by simulation.

The cohort is like DS2: patients differ in their number of beats (log-normal, sigma 1, median 150) and in the share of
decisions that conversion changes (beta distributed, mean 1 %). Nominal 2.5 %. Both limits of an
interval, and other cohorts: `benchmarks/coverage.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

from leadwire.stats import Bootstrap, BootstrapMethod, PairedTable, bootstrap_interval, ratio_loss, tango

CHANGED, LOST = 0.01, 0.7  # share of beats whose decision changes, and of these the share that becomes wrong


def false_pass_risk(
    patients: int, spread: float, repeats: int, *, judged: bool = True, method: BootstrapMethod = "bca"
) -> float:
    """Share of cohorts whose upper limit is below the true loss. `spread`: the smaller, the more patients differ."""
    draw = np.random.default_rng(20040719)
    true_loss = CHANGED * (2 * LOST - 1)
    below = 0
    for repeat in range(repeats):
        beats = np.maximum(1, draw.lognormal(np.log(150), 1.0, patients)).astype(int)
        changed = draw.binomial(beats, draw.beta(spread, spread * (1 - CHANGED) / CHANGED, patients))
        lost = draw.binomial(changed, LOST)
        gained = changed - lost
        right = beats - gained
        rows = np.stack([right, beats, right - lost + gained, beats], axis=1).astype(float)
        interval = bootstrap_interval(rows, ratio_loss, Bootstrap(resamples=1000, seed=repeat, method=method))
        assert interval is not None
        b, c, n = int(lost.sum()), int(gained.sum()), int(beats.sum())
        closed = tango(PairedTable(both=n - b - c, first_only=b, second_only=c, neither=0))
        below += (max(interval.high, closed.high) if judged else closed.high) < true_loss
    return below / repeats


@pytest.mark.parametrize(
    ("patients", "spread", "at_most"),
    [(22, 5.0, 0.06), (22, 0.5, 0.12), (100, 5.0, 0.055), (100, 0.5, 0.09)],
)
def test_the_false_pass_risk_of_bca(patients: int, spread: float, at_most: float) -> None:
    assert false_pass_risk(patients, spread, 400) <= at_most


def test_the_false_pass_risk_of_bootstrap_t_is_smaller() -> None:
    """22 patients, changes concentrated in few of them."""
    risk = false_pass_risk(22, 0.5, 400, method="bootstrap-t")
    assert risk <= 0.065
    assert risk < false_pass_risk(22, 0.5, 400) - 0.01


def test_beats_taken_for_independent_would_pass_far_too_often() -> None:
    assert false_pass_risk(100, 0.5, 400, judged=False) > 0.10
