"""A line that corrupts one byte in a thousand loses no inference and changes no answer."""

from __future__ import annotations

from collections.abc import Iterator

from leadwire.device.faults import PROFILES
from leadwire.pipeline.alone import choose
from leadwire.pipeline.soak import soak_model
from leadwire.qualify.check import Context, Finding, equal, note

TITLE = "The serial link under faults"
REQUIREMENTS = ("LW-LNK-002", "LW-LNK-003")
_INFERENCES = 60


def look(context: Context) -> Iterator[Finding]:
    options = choose("virtual-stm32f405", "aot", "zig", work=context.folder)
    soak = soak_model(
        context.model, options, context.watcher, inferences=_INFERENCES, faults=PROFILES["corrupt"], seed=1
    )
    yield equal("wrong answers", 0, soak.wrong)
    yield equal("inferences without an answer", 0, soak.missing)
    struck = dict(soak.line.struck)
    yield equal("bytes were corrupted", True, struck.get("corrupt", 0) > 0)
    yield note("faults that struck", ", ".join(f"{kind} {number}" for kind, number in struck.items()))
