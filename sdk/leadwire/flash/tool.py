"""What a flash tool is. One module per tool in this package, found by its name, which is `flash_tool` of a board.

A module has one of two functions:

    def argv(image: FirmwareImage, board: Board, port: str) -> tuple[str, ...]
        a command that programs a real board and resets it; the board then answers on `port`

    def start(image: FirmwareImage, board: Board, port: str) -> Started
        for a board that comes into being by starting something
"""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

import leadwire.flash
from leadwire.artifacts import FirmwareImage
from leadwire.board import Board
from leadwire.device.running import CounterRead
from leadwire.errors import BadInputError, DeviceError

_LONGEST_RUN_SECONDS = 300.0


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
    talks: bool = True
    """False for a board without a link, which nothing can be asked."""


def tools() -> tuple[str, ...]:
    """Names of the flash tools, in order."""
    return tuple(
        sorted(module.name for module in pkgutil.iter_modules(leadwire.flash.__path__) if module.name != "tool")
    )


def start(image: FirmwareImage, board: Board, port: str) -> Started:
    """Bring `image` onto `board` with its tool. BadInputError for an unknown tool, DeviceError when it fails."""
    if board.flash_tool not in tools():
        raise BadInputError(
            f"board '{board.id}' names the flash tool '{board.flash_tool}', which does not exist",
            hint=f"flash tools: {', '.join(tools())}",
        )
    module = importlib.import_module(f"leadwire.flash.{board.flash_tool}")
    return _program(module, image, board, port) if hasattr(module, "argv") else module.start(image, board, port)


def _program(module: ModuleType, image: FirmwareImage, board: Board, port: str) -> Started:
    if not port:
        raise BadInputError(f"board '{board.id}' needs a serial port", hint="give it with --port")
    command: tuple[str, ...] = module.argv(image, board, port)
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_RUN_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise DeviceError(
            f"flash tool '{command[0]}' is not installed",
            hint=f"install it, or put it on PATH; board '{board.id}' is flashed with it",
        ) from None
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"flash tool '{command[0]}' did not end within {_LONGEST_RUN_SECONDS:g} s",
            hint="check cable, power and debug probe",
        ) from None
    except OSError as error:
        raise DeviceError(f"flash tool '{command[0]}' cannot be run: {error.strerror}") from error
    if result.returncode:
        tail = "\n".join(f"  {line}" for line in (result.stdout + result.stderr).strip().splitlines()[-20:])
        raise DeviceError(
            f"flash tool '{command[0]}' failed with exit code {result.returncode}\n{tail}",
            hint="check cable, power and debug probe",
        )
    return Started(port=port)
