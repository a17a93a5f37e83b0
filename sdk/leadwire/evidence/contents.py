"""The files of a bundle: which must be there, where they come from, and what they must be.

report.html  report.pdf  evidence.json  evidence.schema.json                  what was found, for people and programs
model.tflite  firmware.elf  protocol.toml  calibration.csv  predictions.csv   what it was found with
stress.csv                                                                    answers under stress, where it was run
sources/  logs/                                                               what the firmware was made of, and how
sbom.cdx.json  vex.cdx.json  soup.csv                                         what is in the firmware and what made it
verify.py                                                                     checks all of it with Python alone
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from leadwire import __version__
from leadwire.artifacts import sha256_hex
from leadwire.errors import BadInputError, ConfigError, EvidenceError, FileMissingError
from leadwire.protocols import Protocol, load_protocol
from leadwire.resources import VALIDATION

from .archive import MAX_BUNDLE_BYTES
from .bom import bom_mistakes, make_bom, make_vex
from .budgets import false_budgets
from .document import FIRMWARE_FILE, MODEL_FILE, read_document, schema_text, write_document
from .judgement import disagreements
from .predictions import read_predictions, write_predictions
from .record import Attachments, Evidence, chain_breaks
from .review import is_review
from .soup import make_soup
from .stress import STRESS, false_stress

REPORT, PRINTED = "report.html", "report.pdf"
DOCUMENT, SCHEMA = "evidence.json", "evidence.schema.json"
PROTOCOL, CALIBRATION, PREDICTIONS = "protocol.toml", "calibration.csv", "predictions.csv"
VERIFIER, SOURCES, PROJECT_LIST = "verify.py", "sources", "leadwire-project.json"
SBOM, VEX, SOUP = "sbom.cdx.json", "vex.cdx.json", "soup.csv"
CONTENT = (
    REPORT, PRINTED, DOCUMENT, SCHEMA, MODEL_FILE, FIRMWARE_FILE, PROTOCOL, CALIBRATION, PREDICTIONS, VERIFIER,
    f"{SOURCES}/{PROJECT_LIST}", SBOM, VEX, SOUP,
)  # fmt: skip
MANIFEST, SIGNER = "manifest.sha256", "signer.pem"
ENVELOPE, PROVENANCE = "statement.dsse.json", "provenance.dsse.json"
_LISTED = 8


def gather(evidence: Evidence, attachments: Attachments, pages: Mapping[str, bytes]) -> dict[str, bytes]:
    """All content files by name, `pages` the report's; FileMissingError or BadInputError (2) where one is not read."""
    files = {
        **pages,
        DOCUMENT: write_document(evidence),
        SCHEMA: schema_text().encode(),
        MODEL_FILE: read_file(evidence.quantized.path, "model"),
        FIRMWARE_FILE: read_file(evidence.image.elf, "firmware image"),
        PROTOCOL: read_file(attachments.protocol, "protocol"),
        CALIBRATION: _calibration(evidence),
        PREDICTIONS: write_predictions(attachments, evidence.validation.labels),
        VERIFIER: (VALIDATION / VERIFIER).read_bytes(),
        SBOM: make_bom(evidence),
        VEX: make_vex(evidence),
        SOUP: make_soup(evidence),
        **_sources(evidence.project.root),
    }
    files |= {f"logs/{path.name}": read_file(path, "log") for path in evidence.image.logs}
    for name, data in attachments.files:
        if files.setdefault(name, data) is not data:
            raise BadInputError(f"'{name}' is a file of every bundle and cannot be attached")
    return files


def _sources(root: Path) -> dict[str, bytes]:
    """The generated sources, as their list names them."""
    listing = read_file(root / PROJECT_LIST, "list of the generated sources")
    return {
        f"{SOURCES}/{PROJECT_LIST}": listing,
        **{f"{SOURCES}/{name}": read_file(root / name, "generated source") for name in _listed(listing)},
    }


