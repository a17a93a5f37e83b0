"""Simulated coverage of each interval of `leadwire.stats`: the tables of docs/manual/statistics.md.

    python benchmarks/coverage.py                  writes them there: 10,000 studies by closed forms, 2,000 cohorts
    python benchmarks/coverage.py --studies 200    prints them

A cohort is drawn patient by patient; what is counted is how often the true value of the population that the patients
come from lies within the interval, below it and above it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from leadwire.artifacts import Interval
from leadwire.stats import (
    Bootstrap,
    Floats,
    PairedTable,
    area_under_curve,
    bootstrap_interval,
    clopper_pearson,
    newcombe_paired,
    paired_ratio_delta,
    ratio_loss,
    tango,
    tost,
    wilson,
)

LEVEL = 0.95
MANUAL = Path(__file__).resolve().parents[1] / "docs" / "manual" / "statistics.md"
START, END = "<!-- coverage: make coverage -->\n", "<!-- end of coverage -->\n"
Draw = np.random.Generator
Method = Literal["percentile", "bca", "bootstrap-t"]
Case = Callable[[Draw], tuple[Interval | None, float]]
"""One simulated study: the interval and the true value."""


# ---------------------------------------------------------------------------------------------- beats


def share_case(interval: Callable[[int, int, float], Interval], n: int, p: float) -> Case:
    return lambda draw: (interval(int(draw.binomial(n, p)), n, LEVEL), p)


def paired_case(interval: Callable[[PairedTable, float], Interval], n: int, b: float, c: float) -> Case:
    def case(draw: Draw) -> tuple[Interval, float]:
        both, first, second, neither = draw.multinomial(n, [0.9 - b - c, b, c, 0.1])
        table = PairedTable(both=int(both), first_only=int(first), second_only=int(second), neither=int(neither))
        return interval(table, LEVEL), b - c

    return case


CHANGES = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 1.0]])
KINDS = np.array([[1, 1, 1, 1], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 1.0]])
SHARES = np.array([0.70, 0.12, 0.05, 0.03, 0.04, 0.06])
"""Calls of float and INT8: both right, both wrong, float alone right, INT8 alone right, float alone wrong, INT8
alone.
"""


def predictivity(draw: Draw) -> tuple[Interval, float]:
    rows = np.repeat(KINDS, draw.multinomial(1500, SHARES), axis=0)
    return paired_ratio_delta(rows, LEVEL, unseen=CHANGES), float(ratio_loss(SHARES @ KINDS))


def equivalence(draw: Draw) -> tuple[Interval, float]:
    n = draw.integers(20, 60, 40)
    sums = n * draw.normal(0.004, 0.01, 40) + draw.normal(0, 0.05, 40) * np.sqrt(n)
    return tost(np.stack([sums, n], axis=1), 0.01, (1 - LEVEL) / 2).interval, 0.004


def area(draw: Draw) -> tuple[Interval, float]:
    """Two normal populations 1.2 standard deviations apart: area Phi(1.2 / sqrt 2)."""
    _, interval = area_under_curve(draw.normal(0, 1, 80).tolist(), draw.normal(1.2, 1, 60).tolist(), LEVEL)
    return interval, 0.5 * math.erfc(-1.2 / 2)


CLOSED_FORMS: dict[str, Case] = {
    "Wilson, n = 300, share 0.9": share_case(wilson, 300, 0.9),
    "Wilson, n = 100, share 0.3": share_case(wilson, 100, 0.3),
    "Clopper–Pearson, n = 300, share 0.9": share_case(clopper_pearson, 300, 0.9),
    "Clopper–Pearson, n = 50, share 0.98": share_case(clopper_pearson, 50, 0.98),
    "Tango, 500 pairs, 3 % and 2 % changed": paired_case(tango, 500, 0.03, 0.02),
    "Tango, 60 pairs, 5 % and 2 % changed": paired_case(tango, 60, 0.05, 0.02),
    "Newcombe, 500 pairs, 3 % and 2 % changed": paired_case(newcombe_paired, 500, 0.03, 0.02),
    "delta method, positive predictivity, 1,500 beats": predictivity,
    "t over 40 patients (TOST)": equivalence,
    "DeLong, 80 and 60": area,
}


# ---------------------------------------------------------------------------------------------- patients


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Patients whose beats and changed decisions are random.

    `beats` is the mean number that counts, log-normal with `sigma`; `without` the share of patients with none. A
    decision changes with a patient's own chance, beta distributed with mean `changed` (the smaller `shape`, the more
    patients differ; 0 in a share `untouched` of them), and a changed one is a loss with chance `lost`. `turned`: a
    patient's changes go one way. `longer`: the chance rises with the number of beats. `calls`: the figure is positive
    predictivity, float's and INT8's calls being different beats.
    """

    title: str
    shape: float
    changed: float = 0.01
    lost: float = 0.7
    beats: float = 800
    sigma: float = 0.6
    without: float = 0.0
    untouched: float = 0.0
    turned: bool = False
    longer: bool = False
    calls: bool = False

    def draw(self, draw: Draw, patients: int) -> Floats:
        """Rows [patients, 4] as `ratio_loss` takes them."""
        beats = np.maximum(1, np.round(self.beats * draw.lognormal(-(self.sigma**2) / 2, self.sigma, patients)))
        beats = (beats * (draw.random(patients) >= self.without)).astype(np.int64)
        mean = self.changed / (1 - self.untouched)
        chance = draw.beta(self.shape, self.shape * (1 - mean) / mean, patients)
        chance = chance * (draw.random(patients) >= self.untouched)
        if self.longer:
            chance = np.minimum(chance * beats / self.beats, 0.9)
        if self.calls:
            return self._calls(draw, beats, chance)
        lost = draw.beta(self.lost / 2 / (1 - self.lost), 0.5, patients) if self.turned else self.lost
        changed = draw.binomial(beats, chance)
        worse = draw.binomial(changed, lost)
        right = draw.binomial(beats - changed, 0.9)
        return np.stack([right + worse, beats, right + changed - worse, beats], axis=1).astype(np.float64)

    def _calls(self, draw: Draw, beats: np.ndarray, chance: np.ndarray) -> Floats:
        """True calls lost and gained, false calls of other beats gained and gone."""
        patients = len(beats)
        others = np.round(800 * draw.lognormal(-0.18, 0.6, patients)).astype(np.int64)
        true = draw.binomial(beats, 0.93)
        false = draw.binomial(others, draw.beta(0.5, 49.5, patients))
        more = draw.binomial(others - false, draw.beta(self.shape, self.shape * 332, patients))
        true_now = true - draw.binomial(true, chance) + draw.binomial(beats - true, 0.05)
        false_now = false + more - draw.binomial(false, 0.15)
        return np.stack([true, true + false, true_now, true_now + false_now], axis=1).astype(np.float64)

    def truth(self) -> float:
        """Of a million patients."""
        draw = np.random.default_rng(99)
        return float(ratio_loss(sum(self.draw(draw, 100_000).sum(axis=0) for _ in range(10))))


