"""Boards: memory regions, the share this model may use, core, clock, port and how the image gets there.

One file `boards/<id>.toml` per board; `load_board` parses it strictly and reports all mistakes at once. What several
boards share is in `boards/families/<name>.toml` and taken over with `inherits = "<name>"`: the board's own keys win,
tables are merged key by key at every depth, lists are replaced whole. The manual's boards.md says what each key means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from leadwire import resources
from leadwire.errors import BadInputError, ConfigError, NoPortError
from leadwire.strict import parse_table, read_toml

CORES = (
    "cortex-m0", "cortex-m0+", "cortex-m3", "cortex-m4", "cortex-m4f", "cortex-m7f", "cortex-m23", "cortex-m33",
    "cortex-m33f", "cortex-m55", "cortex-m85", "rv32imc", "rv32imac", "xtensa-lx6", "xtensa-lx7", "host",
)  # fmt: skip
"""Instruction sets that boards have. Which of them a bare-metal image can be built for, `leadwire.build.cores` says."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_UNIQUE_ID = re.compile(r"[0-9a-f]{24}")
_ADDRESS_SPACE = 1 << 32
_FASTEST_HZ = 10_000_000_000
_FLASH_FOLDER = Path(__file__).resolve().parent / "flash"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRegion:
    """`kind` flash (execute in place) or ram. `wait_states` at the board's clock, None where they are not published or
    no single number (a serial flash behind a cache).

    `coupled`: the core reaches it without passing the bus matrix, for data (DTCM, CCM of the STM32F4), instructions
    (ITCM) or both (CCM of the STM32F3 and G4). `dma` false: no DMA controller of general use reaches it. `external`: a
    chip of its own behind a serial or parallel memory interface.
    """

    name: str
    kind: Literal["flash", "ram"]
    origin: int
    size_bytes: int
    wait_states: int | None = None
    coupled: Literal["no", "data", "instructions", "both"] = "no"
    dma: bool = True
    external: bool = False

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
    `unique_id`: what a chip of the built-in emulator answers as its unique id, 24 hex digits; empty: the same for all.
    """

    engine: Literal["unicorn", "qemu", "host"]
    machine: str = ""
    ns_per_instruction: float | None = None
    unique_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbId:
    """What the board shows on USB: `what` is the debug probe, USB-to-serial chip, ROM bootloader or the MCU itself."""

    vid: int
    pid: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFigure:
    """A published supply figure of the MCU, typical at 25 degrees C unless `note` says otherwise.

    Exactly one of `current_ua`, `ua_per_mhz` and `power_uw` is given. `clock_hz` and `supply_mv` are the conditions
    that it was published for, None where the source does not say.
    """

    mode: Literal["run", "sleep", "stop", "standby", "off"]
    current_ua: float | None = None
    ua_per_mhz: float | None = None
    power_uw: float | None = None
    supply_mv: float | None = None
    clock_hz: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """`port` names a folder of firmware_templates/ports, '' where a bare-metal image cannot be built; `flash_tool` is
    the module of leadwire.flash that is used unless another is asked for.

    `flash` holds the arguments of each tool that can program the board, by the tool's name: the default tool needs no
    entry. `ecosystems` names the board in the words of ecosystems of `leadwire package`: 'zephyr' may map to
    'nrf52840dk/nrf52840'.
    `crystal_hz` is the external crystal that the port derives its clock from, 0: the internal oscillator. `stack_bytes`
    are reserved for the stack of a bare-metal image, at the beginning of the first RAM region.
    """

    id: str
    name: str
    vendor: str
    mcu: str
    core: str
    clock_hz: int
    flash_tool: str
    memory: tuple[MemoryRegion, ...]
    budget: Budget
    port: str = ""
    flash: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ecosystems: Mapping[str, str] = field(default_factory=dict)
    usb: tuple[UsbId, ...] = ()
    power: tuple[PowerFigure, ...] = ()
    crystal_hz: int = 0
    stack_bytes: int = 8192
    link: LinkSettings = LinkSettings()
    emulation: Emulation | None = None
    source: str = ""

    @property
    def flash_tools(self) -> tuple[str, ...]:
        """Every tool that can program the board, the default first."""
        return (self.flash_tool, *(name for name in self.flash if name != self.flash_tool))

    @property
    def through(self) -> str:
        """How firmware gets there: leadwire's own image, or the packages of ecosystems."""
        return "bare metal" if self.port else ", ".join(self.ecosystems)

    @property
    def basis(self) -> Literal["emulated", "measured"]:
        """What a figure taken on this board is worth."""
        return "emulated" if self.emulation and self.emulation.engine != "host" else "measured"

    def total_bytes(self, kind: Literal["flash", "ram"]) -> int:
        return sum(region.size_bytes for region in self.memory if region.kind == kind)


