"""exp, logistic and tanh in 32-bit fixed point, as TensorFlow Lite Micro computes them for int8 tensors.

Source: the fixed-point functions that TFLite's reference kernels call: a fourth-order polynomial on (-1/4, 0] times one
constant for each higher bit, and three steps of Newton's method for the reciprocal. A value in Qn.m stands for
value / 2^m. Every rounding step counts; the tests compare all 256 bytes with the interpreter.
"""

from __future__ import annotations

from typing import Final

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
_ONE: Final = 1 << 29
"""1 in Q2.29."""

_EXP_OF_POWERS: Final = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(-2^(k - 2)) in Q0.31."""


def multiply_high(a: int, b: int, bits: int = 31) -> int:
    """a * b / 2^bits to the nearest, halves up."""
    return (a * b + (1 << bits >> 1)) >> bits


def divide_by_power(x: int, exponent: int) -> int:
    """x / 2^exponent to the nearest, halves away from 0."""
    half = 1 << exponent >> 1
    return (x + half) >> exponent if x >= 0 else -((-x + half) >> exponent)


def saturated(x: int, bits: int = 32) -> int:
    """x held within a signed number of `bits`."""
    limit = 1 << (bits - 1)
    return max(-limit, min(limit - 1, x))


def _exp_quarter(x: int) -> int:
    """exp of x in [-1/4, 0), both in Q0.31."""
    y = x + (1 << 28)
    square = multiply_high(y, y)
    cube, fourth = multiply_high(square, y), multiply_high(square, square)
    tail = divide_by_power(multiply_high(divide_by_power(fourth, 2) + cube, 715827883) + square, 1)
    return 1895147668 + multiply_high(1895147668, y + tail)


def exp(x: int, integer_bits: int) -> int:
    """exp of x <= 0 in Q(integer_bits) as Q0.31; integer_bits is 4 or 5."""
    if x == 0:
        return INT32_MAX
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    fraction = (x & (quarter - 1)) - quarter
    quarters = fraction - x
    result = _exp_quarter(fraction << integer_bits)
    for k in range(integer_bits + 2):
        if quarters >> (fraction_bits - 2 + k) & 1:
            result = multiply_high(result, _EXP_OF_POWERS[k])
    return result


def _half_reciprocal(x: int) -> int:
    """1 / ((1 + x) / 2) in Q2.29 for x in [0, 1] in Q0.31."""
    half = (x + INT32_MAX + 1) >> 1
    y = 1515870810 + multiply_high(half, -1010580540)
    for _ in range(3):
        y += saturated(multiply_high(y, _ONE - multiply_high(half, y)) << 2)
    return y


def logistic(x: int) -> int:
    """1 / (1 + exp(-x)) in Q0.31 of x in Q4.27."""
    if x == 0:
        return 1 << 30
    positive = saturated(_half_reciprocal(exp(-abs(x), 4)) << 1)
    return positive if x > 0 else INT32_MAX - positive


def tanh(x: int) -> int:
    """tanh(x) in Q0.31 of x in Q4.27."""
    if x == 0:
        return 0
    positive = saturated((_half_reciprocal(exp(-abs(x), 5)) - _ONE) << 2)
    return positive if x > 0 else -positive
