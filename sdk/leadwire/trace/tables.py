"""The matrix as CSV, one line for each hazard, requirement and test; and as JUnit, one case for each requirement."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree as Xml

from .matrix import Matrix, Row

COLUMNS = (
    "hazard", "hazardous situation", "harm", "severity", "probability", "residual probability", "requirement", "text",
    "fingerprint", "sections", "test", "result", "results file", "results sha256", "firmware sha256", "evidence sha256",
)  # fmt: skip
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(matrix: Matrix) -> bytes:
    """RFC 4180 with a header. A cell that a spreadsheet would take for a formula gets an apostrophe before it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in _lines(matrix):
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in line])
    return text.getvalue().encode("utf-8")


def _lines(matrix: Matrix) -> Iterator[tuple[str, ...]]:
    for hazard in matrix.source.hazard:
        about = (
            hazard.id,
            hazard.situation,
            hazard.harm,
            hazard.severity,
            hazard.probability,
            hazard.residual_probability,
        )
        for row in matrix.rows:
            if hazard.id in row.hazards:
                required = (row.requirement, row.text, row.fingerprint, " ".join(row.sections))
                tests: list[tuple[str, ...]] = [
                    (one.test, one.state, one.file, one.digest, one.firmware) for one in row.tests
                ]
                for test in tests or [("", "unverified", "", "", "")]:
                    yield (*about, *required, *test[:4], test[4] or matrix.firmware, matrix.evidence)


def to_junit(matrix: Matrix) -> bytes:
    """A requirement fails with its findings; other findings (a hazard without control, a link to nothing) are cases."""
    root = Xml.Element("testsuites", name="traceability")
    suite = Xml.SubElement(root, "testsuite", name=_xml(matrix.source.title))
    properties = Xml.SubElement(suite, "properties")
    for name, value in (("evidence", matrix.evidence), ("firmware", matrix.firmware)):
        if value:
            Xml.SubElement(properties, "property", name=name, value=value)
    ids = {row.requirement for row in matrix.rows}
    for row in matrix.rows:
        _case(suite, row, [one.sentence for one in matrix.findings if one.subject == row.requirement])
    for finding in matrix.findings:
        if finding.subject not in ids:
            case = Xml.SubElement(suite, "testcase", classname="traceability", name=_xml(finding.subject))
            Xml.SubElement(case, "failure", type=finding.kind, message=_xml(finding.sentence))
    cases = list(suite.iter("testcase"))
    for counted, tag in (("tests", ""), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        count = str(sum(not tag or case.find(tag) is not None for case in cases))
        suite.set(counted, count)
        root.set(counted, count)
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: Xml.Element, row: Row, findings: list[str]) -> None:
    case = Xml.SubElement(suite, "testcase", classname="traceability", name=row.requirement)
    properties = Xml.SubElement(case, "properties")
    Xml.SubElement(properties, "property", name="requirement", value=f"{row.requirement}#{row.fingerprint}")
    for test in row.tests:
        Xml.SubElement(properties, "property", name="test", value=_xml(f"{test.state} {test.test} {test.digest}"))
    if findings:
        Xml.SubElement(case, "failure", type="traceability", message=_xml("; ".join(findings)))


def _xml(text: str) -> str:
    return NOT_XML.sub("\ufffd", text)
