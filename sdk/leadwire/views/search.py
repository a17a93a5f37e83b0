"""What `search` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import grid, table_of

if TYPE_CHECKING:
    from leadwire.pipeline.search import SearchResult


def search(result: SearchResult) -> None:
    untrained = sum(1 for one in result.judged if one.score is None)
    table_of(
        f"{result.name}: front of {result.trials} trials on {result.board}, {result.score} of patients held out",
        ["network", "model", "score, %", "flash, B", "RAM, B", "instructions", "ms"],
        [
            (
                one.label,
                one.model,
                f"{100 * (one.score or 0):.2f}",
                f"{one.flash_bytes:,}",
                f"{one.ram_bytes:,}",
                f"{one.instructions or 0:,}",
                f"{(one.latency_us or 0) / 1e3:.2f}",
            )
            for one in result.front
        ],
        left=2,
    )
    grid(
        [
            ("over budget", f"{result.over} of {result.trials}, {untrained} of them not trained"),
            *((f"trial {number}", reason) for number, reason in result.failures),
            ("held out", ", ".join(result.tune_patients)),
        ]
    )
