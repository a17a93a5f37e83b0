"""The Cortex-M4F itself: Unicorn's CPU, plus what Unicorn leaves out (exceptions, counting, the FPU's access check).

With `register_file` the only module that touches Unicorn. Observed behaviour of Unicorn 2.1 that this relies on, each
covered by a test:

* `emu_stop` in a block hook ends before that block runs.
* `emu_stop` in an MMIO callback ends *before* the load or store in progress, which runs again on resume although its
  access has been done (never inside an IT block). The second access is recognised and answered from the first
  (`_replays`).
* `emu_stop` from another thread does the same at any load or store, and that is not harmless for memory either: an LDRD
  whose base is its first destination has lost its base when it runs again. So no stop comes from another thread. While
  blocks are counted the block hook polls a deadline; otherwise the other thread adds a block hook that is `uc_emu_stop`
  itself. Hooks are looked up when a block begins, provided that there was a block hook when it was translated: a native
  one that does nothing (`uc_errno`) is there all the time.
* A branch to EXC_RETURN in handler mode arrives as interrupt 8, SVC as 2; WFI returns; WFE and YIELD are reported as
  invalid instructions with PC behind them.
* CPACR is not consulted, so blocks are searched for FPU instructions until the firmware has enabled the FPU.
* A hook added later does not reach blocks translated before: the translation cache is flushed.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Any

from unicorn import (
    UC_ARCH_ARM,
    UC_ERR_INSN_INVALID,
    UC_HOOK_BLOCK,
    UC_HOOK_CODE,
    UC_HOOK_INTR,
    UC_HOOK_MEM_INVALID,
    UC_MEM_FETCH_PROT,
    UC_MEM_FETCH_UNMAPPED,
    UC_MEM_READ_PROT,
    UC_MEM_READ_UNMAPPED,
    UC_MEM_WRITE_PROT,
    UC_MODE_MCLASS,
    UC_MODE_THUMB,
    UC_PROT_ALL,
    UC_PROT_EXEC,
    UC_PROT_READ,
)
from unicorn import arm_const as arm
from unicorn.unicorn_py3.unicorn import Uc, UcError, uclib

from .block_counter import make_counter
from .register_file import RegisterFile
from .timing import Block, TimingModel

_LEAST_RUN_S = 0.0005
_EVEN_TARGET = 18
_THUMB_BIT = 1 << 24
_INTERRUPT_NAMES = {
    1: "undefined instruction",
    3: "instruction fetch fault",
    4: "data access fault",
    7: "breakpoint",
    17: "coprocessor access denied",
    _EVEN_TARGET: "branch to an even address (no Thumb bit)",
}
_Engine: Any = Uc
"""Unicorn's class, whose methods carry no types."""
_SUPERVISOR_CALL, _EXCEPTION_RETURN = 2, 8
_WFI, _WFE, _YIELD = 0xBF30, 0xBF20, 0xBF10
_UNTIL = 0xFFFFFFFE
_PAGE_BITS = 12
_BLOCK_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32)
_READ_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_void_p)
_WRITE_CALLBACK = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_uint64, ctypes.c_void_p
)


class FirmwareFaultError(Exception):
    """The firmware did something after which a real core would be in a fault handler."""


class Stop(Enum):
    """Why `Core.run` returned."""

    ASKED = auto()
    WAIT_FOR_INTERRUPT = auto()
    WAIT_FOR_EVENT = auto()
    SUPERVISOR_CALL = auto()
    EXCEPTION_RETURN = auto()


Access = tuple[int, bool, int]
"""One access to a register: address, whether it was a write, and what was read or written."""


