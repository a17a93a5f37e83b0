"""Exceptions of an Armv7-M core: what is pending, enabled, active, and which one is taken next (ARM DDI 0403, B1.5).

Exception numbers: 11 SVCall, 14 PendSV, 15 SysTick, 16 + n external interrupt n. The STM32F405 implements 4 priority
bits and 82 external interrupts (RM0090, 12.1).
"""

from __future__ import annotations

SVCALL, PENDSV, SYSTICK, FIRST_EXTERNAL = 11, 14, 15, 16
EXTERNAL_INTERRUPTS = 82
PRIORITY_MASK = 0xF0
_FIXED_PRIORITY = {1: -3, 2: -2, 3: -1}
_IDLE = 0x100


class Interrupts:
    """State of NVIC and system handlers; knows nothing of registers, stacks or time."""

    def __init__(self) -> None:
        self.pending: set[int] = set()
        self.enabled: set[int] = set(range(1, FIRST_EXTERNAL))
        self.active: list[int] = []
        self.priority_group = 0
        self._priority: dict[int, int] = {}
        self._asserted: set[int] = set()

    @property
    def external_enabled(self) -> bool:
        return any(number >= FIRST_EXTERNAL for number in self.enabled)

    def priority(self, number: int) -> int:
        """Lower is more urgent; fixed ones are negative."""
        return _FIXED_PRIORITY.get(number, self._priority.get(number, 0))

    def set_priority(self, number: int, value: int) -> None:
        self._priority[number] = value & PRIORITY_MASK

    def set_line(self, number: int, asserted: bool) -> None:
        """A peripheral's level-sensitive request: pends when it rises, and again after the handler if still high."""
        if asserted and number not in self._asserted:
            self.pending.add(number)
        if asserted:
            self._asserted.add(number)
        else:
            self._asserted.discard(number)
            self.pending.discard(number)

    def next(self, *, primask: int, basepri: int, faultmask: int) -> int | None:
        """The exception to take now, None when none is urgent enough."""
        candidates = self.pending & self.enabled
        if not candidates:
            return None
        number = min(candidates, key=lambda candidate: (self.priority(candidate), candidate))
        return number if self._group(self.priority(number)) < self._execution(primask, basepri, faultmask) else None

    def wakes(self, *, basepri: int, faultmask: int) -> bool:
        """Whether WFI ends: something would be taken if PRIMASK were clear (B1.5.17)."""
        return self.next(primask=0, basepri=basepri, faultmask=faultmask) is not None

    def enter(self, number: int) -> None:
        self.pending.discard(number)
        self.active.append(number)

    def leave(self, number: int) -> None:
        self.active.remove(number)
        if number in self._asserted:
            self.pending.add(number)

    def _group(self, priority: int) -> int:
        """The part of a priority that preempts (AIRCR.PRIGROUP)."""
        return priority if priority < 0 else priority & ~((2 << self.priority_group) - 1)

    def _execution(self, primask: int, basepri: int, faultmask: int) -> int:
        level = min((self._group(self.priority(number)) for number in self.active), default=_IDLE)
        if basepri & PRIORITY_MASK:
            level = min(level, self._group(basepri & PRIORITY_MASK))
        if primask & 1:
            level = min(level, 0)
        if faultmask & 1:
            level = min(level, -1)
        return level
