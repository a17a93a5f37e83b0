"""What the verb ec57 shows: tables with fixed columns, so that they can be pasted and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadwire.ec57 import printed

if TYPE_CHECKING:
    from leadwire.artifacts import Ec57Result


def result(one: Ec57Result) -> None:
    print(f"Reference {one.reference}, test {one.test}: {len(one.records)} record(s)" + _of(one.database))
    for record, why in one.excluded:
        print(f"Left out: {record} ({why})")
    if one.deviations:
        print("NON-STANDARD: " + "; ".join(one.deviations))
    print("\nBeat by beat")
    print(printed.beat_table(one))
    if any(record.shutdown_s or any(row[6] for row in record.matrix) for record in one.records):
        print("Shutdown")
        print(printed.shutdown_table(one))
    print("Runs of ventricular ectopic beats")
    print(printed.run_table(one, "VE"))
    print("Runs of supraventricular ectopic beats")
    print(printed.run_table(one, "SVE"), end="")
    for episodes, name in zip(one.episodes, ("Atrial fibrillation", "Ventricular fibrillation"), strict=True):
        if episodes.reference_s or episodes.test_s:
            print(f"\n{name}")
            print(printed.episode_table(one, episodes.kind), end="")


def result_with_matrices(one: Ec57Result) -> None:
    for record in one.records:
        print(printed.matrix_of(record))
    result(one)


def _of(database: str) -> str:
    return f" of the {database}" if database else ""
