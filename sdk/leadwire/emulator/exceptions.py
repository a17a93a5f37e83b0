"""Exception entry and return of an Armv7-M core (ARM DDI 0403, B1.5): stack frames, modes, vectors."""

from __future__ import annotations

import struct
from collections.abc import Callable

from .core import Core, FirmwareFaultError
from .interrupts import Interrupts
from .timing import EXCEPTION_ENTRY_CYCLES, EXCEPTION_RETURN_CYCLES, TAIL_CHAIN_CYCLES

EXCEPTION_BITS = 0x1FF
"""Of xPSR: the exception that is being handled."""
_ALIGNED_BIT, _THUMB_BIT, _IT_BITS = 1 << 9, 1 << 24, 0x0600FC00
_SPSEL, _FPCA = 2, 4
_TO_HANDLER, _TO_MAIN_STACK, _TO_PROCESS_STACK, _NO_FPU_FRAME = 0xFFFFFFF1, 0xFFFFFFF9, 0xFFFFFFFD, 0x10


class Exceptions:
    """Between the core and what is pending, from one reset to the next."""

    def __init__(self, core: Core, interrupts: Interrupts, vector_table: Callable[[], int]) -> None:
        self._core = core
        self._interrupts = interrupts
        self._vector_table = vector_table

    def take(self) -> bool:
        """Enter the handler that is due, if one is."""
        if not self._interrupts.pending & self._interrupts.enabled:
            return False
        number = self._next()
        if number is not None:
            self._enter(number)
        return number is not None

    def wakes(self) -> bool:
        """Whether WFI ends: something to take, even if PRIMASK holds it back."""
        if not self._interrupts.pending:
            return False
        _, basepri, faultmask = self._core.masks
        return self._interrupts.wakes(basepri=basepri, faultmask=faultmask)

    def _next(self) -> int | None:
        primask, basepri, faultmask = self._core.masks
        return self._interrupts.next(primask=primask, basepri=basepri, faultmask=faultmask)

    def _enter(self, number: int) -> None:
        """Exception entry (ARM DDI 0403, B1.5.6): push the frame, switch to handler mode, jump to the vector."""
        core = self._core
        xpsr, control, sp = core.xpsr, core.control, core.sp
        floating = bool(control & _FPCA)
        words = [*core.stacked, core.pc, xpsr & ~_ALIGNED_BIT | (_ALIGNED_BIT if sp & 4 else 0)]
        if floating:
            words += [*core.fpu_context, 0]
        frame = (sp - 4 * len(words)) & ~7
        core.write(frame, struct.pack(f"<{len(words)}I", *words))
        core.sp = frame
        mode = _TO_HANDLER if xpsr & EXCEPTION_BITS else (_TO_PROCESS_STACK if control & _SPSEL else _TO_MAIN_STACK)
        core.lr = mode & ~_NO_FPU_FRAME if floating else mode
        self._start_handler(number, EXCEPTION_ENTRY_CYCLES)

    def _start_handler(self, number: int, cycles: int) -> None:
        core = self._core
        core.xpsr = core.xpsr & ~(EXCEPTION_BITS | _IT_BITS) | _THUMB_BIT | number
        core.control = core.control & ~(_FPCA | _SPSEL)
        self._interrupts.enter(number)
        core.charge(cycles)
        core.jump(core.word(self._vector_table() + 4 * number))

    def leave(self) -> bool:
        """Exception return (B1.5.8): False where it went straight into the next handler that is due (tail-chaining)."""
        core = self._core
        code, number = core.pc | 1, core.xpsr & EXCEPTION_BITS
        if number not in self._interrupts.active:
            raise FirmwareFaultError(f"exception return 0x{code:08x} without an active exception")
        self._interrupts.leave(number)
        core.clear_faultmask()
        following = self._next()
        if following is not None:
            core.lr = code
            self._start_handler(following, TAIL_CHAIN_CYCLES)
            return False
        mode = code | _NO_FPU_FRAME
        if mode not in (_TO_HANDLER, _TO_MAIN_STACK, _TO_PROCESS_STACK):
            raise FirmwareFaultError(f"exception return to 0x{code:08x}, which is no valid EXC_RETURN")
        if (mode == _TO_HANDLER) != bool(self._interrupts.active):
            raise FirmwareFaultError(f"exception return 0x{code:08x} to the wrong mode")
        self._pop_frame(process=mode == _TO_PROCESS_STACK, floating=not code & _NO_FPU_FRAME)
        core.charge(EXCEPTION_RETURN_CYCLES)
        return True

    def _pop_frame(self, *, process: bool, floating: bool) -> None:
        core = self._core
        sp = core.process_sp if process else core.sp
        count = 26 if floating else 8
        words = struct.unpack(f"<{count}I", core.read(sp, 4 * count))
        pc, xpsr = words[6], words[7]
        if bool(xpsr & EXCEPTION_BITS) != bool(self._interrupts.active) or not xpsr & _THUMB_BIT:
            raise FirmwareFaultError(f"exception return unstacks xPSR 0x{xpsr:08x}: the stack frame was overwritten")
        core.xpsr = xpsr & ~_ALIGNED_BIT
        core.control = core.control & ~(_SPSEL | _FPCA) | (_SPSEL if process else 0) | (_FPCA if floating else 0)
        core.sp = (sp + 4 * count) | (4 if xpsr & _ALIGNED_BIT else 0)
        core.stacked = words[:6]
        if floating:
            core.fpu_context = words[8:25]
        core.pc = pc & ~1
