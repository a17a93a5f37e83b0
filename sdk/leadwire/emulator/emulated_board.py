"""Start, steer and stop the emulator process."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from leadwire.board import Board
from leadwire.errors import BadInputError, DeviceError

_START_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_STOP_SECONDS = 2.0


def check_engine(board: Board) -> Board:
    """The board; BadInputError if it is not one the built-in emulator runs."""
    if board.emulation is None or board.emulation.engine != "unicorn":
        raise BadInputError(f"board '{board.id}' is not one the built-in emulator runs", hint="use 'virtual-stm32f405'")
    return board


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """What sets one emulated chip apart from others.

    `flash` is a file that keeps what the flash holds, even when the emulator is killed; None: blank but for a program.
    `boot0` is the pin of that name: high starts from system memory. `power_cut_after`: the emulator dies in the middle
    of this program or erase operation, from 1.
    """

    flash: Path | None = None
    boot0: bool = False
    power_cut_after: int = 0

    @property
    def arguments(self) -> tuple[str, ...]:
        """For the emulator process."""
        return (
            *(("--flash", str(self.flash)) if self.flash else ()),
            *(("--boot0",) if self.boot0 else ()),
            *(("--power-cut-after", str(self.power_cut_after)) if self.power_cut_after else ()),
        )


class EmulatedBoard:
    """A running virtual board; a context manager that stops it. `port` is its serial port.

    The emulator's fault reports go to this process's stderr, and `fault` keeps the last one.
    """

    def __init__(self, elf: Path, board: Board, chip: Chip | None = None) -> None:
        """Start `elf` on `board`. BadInputError for an image it cannot load or a board that is not its own, DeviceError
        when it does not start."""
        emulation = check_engine(board).emulation
        identity = ["--unique-id", emulation.unique_id] if emulation is not None and emulation.unique_id else []
        self.fault = ""
        self._received = b""
        self._asking = threading.Lock()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "leadwire.emulator", str(elf), "--clock-hz", str(board.clock_hz)),
                *identity,
                *(chip.arguments if chip else ()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the parent, whose end is then ours
        )
        try:
            greeting = self._answer("start", _START_SECONDS)
            if "error" in greeting:
                error = BadInputError if greeting.get("exit_code") == BadInputError.exit_code else DeviceError
                raise error(str(greeting["error"]), hint=str(greeting.get("hint", "")))
            self.port = str(greeting["port"])
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> EmulatedBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def counter_reads(self) -> tuple[tuple[int, int], ...]:
        """(cycle counter, instructions executed) at each read of the counter by the firmware since the last call.

        Only while instructions are counted; the latest 65,536 are kept.
        """
        reads = self._ask("counter_reads", do="counter_reads")["counter_reads"]
        if not isinstance(reads, list):
            raise DeviceError("the emulator's answer is not a list of counter reads")
        return tuple((int(count), int(instructions)) for count, instructions in reads)

    def marker_edges(self) -> tuple[tuple[int, bool], ...]:
        """(cycles of virtual time, level) of the marker pin: the last change before, and each since the last call.

        To a block of instructions; the latest 65,536 are kept.
        """
        edges = self._ask("marker_edges", do="marker_edges")["marker_edges"]
        if not isinstance(edges, list):
            raise DeviceError("the emulator's answer is not a list of edges")
        return tuple((int(cycles), bool(high)) for cycles, high in edges)

    def activity(self) -> tuple[int, tuple[tuple[int, bool, bool], ...]]:
        """Virtual time in cycles, and (cycles, core runs, marker high) at each change of one of the two since the last
        call. The first call begins to watch, with what is. DeviceError where more than 65,536 changes have come.
        """
        answer = self._ask("activity", do="activity")
        changes = answer["activity"]
        if not isinstance(changes, list):
            raise DeviceError("the emulator's answer is not a list of changes")
        return int(str(answer["now"])), tuple((int(cycles), bool(runs), bool(high)) for cycles, runs, high in changes)

    def count_instructions(self, on: bool) -> None:
        """Count every instruction (default), or run about four times faster without counting."""
        self._ask("counting", do="count", on=on)

    def state(self) -> dict[str, int]:
        """`instructions` and `cycles` since power-up, and the number of `resets`."""
        return {key: int(str(value)) for key, value in self._ask("instructions", do="state").items()}

    def check(self) -> None:
        """DeviceError with the fault report if the emulated firmware has crashed."""
        assert self._process.stdout is not None
        ended = False  # by the end of its output: its port closes after that, the process may end later still
        while not ended and select.select([self._process.stdout], [], [], 0)[0]:
            ended = not self._read()
        if ended or b'"fault"' in self._received or self._process.poll() is not None:
            self._drain()
            raise self._dead("run")

    def stop(self) -> None:
        """End the process; safe to call again."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, key: str, **command: object) -> dict[str, object]:
        if self._process.stdin is None or self._process.stdin.closed:
            raise DeviceError("the emulated board has been stopped")
        with self._asking:
            try:
                self._process.stdin.write(json.dumps(command).encode() + b"\n")
            except OSError:
                self._drain()
                raise self._dead(str(command["do"])) from None
            answer = self._answer(str(command["do"]), _ANSWER_SECONDS)
        if key not in answer:
            raise DeviceError(f"the emulator refused '{command['do']}': {answer.get('error', answer)}")
        return answer

    def _answer(self, what: str, seconds: float) -> dict[str, object]:
        """The next line; a fault or the end of the process is a DeviceError."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._received:
            if not select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise DeviceError(
                    f"the emulator did not answer '{what}' within {seconds:g} s",
                    hint="the machine may be overloaded; try again",
                )
            if not self._read():
                raise self._dead(what)
        line, self._received = self._received.split(b"\n", 1)
        answer = _parse(line)
        if "fault" in answer:
            self.fault = str(answer["fault"])
            raise self._dead(what)
        return answer

    def _read(self) -> bytes:
        assert self._process.stdout is not None
        chunk = os.read(self._process.stdout.fileno(), 65_536)
        self._received += chunk
        return chunk

    def _drain(self) -> None:
        """Find the fault report among what the process said before it ended."""
        while self._read():
            pass
        for line in self._received.splitlines():
            self.fault = str(_parse(line).get("fault", self.fault))

    def _dead(self, what: str) -> DeviceError:
        if self.fault:
            return DeviceError(
                f"the emulated firmware crashed\n{self.fault}",
                hint="look up pc and lr in the image with 'leadwire build --json' or a disassembler",
            )
        return DeviceError(f"the emulator ended during '{what}'", hint="its own messages are above")


def _parse(line: bytes) -> dict[str, object]:
    """One line of the process; a line cut off by its end says nothing."""
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}
