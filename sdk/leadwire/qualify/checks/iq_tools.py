"""The programs beside Python: the default compiler must be there, the others are told."""

from __future__ import annotations

from collections.abc import Iterator

from leadwire.build.toolchain import find_toolchain
from leadwire.doctor import diagnose
from leadwire.qualify.check import Context, Finding, note

TITLE = "Toolchain and witnesses"
REQUIREMENTS = ("LW-QUA-001",)


def look(context: Context) -> Iterator[Finding]:
    yield context.known("tools_zig", "default toolchain", find_toolchain("zig").version)
    for check in diagnose().checks[2:]:
        yield note(check.name, check.found)
