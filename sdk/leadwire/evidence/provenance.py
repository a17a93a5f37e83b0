"""How the firmware came to be, as SLSA provenance v1: `https://slsa.dev/provenance/v1`.

Subjects are the image and the INT8 model. All of it follows from the evidence but `invocationId`: the hash of the line
of the audit log that opened the run (see `audit`). So this statement, and nothing else, differs between two runs that
found the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .document import FIRMWARE_FILE, MODEL_FILE
from .envelope import statement_of
from .record import Evidence

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:leadwire:build:1"
_USER = "urn:leadwire:user-build"
"""An image that the board's user built; behind it the package that it was built from."""
_INVOCATION = re.compile(r"[0-9a-f]{64}")


def make_provenance(evidence: Evidence, digests: Mapping[str, str], invocation: str) -> dict[str, Any]:
    """`digests`: SHA-256 in hex by file name; `invocation` is empty where no audit log was kept."""
    quantized, image = evidence.quantized, evidence.image
    made_from = [
        ("float model", quantized.source_digest),
        ("calibration inputs", quantized.calibration.digest),
        ("protocol.toml", digests["protocol.toml"]),
        ("sources/leadwire-project.json", evidence.project.digest),
        *sorted({(one.archive, one.digest) for one in image.linked if one.archive and one.digest}),
    ]
    predicate = {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "name": evidence.name,
                "board": evidence.board.id,
                "backend": image.backend,
                "personality": image.personality,
                "calibration": {
                    "dataset": quantized.calibration.dataset,
                    "policy": quantized.calibration.policy,
                    "seed": quantized.calibration.seed,
                    "count": quantized.calibration.count,
                },
                "protocol": evidence.validation.protocol_name,
            },
            "internalParameters": {
                "toolchain": image.toolchain,
                "buildId": image.build_id,
                "environment": dict(evidence.environment),
                "pinned": dict(quantized.pinned),
            },
            "resolvedDependencies": [
                *({"name": name, "digest": {"sha256": digest}} for name, digest in made_from),
                *({"uri": f"pkg:pypi/{tool.name}@{tool.version}"} for tool in evidence.tools if tool.name != "python"),
            ],
        },
        "runDetails": {
            "builder": {"id": f"{_USER}:{image.package}"}
            if image.package
            else {"id": "pkg:pypi/leadwire", "version": {"leadwire": evidence.leadwire_version}},
            "metadata": {"invocationId": invocation} if invocation else {},
            "byproducts": [
                {"name": name, "digest": {"sha256": digests[name]}} for name in sorted(digests) if "logs/" in name
            ],
        },
    }
    return statement_of(PREDICATE_TYPE, predicate, {name: digests[name] for name in (FIRMWARE_FILE, MODEL_FILE)})


def invocation_of(statement: Mapping[str, Any]) -> str:
    """The hash of the run's line in the audit log, empty where there is none that could be one."""
    try:
        found = statement["predicate"]["runDetails"]["metadata"]["invocationId"]
    except (KeyError, TypeError):
        return ""
    return found if isinstance(found, str) and _INVOCATION.fullmatch(found) else ""