def require_port(board: Board) -> None:
    """NoPortError (2) where leadwire builds no bare-metal firmware for the board; it names the packages that do."""
    if not board.port:
        raise NoPortError(board.id, tuple(board.ecosystems.items()))


def list_boards() -> tuple[str, ...]:
    """The ids of the boards that come with leadwire, in alphabetical order."""
    return tuple(sorted(path.stem for path in resources.BOARDS.glob("*.toml")))


def load_board(board: str | Path) -> Board:
    """The board of an id ('virtual-stm32f405') or of a board file ('my/board.toml').

    Raises FileMissingError for a file that is not there, BadInputError for an unknown id and ConfigError with all
    mistakes of the file.
    """
    if str(board) in list_boards():
        path = resources.BOARDS / f"{board}.toml"
    elif Path(board).suffix == ".toml":
        path = Path(board)
    else:
        alike = get_close_matches(str(board), list_boards(), n=3, cutoff=0.4)
        raise BadInputError(
            f"board '{board}' is not known",
            hint=(f"did you mean {', '.join(alike)}? " if alike else "")
            + "'leadwire boards' lists them; the path of a board file ends in .toml",
        )
    table = _with_family(read_toml(path, "board file"), path)
    loaded = parse_table(Board, table, path)
    if mistakes := list(_mistakes(loaded)):
        raise ConfigError(path, mistakes)
    return loaded


def with_unique_id(board: Board, unique_id: str) -> Board:
    """An emulated board whose chip answers `unique_id`; BadInputError where it has no such thing."""
    emulation = board.emulation
    if emulation is None or emulation.engine != "unicorn" or not _UNIQUE_ID.fullmatch(unique_id.lower()):
        raise BadInputError(
            f"unique id '{unique_id}' cannot be given to board '{board.id}'",
            hint="24 hex digits, and a board of the built-in emulator ('virtual-stm32f405')",
        )
    return replace(board, emulation=replace(emulation, unique_id=unique_id.lower()))


def _with_family(table: dict[str, Any], path: Path) -> dict[str, Any]:
    family = table.pop("inherits", None)
    if family is None:
        return table
    if not isinstance(family, str) or not _NAME.fullmatch(family):
        raise ConfigError(path, [f"inherits: the name of a file in boards/families, found {family!r}"])
    folders = (path.parent / "families", resources.BOARDS / "families")
    found = next((file for folder in folders if (file := folder / f"{family}.toml").is_file()), None)
    if found is None:
        raise ConfigError(path, [f"inherits: there is no family '{family}'"])
    return _merged(read_toml(found, "board family file"), table)


def _merged(family: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = dict(family)
    for key, value in own.items():
        other = merged.get(key)
        merged[key] = _merged(other, value) if isinstance(value, dict) and isinstance(other, dict) else value
    return merged


def _mistakes(board: Board) -> Iterator[str]:
    """What types cannot say about one board file, 'key: what is wrong'."""
    if not _NAME.fullmatch(board.id):
        yield f"id: lower-case letters, digits, '.', '_' and '-' only, at most 64, found {board.id!r}"
    if board.core not in CORES:
        yield f"core: one of {', '.join(CORES)}, found '{board.core}'"
    if not 0 < board.clock_hz <= _FASTEST_HZ:
        yield f"clock_hz: larger than 0, at most {_FASTEST_HZ}, found {board.clock_hz}"
    on_host = board.emulation is not None and board.emulation.engine == "host"
    if board.port and not on_host and not _is_one_of(board.port, resources.FIRMWARE_TEMPLATES / "ports", "port.c"):
        yield f"port: there is no folder '{board.port}' in firmware_templates/ports"
    if not board.port and not board.ecosystems:
        yield "port: without one, 'ecosystems' says what else builds firmware for the board"
    yield from _flash_mistakes(board)
    yield from _usb_and_power_mistakes(board)
    if board.link.baud <= 0:
        yield f"link.baud: larger than 0, found {board.link.baud}"
    if board.emulation is not None:
        yield from _emulation_mistakes(board.emulation)
    yield from _memory_mistakes(board.memory)
    yield from _budget_mistakes(board)
    yield from _stack_mistakes(board)


def _is_one_of(name: str, folder: Path, file: str) -> bool:
    return _NAME.fullmatch(name) is not None and (folder / name / file).is_file()


def _flash_mistakes(board: Board) -> Iterator[str]:
    for key, name in (("flash_tool", board.flash_tool), *((f"flash.{name}", name) for name in board.flash)):
        known = re.fullmatch(r"[a-z][a-z0-9_]*", name) and (_FLASH_FOLDER / f"{name}.py").is_file()
        if not known or name == "tool":
            yield f"{key}: there is no module leadwire.flash.{name}"
    for name, arguments in board.flash.items():
        for key, value in arguments.items():
            if not value.isprintable() or not value:
                yield f"flash.{name}.{key}: printable text of at least one character, found {value!r}"
    for name, value in board.ecosystems.items():
        if not _NAME.fullmatch(name) or not (resources.FIRMWARE_TEMPLATES / "packages" / name).is_dir():
            yield f"ecosystems: there are no packages for '{name}'"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9:@/_.+-]*", value):
            yield f"ecosystems.{name}: a board's name, without spaces, found {value!r}"


