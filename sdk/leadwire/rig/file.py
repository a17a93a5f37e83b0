"""`rig.toml`: the boards of a rig, how each is found, who it must be, how long it may take and when to try again.

Parsed strictly; all mistakes are reported at once. Paths are relative to the file's folder. docs/manual/rigs.md is the
reference.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from leadwire.artifacts import UserImage
from leadwire.board import Board, load_board, with_unique_id
from leadwire.errors import BadInputError, ConfigError, LeadwireError
from leadwire.strict import load_toml, parse_table

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Stage = Literal["lock", "power", "identify", "flash", "bench", "validate", "confirm"]
STAGES: tuple[Stage, ...] = ("power", "identify", "lock", "flash", "bench", "validate", "confirm")
"""Stages of one attempt, in order."""

_SERIAL = r"^[\x21-\x7e][\x20-\x7e]{0,127}$"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds that a stage may take; None: the rig's, and where that says nothing DEFAULT_TIMEOUTS."""

    lock_s: Seconds | None = None
    power_s: Seconds | None = None
    identify_s: Seconds | None = None
    flash_s: Seconds | None = None
    bench_s: Seconds | None = None
    validate_s: Seconds | None = None
    confirm_s: Seconds | None = None


DEFAULT_TIMEOUTS = Timeouts(
    lock_s=30.0, power_s=60.0, identify_s=30.0, flash_s=300.0, bench_s=600.0, validate_s=7200.0, confirm_s=60.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """`attempts` in all, `wait_s` before each further one; `power_cycle`: the board's hook is run before it."""

    attempts: Annotated[int, Field(ge=1, le=20)] | None = None
    wait_s: Annotated[float, Field(ge=0, le=3600)] | None = None
    power_cycle: bool | None = None


DEFAULT_RETRY = Retry(attempts=2, wait_s=2.0, power_cycle=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """`emulated_at_once`, `real_at_once`: how many boards of a kind run at the same time; 0: one for each processor,
    and all. `inputs` and `warmup` are for models without a project. `validate`: boards that do not say otherwise are
    validated after their benchmark, by the project's dataset and protocol."""

    emulated_at_once: Annotated[int, Field(ge=0, le=1000)] = 0
    real_at_once: Annotated[int, Field(ge=0, le=1000)] = 0
    inputs: Annotated[int, Field(ge=1, le=100_000)] = 50
    warmup: Annotated[int, Field(ge=0, le=10_000)] = 2
    validate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One board of the rig. Empty is not asked for.

    `port`, or `usb_serial` and `usb_location` of the port's adapter, say where the board is; the latter two are checked
    where a port is given as well. An emulated board without any of them is started by the rig, and `unique_id` is then
    what it answers. `flash_tool` and `baud` replace the board file's, `flash` single keys of that tool's table. `image`
    is an ELF that the user built from a package, with further files for the flash; `validate` None: as the rig says.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    board: str
    port: Annotated[str, Field(max_length=256)] = ""
    usb_serial: Annotated[str, Field(pattern=_SERIAL)] | Literal[""] = ""
    usb_location: Annotated[str, Field(pattern=_SERIAL)] | Literal[""] = ""
    probe_serial: Annotated[str, Field(pattern=_SERIAL)] | Literal[""] = ""
    unique_id: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{2}){0,32}$")] = ""
    baud: Annotated[int, Field(gt=0, le=20_000_000)] | None = None
    flash_tool: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")] | Literal[""] = ""
    flash: Mapping[str, str] = field(default_factory=dict)
    image: Annotated[str, Field(max_length=4096)] = ""
    flash_files: Annotated[tuple[str, ...], Field(max_length=16)] = ()
    validate: bool | None = None
    power_cycle: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: Retry = field(default_factory=Retry)

    @property
    def plugged(self) -> bool:
        """Whether the file says where the board is plugged in; False for one that the rig starts itself."""
        return bool(self.port or self.usb_serial or self.usb_location)


@dataclass(frozen=True, slots=True, kw_only=True)
class RigSettings:
    board: Annotated[tuple[Entry, ...], Field(min_length=1, max_length=1000)]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] = "rig"
    output: str = "rig-out"
    run: RunSettings = field(default_factory=RunSettings)
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True, slots=True, kw_only=True)
class RigBoard:
    """An entry with what the rig as a whole says filled in: `board` as loaded, time-outs and retries without None."""

    entry: Entry
    board: Board
    timeouts: Timeouts
    retry: Retry
    power_cycle: tuple[str, ...]
    """argv with the program's path resolved."""
    image: UserImage | None = None
    validate: bool = False

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def emulated(self) -> bool:
        return self.board.emulation is not None

    def timeout_s(self, stage: Stage) -> float:
        return float(getattr(self.timeouts, f"{stage}_s"))

    def stable_keys(self) -> tuple[str, ...]:
        """What this board takes for itself, by names that a power cycle does not change."""
        named = {
            "port": canonical_port(self.entry.port),
            "usb": _adapter(self.entry),
            "probe": self.entry.probe_serial,
        }
        return tuple(f"{kind} {value}" for kind, value in named.items() if value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    path: Path
    name: str
    output: Path
    run: RunSettings
    boards: tuple[RigBoard, ...]

    def only(self, names: tuple[str, ...]) -> tuple[RigBoard, ...]:
        """The boards of these names, all without any; BadInputError for a name that the rig does not have."""
        known = [board.name for board in self.boards]
        for name in names:
            if name not in known:
                raise BadInputError(
                    f"rig '{self.name}' has no board '{name}'", hint=f"its boards: {', '.join(sorted(known))}"
                )
        return tuple(board for board in self.boards if not names or board.name in names)


def canonical_port(port: str) -> str:
    """The same text for the same port: links in /dev/serial/by-id lead to one device; '' stays ''."""
    if "://" in port:
        return port.lower()
    return os.path.realpath(port) if port else ""


def _adapter(entry: Entry) -> str:
    """One adapter may have several ports: serial number and location name one together."""
    return " at ".join(part for part in (entry.usb_serial, entry.usb_location) if part)


def load_rig(path: Path, *, output: Path | None = None) -> Rig:
    """The rig of a rig.toml. FileMissingError, or ConfigError with all mistakes of the file."""
    return _checked(load_toml(RigSettings, path, "rig file"), path, output)


def rig_of_one(
    board: str, port: str, folder: Path, *, unique_id: str = "", probe_serial: str = "", inputs: int = 50
) -> Rig:
    """A rig without a file: one board, on a port or emulated. ConfigError for what cannot be."""
    name = re.sub(r"[^a-z0-9._-]+", "-", Path(board).stem.lower()).strip("-._") or "board"
    given = {"port": port, "unique_id": unique_id, "probe_serial": probe_serial}
    table = {"board": [{"name": name[:64], "board": board, **given}], "run": {"inputs": inputs}}
    path = Path("options")
    return _checked(parse_table(RigSettings, table, path), path, folder)


def _checked(settings: RigSettings, path: Path, output: Path | None) -> Rig:
    base = path.resolve().parent
    mistakes = [*_clashes(settings.board)]
    boards: list[RigBoard] = []
    for number, entry in enumerate(settings.board):
        where = f"board[{number}] '{entry.name}'"
        found = [*_entry_mistakes(entry, base)]
        try:
            board = _board_of(entry, base)
        except LeadwireError as error:
            found.append(f"board: {error.message}")
        else:
            found += _board_mistakes(entry, board)
            boards.append(
                RigBoard(
                    entry=entry,
                    board=board,
                    timeouts=_filled(entry.timeouts, settings.timeouts, DEFAULT_TIMEOUTS),
                    retry=_filled(entry.retry, settings.retry, DEFAULT_RETRY),
                    power_cycle=_resolved(entry.power_cycle, base),
                    image=_image_of(entry, base),
                    validate=settings.run.validate if entry.validate is None else entry.validate,
                )
            )
        mistakes += [f"{where}: {text}" for text in found]
    mistakes += _different_images(boards)
    if mistakes:
        raise ConfigError(path, mistakes)
    return Rig(
        path=path.resolve(),
        name=settings.name,
        output=(output or base / settings.output).resolve(),
        run=settings.run,
        boards=tuple(boards),
    )


def _board_of(entry: Entry, base: Path) -> Board:
    board = load_board(base / entry.board if entry.board.endswith(".toml") else entry.board)
    if entry.baud is not None:
        board = replace(board, link=replace(board.link, baud=entry.baud))
    if entry.flash_tool:
        board = replace(board, flash_tool=entry.flash_tool)
    started_here = not entry.plugged and board.emulation is not None and board.emulation.engine == "unicorn"
    return with_unique_id(board, entry.unique_id) if started_here and entry.unique_id else board


def _image_of(entry: Entry, base: Path) -> UserImage | None:
    if not entry.image:
        return None
    files = tuple((base / file).resolve() for file in entry.flash_files)
    return UserImage(elf=(base / entry.image).resolve(), flash_files=files)


def _different_images(boards: list[RigBoard]) -> Iterator[str]:
    """One kind of board runs one image."""
    kinds: defaultdict[str, dict[UserImage | None, str]] = defaultdict(dict)
    for board in boards:
        kinds[board.board.id].setdefault(board.image, board.name)
    for kind, images in kinds.items():
        if len(images) > 1:
            names = ", ".join(f"'{name}'" for name in images.values())
            yield f"image: boards of one kind run one image, {names} ({kind}) name {len(images)}"


def _filled(own: T, rig: T, default: T) -> T:
    """Field by field the first that is not None."""
    values: dict[str, Any] = {}
    for one in fields(own):  # type: ignore[arg-type]
        found = (getattr(source, one.name) for source in (own, rig, default))
        values[one.name] = next(value for value in found if value is not None)
    return type(own)(**values)


def _entry_mistakes(entry: Entry, base: Path) -> Iterator[str]:
    """What types cannot say about one board."""
    if entry.port and not ("://" in entry.port or entry.port.startswith("/") or re.fullmatch(r"COM\d+", entry.port)):
        yield f"port: a device path ('/dev/ttyACM0', 'COM4') or a URL ('socket://host:port'), found '{entry.port}'"
    if "://" in entry.port and not re.fullmatch(r"(socket|rfc2217)://[^/\s:]+:\d{1,5}(\?\S*)?", entry.port):
        yield f"port: 'socket://host:port' or 'rfc2217://host:port', found '{entry.port}'"
    if entry.flash_files and not entry.image:
        yield "flash_files: they are of an image, which is not named"
    if entry.power_cycle and "\0" in "".join(entry.power_cycle):
        yield "power_cycle: an argument holds a NUL byte"
    elif entry.power_cycle and shutil.which(_resolved(entry.power_cycle, base)[0]) is None:
        yield f"power_cycle: there is no program '{entry.power_cycle[0]}'"


def _board_mistakes(entry: Entry, board: Board) -> Iterator[str]:
    emulation = board.emulation
    if emulation is not None and emulation.engine == "host":
        yield "board: 'host' is this computer and cannot stand in a rig"
    if emulation is None and not entry.plugged:
        yield "port, usb_serial or usb_location: one is needed to find the board"
    if emulation is not None and emulation.engine == "qemu" and not entry.plugged and entry.unique_id:
        yield "unique_id: QEMU's machines have none"


def _resolved(command: tuple[str, ...], base: Path) -> tuple[str, ...]:
    """A program named with a folder is taken from the rig file's."""
    if not command or "/" not in command[0]:
        return command
    return (str(base / command[0]), *command[1:])


def _clashes(entries: tuple[Entry, ...]) -> Iterator[str]:
    """Two entries that mean the same thing: both would write to one board."""
    taken: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in entries:
        for what, value in (
            ("name", entry.name),
            ("port", canonical_port(entry.port)),
            ("usb_serial and usb_location", _adapter(entry)),
            ("probe_serial", entry.probe_serial),
            ("unique_id", entry.unique_id.lower()),
        ):
            if value:
                taken[what, value].append(entry.name)
    for (what, value), names in taken.items():
        if len(names) > 1:
            shown = f"'{names[0]}'" if what == "name" else ", ".join(f"'{name}'" for name in names)
            yield f"{what}: {len(names)} boards have '{value}': {shown}"
