"""soup.csv: software of unknown provenance as IEC 62304 wants it listed (5.3.3, 5.3.4, 7.1.3, 8.1.2).

What is in the device comes from the linker's map, what made it from the records. Purpose, risk and the list of known
anomalies of an item come from validation/soup.toml; for a Python package that it does not name, from the package's own
metadata, and the public list of vulnerabilities.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterator
from functools import cache

from leadwire.resources import VALIDATION

from .record import Evidence

COLUMNS = (
    "name", "maker", "version", "sha256", "where", "functional requirement", "hardware and software needed",
    "list of known anomalies", "risk note",
)  # fmt: skip


def make_soup(evidence: Evidence) -> bytes:
    """The bytes of soup.csv (RFC 4180)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(evidence))
    return text.getvalue().encode("utf-8")


@cache
def _known() -> dict[str, dict[str, str]]:
    return dict(tomllib.loads((VALIDATION / "soup.toml").read_text(encoding="utf-8")))


def _rows(evidence: Evidence) -> Iterator[tuple[str, ...]]:
    toolchain, _, number = evidence.image.toolchain.partition(" ")
    archives = {one.archive: one.digest for one in evidence.image.linked if one.archive}
    for archive, digest in sorted(archives.items()):
        yield _row(archive, evidence.image.toolchain, digest, "device", "library", evidence.board.mcu)
    yield _row(toolchain, number, "", "host: makes the firmware", "toolchain", "")
    packages = {one.name.lower(): one for one in evidence.packages}
    versions = {one.name.lower(): one.version for one in evidence.tools}
    versions |= {one.name.lower(): one.version for one in evidence.packages}
    for name, version in sorted(versions.items()):
        package = packages.get(name)
        row = _row(name, version, package.digest if package else "", "host: makes or checks evidence", "package", "")
        if package is not None and name not in _known():
            row = (row[0], package.maker or row[1], *row[2:7], package.anomalies or row[7], row[8])
        yield row


def _row(name: str, version: str, digest: str, where: str, kind: str, needs: str) -> tuple[str, ...]:
    about = {**_known()[f"any-{kind}"], **_known().get(name, {})}
    anomalies = about["anomalies"].replace("{name}", name)
    needed = needs or about["needs"]
    return name, about["maker"], version, digest, where, about["requirement"], needed, anomalies, about["risk"]
