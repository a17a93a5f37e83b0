"""How figures are written: units beside every number, narrow spaces between thousands, 'n/a' where there is none."""

from __future__ import annotations

import math

from markupsafe import Markup, escape

from leadwire.artifacts import Interval, Statistic

SPACE = "\u202f"
MINUS = "\u2212"
NONE = "n/a"
_RUNTIMES = {
    "float": "float",
    "tflite": "TFLite on the host",
    "tflm": "TFLite Micro on the host",
    "host_c": "generated C on the host",
    "device": "device",
}


def count(value: float | None) -> str:
    """A whole number: 49 691."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:,.0f}".replace(",", SPACE).replace("-", MINUS)


def size(value: float | None) -> str:
    """Bytes: 33 920 B."""
    return NONE if value is None else f"{count(value)}{SPACE}B"


def decimal(value: float | None, digits: int = 1) -> str:
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:,.{digits}f}".replace(",", SPACE).replace("-", MINUS)


def si(value: float | None, unit: str, digits: int = 4) -> str:
    """With a prefix, so many digits that count: 1.131 mJ."""
    if value is None or not math.isfinite(value):
        return NONE
    prefixes = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))
    factor, prefix = next((pair for pair in prefixes if abs(value) >= pair[0]), prefixes[-1])
    return f"{value / factor:.{digits}g}{SPACE}{prefix}{unit}".replace("-", MINUS)


def percent(value: float | None, digits: int = 2) -> str:
    """A proportion as a percentage: 96.84 %."""
    return NONE if value is None or not math.isfinite(value) else f"{decimal(100 * value, digits)}{SPACE}%"


def probability(value: float | None) -> str:
    """A p value: 0.0317; very small ones as a bound."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"<{SPACE}0.0001" if value < 1e-4 else f"{value:.4f}"


def points(value: float | None, digits: int = 2) -> str:
    """A difference of proportions in percentage points, signed unless it is zero: +0.11."""
    if value is None or not math.isfinite(value):
        return NONE
    written = f"{100 * value:+.{digits}f}"
    return written[1:] if float(written) == 0 else written.replace("-", MINUS)


def interval(value: Interval | None, digits: int = 2) -> str:
    """Limits of an interval of a proportion in per cent: [95.91, 97.20]."""
    return "" if value is None else f"[{decimal(100 * value.low, digits)}, {decimal(100 * value.high, digits)}]"


def signed_interval(value: Interval | None, digits: int = 2) -> str:
    return "" if value is None else f"[{points(value.low, digits)}, {points(value.high, digits)}]"


def fraction(value: Statistic) -> str:
    """The counts behind a proportion: 355 / 389."""
    return "" if value.denominator is None else f"{count(value.numerator)} / {count(value.denominator)}"


def digest(value: str) -> Markup:
    """Hexadecimal digits in groups of eight that break nowhere else."""
    groups = [value[start : start + 8] for start in range(0, len(value), 8)]
    return Markup('<code class="digest">{}</code>').format(Markup("<wbr>").join(escape(group) for group in groups))


def instructions(value: float | None) -> str:
    return "not counted" if value is None else count(value)


def runtime(value: str) -> str:
    """A runtime's name in words."""
    return _RUNTIMES.get(value, value)
