"""A board that runs an image: what `flash` hands to `bench` and `validate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from leadwire.artifacts import FirmwareImage
from leadwire.board import Board


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterRead:
    """One read of the cycle counter by the firmware, as the emulator saw it."""

    count: int
    instructions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What an emulated board did up to `now_s` of its own time: (seconds, core runs, marker high) at each change since
    the last look, the core running or waiting for an interrupt."""

    now_s: float
    changes: tuple[tuple[float, bool, bool], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flashed:
    """How the image came onto the board, and what says that it is this image on this board.

    `known_by`: what told before writing that it is the expected board: the flash 'tool' or the 'firmware' by the chip's
    unique id, 'probe' or 'usb' by where it is plugged in, '' where no board was expected. `unique_id` is the firmware's
    answer after writing. `read_back_digest` equals `contents_digest` (SHA-256 of the image's bytes in flash), '' where
    the tool cannot read; both are '' where nothing is written, as with emulators.
    """

    tool: str
    known_by: str = ""
    unique_id: str = ""
    contents_digest: str = ""
    read_back_digest: str = ""


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningBoard:
    """Context manager; leaving it stops an emulator and leaves real boards running.

    `port` is what pyserial opens ('/dev/pts/3', '/dev/ttyACM0', 'COM4', 'socket://127.0.0.1:4000'), empty for
    board 'host'. `counter_reads` returns and clears the log of cycle counter reads (the firmware reads once right
    before and once right after `infer()`, and once before and after each operator of `profile`); None where nothing
    can count instructions. `count_instructions(False)` makes an emulator run at full speed without the log. `activity`
    is what a simulated meter follows; None where the board is real or the emulator does not tell.
    """

    board: Board
    image: FirmwareImage
    port: str
    counter_reads: Callable[[], Sequence[CounterRead]] | None = None
    count_instructions: Callable[[bool], None] | None = None
    activity: Callable[[], Activity] | None = None
    stop: Callable[[], None] = field(default=_nothing)
    flashed: Flashed | None = None
    """None where nothing was flashed, as in a board that was found running."""

    def __enter__(self) -> RunningBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
