"""The private peripheral bus of a Cortex-M4 (ARM DDI 0403, B3): SysTick, NVIC, system control block, debug counters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .interrupts import EXTERNAL_INTERRUPTS, FIRST_EXTERNAL, PENDSV, SYSTICK, Interrupts
from .registers import Registers

ORIGIN, SIZE_BYTES = 0xE0000000, 0x100000
DWT_CTRL, DWT_CYCCNT = 0x1000, 0x1004
_CPUID, _ICSR, _VTOR, _AIRCR, _SHPR1, _SHPR3 = 0xED00, 0xED04, 0xED08, 0xED0C, 0xED18, 0xED20
CPACR, DEMCR, _FPCCR, _STIR = 0xED88, 0xEDFC, 0xEF34, 0xEF00
COUNTER_SETUP = (DWT_CTRL, DWT_CYCCNT, DEMCR)
"""Offsets whose writing starts, stops or sets the cycle counter."""
_TRACE_ENABLE = 1 << 24
_ISER, _ICER, _ISPR, _ICPR, _IABR, _IPR = 0xE100, 0xE180, 0xE200, 0xE280, 0xE300, 0xE400
_BANK_BYTES = 0x20
_MODELLED = (
    range(0x2000),
    range(0xE000, 0xF000),
    range(0x40000, 0x43000),
    range(0xFF000, 0x100000),
)
"""ITM and DWT, system control space, TPIU to DBGMCU, ROM table; the rest of the bus is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSignals:
    """What the bus asks of the machine: virtual time in core cycles, cycles executed, a reset, prompt attention, and
    a look at when the system timer is due."""

    now: Callable[[], int]
    cycles: Callable[[], int]
    reset: Callable[[], None]
    changed: Callable[[], None]
    timed: Callable[[], None]
    fpu: Callable[[bool], None]


