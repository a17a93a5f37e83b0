"""What the verbs around the line show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from .console import grid, out, size, table_of

if TYPE_CHECKING:
    from leadwire.board import Board, MemoryRegion, PowerFigure
    from leadwire.doctor import Diagnosis


def boards(result: list[Board]) -> None:
    table_of(
        "boards",
        ["id", "board", "core", "through", "clock", "flash", "ram", "figures"],
        [
            (
                b.id,
                b.name,
                b.core,
                b.through,
                f"{b.clock_hz / 1e6:g} MHz",
                size(b.total_bytes("flash")),
                size(b.total_bytes("ram")),
                b.basis,
            )
            for b in result
        ],
        left=4,
    )
    if len(result) == 1:
        board = result[0]
        grid(
            [
                ("vendor, part", f"{board.vendor} {board.mcu}"),
                ("port", board.port or "none: goes through an ecosystem's package"),
                *((f"for {ecosystem}", there) for ecosystem, there in board.ecosystems.items()),
                ("flash tools", ", ".join(board.flash_tools)),
                *((region.name, _region(region)) for region in board.memory),
                (
                    "budget",
                    f"flash {size(board.budget.flash_bytes)}, ram {size(board.budget.ram_bytes)}, latency "
                    + ("not limited" if board.budget.latency_us is None else f"{board.budget.latency_us:g} us"),
                ),
                *((f"USB {usb.vid:04x}:{usb.pid:04x}", usb.what) for usb in board.usb),
                *((f"power, {power.mode}", _power(power)) for power in board.power),
                ("source", board.source),
            ]
        )


def _region(region: MemoryRegion) -> str:
    parts = [f"{region.kind} 0x{region.origin:08x} {size(region.size_bytes)}"]
    if region.wait_states is not None:
        parts.append(f"{region.wait_states} wait states")
    if region.coupled != "no":
        parts.append("tightly coupled" + ("" if region.coupled == "both" else f" for {region.coupled}"))
    if not region.dma:
        parts.append("no DMA")
    if region.external:
        parts.append("external")
    return ", ".join(parts)


def _power(power: PowerFigure) -> str:
    figures = ((power.current_ua, "uA"), (power.ua_per_mhz, "uA/MHz"), (power.power_uw, "uW"))
    parts = [f"{figure:g} {unit}" for figure, unit in figures if figure is not None]
    if power.supply_mv is not None:
        parts.append(f"at {power.supply_mv / 1000:g} V")
    if power.clock_hz is not None:
        parts.append(f"at {power.clock_hz / 1e6:g} MHz")
    return " ".join(parts) + (f", {power.note}" if power.note else "")


def diagnosis(result: Diagnosis) -> None:
    for check in result.checks:
        mark = Text("ok  " if check.ok else check.code or "none", style="green" if check.ok else "yellow")
        out.print(
            mark, Text(f" {check.name}: {check.found}"), Text(f"  {check.remedy}" if not check.ok else "", style="dim")
        )
