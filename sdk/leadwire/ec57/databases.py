"""The databases that ANSI/AAMI EC57 names: a result is of one of them only if it is of all its records."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

_MITDB = """100 101 102 103 104 105 106 107 108 109 111 112 113 114 115 116 117 118 119 121 122 123 124 200 201 202 203
205 207 208 209 210 212 213 214 215 217 219 220 221 222 223 228 230 231 232 233 234"""
_NSTDB = " ".join(f"{subject}e{level}" for subject in (118, 119) for level in ("24", "18", "12", "06", "00", "_6"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """`names` where the records are known by name, else `pattern` and their number. `paced` records are left out."""

    title: str
    pattern: str
    records: int
    names: frozenset[str] = frozenset()
    paced: frozenset[str] = frozenset()

    def holds(self, record: str) -> bool:
        return record in self.names or (not self.names and re.fullmatch(self.pattern, record) is not None)

    def lacking(self, records: Collection[str]) -> str:
        """Which of the records that must be reported are not there; empty where none."""
        if self.names:
            missing = sorted(self.names - self.paced - set(records))
            return " ".join(missing)
        missing_number = self.records - len(set(records) | self.paced)
        return f"{missing_number} of {self.records}" if missing_number > 0 else ""


DATABASES = (
    Database(
        title="MIT-BIH Arrhythmia Database",
        pattern=r"[12]\d\d",
        records=48,
        names=frozenset(_MITDB.split()),
        paced=frozenset(("102", "104", "107", "217")),
    ),
    Database(
        title="AHA Database for Evaluation of Ventricular Arrhythmia Detectors",
        pattern=r"[1-8]2(0[1-9]|10)",
        records=80,
        names=frozenset(f"{series}2{number:02d}" for series in range(1, 9) for number in range(1, 11)),
        paced=frozenset(("2202", "8205")),
    ),
    Database(title="European ST-T Database", pattern=r"e[01]\d\d\d", records=90),
    Database(
        title="MIT-BIH Noise Stress Test Database", pattern=r"11[89]e..", records=12, names=frozenset(_NSTDB.split())
    ),
    Database(
        title="Creighton University Ventricular Tachyarrhythmia Database",
        pattern=r"cu\d\d",
        records=35,
        names=frozenset(f"cu{number:02d}" for number in range(1, 36)),
    ),
)


def database_of(records: Collection[str]) -> Database | None:
    """The database that all these records are of."""
    return next((one for one in DATABASES if records and all(map(one.holds, records))), None)
