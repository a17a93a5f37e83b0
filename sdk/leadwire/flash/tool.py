"""What a flash tool is. One module of this package per tool, found by its name, which is `flash_tool` of a board.

A module has one of three functions:

    def argv(job: Job) -> tuple[str, ...]
        a command that writes the image into a real board
    def write(job: Job) -> None
        the same by library calls; DeviceError when it fails
    def start(job: Job) -> Started
        for a board that comes into being by starting something

and may have, `argv` with the first of each line and `write` with the second:

    identify_argv(job, dump)   or  identify(job) -> bytes | None
        the chip's unique id, read before anything is written; None where this chip does not tell
    read_argv(job, dump)       or  read_back(job) -> bytes
        what the flash holds where `job.contents` lies, read after writing
    dumped(output, dump) -> bytes
        what such a command has read, where it is not the bytes of the file `dump`; for the unique id alone:
        unique_id(output, dump) -> bytes | None
    check(job)
        instead of reading back: DeviceError unless the board says that its flash holds the image
    run_argv(job)              or  run(job)
        starts the image, where writing does not; called last

    PROGRAM: str               what must be on PATH, or
    PACKAGE: str               what Python must find
    INSTALL: str               how to get the tool ('apt install stm32flash')
    ARGUMENTS: dict[str, str]  keys of [flash.<tool>] in the board file, each with what it is
    REQUIRED: tuple[str, ...]  those of them that have no default
    REAPPEARS: bool            the serial port is gone for a while after writing
    BOOT_LOADER: bool          talks to a boot loader on the serial port: firmware that runs is asked to restart first
"""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import leadwire.flash
from leadwire.artifacts import FirmwareImage
from leadwire.board import Board
from leadwire.device.running import Activity, CounterRead
from leadwire.device.target import Target
from leadwire.errors import BadInputError, DeviceError

from .contents import Contents, Form

LONGEST_RUN_SECONDS = 300.0


def nothing() -> None:
    """For boards that need neither a stop nor a check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A board that runs. `check` raises DeviceError when it has crashed, `stop` ends it; both may be called again."""

    port: str
    stop: Callable[[], None] = nothing
    check: Callable[[], None] = nothing
    counter_reads: Callable[[], Sequence[CounterRead]] | None = None
    count_instructions: Callable[[bool], None] | None = None
    activity: Callable[[], Activity] | None = None
    talks: bool = True
    """False for a board without a link, which nothing can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One image for one board. `folder` is for files that the tool reads or writes; it is removed afterwards."""

    image: FirmwareImage
    target: Target
    folder: Path

    @property
    def board(self) -> Board:
        return self.target.board

    @property
    def contents(self) -> Contents:
        """What the flash must hold. BadInputError where the image is no program for this board."""
        return Contents.of_image(self.image, self.board)

    def file(self, form: Form) -> Path:
        """The image as a file that a flash tool reads."""
        if form == "elf" and not self.image.flash_files:
            return self.image.elf.resolve()
        return self.contents.save(form, self.folder / f"image.{form}")

    def argument(self, name: str, default: str = "") -> str:
        """A key of [flash.<tool>], of the target first, then of the board file."""
        return {**self.board.flash.get(self.target.flash_tool, {}), **self.target.arguments}.get(name, default)


def tools() -> tuple[str, ...]:
    """Names of the flash tools, in order: the modules of this package that program or start a board."""
    names = (module.name for module in pkgutil.iter_modules(leadwire.flash.__path__) if not module.ispkg)
    return tuple(sorted(name for name in names if name != "tool"))


def require_tool(target: Target) -> None:
    """BadInputError where the target's tool is none, with who named it."""
    if target.flash_tool not in tools():
        who = "--tool" if target.tool else f"board '{target.board.id}'"
        raise BadInputError(
            f"{who} names the flash tool '{target.flash_tool}', which does not exist",
            hint=f"flash tools: {', '.join(tools())}",
        )


def load(target: Target) -> ModuleType:
    """The module of the target's tool. BadInputError where there is none, or where the target lacks what it needs."""
    name = target.flash_tool
    require_tool(target)
    module = importlib.import_module(f"leadwire.flash.{name}")
    known: Mapping[str, str] = getattr(module, "ARGUMENTS", {})
    given = {**target.board.flash.get(name, {}), **target.arguments}
    if unknown := sorted(given.keys() - known.keys()):
        raise BadInputError(
            f"flash tool '{name}' of board '{target.board.id}' has no argument '{unknown[0]}'",
            hint=f"its arguments: {', '.join(known) or 'none'}",
        )
    for needed in getattr(module, "REQUIRED", ()):
        if not given.get(needed):
            raise BadInputError(
                f"flash tool '{name}' needs '{needed}' for board '{target.board.id}'",
                hint=f'[flash.{name}] {needed} = "..." in the board file: {known[needed]}',
            )
    if not hasattr(module, "start") and not target.port:
        raise BadInputError(f"board '{target.board.id}' needs a serial port", hint="give it with --port")
    return module


