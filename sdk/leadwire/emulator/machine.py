"""The virtual STM32F405: core, memory, peripherals, exceptions and virtual time, run one event at a time.

Virtual time counts core clock cycles. While instructions are counted it is the timing model's estimate plus the time
slept in WFI; in fast mode it follows the host's time on the thread that has made the machine and runs it. A byte that
waits on the serial line ends a sleep at once (virtual time jumps), a timer ends it after its real duration.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from mmap import mmap
from typing import NoReturn

from leadwire.errors import BadInputError

from . import stm32f405 as chip
from . import system_control
from .activity import ActivityLog
from .block_counter import NEVER
from .core import Core, FirmwareFaultError, Stop
from .elf import Program, Segment
from .exceptions import EXCEPTION_BITS, Exceptions
from .flash_memory import FlashInterface, FlashMemory
from .interrupts import FIRST_EXTERNAL, SVCALL, SYSTICK, Interrupts
from .registers import Registers
from .shown_flash import ShownFlash, unmasking
from .system_control import CoreSignals, SystemControl
from .usart import SerialLine, Usart

COUNTER_LOG_READS = 65_536
_BRANCH_TO_SELF = 0xE7FE
_IN_BLOCK = chip.BLOCK_BYTES - 1
_EVENT_SECONDS = 0.001


class Machine:
    """`wait(seconds)` sleeps until the outside world has news or the time is over (None: no limit).

    `line` is what USART `usart` (1, 2 or 6) is wired to; the other USARTs send into the void. The program is put into
    `flash`, which keeps what it holds elsewhere. With `boot0` the pin BOOT0 is high: the chip starts from its system
    memory.
    """

    def __init__(
        self,
        program: Program,
        *,
        clock_hz: int,
        line: SerialLine,
        wait: Callable[[float | None], None],
        usart: int = 1,
        flash: FlashMemory | None = None,
        boot0: bool = False,
        unique_id: bytes = chip.UNIQUE_ID,
    ) -> None:
        self.program = program
        self.sleeping = False
        self.resets = 0
        self.counter_log: deque[tuple[int, int]] = deque(maxlen=COUNTER_LOG_READS)
        self.activity = ActivityLog(self.now)
        self._clock_hz = clock_hz
        self._line = line
        self._waiting = False
        self._wait = wait
        self._wired_base = chip.USART_BASES[usart]
        self._want_counting = True
        self._slept = 0
        self._free_cycles = 0
        self._free_since: float | None = None
        self._spent_s = _thread_clock()
        self._attention = False
        self._returned = False
        self._reset_wanted = False
        self._reset_cause = chip.Rcc.POWER_RESET
        self._shown_count: int | None = None
        self._counter_set = False
        self._core = Core(
            unmasked=lambda: bool(self._interrupts.pending & self._interrupts.enabled), stored=self._store_in_flash
        )
        self._memory = flash or FlashMemory()
        shown = self._map(program, boot0=boot0, unique_id=unique_id)
        self._shown = ShownFlash(self._core, self._memory.cells, shown)
        self._power_up()

    # ------------------------------------------------------------------------------------------ outside view

    def tally(self) -> tuple[int, int]:
        """Instructions counted and core cycles estimated since power-up."""
        return self._core.tally()[0], self._cycles()

    def count_instructions(self, on: bool) -> None:
        self._want_counting = on

    def attend(self) -> None:
        """Make `step` return soon; callable from any thread."""
        self._attention = True
        self._core.stop_soon()

    @property
    def attended(self) -> bool:
        return not self._attention

    @property
    def counting(self) -> bool:
        return self._core.counting

    @property
    def overdue(self) -> bool:
        """Whether a timer has expired that nothing has noticed (fast mode has no deadline of its own)."""
        due = self._next_event()
        return due is not None and self.now() >= due

    def step(self) -> None:
        """Until the next event. Raises FirmwareFaultError when the firmware has crashed or can never wake again."""
        if self._attention:
            self._attention = False
            self._line.flush()
        if self._shown.stale:
            self._shown.show()
        if self._reset_wanted:
            self._power_up()
        if self._shown.code:
            self._shown.look()
        self._core.counting = self._want_counting or not self._core.fpu_enabled
        self._tick()
        if self._exceptions.take():
            self._waiting = False
        if self._waiting and not self._exceptions.wakes():
            self._sleep()
            return
        self._waiting = False
        self.activity.core_runs(True)
        self._aim()
        stop = self._run()
        if stop is Stop.EXCEPTION_RETURN:
            self._returned = self._exceptions.leave()
        elif stop is Stop.SUPERVISOR_CALL:
            self._interrupts.pending.add(SVCALL)
        elif stop is Stop.WAIT_FOR_INTERRUPT:
            self._waiting = True
        elif stop is Stop.WAIT_FOR_EVENT:
            self._rest()
        elif self._shown_count is not None:
            self._log_count(self._shown_count)
        elif self._counter_set:
            self._system.rebase_counter()
        else:
            self._check_alive()

    def report(self, fault: FirmwareFaultError) -> str:
        """A readable account of a crash: what, where, registers, which exception was being handled."""
        core = self._core
        registers = core.general()
        number = core.xpsr & EXCEPTION_BITS
        mode = (
            "thread mode"
            if not number
            else (
                f"handler of interrupt {number - FIRST_EXTERNAL}"
                if number >= FIRST_EXTERNAL
                else f"handler of exception {number}"
            )
        )
        cells = [f"r{index:<2} {value:08x}" for index, value in enumerate(registers)]
        rows = "\n".join("  " + "  ".join(cells[row : row + 4]) for row in range(0, len(cells), 4))
        return (
            f"fault: {fault}\n  pc  {self.program.locate(core.pc)}\n  lr  {self.program.locate(core.lr)}\n"
            f"  sp  0x{core.sp:08x}  xpsr 0x{core.xpsr:08x}  {mode}\n{rows}"
        )

    # ------------------------------------------------------------------------------------------ time

    def now(self) -> int:
        return self._cycles() + self._slept

    def _cycles(self) -> int:
        since = self._free_since
        running = self._spent_s() - since if since is not None else 0.0
        return self._core.tally()[1] + self._free_cycles + int(running * self._clock_hz)

    def _timers(self) -> tuple[int, ...]:
        systick, watchdog = self._system.systick, self._watchdog.due
        tick = systick.due() if systick.interrupts else None
        return tuple(moment for moment in (tick, watchdog) if moment is not None)

    def _next_event(self) -> int | None:
        arrival, timers = self._wired.due(), self._timers()
        if arrival is None:
            return min(timers, default=None)
        return min(arrival, *timers) if timers else arrival

    def _aim(self) -> None:
        """Let the core stop at the next event. Cheaper than a stop when a timer is started: firmware starts one before
        each WFI."""
        due = self._next_event()
        self._core.set_deadline(NEVER if due is None else due - self._slept - self._free_cycles)
        if self._attention:  # looked at last: another thread may have asked meanwhile
            self._core.set_deadline(0)

    def _tick(self) -> None:
        self._wired.receive()
        systick = self._system.systick
        # In fast mode starting a handler takes the host some microseconds, which pass for the board too. A timer with a
        # shorter period would be due again on each return: whatever was interrupted gets a turn first.
        if (self._core.counting or not self._returned) and systick.advance() and systick.interrupts:
            self._interrupts.pending.add(SYSTICK)
        self._returned = False
        if self._watchdog.due is not None and self.now() >= self._watchdog.due:
            self._reset_cause = chip.Rcc.WATCHDOG_RESET
            self._power_up()

    def _sleep(self) -> None:
        """WFI until a byte on the line is due, a timer expires or the outside world has news."""
        self.activity.core_runs(False)
        self._line.flush()
        timers = self._timers()
        if self._wired.due() is not None:
            event = self._next_event()
            self._slept += max(0, (event or 0) - self.now())
            return
        if not timers and not self._interrupts.external_enabled:
            raise FirmwareFaultError("sleeps with no interrupt enabled: nothing can wake it")
        if not self._attention:
            self._idle(max(0, min(timers) - self.now()) / self._clock_hz if timers else None)

    def _rest(self) -> None:
        """The firmware waits for what may never come by polling: let the host rest for a moment."""
        self._line.flush()
        if not self._attention:
            self._idle(_EVENT_SECONDS)

    def _idle(self, seconds: float | None) -> None:
        """Sleep on the host; the time slept passes for the board too, but no more than it wanted to sleep: a busy host
        that lets it wait would make its watchdog bite."""
        start = time.perf_counter()
        self.sleeping = True
        self._wait(seconds)
        self.sleeping = False
        slept = time.perf_counter() - start
        self._slept += math.ceil((slept if seconds is None else min(slept, seconds)) * self._clock_hz)

    # ------------------------------------------------------------------------------------------ execution

    def _run(self) -> Stop:
        self._shown_count = None
        self._counter_set = False
        self._core.make_ready()
        if self._core.counting:
            return self._core.run()
        self._free_since = self._spent_s()
        try:
            return self._core.run()
        finally:
            free = self._spent_s() - self._free_since
            self._free_since = None
            self._free_cycles += int(free * self._clock_hz)

    def _log_count(self, shown: int) -> None:
        """The firmware has read, or is about to read, CYCCNT; now the read's place within its block is known."""
        if self._core.replayed:
            shown = self._system.cycle_count(self._cycles())
            self._core.answer_replay(shown)
        if self._want_counting:
            self.counter_log.append((shown, self._core.tally()[0]))

    def _drive_marker(self, driven: int) -> None:
        self.activity.marker(bool(driven >> chip.MARKER_PIN & 1))

    def _check_alive(self) -> None:
        """A branch to itself that no interrupt can end is where default handlers and failed start-ups wait forever."""
        core = self._core
        if self._reset_wanted or core.halfword(core.pc) != _BRANCH_TO_SELF:
            return
        primask, _, faultmask = core.masks
        unwakeable = not self._timers() and not self._interrupts.external_enabled
        if core.xpsr & EXCEPTION_BITS or primask or faultmask or unwakeable:
            raise FirmwareFaultError("endless loop that no interrupt can end")

    # ------------------------------------------------------------------------------------------ construction

    def _map(self, program: Program, *, boot0: bool, unique_id: bytes) -> memoryview:
        """The core's memory, with the program in it; returns the flash as the core sees it."""
        sram, ccm, system = bytearray(chip.SRAM_BYTES), bytearray(chip.CCM_BYTES), chip.system_memory(unique_id)
        flash = self._memory.cells
        places: tuple[tuple[int, mmap | bytearray], ...] = (
            (chip.FLASH_ORIGIN, flash),
            (0, system if boot0 else flash),
            (chip.SRAM_ORIGIN, sram),
            (chip.CCM_ORIGIN, ccm),
            (chip.SYSTEM_ORIGIN, system),
        )
        for segment in program.segments:
            last = segment.address + len(segment.data)
            place = next((p for p in places if p[0] <= segment.address and last <= p[0] + len(p[1])), None)
            if place is None:
                raise BadInputError(
                    f"firmware image '{program.path}': {len(segment.data)} B at 0x{segment.address:08x} are outside "
                    f"the memory of the STM32F405",
                    hint="build the image for this board",
                )
            start = segment.address - place[0]
            place[1][start : start + len(segment.data)] = segment.data
        core = self._core
        shown = core.map_memory((chip.FLASH_ORIGIN,) if boot0 else (chip.FLASH_ORIGIN, 0), bytes(flash), writable=False)
        core.map_memory((chip.SRAM_ORIGIN,), bytes(sram), writable=True)
        core.map_memory((chip.CCM_ORIGIN,), bytes(ccm), writable=True)
        core.map_memory((0, chip.SYSTEM_ORIGIN) if boot0 else (chip.SYSTEM_ORIGIN,), bytes(system), writable=False)
        core.map_registers(
            chip.PERIPHERALS_ORIGIN, chip.PERIPHERALS_BYTES, self._read_peripheral, self._write_peripheral
        )
        core.map_registers(system_control.ORIGIN, system_control.SIZE_BYTES, self._read_system, self._write_system)
        core.watch(address for segment in program.segments for address in unmasking(segment))
        core.watch(unmasking(Segment(address=chip.FLASH_ORIGIN, data=bytes(flash))))
        return shown

    def _power_up(self) -> None:
        """Reset of the chip: registers and peripherals start anew, memory and the bytes on the line stay."""
        self._reset_wanted = self._waiting = False
        self.resets += 1
        self._drive_marker(0)
        self._interrupts = Interrupts()
        self._exceptions = Exceptions(self._core, self._interrupts, lambda: self._system.vector_table)
        self._rcc = chip.Rcc(self._reset_cause)
        self._watchdog = chip.Watchdog(clock_hz=self._clock_hz, now=self.now)
        usarts = {base: self._usart(base) for base in chip.USART_INTERRUPTS}
        self._wired = usarts[self._wired_base]
        self._blocks: dict[int, Registers] = chip.vendor_peripherals(
            self._rcc, self._watchdog, chip.Gpio(self._drive_marker)
        )
        self._blocks.update(usarts)
        self._flash = FlashInterface(
            self._memory, spend=self._spend, changed=self._shown.changed, fail=self._fail_access
        )
        self._blocks[chip.FLASH] = self._flash
        self._system = SystemControl(
            self._interrupts,
            CoreSignals(
                now=self.now,
                cycles=self._cycles,
                reset=self._ask_reset,
                changed=self._core.stop,
                timed=self._aim,
                fpu=self._switch_fpu,
            ),
        )
        self._core.reset(self._core.word(0), self._core.word(4))

    def _usart(self, base: int) -> Usart:
        number = FIRST_EXTERNAL + chip.USART_INTERRUPTS[base]
        return Usart(
            self._line if base == self._wired_base else SerialLine(lambda _sent: None),
            clocked=partial(self._rcc.feeds, base),
            cycles_per_tick=partial(self._rcc.cycles_per_tick, base),
            interrupt=partial(self._interrupts.set_line, number),
            now=self.now,
            idle=self._rest,
        )

    def _spend(self, seconds: float) -> None:
        """Time in which the core stands still."""
        self._slept += int(seconds * self._clock_hz)

    def _store_in_flash(self, address: int, size: int, value: int) -> bool:
        """A store by the core where memory is read-only; False where that is a fault."""
        offset = address - chip.FLASH_ORIGIN
        if not 0 <= offset < chip.FLASH_BYTES or self._flash.locked:
            return False
        self._shown.stored(offset, size)
        self._flash.program(offset, size, value)
        return True

    @staticmethod
    def _fail_access(text: str) -> None:
        raise FirmwareFaultError(text)

    def _ask_reset(self) -> None:
        self._reset_cause = chip.Rcc.SOFTWARE_RESET
        self._reset_wanted = True
        self._line.flush()
        self._core.stop()

    def _switch_fpu(self, on: bool) -> None:
        self._core.fpu_enabled = on
        if not on:
            self._core.forget_blocks()
        self._core.stop()

    # ------------------------------------------------------------------------------------------ bus

    def _read_peripheral(self, address: int, size: int) -> int:
        if self._shown.stale:
            self._shown.show()
        block = self._blocks.get(address & ~_IN_BLOCK) or self._no_block(address)
        value = block.read(address & _IN_BLOCK, size)
        if self._interrupts.pending and self._urgent():
            self._core.stop_soon()
        return value

    def _write_peripheral(self, address: int, size: int, value: int) -> None:
        block = self._blocks.get(address & ~_IN_BLOCK) or self._no_block(address)
        block.write(address & _IN_BLOCK, size, value)
        if self._interrupts.pending and self._urgent():
            self._core.stop()

    def _urgent(self) -> bool:
        """Whether an access in thread mode has made an interrupt pending."""
        state = self._interrupts
        return bool(not state.active and state.pending & state.enabled)

    @staticmethod
    def _no_block(address: int) -> NoReturn:
        raise FirmwareFaultError(f"access to 0x{address:08x}, where the STM32F405 has no peripheral")

    def _read_system(self, address: int, size: int) -> int:
        offset = self._system_offset(address)
        value = self._system.read(offset, size)
        if offset == system_control.DWT_CYCCNT and self._core.counting:
            self._shown_count = value
            self._core.stop()
        return value

    def _write_system(self, address: int, size: int, value: int) -> None:
        offset = self._system_offset(address)
        self._system.write(offset, size, value)
        if offset in system_control.COUNTER_SETUP and self._core.counting:
            self._counter_set = True
            self._core.stop()

    @staticmethod
    def _system_offset(address: int) -> int:
        offset = address - system_control.ORIGIN
        if not SystemControl.covers(offset):
            raise FirmwareFaultError(f"access to 0x{address:08x}, where the Cortex-M4 has no register")
        return offset


def _thread_clock() -> Callable[[], float]:
    """Seconds that the host has spent on the calling thread, wherever it is asked: what other programs take of the host
    does not pass for a board. The clock on the wall where the system has no such clock."""
    try:
        clock = time.pthread_getcpuclockid(threading.get_ident())
    except (AttributeError, OSError):
        return time.perf_counter
    return partial(time.clock_gettime, clock)
