"""requantize.h against its definition in exact integers, on corner values and random ones, under UBSan."""

from __future__ import annotations

import random
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from leadwire.ops.arithmetic import Rescale, rescale
from single_operator import SANITIZE, WARNINGS

RUNTIME = Path(__file__).resolve().parents[2] / "firmware_templates" / "runtime"
PROGRAM = r"""
#include <stdio.h>
#include "requantize.h"
int main(void)
{
    long x, m;
    unsigned left, right;
    while (scanf("%ld %ld %u %u", &x, &m, &left, &right) == 4) {
        const lw_rescale rescale = {(int32_t)m, (uint8_t)left, (uint8_t)right};
        printf("%ld\n", (long)lw_rescale_s32((int32_t)x, rescale));
    }
    return 0;
}
"""


def twice_rounded(x: int, m: int, shift: int) -> int:
    """Saturating rounding doubling high multiply, then rounding divide by a power of two: TensorFlow Lite Micro's
    definition, in exact integers."""
    product = (x << max(shift, 0)) * m
    nudge = 2**30 if product >= 0 else 1 - 2**30
    high = abs(product + nudge) // 2**31 * (1 if product + nudge >= 0 else -1)
    right = max(-shift, 0)
    remainder = high & ((1 << right) - 1)
    threshold = ((1 << right) - 1 >> 1) + (high < 0)
    return (high >> right) + (remainder > threshold)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("requantize")
    (folder / "main.c").write_text(PROGRAM)
    subprocess.run(
        ["gcc", "-std=c99", *WARNINGS, *SANITIZE, f"-I{RUNTIME}", str(folder / "main.c"), "-o", str(folder / "main")],
        check=True,
    )
    return folder / "main"


def test_as_defined(program: Path) -> None:
    source = random.Random(7)
    cases = []
    for _ in range(20000):
        m = source.choice([2**30, 2**31 - 1, source.randrange(2**30, 2**31)])
        shift = source.choice([0, -1, 1, -30, source.randrange(-30, 10)])
        limit = (2**31 - 1 - (1 << max(-shift, 0) >> 1)) >> max(shift, 0)
        x = source.choice([0, 1, -1, limit, -limit, source.randrange(-limit, limit + 1), source.randrange(-300, 300)])
        x = max(-limit, min(limit, x))
        cases.append((x, m, shift))
    lines = [f"{x} {2 * m - 2**32} {max(shift, 0)} {max(-shift, 0)}" for x, m, shift in cases]
    result = subprocess.run([str(program)], input="\n".join(lines), capture_output=True, text=True, check=True)
    found = [int(line) for line in result.stdout.split()]
    wrong = [
        (case, value, twice_rounded(*case))
        for case, value in zip(cases, found, strict=True)
        if value != twice_rounded(*case)
    ]
    assert not wrong, wrong[:5]


@pytest.mark.parametrize("factor", [0.0, 2.0**-40, 2.0**-31, 2.0**-30, 0.1, 0.5, 0.75, 1.0, 3.7, 1000.0])
def test_rescale_is_close_to_the_real_factor(factor: float) -> None:
    """The nearest integer, or one of its neighbours: two roundings."""
    found = rescale(factor, 1 << 20)
    assert isinstance(found, Rescale)
    for x in (-(1 << 20), -1001, -1, 0, 1, 77, 1 << 20):
        got = twice_rounded(x, found.m, found.left - found.right)
        assert abs(Fraction(got) - Fraction(factor) * x) <= Fraction(1, 2) + Fraction(1, 2**9) * max(1, int(factor))


@pytest.mark.parametrize(
    ("factor", "largest"), [(1.0, 2**31), (2.0**12, 2**20), (float("inf"), 1), (float("nan"), 1), (2.0**-40, 2**31 - 1)]
)
def test_rescale_refuses_what_32_bits_cannot_hold(factor: float, largest: int) -> None:
    assert rescale(factor, largest) is None