class SysTick:
    """24-bit down counter (B3.3) fed by the core clock, or by an eighth of it with CLKSOURCE 0 (RM0090, 12.2)."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self.control = 0
        self.reload = 0
        self._wrapped = False
        self._start = 0
        """Virtual time at which the counter last loaded `reload`."""

    @property
    def interrupts(self) -> bool:
        return self.control & 3 == 3 and self.reload > 0

    def write_control(self, value: int) -> None:
        if value & 1 and not self.control & 1:
            self._start = self._now()
        self.control = value & 7

    def write_reload(self, value: int) -> None:
        self.reload = value & 0xFFFFFF

    def clear(self, _value: int) -> None:
        self._start = self._now()
        self._wrapped = False

    def value(self) -> int:
        if not self.control & 1 or not self.reload:
            return 0
        elapsed = (self._now() - self._start) // self._divider % (self.reload + 1)
        return self.reload + 1 - elapsed if elapsed else 0

    def due(self) -> int | None:
        """Virtual time at which the counter next reaches zero, None when stopped."""
        return self._start + (self.reload + 1) * self._divider if self.control & 1 and self.reload else None

    def advance(self) -> bool:
        """Whether the counter reached zero since the last call."""
        due = self.due()
        if due is None or self._now() < due:
            return False
        period = (self.reload + 1) * self._divider
        self._start += (self._now() - self._start) // period * period
        self._wrapped = True
        return True

    def read_control(self) -> int:
        self.advance()
        flag = 1 << 16 if self._wrapped else 0
        self._wrapped = False
        return self.control | flag

    @property
    def _divider(self) -> int:
        return 1 if self.control & 4 else 8


_SYSTICK_WRITES = {0xE010: SysTick.write_control, 0xE014: SysTick.write_reload, 0xE018: SysTick.clear}


class SystemControl(Registers):
    """`offset` counts from ORIGIN."""

    def __init__(self, interrupts: Interrupts, signals: CoreSignals) -> None:
        super().__init__(
            {
                _CPUID: 0x410FC241,
                0xED14: 0x200,
                0xED90: 0x800,
                _FPCCR: 0xC0000000,
                DWT_CTRL: 0x40000000,
                0x42000: 0x10076413,
                0xEF40: 0x10110021,
                0xEF44: 0x11000011,
            }
        )
        self.systick = SysTick(signals.now)
        self._interrupts = interrupts
        self._signals = signals
        self._cycle_offset = 0

    @staticmethod
    def covers(offset: int) -> bool:
        return any(offset in part for part in _MODELLED)

    @property
    def vector_table(self) -> int:
        return self.words.get(_VTOR, 0) & 0xFFFFFF80

    @property
    def counts_cycles(self) -> bool:
        """CYCCNT runs: DEMCR.TRCENA and DWT_CTRL.CYCCNTENA are set."""
        return bool(self.words.get(DEMCR, 0) & _TRACE_ENABLE and self.words[DWT_CTRL] & 1)

    def cycle_count(self, cycles: int) -> int:
        """What CYCCNT shows when the core has executed `cycles`."""
        return (cycles - self._cycle_offset if self.counts_cycles else self.words.get(DWT_CYCCNT, 0)) & 0xFFFFFFFF

    def rebase_counter(self) -> None:
        """Count on from the stored value as of now."""
        self._cycle_offset = self._signals.cycles() - self.words[DWT_CYCCNT]

    def get(self, offset: int) -> int:
        if offset == DWT_CYCCNT:
            return self.cycle_count(self._signals.cycles())
        if offset == 0xE010:
            return self.systick.read_control()
        if offset == 0xE014:
            return self.systick.reload
        if offset == 0xE018:
            return self.systick.value()
        if offset == 0xE004:
            return 2
        if offset == _ICSR:
            return self._icsr()
        if offset == _AIRCR:
            return 0xFA050000 | self._interrupts.priority_group << 8
        if _ISER <= offset < _IABR + _BANK_BYTES:
            return self._bank(offset)
        if _IPR <= offset < _IPR + EXTERNAL_INTERRUPTS + 2:
            return self._priorities(FIRST_EXTERNAL + offset - _IPR)
        if _SHPR1 <= offset <= _SHPR3:
            return self._priorities(4 + offset - _SHPR1)
        return super().get(offset)

    def write(self, offset: int, size: int, value: int) -> None:
        if size != 4 and (_IPR <= offset < _IPR + EXTERNAL_INTERRUPTS + 2 or _SHPR1 <= offset < _SHPR3 + 4):
            first = FIRST_EXTERNAL + offset - _IPR if offset < _CPUID else 4 + offset - _SHPR1
            self._set_priorities(first, size, value)
            return
        super().write(offset, size, value)

    def put(self, offset: int, value: int) -> None:
        if offset in _SYSTICK_WRITES:
            _SYSTICK_WRITES[offset](self.systick, value)
            if self.systick.interrupts:
                self._signals.timed()
        elif offset == DWT_CYCCNT:
            self.words[DWT_CYCCNT] = value
            self.rebase_counter()
        elif offset in (DWT_CTRL, DEMCR):
            shown = self.cycle_count(self._signals.cycles())
            super().put(offset, value)
            self.words[DWT_CYCCNT] = shown
            self.rebase_counter()
        elif offset == CPACR:
            super().put(offset, value & 0x00F00000)
            self._signals.fpu(value >> 20 & 0xF == 0xF)
        elif offset == _ICSR:
            self._write_icsr(value)
        elif offset == _AIRCR:
            self._write_aircr(value)
        elif offset == _STIR:
            self._pend({FIRST_EXTERNAL + (value & 0x1FF)})
        elif _ISER <= offset < _IABR + _BANK_BYTES:
            self._write_bank(offset, value)
        elif _IPR <= offset < _IPR + EXTERNAL_INTERRUPTS + 2:
            self._set_priorities(FIRST_EXTERNAL + offset - _IPR, 4, value)
        elif _SHPR1 <= offset <= _SHPR3:
            self._set_priorities(4 + offset - _SHPR1, 4, value)
        elif offset != _CPUID:
            super().put(offset, value)

    def _icsr(self) -> int:
        state = self._interrupts
        pending = state.pending & state.enabled
        highest = min(pending, key=lambda number: (state.priority(number), number)) if pending else 0
        return (
            (state.active[-1] if state.active else 0)
            | (len(state.active) <= 1) << 11
            | highest << 12
            | any(number >= FIRST_EXTERNAL for number in pending) << 22
            | (SYSTICK in state.pending) << 26
            | (PENDSV in state.pending) << 28
        )

    def _write_icsr(self, value: int) -> None:
        state = self._interrupts
        for number, pend, clear in ((PENDSV, 28, 27), (SYSTICK, 26, 25)):
            if value >> clear & 1:
                state.pending.discard(number)
            if value >> pend & 1:
                self._pend({number})

    def _write_aircr(self, value: int) -> None:
        if value >> 16 != 0x05FA:
            return
        self._interrupts.priority_group = value >> 8 & 7
        if value & 4:
            self._signals.reset()

    def _pend(self, numbers: set[int]) -> None:
        self._interrupts.pending |= {n for n in numbers if n < FIRST_EXTERNAL + EXTERNAL_INTERRUPTS}
        self._signals.changed()

    def _bank(self, offset: int) -> int:
        state = self._interrupts
        kind, first = offset & ~0x7F, FIRST_EXTERNAL + (offset & 0x1F) * 8
        members = {_ISER: state.enabled, _ISPR: state.pending}.get(kind & ~0x80 if kind != _IABR else -1, state.active)
        return sum(1 << bit for bit in range(32) if first + bit in members)

    def _write_bank(self, offset: int, value: int) -> None:
        state = self._interrupts
        first = FIRST_EXTERNAL + (offset & 0x1F) * 8
        chosen = {first + bit for bit in range(32) if value >> bit & 1 and first + bit < FIRST_EXTERNAL + 82}
        if offset < _ICER:
            state.enabled |= chosen
            self._signals.changed()
        elif offset < _ISPR:
            state.enabled -= chosen
        elif offset < _ICPR:
            self._pend(chosen)
        elif offset < _IABR:
            state.pending -= chosen

    def _priorities(self, first: int) -> int:
        return sum((self._interrupts.priority(first + byte) & 0xFF) << 8 * byte for byte in range(4))

    def _set_priorities(self, first: int, size: int, value: int) -> None:
        for byte in range(size):
            self._interrupts.set_priority(first + byte, value >> 8 * byte & 0xFF)
        self._signals.changed()
