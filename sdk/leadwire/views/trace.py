"""What the verb `trace` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import grid

if TYPE_CHECKING:
    from leadwire.trace.export import Traceability


def traced(result: Traceability) -> None:
    grid(
        [
            ("traced", result.title),
            ("hazards", str(result.hazards)),
            ("requirements", f"{result.requirements}, {result.verified} verified by {result.tests} tests"),
            ("findings", str(len(result.findings))),
            *(("written", str(path)) for path in result.files),
        ]
    )
