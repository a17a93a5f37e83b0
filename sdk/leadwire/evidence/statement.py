"""What was found, as in-toto's test-result: subjects are all files of the bundle but the envelopes and reviews.

Predicate: `https://in-toto.io/attestation/test-result/v0.1`. An inconclusive result is FAILED: it never passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .envelope import statement_of
from .record import Evidence

PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
_CONFIGURATION = ("protocol.toml", "calibration.csv")


def make_statement(evidence: Evidence, digests: Mapping[str, str]) -> dict[str, Any]:
    """`digests`: SHA-256 in hex by file name, every file of the bundle except the envelopes and reviews."""
    checks = tests(evidence)
    predicate = {
        "result": "PASSED" if evidence.verdict == "pass" else "FAILED",
        "configuration": [{"name": name, "digest": {"sha256": digests[name]}} for name in _CONFIGURATION],
        "passedTests": [name for name, passed in checks if passed],
        "warnedTests": [stamp.word for stamp in evidence.stamps],
        "failedTests": [name for name, passed in checks if not passed],
    }
    return statement_of(PREDICATE_TYPE, predicate, digests)


def tests(evidence: Evidence) -> list[tuple[str, bool]]:
    """What was judged, by name: each budget checkpoint, whether the last one proves it, each endpoint, and the
    validation as a whole (host and device, records and the minimum of data beside the endpoints)."""
    budgets = [(f"budget/{item.basis}", not any(line.over for line in item.lines)) for item in evidence.budgets]
    budgets.append(("budget/proven", bool(evidence.budgets) and evidence.budgets[-1].fits))
    endpoints = [(f"endpoint/{item.endpoint}", item.verdict == "pass") for item in evidence.validation.endpoints]
    return [*budgets, *endpoints, ("validation", evidence.validation.verdict == "pass")]
