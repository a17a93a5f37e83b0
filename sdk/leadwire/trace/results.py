"""Test results from JUnit files, whoever's: which test verified which requirement, and how it ended.

A test names what it verifies by properties of its case, or of its suite for all cases in it:

    <property name="requirement" value="DEV-VAL-001"/>                  or "DEV-VAL-001#a1b2c3d4e5f6"
    <property name="firmware" value="SHA-256 of the ELF file"/>          optional

The part after '#' is the fingerprint of the requirement's text that the test was written for (see `requirements`);
leadwire's pytest plugin adds it to every test marked `@pytest.mark.requirement("...")`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as Xml

from leadwire.artifacts import sha256_hex
from leadwire.errors import BadInputError, FileMissingError

MAX_BYTES = 64 << 20
State = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """`links` are (requirement id, fingerprint or empty); `digest` is the SHA-256 of the file that says so."""

    test: str
    state: State
    links: tuple[tuple[str, str], ...]
    firmware: str
    file: str
    digest: str


def read_results(path: Path) -> tuple[TestResult, ...]:
    """The cases of a JUnit file; FileMissingError, or BadInputError (2) for a file that is none."""
    if not path.is_file():
        raise FileMissingError(path, role="test results")
    if path.stat().st_size > MAX_BYTES:
        raise BadInputError(f"test results '{path}' are larger than {MAX_BYTES} bytes")
    data = path.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise BadInputError(f"test results '{path}' declare a document type", hint="JUnit files have none; remove it")
    try:
        root = Xml.fromstring(data)
    except (Xml.ParseError, ValueError, LookupError, RecursionError) as error:
        raise BadInputError(f"test results '{path}' are not XML: {error}") from error
    if root.tag not in ("testsuites", "testsuite"):
        raise BadInputError(f"test results '{path}' are no JUnit file: the root is <{root.tag[:40]}>")
    return tuple(_cases(root, (), "", path.name, sha256_hex(data)))


def _cases(
    node: Xml.Element, links: tuple[tuple[str, str], ...], firmware: str, file: str, digest: str
) -> Iterator[TestResult]:
    """Cases below a node, which may be nested in suites; the properties of a suite hold for all its cases."""
    pending = [(node, links, firmware)]
    while pending:
        suite, links, firmware = pending.pop()
        links, firmware = _properties(suite, links, firmware)
        for child in suite:
            if child.tag == "testsuite":
                pending.append((child, links, firmware))
            elif child.tag == "testcase":
                own, image = _properties(child, links, firmware)
                yield TestResult(
                    test=_name(child), state=_state(child), links=own, firmware=image, file=file, digest=digest
                )


def _properties(
    node: Xml.Element, links: tuple[tuple[str, str], ...], firmware: str
) -> tuple[tuple[tuple[str, str], ...], str]:
    for one in node.findall("properties/property"):
        value = (one.get("value") or one.text or "").strip()
        if one.get("name") == "requirement":
            for word in value.replace(",", " ").split():
                name, _, fingerprint = word.partition("#")
                links = (*links, (name, fingerprint))
        elif one.get("name") == "firmware":
            firmware = value
    return tuple(dict.fromkeys(links)), firmware


def _name(case: Xml.Element) -> str:
    where, name = case.get("classname", ""), case.get("name", "")
    return f"{where}::{name}" if where else name or "a test without a name"


def _state(case: Xml.Element) -> State:
    tags = {child.tag for child in case}
    return "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
