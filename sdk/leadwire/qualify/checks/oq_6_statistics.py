"""Intervals and tests against published figures.

Fagerland, Lydersen, Laake: Statistical Analysis of Contingency Tables, CRC Press 2017, chapter 8 (their R package
contingencytables), the tables of Cavo et al. 2012 and Bentur et al. 2009; Wilson and Clopper-Pearson: Newcombe,
Statistics in Medicine 17 (1998) 857-872, table I.
"""

from __future__ import annotations

from collections.abc import Iterator

from leadwire.artifacts import Interval
from leadwire.qualify.check import Context, Finding, within
from leadwire.stats import PairedTable, clopper_pearson, mcnemar, newcombe_paired, tango, wilson

TITLE = "Statistics"
REQUIREMENTS = ("LW-VAL-001",)
_CAVO = PairedTable(both=59, first_only=6, second_only=16, neither=80)
_BENTUR = PairedTable(both=1, first_only=1, second_only=7, neither=12)


def look(context: Context) -> Iterator[Finding]:
    yield from _limits("Tango's interval, Cavo et al.", (-0.1240, -0.0054), tango(_CAVO), 5e-5)
    yield from _limits("Newcombe's paired interval, Cavo et al.", (-0.1186, -0.0046), newcombe_paired(_CAVO), 5e-5)
    yield from _limits("Tango's interval, Bentur et al.", (-0.517, -0.026), tango(_BENTUR), 5e-4)
    yield within("McNemar's exact p, Cavo et al.", 0.052479, mcnemar(6, 16).exact, 5e-7)
    yield within("McNemar's mid-p, Cavo et al.", 0.034690, mcnemar(6, 16).mid_p, 5e-7)
    yield from _limits("Wilson's interval, 81 of 263", (0.2553, 0.3662), wilson(81, 263), 5e-5)
    yield from _limits("Clopper and Pearson's interval, 81 of 263", (0.2527, 0.3676), clopper_pearson(81, 263), 5e-5)


def _limits(what: str, expected: tuple[float, float], found: Interval, tolerance: float) -> Iterator[Finding]:
    yield within(f"{what}, lower limit", expected[0], found.low, tolerance)
    yield within(f"{what}, upper limit", expected[1], found.high, tolerance)