class Core(RegisterFile):
    """Registers, memory and execution. Which exception comes when is the business of the machine."""

    def __init__(
        self, *, unmasked: Callable[[], bool], stored: Callable[[int, int, int], bool] = lambda *_: False
    ) -> None:
        """`unmasked` is asked right after the firmware lowered an interrupt mask: is anything pending? `stored(address,
        size, value)` is told of stores into read-only memory, which are done all the same: False makes it a fault."""
        self._uc = _Engine(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        super().__init__(self._uc._uch)
        self._unmasked = unmasked
        self._stored = stored
        self._watched: set[int] = set()
        self._pages: set[int] = set()
        self._timing = TimingModel()
        self._kept: list[Any] = []  # what Unicorn points to: memory and callbacks
        self._hook: ctypes.c_size_t | None = None
        self._halt: ctypes.c_size_t | None = None
        self._runner, self._began_at = 0, 0.0
        for _ in range(2):  # code translated with a single hook calls just that one, and a loop would never see a halt
            self._add_block_hook(uclib.uc_errno)
        self._lock = threading.Lock()
        self._asked = False
        self._between = False
        self._trapped = False
        self._interrupt = 0
        self._problem = ""
        self._error: BaseException | None = None
        self._last: Access | None = None
        self._replays: dict[int, Access] = {}
        self._resumed_at = 0
        self.fpu_enabled = False
        self.replayed = False
        counter = make_counter(self._look, due=self._end_on_time)
        self._callback = _BLOCK_CALLBACK(counter.on_block)
        self._truncate = counter.truncate
        self.tally, self.charge, self.set_deadline = counter.tally, counter.charge, counter.set_deadline
        self.forget_blocks = counter.forget
        self._uc.hook_add(UC_HOOK_INTR, self._on_interrupt)
        self._uc.hook_add(UC_HOOK_MEM_INVALID, self._on_invalid_memory)
        self._reset_state = self._uc.context_save()

    # ------------------------------------------------------------------------------------------ memory

    def map_memory(self, origins: Iterable[int], data: bytes, *, writable: bool) -> memoryview:
        """The same bytes at every origin (flash shows at address 0 too). What is written to the bytes returned the
        core sees at once; `forget_code` makes it execute them."""
        buffer = ctypes.create_string_buffer(len(data) + 4096)
        aligned = (ctypes.addressof(buffer) + 4095) & ~4095
        ctypes.memmove(aligned, data, len(data))
        self._kept.append(buffer)
        for origin in origins:
            self._uc.mem_map_ptr(origin, len(data), UC_PROT_ALL if writable else UC_PROT_READ | UC_PROT_EXEC, aligned)
        return memoryview((ctypes.c_ubyte * len(data)).from_address(aligned)).cast("B")

    def map_registers(
        self, origin: int, size_bytes: int, read: Callable[[int, int], int], write: Callable[[int, int, int], None]
    ) -> None:
        """`read(address, size)` and `write(address, size, value)` with size 1, 2 or 4 bytes."""

        def on_read(_uc: int, offset: int, size: int, _user: int) -> int:
            address = origin + offset
            try:
                if self._replays:
                    replay = self._replayed_access(address, is_write=False)
                    if replay is not None:
                        return replay[2]
                value = read(address, size)
            except BaseException as error:  # noqa: BLE001 - C is no place for one to pass through
                self._fail(error)
                return 0
            self._last = (address, False, value)
            return value

        def on_write(_uc: int, offset: int, size: int, value: int, _user: int) -> None:
            address = origin + offset
            try:
                if self._replays and self._replayed_access(address, is_write=True) is not None:
                    return
                write(address, size, value)
            except BaseException as error:  # noqa: BLE001 - C is no place for one to pass through
                self._fail(error)
                return
            self._last = (address, True, value)

        callbacks = _READ_CALLBACK(on_read), _WRITE_CALLBACK(on_write)
        self._kept += callbacks
        status = uclib.uc_mmio_map(self._uc._uch, origin, size_bytes, callbacks[0], None, callbacks[1], None)
        if status:
            raise UcError(status)

    def read(self, address: int, size: int) -> bytes:
        """Memory (not registers); FirmwareFaultError where there is none."""
        try:
            return bytes(self._uc.mem_read(address, size))
        except UcError as error:
            raise FirmwareFaultError(f"no memory at 0x{address:08x}") from error

    def write(self, address: int, data: bytes) -> None:
        try:
            self._uc.mem_write(address, data)
        except UcError as error:
            raise FirmwareFaultError(f"no memory at 0x{address:08x}") from error

    def halfword(self, address: int) -> int:
        return int.from_bytes(self.read(address, 2), "little")

    def word(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little")

    # ------------------------------------------------------------------------------------------ registers

    def reset(self, stack: int, entry: int) -> None:
        """Registers as after a reset; memory stays."""
        self._uc.context_restore(self._reset_state)
        self._flush()
        self.forget_blocks()
        self.fpu_enabled = False
        self._replays.clear()
        self._last = None
        self.sp = stack & ~3
        self.jump(entry)

    def jump(self, vector: int) -> None:
        if not vector & 1:
            raise FirmwareFaultError(f"vector 0x{vector:08x} is not the address of Thumb code")
        self.pc = vector & ~1

    # ------------------------------------------------------------------------------------------ execution

    def watch(self, addresses: Iterable[int]) -> None:
        """Stop before the instruction at one of these addresses when `unmasked` says so."""
        for address in set(addresses) - self._watched:
            self._watched.add(address)
            self._uc.hook_add(UC_HOOK_CODE, self._on_watched, begin=address, end=address)

    def forget_code(self, start: int, end: int) -> None:
        """The code from `start` to `end` is another than it was. Only while the core is stopped."""
        if self.counting and self._pages.isdisjoint(range(start >> _PAGE_BITS, (end >> _PAGE_BITS) + 1)):
            return  # none of it has been executed
        self._flush()
        self.forget_blocks()

    def _flush(self) -> None:
        """Translate every block again before it next runs."""
        self._uc.ctl_flush_tb()
        self._pages.clear()

    def make_ready(self) -> None:
        """Before each `run`; apart from it because a machine that runs free counts the time of `run` alone."""
        with self._lock:  # a stop that another thread is about to make must not be forgotten half-way
            self._asked = False
            self._take_halt_away()
            self._runner, self._began_at = threading.get_ident(), time.perf_counter()
        self._interrupt = 0
        self._between = self._trapped = False
        self._last = None
        self._resumed_at = self.pc
        self.replayed = False

    def run(self) -> Stop:
        """Execute from `pc` until something needs attention. FirmwareFaultError ends the board."""
        hint = False
        try:
            self._uc.emu_start(self.pc | 1, _UNTIL)
        except UcError as error:
            self.pc = self._program_counter()
            hint = error.errno == UC_ERR_INSN_INVALID and self._behind(_WFE, _YIELD)
            if not hint:
                raise FirmwareFaultError(self._problem or self._explain(error)) from error
        self.pc = self._program_counter()
        if self._error is not None:
            raise self._error
        if self._problem:
            raise FirmwareFaultError(self._problem)
        if self._interrupt == _EXCEPTION_RETURN:
            return Stop.EXCEPTION_RETURN
        if self._interrupt == _SUPERVISOR_CALL:
            return Stop.SUPERVISOR_CALL
        if self._interrupt:
            raise FirmwareFaultError(_INTERRUPT_NAMES.get(self._interrupt, f"exception {self._interrupt} of the core"))
        if hint:
            return Stop.WAIT_FOR_EVENT if self._behind(_WFE) else Stop.ASKED
        if not self._trapped and self._behind(_WFI):
            return Stop.ASKED if self._asked else Stop.WAIT_FOR_INTERRUPT
        if self._trapped and not self._between:
            self._note_replay()
        return Stop.ASKED

    def stop(self) -> None:
        """End `run` from inside a register callback."""
        self._asked = self._trapped = True
        self._uc.emu_stop()

    def stop_soon(self) -> None:
        """End `run` from another thread, who asks again if nothing comes of it, or at the next block from a register
        callback."""
        with self._lock:
            if self._hook is not None:
                self.set_deadline(0)
            elif self._halt is None and not self._has_just_begun():
                self._asked = True
                self._halt = self._add_block_hook(uclib.uc_emu_stop)

    def _has_just_begun(self) -> bool:
        """Whether another thread asks so early that nothing would be executed: it has to ask again later."""
        return threading.get_ident() != self._runner and time.perf_counter() - self._began_at < _LEAST_RUN_S

    def answer_replay(self, value: int) -> None:
        """What the read that runs again returns this time."""
        address, is_write, _ = self._replays[self.pc]
        self._replays[self.pc] = address, is_write, value

    # ------------------------------------------------------------------------------------------ counting

    @property
    def counting(self) -> bool:
        return self._hook is not None

    @counting.setter
    def counting(self, on: bool) -> None:
        """Count every block, or run free. Only while the core is stopped."""
        if on == self.counting:
            return
        with self._lock:
            self._take_halt_away()
            if on:
                self._hook = self._add_block_hook(self._callback)
            else:
                uclib.uc_hook_del(self._uc._uch, self._hook)
                self._hook = None
            self._flush()

    def _add_block_hook(self, callback: Any) -> ctypes.c_size_t:
        hook = ctypes.c_size_t(0)
        status = uclib.uc_hook_add(
            self._uc._uch,
            ctypes.byref(hook),
            UC_HOOK_BLOCK,
            ctypes.cast(callback, ctypes.c_void_p),
            None,
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if status:
            raise RuntimeError(f"Unicorn refuses a block hook: error {status}")
        return hook

    def _look(self, address: int, size: int) -> Block | None:
        block = self._timing.block(address, self.read(address, size))
        self._pages |= {address >> _PAGE_BITS, address + size >> _PAGE_BITS}
        if block.fpu_address is not None and not self.fpu_enabled:
            self.pc = block.fpu_address
            where = f"0x{block.fpu_address:08x}"
            self._fail(FirmwareFaultError(f"FPU instruction at {where} before CPACR enables the FPU"))
            return None
        return block

    def _end_on_time(self) -> None:
        self._asked = self._between = True
        self._uc.emu_stop()

    def _take_halt_away(self) -> None:
        if self._halt is not None:
            uclib.uc_hook_del(self._uc._uch, self._halt)
            self._halt = None

    # ------------------------------------------------------------------------------------------ hooks

    def _on_interrupt(self, _uc: Uc, number: int, _user: object) -> None:
        self._interrupt = number
        self._uc.emu_stop()

    def _on_watched(self, _uc: Uc, address: int, _size: int, _user: object) -> None:
        if address == self._resumed_at:
            self._resumed_at = 0
        elif self._unmasked():
            self._between = True
            self._truncate(address)
            self.stop()

    def _on_invalid_memory(self, _uc: Uc, access: int, address: int, size: int, value: int, _user: object) -> bool:
        if access == UC_MEM_WRITE_PROT and self._stored(address, size, value & (1 << 8 * size) - 1):
            return True
        if access in (UC_MEM_FETCH_UNMAPPED, UC_MEM_FETCH_PROT):
            self._problem = f"instruction fetch from 0x{address:08x}, where no code is"
        else:
            verb = "read of" if access in (UC_MEM_READ_UNMAPPED, UC_MEM_READ_PROT) else "write to"
            self._problem = f"{verb} {size} B at 0x{address:08x}, where no such access is possible"
        return False

    # ------------------------------------------------------------------------------------------ details

    def _fail(self, error: BaseException) -> None:
        """`run` ends with `error`, raised where no exception can pass: in a callback from C."""
        self._error = self._error or error
        self._uc.emu_stop()

    def _program_counter(self) -> int:
        return self._get(arm.UC_ARM_REG_PC)

    def _behind(self, *opcodes: int) -> bool:
        try:
            return self.halfword(self.pc - 2) in opcodes
        except FirmwareFaultError:
            return False

    def _explain(self, error: UcError) -> str:
        if error.errno == UC_ERR_INSN_INVALID:
            if not self.xpsr & _THUMB_BIT:
                return _INTERRUPT_NAMES[_EVEN_TARGET]
            return "undefined instruction"
        return f"the core stopped: {error}"

    def _note_replay(self) -> None:
        """After a stop within a block: if the instruction at PC has done its access already, keep the answer."""
        if self._last is None:
            return
        address, is_write, _ = self._last
        if self._timing.access_address(self.read(self.pc, 4), is_write, self.by_name) == address:
            self._replays[self.pc] = self._last
            self.replayed = True
            self._truncate(self.pc)

    def _replayed_access(self, address: int, *, is_write: bool) -> Access | None:
        replay = self._replays.get(self._program_counter())
        if replay is None or replay[:2] != (address, is_write):
            return None
        self._last = replay  # this pass may be cut short just like the first
        return self._replays.pop(self._program_counter())
