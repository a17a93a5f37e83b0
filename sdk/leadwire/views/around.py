"""What the verbs around the line show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from .console import grid, out, size, table_of

if TYPE_CHECKING:
    from leadwire.board import Board
    from leadwire.doctor import Diagnosis
    from leadwire.evidence.bundle import VerifiedBundle


def verified(result: VerifiedBundle) -> None:
    out.print(Text("every byte verifies", style="bold green"))
    grid(
        [
            ("bundle", str(result.path)),
            ("sha-256", result.digest),
            ("evidence of", f"{result.name} on {result.board_id}"),
            ("verdict", result.verdict),
            *(("", reason) for reason in result.reasons),
            ("stamps", ", ".join(result.stamps) or "none"),
            ("signature", result.trust),
            ("files", ", ".join(name for name, _ in result.files)),
        ]
    )


def boards(result: list[Board]) -> None:
    table_of(
        "boards",
        ["id", "board", "core", "clock", "flash", "ram", "figures"],
        [
            (
                b.id,
                b.name,
                b.core,
                f"{b.clock_hz / 1e6:g} MHz",
                size(b.total_bytes("flash")),
                size(b.total_bytes("ram")),
                b.basis,
            )
            for b in result
        ],
        left=3,
    )
    if len(result) == 1:
        board = result[0]
        grid(
            [
                ("vendor, part", f"{board.vendor} {board.mcu}"),
                ("port, flash tool", f"{board.port}, {board.flash_tool}"),
                *(
                    (
                        region.name,
                        f"{region.kind} 0x{region.origin:08x} {size(region.size_bytes)}, "
                        f"{region.wait_states} wait states",
                    )
                    for region in board.memory
                ),
                (
                    "budget",
                    f"flash {size(board.budget.flash_bytes)}, ram {size(board.budget.ram_bytes)}, latency "
                    + ("not limited" if board.budget.latency_us is None else f"{board.budget.latency_us:g} us"),
                ),
                ("source", board.source),
            ]
        )


def diagnosis(result: Diagnosis) -> None:
    for check in result.checks:
        mark = Text("ok  " if check.ok else "none", style="green" if check.ok else "yellow")
        out.print(
            mark, Text(f" {check.name}: {check.found}"), Text(f"  {check.remedy}" if not check.ok else "", style="dim")
        )
