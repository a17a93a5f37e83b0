"""Boards: memory regions, the share this model may use, core, clock, port and how the image gets there.

One file `boards/<id>.toml` per board; `load_board` parses it strictly and reports all mistakes at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRegion:
    """`kind` flash (execute in place) or ram. `wait_states` at the board's clock, 0 with a perfect cache."""

    name: str
    kind: Literal["flash", "ram"]
    origin: int
    size_bytes: int
    wait_states: int = 0

    @property
    def end(self) -> int:
        return self.origin + self.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The share of the board this model and its runtime may use. `latency_us` per inference, None: no limit."""

    flash_bytes: int
    ram_bytes: int
    latency_us: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    transport: Literal["serial", "none"] = "serial"
    baud: int = 115200


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """`engine` unicorn (built in), qemu (`machine` is QEMU's -machine name), or host (a native library).

    `ns_per_instruction`: virtual nanoseconds that one executed instruction takes (QEMU's -icount shift=0: 1), so that
    a timer of the emulated machine counts instructions; None where the emulator counts them itself or nothing does.
    """

    engine: Literal["unicorn", "qemu", "host"]
    machine: str = ""
    ns_per_instruction: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """`port` names a folder of firmware_templates/ports, `flash_tool` a module of leadwire.flash."""

    id: str
    name: str
    vendor: str
    mcu: str
    core: str
    clock_hz: int
    port: str
    flash_tool: str
    memory: tuple[MemoryRegion, ...]
    budget: Budget
    link: LinkSettings = LinkSettings()
    emulation: Emulation | None = None
    source: str = ""

    @property
    def basis(self) -> Literal["emulated", "measured"]:
        """What a figure taken on this board is worth."""
        return "emulated" if self.emulation and self.emulation.engine != "host" else "measured"

    def total_bytes(self, kind: Literal["flash", "ram"]) -> int:
        return sum(region.size_bytes for region in self.memory if region.kind == kind)
