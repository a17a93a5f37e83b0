"""The same model gives the same plan, the same sources and, by the pinned compiler, the same firmware."""

from __future__ import annotations

from collections.abc import Iterator

from leadwire.pipeline.alone import build_model, choose, require_budget
from leadwire.qualify.check import Context, Finding

TITLE = "Plan, generation, build"
REQUIREMENTS = ("LW-MEM-001", "LW-BLD-001")


def look(context: Context) -> Iterator[Finding]:
    built = build_model(context.model, choose("virtual-stm32f405", "aot", "zig"), context.folder, context.watcher)
    image = require_budget(built)
    yield context.known("build_arena_bytes", "arena, bytes", built.plan.arena_bytes)
    yield context.known("build_sources", "digest of the generated sources", image.project_digest)
    yield context.known("build_flash_bytes", "flash of model and runtime, bytes", image.model_flash_bytes)
    yield context.known("build_firmware", "digest of the firmware (ELF)", image.digest)
