"""Reed-Solomon over GF(256), as in firmware_templates/app/correct.h: up to three wrong bytes of a block are put right.

Shortened RS(255, 249): field polynomial 0x11d, generator (x - 1)(x - 2)...(x - 2^5), the first byte the highest power.
Encoding divides by the generator a byte at a time with a table of its multiples.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable

PARITY_BYTES = 6
CORRECTABLE = 3
MAX_BLOCK_BYTES = 255
_ORDER = 255
_FIELD = 0x11D


def _powers() -> tuple[int, ...]:
    found = [1]
    while len(found) < _ORDER:
        double = found[-1] << 1
        found.append(double ^ _FIELD if double & 0x100 else double)
    return tuple(found)


_POWER = _powers()
_LOGARITHM = {value: exponent for exponent, value in enumerate(_POWER)}


def _times(a: int, b: int) -> int:
    return _POWER[(_LOGARITHM[a] + _LOGARITHM[b]) % _ORDER] if a and b else 0


def _over(a: int, b: int) -> int:
    return _POWER[(_LOGARITHM[a] - _LOGARITHM[b]) % _ORDER] if a else 0


def _value_at(coefficients: list[int], x: int) -> int:
    """Of a polynomial, lowest power first."""
    value = 0
    for coefficient in reversed(coefficients):
        value = _times(value, x) ^ coefficient
    return value


def _generator() -> list[int]:
    """Highest power first, with its leading 1."""
    found = [1]
    for root in _POWER[:PARITY_BYTES]:
        longer = [*found, 0]
        for place, coefficient in enumerate(found):
            longer[place + 1] ^= _times(coefficient, root)
        found = longer
    return found


_MULTIPLES = tuple(
    int.from_bytes(bytes(_times(lead, coefficient) for coefficient in _generator()[1:])) for lead in range(256)
)
_TOP = 8 * (PARITY_BYTES - 1)
_MASK = (1 << _TOP) - 1


def parity(data: bytes) -> bytes:
    """The PARITY_BYTES that follow `data` in a block."""
    rest = 0
    for byte in data:
        rest = (rest & _MASK) << 8 ^ _MULTIPLES[byte ^ rest >> _TOP]
    return rest.to_bytes(PARITY_BYTES)


def correct(block: bytes) -> bytes | None:
    """The block put right, None where it has more wrong bytes than can be found."""
    syndromes = [_value_at(list(reversed(block)), root) for root in _POWER[:PARITY_BYTES]]
    if not any(syndromes):
        return block
    locator = _locator(syndromes)
    errors = len(locator) - 1
    if errors > CORRECTABLE:
        return None
    evaluator = [
        _sum(_times(locator[i], syndromes[k - i]) for i in range(min(k, errors) + 1)) for k in range(CORRECTABLE)
    ]
    slope = [coefficient if place % 2 else 0 for place, coefficient in enumerate(locator)][1:]
    found = bytearray(block)
    places = 0
    for place in range(len(block)):
        inverted = _POWER[-place % _ORDER]
        if _value_at(locator, inverted):
            continue
        divisor = _value_at(slope, inverted)
        if not divisor:
            return None
        found[-1 - place] ^= _over(_times(_POWER[place], _value_at(evaluator, inverted)), divisor)
        places += 1
    return bytes(found) if places == errors else None


def _locator(syndromes: list[int]) -> list[int]:
    """Berlekamp-Massey: the shortest recurrence of the syndromes, lowest power first."""
    locator, before, last, errors, since = [1], [1], 1, 0, 1
    for n in range(len(syndromes)):
        discrepancy = _sum(
            _times(locator[i], syndromes[n - i]) for i in range(min(errors, len(locator) - 1) + 1) if n >= i
        )
        if not discrepancy:
            since += 1
            continue
        factor = _over(discrepancy, last)
        change = [0] * since + [_times(factor, coefficient) for coefficient in before]
        longer = [
            (locator[i] if i < len(locator) else 0) ^ (change[i] if i < len(change) else 0)
            for i in range(max(len(locator), len(change)))
        ]
        if 2 * errors <= n:
            errors, before, last, since = n + 1 - errors, locator, discrepancy, 1
        else:
            since += 1
        locator = longer
    return locator[: errors + 1] + [0] * (errors + 1 - len(locator))


def _sum(terms: Iterable[int]) -> int:
    return functools.reduce(operator.xor, terms, 0)
