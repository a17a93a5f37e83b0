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


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningBoard:
    """Context manager; leaving it stops an emulator and leaves real boards running.

    `port` is what pyserial opens ('/dev/pts/3', '/dev/ttyACM0', 'COM4', 'socket://127.0.0.1:4000'), empty for
    board 'host'. `counter_reads` returns and clears the log of cycle counter reads (the firmware reads once right
    before and once right after `infer()`, and once before and after each operator of `profile`); None where nothing
    can count instructions. `count_instructions(False)` makes an emulator run at full speed without the log.
    """

    board: Board
    image: FirmwareImage
    port: str
    counter_reads: Callable[[], Sequence[CounterRead]] | None = None
    count_instructions: Callable[[bool], None] | None = None
    stop: Callable[[], None] = field(default=_nothing)

    def __enter__(self) -> RunningBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
