"""The emulator process: `python -m leadwire.emulator ELF --board ID`.

Prints one JSON line `{"port": "/dev/pts/3"}` on stdout, then answers JSON lines from stdin with one JSON line each:

    {"do": "counter_reads"}        {"counter_reads": [[count, instructions], ...]}   and clears the log
    {"do": "marker_edges"}         {"marker_edges": [[cycles, high], ...]}           and clears all but the last
    {"do": "activity"}             {"activity": [[cycles, runs, high], ...], "now": cycles}   since the last call
    {"do": "count", "on": false}   {"counting": false}
    {"do": "state"}                {"instructions": n, "cycles": n, "resets": n}
    {"do": "stop"}                 {"stopped": true}, then the process ends

Anything else is answered `{"error": text}`. Standard input at its end means that the parent is gone: the process ends
at once. A crash of the firmware prints a report on stderr and `{"fault": report}` on stdout, exit code 6.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import threading
from collections import deque
from pathlib import Path
from typing import NoReturn

from leadwire.errors import BadInputError, DeviceError, LeadwireError

from .core import FirmwareFaultError
from .elf import load_program
from .emulated_board import check_engine
from .flash_memory import FlashMemory
from .machine import Machine
from .stm32f405 import UNIQUE_ID
from .terminal import Terminal
from .usart import SerialLine

_STDIN = 0
_LONGEST_COMMAND_BYTES = 4096
_MOST_WAITING_BYTES = 65_536
_FREE_TICK_SECONDS = 0.001
_TICK_SECONDS = 0.02
_TICKS_PER_CHECK = 25


class Server:
    """Runs the machine in the calling thread; a second thread listens to the terminal and to standard input."""

    def __init__(
        self, elf: Path, *, clock_hz: int, usart: int, flash: FlashMemory, boot0: bool, unique_id: bytes
    ) -> None:
        self._terminal = Terminal()
        self._line = SerialLine(self._terminal.write)
        self._news = threading.Event()
        self._commands: deque[bytes] = deque()
        self._stopped = False
        self._machine = Machine(
            load_program(elf),
            clock_hz=clock_hz,
            line=self._line,
            wait=self._wait,
            usart=usart,
            flash=flash,
            boot0=boot0,
            unique_id=unique_id,
        )

    def run(self) -> int:
        """The exit code."""
        say({"port": self._terminal.port})
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        try:
            while not self._stopped:
                while self._commands:
                    say(self._obey(self._commands.popleft()))
                if not self._stopped:
                    self._machine.step()
        except FirmwareFaultError as fault:
            report = self._machine.report(fault)
            print(report, file=sys.stderr, flush=True)
            say({"fault": report})
            return DeviceError.exit_code
        return 0

    def _obey(self, line: bytes) -> dict[str, object]:
        try:
            command = json.loads(line)
            verb = command.get("do")
        except (ValueError, AttributeError, RecursionError):
            return {"error": "not a JSON object"}
        if verb == "counter_reads":
            reads = list(self._machine.counter_log)
            self._machine.counter_log.clear()
            return {"counter_reads": reads}
        if verb == "marker_edges":
            return {"marker_edges": self._machine.activity.take_marker_edges()}
        if verb == "activity":
            return self._activity()
        if verb == "count" and isinstance(command.get("on"), bool):
            self._machine.count_instructions(command["on"])
            return {"counting": command["on"]}
        if verb == "state":
            instructions, cycles = self._machine.tally()
            return {"instructions": instructions, "cycles": cycles, "resets": self._machine.resets}
        if verb == "stop":
            self._stopped = True
            return {"stopped": True}
        return {"error": "unknown command"}

    def _activity(self) -> dict[str, object]:
        try:
            now, changes = self._machine.activity.take()
        except OverflowError as error:
            return {"error": str(error)}
        return {"activity": changes, "now": now}

    def _wait(self, seconds: float | None) -> None:
        self._news.wait(seconds)
        self._news.clear()

    def _alert(self) -> None:
        self._news.set()
        self._machine.attend()

    def _listen(self) -> None:
        """Never waits long: an alert may be lost while the core starts or stops, so it is repeated until noticed."""
        machine, terminal = self._machine, self._terminal
        typed = b""
        tick = 0
        while True:
            readers = [_STDIN, *([terminal.descriptor] if len(self._line.incoming) < _MOST_WAITING_BYTES else [])]
            writers = [terminal.descriptor] if terminal.has_backlog else []
            hurry = not machine.attended or (not machine.sleeping and not machine.counting)
            readable, writable, _ = select.select(readers, writers, [], _FREE_TICK_SECONDS if hurry else _TICK_SECONDS)
            if writable:
                terminal.push()
            if terminal.descriptor in readable:
                self._line.incoming.extend(terminal.read())
                self._alert()
            if _STDIN in readable:
                chunk = os.read(_STDIN, _LONGEST_COMMAND_BYTES)
                if not chunk:
                    leave(0)
                *lines, typed = (typed + chunk).split(b"\n")
                typed = typed[-_LONGEST_COMMAND_BYTES:]
                self._commands.extend(lines)
                self._alert()
            tick += 1
            if not machine.attended or machine.overdue or (tick % _TICKS_PER_CHECK == 0 and not machine.sleeping):
                self._alert()


def say(message: dict[str, object]) -> None:
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        leave(0)


def leave(code: int) -> NoReturn:
    """End the process whatever its threads are doing; nothing in it needs to be put in order."""
    os._exit(code)


def die() -> NoReturn:
    """The supply goes: nothing more is said or done."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit


def board_clock_hz(board_id: str) -> int:
    from leadwire.board import load_board

    return check_engine(load_board(board_id)).clock_hz


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m leadwire.emulator", description="Run an ELF on a virtual STM32F405."
    )
    parser.add_argument("elf", type=Path)
    parser.add_argument("--board", default="virtual-stm32f405", help="board id or file; gives the clock")
    parser.add_argument("--clock-hz", type=int, default=0, help="the clock, without asking for a board")
    parser.add_argument("--usart", type=int, choices=(1, 2, 6), default=1, help="which USART the port is wired to")
    parser.add_argument("--flash", type=Path, help="file that keeps what the flash holds")
    parser.add_argument("--boot0", action="store_true", help="pin BOOT0 is high: start from system memory")
    parser.add_argument("--unique-id", type=bytes.fromhex, default=UNIQUE_ID, help="12 bytes in hex")
    parser.add_argument("--power-cut-after", type=int, default=0, help="die in this flash operation, counted from 1")
    arguments = parser.parse_args()
    try:
        clock_hz = arguments.clock_hz if arguments.clock_hz > 0 else board_clock_hz(arguments.board)
        if len(arguments.unique_id) != len(UNIQUE_ID):
            raise BadInputError("the unique id of an STM32F405 has 12 bytes", hint="give 24 hexadecimal digits")
        memory = FlashMemory(arguments.flash, cut_after=arguments.power_cut_after, power_off=die)
        return Server(
            arguments.elf,
            clock_hz=clock_hz,
            usart=arguments.usart,
            flash=memory,
            boot0=arguments.boot0,
            unique_id=arguments.unique_id,
        ).run()
    except LeadwireError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        say({"error": str(error), "hint": error.hint, "exit_code": error.exit_code})
        return error.exit_code


if __name__ == "__main__":
    try:
        leave(main())
    except KeyboardInterrupt:
        leave(0)