def _usb_and_power_mistakes(board: Board) -> Iterator[str]:
    for index, usb in enumerate(board.usb):
        for key, value in (("vid", usb.vid), ("pid", usb.pid)):
            if not 0 < value <= 0xFFFF:
                yield f"usb[{index}].{key}: from 1 to 0xffff, found {value:#x}"
    for index, power in enumerate(board.power):
        figures = (power.current_ua, power.ua_per_mhz, power.power_uw)
        given = [figure for figure in figures if figure is not None]
        if len(given) != 1:
            yield f"power[{index}]: exactly one of current_ua, ua_per_mhz and power_uw, found {len(given)}"
        for figure in (*given, *(value for value in (power.supply_mv, power.clock_hz) if value is not None)):
            if figure <= 0:
                yield f"power[{index}]: figures are larger than 0, found {figure:g}"


def _emulation_mistakes(emulation: Emulation) -> Iterator[str]:
    if emulation.engine == "qemu" and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", emulation.machine):
        yield f"emulation.machine: a machine name of qemu-system-arm, found {emulation.machine!r}"
    nanoseconds = emulation.ns_per_instruction
    if nanoseconds is not None and nanoseconds <= 0:
        yield f"emulation.ns_per_instruction: larger than 0, found {nanoseconds:g}"
    if emulation.unique_id and not (emulation.engine == "unicorn" and _UNIQUE_ID.fullmatch(emulation.unique_id)):
        yield f"emulation.unique_id: 24 hex digits, with engine 'unicorn' only, found {emulation.unique_id!r}"


def _memory_mistakes(regions: tuple[MemoryRegion, ...]) -> Iterator[str]:
    for kind in ("flash", "ram"):
        if not any(region.kind == kind for region in regions):
            yield f"memory: no region of kind '{kind}'"
    for region in regions:
        where = f"memory '{region.name}'"
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", region.name):
            yield f"{where}: a name has lower-case letters, digits and '_', and begins with a letter"
        if region.size_bytes <= 0:
            yield f"{where}: size_bytes larger than 0, found {region.size_bytes}"
        if not 0 <= region.origin < _ADDRESS_SPACE or region.end > _ADDRESS_SPACE:
            yield f"{where}: lies outside the 32-bit address space"
        if region.wait_states is not None and region.wait_states < 0:
            yield f"{where}: wait_states not negative, found {region.wait_states}"
    for one, other in combinations(regions, 2):
        if one.name == other.name:
            yield f"memory: two regions are named '{one.name}'"
        if one.origin < other.end and other.origin < one.end:
            yield (
                f"memory: '{one.name}' [{one.origin:#010x}, {one.end:#010x}) and '{other.name}' "
                f"[{other.origin:#010x}, {other.end:#010x}) overlap"
            )


def _stack_mistakes(board: Board) -> Iterator[str]:
    room = next((region.size_bytes for region in board.memory if region.kind == "ram"), 0)
    if board.stack_bytes % 8 or not 512 <= board.stack_bytes <= max(room, 512):
        yield f"stack_bytes: a multiple of 8 from 512 to {room}, found {board.stack_bytes}"


def _budget_mistakes(board: Board) -> Iterator[str]:
    limits: tuple[tuple[Literal["flash", "ram"], int], ...] = (
        ("flash", board.budget.flash_bytes),
        ("ram", board.budget.ram_bytes),
    )
    for kind, limit in limits:
        total = board.total_bytes(kind)
        if limit <= 0:
            yield f"budget.{kind}_bytes: larger than 0, found {limit}"
        elif limit > total:
            yield f"budget.{kind}_bytes: {limit} of the {total} bytes that the board has"
    latency = board.budget.latency_us
    if latency is not None and latency <= 0:
        yield f"budget.latency_us: larger than 0, found {latency:g}"
