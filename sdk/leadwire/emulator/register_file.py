"""Registers of Unicorn's Cortex-M4, straight from its C interface: three times as fast, for every interrupt."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

from unicorn import arm_const as arm
from unicorn.unicorn_py3.unicorn import uclib

_GENERAL = tuple(arm.UC_ARM_REG_R0 + index for index in range(13))
_MASKS = (arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_BASEPRI, arm.UC_ARM_REG_FAULTMASK)
_FLOATING = (*(arm.UC_ARM_REG_S0 + index for index in range(16)), arm.UC_ARM_REG_FPSCR)
_STACKED = (
    arm.UC_ARM_REG_R0,
    arm.UC_ARM_REG_R1,
    arm.UC_ARM_REG_R2,
    arm.UC_ARM_REG_R3,
    arm.UC_ARM_REG_R12,
    arm.UC_ARM_REG_LR,
)


class Bank:
    """Registers that are read and written together, in one call of Unicorn's C interface instead of one for each."""

    def __init__(self, engine: Any, registers: Iterable[int]) -> None:
        self._engine = engine
        numbers = tuple(registers)
        self._count = len(numbers)
        self._numbers = (ctypes.c_int * self._count)(*numbers)
        self._values = (ctypes.c_uint32 * self._count)()
        start, size = ctypes.addressof(self._values), ctypes.sizeof(ctypes.c_uint32)
        self._places = (ctypes.c_void_p * self._count)(*(start + size * index for index in range(self._count)))

    def read(self) -> tuple[int, ...]:
        uclib.uc_reg_read_batch(self._engine, self._numbers, self._places, self._count)
        return tuple(self._values)

    def write(self, values: tuple[int, ...]) -> None:
        self._values[:] = [*values]
        uclib.uc_reg_write_batch(self._engine, self._numbers, self._places, self._count)


class RegisterFile:
    """Of one engine; exception numbers, stack frames and the like are the business of others."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._cell = ctypes.c_uint32(0)
        self._cell_reference = ctypes.byref(self._cell)
        self._stacked = Bank(engine, _STACKED)
        self._floating = Bank(engine, _FLOATING)
        self._masks = Bank(engine, _MASKS)
        self.pc = 0
        """Where execution goes on."""

    @property
    def sp(self) -> int:
        return self._get(arm.UC_ARM_REG_SP)

    @sp.setter
    def sp(self, value: int) -> None:
        self._set(arm.UC_ARM_REG_SP, value)

    @property
    def process_sp(self) -> int:
        """PSP, while it is not the current stack pointer."""
        return self._get(arm.UC_ARM_REG_PSP)

    @property
    def lr(self) -> int:
        return self._get(arm.UC_ARM_REG_LR)

    @lr.setter
    def lr(self, value: int) -> None:
        self._set(arm.UC_ARM_REG_LR, value)

    @property
    def xpsr(self) -> int:
        return self._get(arm.UC_ARM_REG_XPSR)

    @xpsr.setter
    def xpsr(self, value: int) -> None:
        """The exception number in it selects handler or thread mode, and with it the stack pointer."""
        self._set(arm.UC_ARM_REG_XPSR, value)

    @property
    def control(self) -> int:
        """CONTROL: 1 unprivileged, 2 thread mode uses PSP, 4 a floating-point context is active."""
        return self._get(arm.UC_ARM_REG_CONTROL) & 7

    @control.setter
    def control(self, value: int) -> None:
        self._set(arm.UC_ARM_REG_CONTROL, value)

    @property
    def masks(self) -> tuple[int, int, int]:
        """PRIMASK, BASEPRI, FAULTMASK."""
        primask, basepri, faultmask = self._masks.read()
        return primask, basepri, faultmask

    def clear_faultmask(self) -> None:
        self._set(arm.UC_ARM_REG_FAULTMASK, 0)

    def general(self) -> tuple[int, ...]:
        """R0 to R12."""
        return tuple(self._get(register) for register in _GENERAL)

    @property
    def stacked(self) -> tuple[int, ...]:
        """R0 to R3, R12 and LR: what exception entry saves besides PC and xPSR."""
        return self._stacked.read()

    @stacked.setter
    def stacked(self, values: tuple[int, ...]) -> None:
        self._stacked.write(values)

    @property
    def fpu_context(self) -> tuple[int, ...]:
        """S0 to S15 and FPSCR."""
        return self._floating.read()

    @fpu_context.setter
    def fpu_context(self, values: tuple[int, ...]) -> None:
        self._floating.write(values)

    def by_name(self, name: str) -> int:
        """As a disassembler names it."""
        number = {"sp": 13, "lr": 14, "pc": 15, "sb": 9, "sl": 10, "fp": 11, "ip": 12}.get(name)
        if number is None:
            number = int(name[1:])
        return self._get(_GENERAL[number]) if number < 13 else (self.sp, self.lr, self.pc + 4)[number - 13]

    def _get(self, register: int) -> int:
        uclib.uc_reg_read(self._engine, register, self._cell_reference)
        return int(self._cell.value)

    def _set(self, register: int, value: int) -> None:
        self._cell.value = value
        uclib.uc_reg_write(self._engine, register, self._cell_reference)