COHORTS = (
    Cohort(title="accuracy, changes spread mildly (shape 5)", shape=5),
    Cohort(title="accuracy, changes in few patients (shape 0.5)", shape=0.5),
    Cohort(title="accuracy, the same, as often better as worse", shape=0.5, lost=0.5),
    Cohort(title="accuracy, six patients of ten without a change", shape=1, untouched=0.6),
    Cohort(title="accuracy, a patient's changes go one way", shape=0.7, turned=True),
    Cohort(
        title="sensitivity, three patients of ten without the class",
        shape=1, changed=0.03, lost=0.65, beats=80, sigma=1.0, without=0.3,
    ),
    Cohort(
        title="sensitivity, most of the class in one or two patients",
        shape=1, changed=0.03, lost=0.65, beats=80, sigma=2.0, without=0.3,
    ),
    Cohort(title="positive predictivity", shape=0.7, changed=0.03, beats=120, sigma=1.2, without=0.3, calls=True),
    Cohort(title="accuracy, the longer a record the more changes", shape=1, longer=True),
)  # fmt: skip
PATIENTS = (20, 50, 200, 500)
METHODS: tuple[Method, ...] = ("percentile", "bca", "bootstrap-t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Shares of the studies whose interval lies wholly above the true value, and wholly below it; `missing` had
    none."""

    studies: int
    above: float
    below: float
    missing: int = 0

    @property
    def covered(self) -> float:
        return 1 - self.above - self.below

    @property
    def error(self) -> float:
        """Standard error of `covered`."""
        return math.sqrt(max(self.covered * (1 - self.covered), 1e-4) / self.studies)

    @property
    def cell(self) -> str:
        text = f"{100 * self.covered:.1f} %"
        return f"**{text}**" if self.covered + 2 * self.error >= LEVEL else text


def coverage(case: Case, studies: int) -> Coverage:
    draw = np.random.default_rng(57)
    above = below = 0
    for _ in range(studies):
        interval, true = case(draw)
        assert interval is not None
        above += interval.low > true
        below += interval.high < true
    return Coverage(studies=studies, above=above / studies, below=below / studies)


def cohort_coverage(
    cohort: Cohort, patients: int, studies: int, methods: tuple[Method, ...] = METHODS
) -> dict[Method, Coverage]:
    """Of each method on the same cohorts, over those that have an interval."""
    draw, true = np.random.default_rng(patients), cohort.truth()
    found: dict[Method, list[tuple[bool, bool]]] = {method: [] for method in methods}
    for _ in range(studies):
        rows = cohort.draw(draw, patients)
        for method in methods:
            bootstrap = Bootstrap(resamples=1000, seed=7, method=method)
            interval = bootstrap_interval(rows, ratio_loss, bootstrap, LEVEL)
            if interval is not None:
                found[method].append((interval.low > true, interval.high < true))
    return {
        method: Coverage(
            studies=len(outside),
            above=sum(above for above, _ in outside) / len(outside),
            below=sum(below for _, below in outside) / len(outside),
            missing=studies - len(outside),
        )
        for method, outside in found.items()
    }


# ---------------------------------------------------------------------------------------------- the tables


def tables(closed: int, cohorts: int) -> str:
    lines = [
        f"Of {closed:,} studies each; ± the standard error of the simulation, in points.",
        "",
        "| interval, nominally 95 % | coverage |",
        "|---|---|",
    ]
    for name, case in CLOSED_FORMS.items():
        one = coverage(case, closed)
        lines.append(f"| {name} | {100 * one.covered:.1f} ± {100 * one.error:.1f} % |")
    lines += [
        "",
        f"Of {cohorts:,} cohorts each, B = 1,000, nominally 95 %, standard error 0.3 to 0.9 points. **Bold**: at the "
        "nominal level, or above it,",
        "within two standard errors. In brackets, for bootstrap-t: how often its upper limit is below the true loss, "
        "nominally 2.5 %.",
        "",
        "| cohort | patients | percentile | BCa | bootstrap-t |",
        "|---|---|---|---|---|",
    ]
    rows = [(cohort, patients) for cohort in COHORTS for patients in PATIENTS]
    with ProcessPoolExecutor(2) as pool:
        waiting = [pool.submit(cohort_coverage, *row, cohorts) for row in rows]
        for (cohort, patients), future in zip(rows, waiting, strict=True):
            found = future.result()
            cells = [found[method].cell for method in METHODS]
            below = f"{100 * found['bootstrap-t'].below:.1f} %"
            lines.append(f"| {cohort.title} | {patients} | {' | '.join(cells)} ({below}) |")
            print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulated coverage of the intervals of leadwire.stats.")
    parser.add_argument("--studies", type=int, help="so many of each, printed; without it the manual is written")
    studies = parser.parse_args().studies
    if studies:
        print(tables(studies, studies))
        return
    made = tables(10_000, 2_000)
    text = MANUAL.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    MANUAL.write_text(before + START + "\n" + made + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
