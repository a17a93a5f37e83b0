"""Shares that follow from a matrix N S V F Q O X; None of them is defined without its denominator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import nan

from leadwire.artifacts import Statistic

from .labels import ROWS

Matrix = Sequence[Sequence[int]]
_Share = tuple[int, int]


def _cells(matrix: Matrix, rows: str, columns: str) -> int:
    return sum(matrix[ROWS.index(row)][ROWS.index(column)] for row in rows for column in columns)


def _qrs_sensitivity(matrix: Matrix) -> _Share:
    found = _cells(matrix, "NSVFQ", "NSVFQ")
    return found, found + _cells(matrix, "NSVFQ", "OX")


def _qrs_positive_predictivity(matrix: Matrix) -> _Share:
    found = _cells(matrix, "NSVFQ", "NSVFQ")
    return found, found + _cells(matrix, "OX", "NSVFQ")


def _veb_sensitivity(matrix: Matrix) -> _Share:
    return _cells(matrix, "V", "V"), _cells(matrix, "V", ROWS)


def _veb_positive_predictivity(matrix: Matrix) -> _Share:
    """A fusion or unknown beat that is called V is neither right nor wrong."""
    return _cells(matrix, "V", "V"), _cells(matrix, "VNSOX", "V")


def _veb_false_positive_rate(matrix: Matrix) -> _Share:
    false = _cells(matrix, "NSOX", "V")
    return false, false + _cells(matrix, "NSFQOX", "NSFQ")


def _sveb_sensitivity(matrix: Matrix) -> _Share:
    return _cells(matrix, "S", "S"), _cells(matrix, "S", ROWS)


def _sveb_positive_predictivity(matrix: Matrix) -> _Share:
    """An unknown beat that is called S is neither right nor wrong."""
    return _cells(matrix, "S", "S"), _cells(matrix, "SNVFOX", "S")


_FIGURES: dict[str, Callable[[Matrix], _Share]] = {
    "QRS sensitivity": _qrs_sensitivity,
    "QRS positive predictivity": _qrs_positive_predictivity,
    "VEB sensitivity": _veb_sensitivity,
    "VEB positive predictivity": _veb_positive_predictivity,
    "SVEB sensitivity": _sveb_sensitivity,
    "SVEB positive predictivity": _sveb_positive_predictivity,
    "VEB false positive rate": _veb_false_positive_rate,
}


def figures(matrix: Matrix) -> tuple[Statistic, ...]:
    """QRS, VEB and SVEB sensitivity and positive predictivity, and the false positive rate of VEB."""
    found = []
    for name, share in _FIGURES.items():
        part, whole = share(matrix)
        found.append(Statistic(name=name, estimate=part / whole if whole else nan, numerator=part, denominator=whole))
    return tuple(found)


def averages(records: Iterable[Sequence[Statistic]]) -> tuple[Statistic, ...]:
    """The mean of each figure over the records in which it is defined."""
    found = []
    for of_records in zip(*records, strict=True):
        defined = [one.estimate for one in of_records if one.denominator]
        found.append(Statistic(name=of_records[0].name, estimate=sum(defined) / len(defined) if defined else nan))
    return tuple(found)


def summed(matrices: Iterable[Matrix]) -> tuple[tuple[int, ...], ...]:
    """Cell by cell."""
    return tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*matrices, strict=True))
