"""The matrix: each requirement with its hazards, sections and tests, and what is wrong with the chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .requirements import Requirements
from .results import TestResult

Kind = Literal["orphan", "unknown", "stale", "failed", "unverified", "risk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What breaks the chain. orphan: nothing on one side of a link; unknown: a link to what is not there; stale: a
    result for another text or firmware; failed, unverified: tests; risk: the residual risk is not acceptable."""

    kind: Kind
    subject: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One requirement. `state` is the worst of its tests; 'unverified' where none ran."""

    requirement: str
    text: str
    fingerprint: str
    hazards: tuple[str, ...]
    sections: tuple[str, ...]
    tests: tuple[TestResult, ...]
    state: Literal["passed", "failed", "unverified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """`evidence` is the SHA-256 of the bundle that the results are about, `firmware` that of its image; empty: none."""

    source: Requirements
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    evidence: str = ""
    firmware: str = ""


def make_matrix(
    requirements: Requirements,
    claims: Sequence[tuple[str, tuple[str, ...]]],
    results: Sequence[TestResult],
    *,
    evidence: str = "",
    firmware: str = "",
) -> Matrix:
    """`claims`: each report section's anchor with the ids of requirements that it answers."""
    anchors = {anchor for anchor, _ in claims}
    by_id: dict[str, list[TestResult]] = {}
    for result in results:
        for name, _ in result.links:
            by_id.setdefault(name, []).append(result)
    rows = tuple(
        Row(
            requirement=one.id,
            text=one.text,
            fingerprint=one.fingerprint,
            hazards=one.hazards,
            sections=tuple(dict.fromkeys([*(at for at, ids in claims if one.id in ids), *one.sections])),
            tests=tuple(by_id.get(one.id, ())),
            state=_state(by_id.get(one.id, ())),
        )
        for one in requirements.requirement
    )
    findings = [
        *_risks(requirements),
        *(finding for row in rows for finding in _row(row, anchors)),
        *_links(requirements, claims, results, firmware),
    ]
    return Matrix(source=requirements, rows=rows, findings=tuple(findings), evidence=evidence, firmware=firmware)


def _state(tests: Sequence[TestResult]) -> Literal["passed", "failed", "unverified"]:
    states = {test.state for test in tests}
    return "failed" if "failed" in states else "passed" if "passed" in states else "unverified"


def _risks(requirements: Requirements) -> Iterator[Finding]:
    controlled = {name for one in requirements.requirement for name in one.hazards}
    for hazard in requirements.hazard:
        if hazard.id not in controlled:
            yield Finding(kind="orphan", subject=hazard.id, sentence="no requirement controls this hazard")
        if not requirements.policy.accepts(hazard.severity, hazard.residual_probability):
            yield Finding(
                kind="risk",
                subject=hazard.id,
                sentence=f"a {hazard.severity} harm that is {hazard.residual_probability} is above the policy",
            )


def _row(row: Row, anchors: set[str]) -> Iterator[Finding]:
    if not row.sections:
        yield Finding(kind="orphan", subject=row.requirement, sentence="no section of the report answers it")
    for section in row.sections:
        if section not in anchors:
            yield Finding(kind="unknown", subject=row.requirement, sentence=f"the report has no section '{section}'")
    if not row.tests:
        yield Finding(kind="orphan", subject=row.requirement, sentence="no test names it")
    elif row.state == "unverified":
        yield Finding(kind="unverified", subject=row.requirement, sentence="all its tests were skipped")
    for test in row.tests:
        if test.state == "failed":
            yield Finding(kind="failed", subject=row.requirement, sentence=f"{test.test} failed")


def _links(
    requirements: Requirements,
    claims: Sequence[tuple[str, tuple[str, ...]]],
    results: Sequence[TestResult],
    firmware: str,
) -> Iterator[Finding]:
    """Links from sections and tests that lead nowhere, or to what was there before."""
    fingerprints = {one.id: one.fingerprint for one in requirements.requirement}
    for anchor, ids in claims:
        for name in ids:
            if name not in fingerprints:
                yield Finding(
                    kind="unknown", subject=name, sentence=f"section '{anchor}' answers it, and there is none"
                )
    for result in results:
        for name, fingerprint in result.links:
            if name not in fingerprints:
                yield Finding(kind="unknown", subject=name, sentence=f"{result.test} names it, and there is none")
            elif fingerprint and fingerprint != fingerprints[name]:
                sentence = f"{result.test} verified an earlier text ({fingerprint}, now {fingerprints[name]})"
                yield Finding(kind="stale", subject=name, sentence=sentence)
        if result.links and firmware and result.firmware and result.firmware != firmware:
            sentence = f"{result.test} ran on firmware {result.firmware[:12]}, the evidence is of {firmware[:12]}"
            yield Finding(kind="stale", subject=result.links[0][0], sentence=sentence)