def identify(module: ModuleType, job: Job) -> str | None:
    """The chip's unique id in hex, read without writing; None where tool or chip does not tell."""
    found: bytes | None = None
    if hasattr(module, "identify"):
        found = module.identify(job)
    elif hasattr(module, "identify_argv"):
        dump = job.folder / "unique_id.bin"
        command: tuple[str, ...] | None = module.identify_argv(job, dump)
        if command is not None:
            output = call(command, module, job)
            found = (
                module.unique_id(output, dump) if hasattr(module, "unique_id") else _dumped(output, dump, module, job)
            )
    return found.hex() if found else None


def read_back(module: ModuleType, job: Job) -> bytes | None:
    """What the flash holds where the image lies; None where the tool cannot read."""
    if hasattr(module, "read_argv"):
        dump = job.folder / "read.bin"
        return _dumped(call(module.read_argv(job, dump), module, job), dump, module, job)
    held: bytes | None = module.read_back(job) if hasattr(module, "read_back") else None
    return held


def _dumped(output: str, dump: Path, module: ModuleType, job: Job) -> bytes:
    """What the tool has read. DeviceError where it has not."""
    try:
        found: bytes = module.dumped(output, dump) if hasattr(module, "dumped") else dump.read_bytes()
        return found
    except OSError as error:
        raise DeviceError(
            f"flash tool '{job.target.flash_tool}' says that it has read, but '{dump.name}' is not there: "
            f"{error.strerror}",
            hint="check cable, power and debug probe",
        ) from None


def write(module: ModuleType, job: Job) -> Started:
    """Bring the image onto the board, or the board into being. DeviceError when that fails."""
    if hasattr(module, "start"):
        started: Started = module.start(job)
        return started
    if hasattr(module, "argv"):
        call(module.argv(job), module, job)
    else:
        module.write(job)
    return Started(port=job.target.port)


def run(module: ModuleType, job: Job) -> None:
    """Start the image, where writing has not done so."""
    if hasattr(module, "run_argv"):
        call(module.run_argv(job), module, job)
    elif hasattr(module, "run"):
        module.run(job)


def call(command: Sequence[str], module: ModuleType, job: Job) -> str:
    """What the program printed. DeviceError when it is missing, fails or does not end."""
    name, hint = job.target.flash_tool, "check cable, power and debug probe"
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LONGEST_RUN_SECONDS,
            check=False,
            cwd=job.folder,
        )
    except FileNotFoundError:
        raise DeviceError(
            f"flash tool '{name}' is not installed: there is no program '{command[0]}'",
            hint=getattr(module, "INSTALL", f"put it on PATH; board '{job.board.id}' is flashed with it"),
        ) from None
    except subprocess.TimeoutExpired:
        raise DeviceError(f"flash tool '{name}' did not end within {LONGEST_RUN_SECONDS:g} s", hint=hint) from None
    except OSError as error:
        raise DeviceError(f"flash tool '{name}' cannot be run: {error.strerror}") from error
    if result.returncode:
        if "No module named" in result.stdout and hasattr(module, "INSTALL"):
            raise DeviceError(f"flash tool '{job.target.flash_tool}' is not installed", hint=module.INSTALL)
        tail = "\n".join(f"  {line}" for line in result.stdout.strip().splitlines()[-20:])
        raise DeviceError(
            f"flash tool '{name}' failed with exit code {result.returncode}\n{tail}", hint=_remedy(result.stdout, hint)
        )
    return result.stdout


def _remedy(output: str, otherwise: str) -> str:
    """What to try, by what such tools say."""
    said = output.lower()
    return next((remedy for words, remedy in _REMEDIES if any(word in said for word in words)), otherwise)


_REMEDIES = (
    (
        ("permission denied", "access denied", "libusb_error_access", "errno 13"),
        "give this user access to the device: its group (dialout, plugdev) or a udev rule, then plug it in again",
    ),
    (
        (
            *("no probe", "no debug probe", "no connected debug probe", "unable to find", "no device found"),
            *("no dfu capable", "no accessible", "cannot connect to j-link", "error: open failed"),
        ),
        "plug in the board or its debug probe; is another program using it?",
    ),
    (
        ("error: can't find",),
        "this OpenOCD has no such configuration file: install a newer one, or name another in the board file",
    ),
)
