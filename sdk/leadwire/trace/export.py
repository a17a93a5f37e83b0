"""From files to files: requirements, test results and an evidence bundle into the matrix and its four forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from leadwire.errors import BadInputError
from leadwire.evidence.bundle import verify_bundle
from leadwire.resources import VALIDATION
from leadwire.workspace import write_atomically

from .matrix import Finding, Matrix, make_matrix
from .page import FOLDER, to_html
from .reqif import to_reqif
from .requirements import load_requirements
from .results import read_results
from .tables import to_csv, to_junit

OWN = VALIDATION / "requirements.toml"
TEMPLATE = FOLDER / "device.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traceability:
    """What was traced, and where it was written."""

    title: str
    hazards: int
    requirements: int
    verified: int
    tests: int
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


Claims = Sequence[tuple[str, tuple[str, ...]]]
"""Each section of the report: its anchor, and the requirements of leadwire's own that it answers."""


def trace(
    requirements: Path | None,
    results: Sequence[Path],
    claims: Claims,
    *,
    out: Path | None,
    evidence: Path | None = None,
    key: Path | None = None,
    created: datetime | None = None,
) -> Traceability:
    """Trace `requirements` (None: leadwire's own) to the tests of JUnit files, and write trace.html, .csv, .reqif and
    .junit.xml into `out`. The sections of the report answer by their header for leadwire's own requirements, and for a
    device's by the requirement's `sections`.

    Errors of the readers (2), and EvidenceError (8) for an `evidence` bundle that does not verify.
    """
    source = load_requirements(requirements or OWN)
    if requirements is not None:
        claims = [(anchor, ()) for anchor, _ in claims]
    verified = None if evidence is None else verify_bundle(evidence, key)
    matrix = make_matrix(
        source,
        claims,
        [one for path in results for one in read_results(path)],
        evidence="" if verified is None else verified.digest,
        firmware="" if verified is None else dict(verified.files)["firmware.elf"],
    )
    return Traceability(
        title=source.title,
        hazards=len(source.hazard),
        requirements=len(matrix.rows),
        verified=sum(row.state == "passed" for row in matrix.rows),
        tests=len({(test.file, test.test) for row in matrix.rows for test in row.tests}),
        findings=matrix.findings,
        files=() if out is None else _written(matrix, out, created),
    )


def _written(matrix: Matrix, out: Path, created: datetime | None) -> tuple[Path, ...]:
    forms = _forms(matrix, created)
    for name, data in forms.items():
        write_atomically(out / name, data)
    return tuple(out / name for name in forms)


def _forms(matrix: Matrix, created: datetime | None) -> dict[str, bytes]:
    return {
        "trace.html": to_html(matrix),
        "trace.csv": to_csv(matrix),
        "trace.reqif": to_reqif(matrix, created),
        "trace.junit.xml": to_junit(matrix),
    }


def traced_files(
    requirements: Path, results: Sequence[Path], claims: Claims, *, firmware: str, created: datetime | None
) -> tuple[tuple[str, bytes], ...]:
    """What a bundle carries of a device's requirements: the file, the results, and the matrix in its four forms, about
    the image whose SHA-256 `firmware` is. Errors of the readers (2)."""
    matrix = make_matrix(
        load_requirements(requirements),
        [(anchor, ()) for anchor, _ in claims],
        [one for path in results for one in read_results(path)],
        firmware=firmware,
    )
    read = [("requirements.toml", requirements), *((f"results-{n}.xml", path) for n, path in enumerate(results, 1))]
    files = {**_forms(matrix, created), **{name: path.read_bytes() for name, path in read}}
    return tuple((f"trace/{name}", data) for name, data in files.items())


def write_template(path: Path) -> None:
    """A requirements file to begin with; never over an existing one."""
    if path.exists():
        raise BadInputError(f"'{path}' exists already", hint="edit it, or name another file")
    write_atomically(path, TEMPLATE.read_bytes())
