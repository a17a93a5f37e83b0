"""A bundle taken apart, after it was verified."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leadwire.evidence.archive import unpack
from leadwire.evidence.bundle import VerifiedBundle, verify_bundle
from leadwire.evidence.contents import DOCUMENT, PREDICTIONS, PROTOCOL, protocol_of, read_file
from leadwire.evidence.document import read_document
from leadwire.evidence.predictions import Table, read_predictions
from leadwire.evidence.record import Evidence
from leadwire.protocols import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    verified: VerifiedBundle
    evidence: Evidence
    protocol: Protocol
    table: Table

    @property
    def decided(self) -> dict[int, int]:
        """The decisions of the runtime that the bundle's endpoints were judged on, by beat."""
        return self.table.answers[self.evidence.validation.judged_runtime].decided

    @property
    def beats(self) -> tuple[tuple[object, ...], ...]:
        """What must be the same for beats to be paired: labels, records, patients, times, reference classes."""
        table = self.table
        return (table.labels, table.records, table.patients, table.times_s, table.reference)


def open_bundle(path: Path, public_key: Path | None) -> Opened:
    """EvidenceError (8), FileMissingError or BadInputError (2), as `verify_bundle`."""
    verified = verify_bundle(path, public_key)
    files = unpack(read_file(path, "evidence bundle"), source=path)
    evidence = read_document(files[DOCUMENT], source=path)
    return Opened(
        verified=verified,
        evidence=evidence,
        protocol=protocol_of(files[PROTOCOL], path),
        table=read_predictions(files[PREDICTIONS], evidence.validation.labels, source=path),
    )
