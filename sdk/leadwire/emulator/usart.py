"""USART of the STM32F4 (RM0090, 30.6) with a queue of bytes at each end instead of wires.

Sending takes no time. Receiving: the host's bytes wait in `SerialLine.incoming` and reach the data register in bursts
of `BURST_BYTES`, the bursts spaced so that the mean rate is the baud rate set in BRR: a receive buffer of the firmware
sees at least the stress of the real line, and an overrun cannot happen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .registers import Registers

BURST_BYTES = 32
BITS_PER_BYTE = 10
SR, DR, BRR, CR1 = 0x00, 0x04, 0x08, 0x0C
RXNE, TC, TXE = 1 << 5, 1 << 6, 1 << 7
RE, TE, RXNEIE, TCIE, TXEIE, UE = 1 << 2, 1 << 3, 1 << 5, 1 << 6, 1 << 7, 1 << 13


class SerialLine:
    """The wires: bytes on the way to and from one USART. `sent` is told when a line or a full buffer is ready."""

    FLUSH_BYTES = 512

    def __init__(self, sent: Callable[[bytes], None]) -> None:
        self.incoming: deque[int] = deque()
        self._outgoing = bytearray()
        self._sent = sent

    def send(self, byte: int) -> None:
        self._outgoing.append(byte)
        if byte == 0x0A or len(self._outgoing) >= self.FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._outgoing:
            data = bytes(self._outgoing)
            self._outgoing.clear()
            self._sent(data)


class Usart(Registers):
    """`clocked` says whether RCC feeds the peripheral, `cycles_per_tick` core cycles per cycle of its bus clock.

    `interrupt(asserted)` is its line to the NVIC, `now()` the virtual time and `idle()` is called when the firmware
    polls the empty receiver over and over.
    """

    IDLE_POLLS = 32

    def __init__(
        self,
        line: SerialLine,
        *,
        clocked: Callable[[], bool],
        cycles_per_tick: Callable[[], int],
        interrupt: Callable[[bool], None],
        now: Callable[[], int],
        idle: Callable[[], None],
    ) -> None:
        super().__init__()
        self.line = line
        self._clocked = clocked
        self._cycles_per_tick = cycles_per_tick
        self._interrupt = interrupt
        self._now = now
        self._idle = idle
        self._control = 0
        self._data = 0
        self._full = False
        self._receiving = False
        self._credit = BURST_BYTES
        self._next = 0
        self._empty_polls = 0

    def receive(self) -> None:
        """Move the next byte of the line into the data register if it is due."""
        if not self._full and self._receiving and self.line.incoming and self._now() >= self._next:
            self._data = self.line.incoming.popleft()
            self._full = True
            self._empty_polls = 0
            self._update()

    def due(self) -> int | None:
        """Virtual time at which the next byte arrives, None when none is on the way."""
        return self._next if not self._full and self._receiving and self.line.incoming else None

    def get(self, offset: int) -> int:
        if not self._clocked():
            return 0
        if offset == SR:
            if not self._full:
                self.receive()
            if self._full:
                return TXE | TC | RXNE
            self._poll_empty()
            return TXE | TC
        if offset == DR:
            return self._take()
        return super().get(offset)

    def put(self, offset: int, value: int) -> None:
        if not self._clocked():
            return
        if offset == DR:
            self._empty_polls = 0
            if self._has(UE | TE):
                self.line.send(value & 0xFF)
        elif offset != SR:
            super().put(offset, value)
            self._control = self.words.get(CR1, 0)
            self._receiving = self._has(UE | RE)
            self._update()
            self.receive()

    def _has(self, bits: int) -> bool:
        return self._control & bits == bits

    def _take(self) -> int:
        data = self._data
        if not self._full:
            return data
        self._credit -= 1
        if self._credit and self._receiving and self.line.incoming:
            self._data = self.line.incoming.popleft()  # the burst goes on: full as before
            return data
        self._full = False
        if not self._credit or not self.line.incoming:
            sent = BURST_BYTES - self._credit
            self._credit = BURST_BYTES
            self._next = self._now() + sent * BITS_PER_BYTE * self.words.get(BRR, 0) * self._cycles_per_tick()
        self._update()
        self.receive()
        return data

    def _poll_empty(self) -> None:
        self._empty_polls += 1
        if self._empty_polls >= self.IDLE_POLLS:
            self._idle()

    def _update(self) -> None:
        asserted = (self._full and self._has(RXNEIE)) or self._has(TXEIE) or self._has(TCIE)
        self._interrupt(asserted and self._has(UE))