def _listed(listing: bytes) -> dict[str, str]:
    """SHA-256 by name of the sources that a project's list names; none where it is no such list."""
    try:
        files = json.loads(listing)["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def content_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that the manifest lists: all but the seals and reviews."""
    seals = (MANIFEST, SIGNER, ENVELOPE, PROVENANCE)
    return {name: data for name, data in files.items() if name not in seals and not is_review(name)}


def manifest_of(files: Mapping[str, bytes]) -> bytes:
    """manifest.sha256 of the content files, as `sha256sum --check` reads it."""
    return "".join(f"{sha256_hex(data)}  {name}\n" for name, data in sorted(content_of(files).items())).encode()


def digests_of(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: sha256_hex(data) for name, data in files.items()}


def read_content(files: Mapping[str, bytes], *, source: Path | str) -> Evidence:
    """The evidence of a bundle's files, checked against all the others; EvidenceError (8) where they do not agree."""
    if files[MANIFEST] != manifest_of(files):
        raise EvidenceError(source, f"'{MANIFEST}' does not list the files of the bundle")
    if files[SCHEMA] != schema_text().encode():
        raise EvidenceError(
            source,
            f"'{SCHEMA}' is not the schema of leadwire {__version__}",
            hint="verify with the leadwire that made the bundle, or with its verify.py",
        )
    evidence = read_document(files[DOCUMENT], source=source)
    if evidence.leadwire_version == __version__ and files[VERIFIER] != (VALIDATION / VERIFIER).read_bytes():
        raise EvidenceError(source, f"'{VERIFIER}' is not the verifier of leadwire {__version__}: do not run it")
    check_content(evidence, files, source=source)
    return evidence


def check_content(evidence: Evidence, files: Mapping[str, bytes], *, source: Path | str) -> None:
    """The evidence chain joins, the files are the ones it names, figures and verdicts follow from them."""
    named = (
        (MODEL_FILE, evidence.quantized.digest),
        (FIRMWARE_FILE, evidence.image.digest),
        (PROTOCOL, evidence.validation.protocol_digest),
        (f"{SOURCES}/{PROJECT_LIST}", evidence.project.digest),
    )
    wrong = [*chain_breaks(evidence), *false_budgets(evidence)]
    wrong += [
        f"'{name}' is not the file the records name" for name, digest in named if sha256_hex(files[name]) != digest
    ]
    if not len(files[MODEL_FILE]) == evidence.quantized.size_bytes == evidence.model.size_bytes:
        wrong.append(f"'{MODEL_FILE}' has {len(files[MODEL_FILE])} bytes, and the records say another number")
    if files[CALIBRATION] != _calibration(evidence):
        wrong.append(f"'{CALIBRATION}' is not the calibration set of the model")
    wrong += _false_sources(evidence, files)
    wrong += bom_mistakes(files[SBOM], evidence)
    if not wrong:
        table = read_predictions(files[PREDICTIONS], evidence.validation.labels, source=source)
        protocol = protocol_of(files[PROTOCOL], source)
        wrong += disagreements(evidence.validation, protocol, table)
        wrong += _false_stress(evidence, protocol, files, source)
    if wrong:
        more = f"; and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        raise EvidenceError(
            source, "; ".join(wrong[:_LISTED]) + more, hint="run again from the first stage that differs"
        )


def _false_stress(
    evidence: Evidence, protocol: Protocol, files: Mapping[str, bytes], source: Path | str
) -> Iterator[str]:
    """The stress matrix and its answers belong together: neither stands without the other."""
    stress, data = evidence.stress, files.get(STRESS)
    if stress is None or data is None:
        if stress is not None or data is not None:
            yield f"'{STRESS}' and the stress matrix of evidence.json go together, and one is missing"
    elif sha256_hex(data) != stress.predictions_digest:
        yield f"'{STRESS}' is not the file the records name"
    else:
        yield from false_stress(stress, protocol, data, source=source)


def _false_sources(evidence: Evidence, files: Mapping[str, bytes]) -> Iterator[str]:
    """Sources that are not those the project's list names, or that the image was not linked from."""
    listed = _listed(files[f"{SOURCES}/{PROJECT_LIST}"])
    held = {
        name.partition("/")[2]: sha256_hex(data)
        for name, data in files.items()
        if name.startswith(f"{SOURCES}/") and name != f"{SOURCES}/{PROJECT_LIST}"
    }
    for name in sorted(listed.keys() | held.keys()):
        if listed.get(name) != held.get(name):
            yield f"source '{name}' is not the one that the project was generated with"
    for one in evidence.image.linked:
        if one.source in listed and listed[one.source] != one.digest:
            yield f"the image was linked from another '{one.source}'"


def protocol_of(data: bytes, source: Path | str) -> Protocol:
    """The protocol of a bundle, by the parser that read it before the run."""
    with tempfile.TemporaryDirectory(prefix="leadwire-") as folder:
        path = Path(folder) / PROTOCOL
        path.write_bytes(data)
        try:
            return load_protocol(path)
        except ConfigError as error:
            raise EvidenceError(source, f"'{PROTOCOL}' is no protocol: {'; '.join(error.mistakes)}") from error


def _calibration(evidence: Evidence) -> bytes:
    lines = (f"{position},{index}\n" for position, index in enumerate(evidence.quantized.calibration.indices))
    return "".join(["position,index\n", *lines]).encode()


def read_file(path: Path, role: str) -> bytes:
    if not path.is_file():
        raise FileMissingError(path, role=role)
    if path.stat().st_size > MAX_BUNDLE_BYTES:
        raise BadInputError(f"{role} '{path}' is larger than {MAX_BUNDLE_BYTES} bytes")
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{role} '{path}' cannot be read: {error.strerror}") from error
