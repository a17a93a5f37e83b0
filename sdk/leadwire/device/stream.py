"""The host's half of a stream, without any input or output: which cells to send when, and the results in order.

Inputs follow each other without gaps and are cut into cells. As many cells are on the way as the device's receive
buffer holds, and as many samples as it keeps results of. The device takes cells in order: at a gap the host goes back
to the one that is wanted, at once when the device says so, otherwise after a time-out learnt from round trips. Each
time there is one cell less on the way from then on, for all of them are sent again; a stretch without a gap brings it
back. A result that is missing among others is asked for again; the device does not run twice for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from .cells import ANSWER_AROUND_BYTES, CellAnswer, CellCoder, CellReader, Kind
from .round_trips import RoundTrips

_NARROWEST, _SMOOTH_CELLS = 2, 64
"""Fewest cells on the way; acknowledged without a gap before one more may be."""
_WINDOW_SHARE = 0.75
"""Of the device's receive buffer; the rest is for a request that repeats an older one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the device answered: cell sizes, its receive buffer, results it keeps, and its account so far."""

    session: int
    cell: int
    answer: int
    window: int
    kept: int
    runs: int
    io_crc: int


@dataclass(frozen=True, slots=True)
class Result:
    """Of sample `index`; `io_crc` is the device's CRC-32 over (input, output) of all its runs up to this one."""

    index: int
    output: bytes
    cycles: int
    stack: int
    io_crc: int


class Stream:
    """Samples from `start` on are sent, those from `answered` on are waited for: the device has run those between.

    `resent` counts cells sent again, `questions` results asked for again; `refused`: the code with which it gave up.
    """

    def __init__(
        self,
        opened: Opened,
        samples: Sequence[bytes],
        *,
        start: int,
        answered: int,
        output_bytes: int,
        trips: RoundTrips,
        now: float,
    ) -> None:
        self.resent = self.questions = 0
        self.refused: int | None = None
        self.answered = answered
        self._samples = samples
        self._start = start
        self._runs = opened.runs
        self._kept = opened.kept
        self._input_bytes, self._output_bytes = len(samples[start]) if start < len(samples) else 0, output_bytes
        self._coder, self._reader = CellCoder(opened.session, opened.cell), CellReader(opened.session, opened.answer)
        self._room = opened.answer - ANSWER_AROUND_BYTES
        self._widest = self._window = max(1, int(opened.window * _WINDOW_SHARE) // opened.cell)
        self._smooth = 0  # cells acknowledged since the last gap
        self._total = self._input_bytes * (len(samples) - start)
        self._spans: list[tuple[int, int]] = []  # first and past the last input byte of each cell made so far
        self._acked = self._next = 0  # cells
        self._sent_at: deque[tuple[int, float]] = deque()  # cells sent for the first time, for round trips
        self._wanted_since = -1  # the cell that was gone back to last
        self._excuses = 0  # complaints about it that older cells on the way may still cause
        self._asked, self._late = -1, False
        self._parts: dict[int, dict[int, bytes]] = {}
        self._waiting: dict[int, Result] = {}
        self._trips = trips
        self._progress_at = now
        self._timer_at = now

    @property
    def done(self) -> bool:
        return self.answered == len(self._samples)

    @property
    def corrected(self) -> int:
        return self._reader.corrected

    @property
    def lost(self) -> int:
        """Cells of the device that could not be read."""
        return self._reader.lost

    def silent_s(self, now: float) -> float:
        """How long nothing has gone forward."""
        return now - self._progress_at

    # ------------------------------------------------------------------------------------------ sending

    def to_send(self, now: float) -> bytes:
        """What may go onto the line now, possibly nothing."""
        if now - self._timer_at > self._trips.timeout_s((self._next - self._acked + 1) * self._coder.size):
            self._timer_at = now
            self._trips.back_off()
            self._asked, self._late = -1, self._acked == self._next
            if self._acked < self._next:
                self._go_back(self._acked)
        pieces = []
        if self._asked != self.answered and self._is_missing():
            self._asked, self._late = self.answered, False
            self.questions += 1
            pieces.append(self._coder.question(self._run_of(self.answered)))
        while self._next - self._acked < self._window and (data := self._cell(self._next)):
            pieces.append(self._coder.data(self._next, data))
            if self._next == len(self._spans) - 1:
                self._sent_at.append((self._next, now))
            self._next += 1
        return b"".join(pieces)

    def _run_of(self, index: int) -> int:
        return self._runs + 1 + index - self._start

    def _is_missing(self) -> bool:
        """A sample has no result although a later one has, or the device has all of its input since a time-out."""
        return not self.done and (self._late or bool(self._waiting) or self.answered < self._start)

    def _cell(self, number: int) -> bytes:
        """Input bytes of a cell, one made before or a new one; empty when there is none to send."""
        if number == len(self._spans):
            begin = self._spans[-1][1] if self._spans else 0
            allowed = min(self._total, self._input_bytes * max(0, self.answered + self._kept - self._start))
            end = min(begin + self._coder.data_bytes, allowed)
            part = end - begin < self._coder.data_bytes and end < self._total
            if end <= begin or (part and self._acked < self._next):
                return b""
            self._spans.append((begin, end))
        else:
            self.resent += 1
        begin, end = self._spans[number]
        first, last = begin // self._input_bytes, (end - 1) // self._input_bytes
        data = b"".join(self._samples[self._start + one] for one in range(first, last + 1))
        return data[begin - first * self._input_bytes : end - first * self._input_bytes]

    def _go_back(self, number: int) -> None:
        self._smooth, self._window = 0, max(min(_NARROWEST, self._widest), self._window - 1)
        self._excuses = self._next - number - 1
        self._next = self._wanted_since = number
        self._sent_at.clear()

    # ------------------------------------------------------------------------------------------ receiving

    def receive(self, data: bytes, now: float) -> list[Result]:
        """The results that have become complete, in the order of the samples."""
        found: list[Result] = []
        for answer in self._reader.feed(data):
            self._acknowledge(answer, now)
            if answer.kind is Kind.RESULT:
                self._keep(answer)
            elif answer.kind is Kind.REFUSED:
                self.refused = answer.cycles
            while self.answered in self._waiting:
                found.append(self._waiting.pop(self.answered))
                self.answered += 1
                self._progress_at = self._timer_at = now
        return found

    def _acknowledge(self, answer: CellAnswer, now: float) -> None:
        forward = (answer.wanted - self._acked) & 0xFFFF
        if forward > len(self._spans) - self._acked:
            return  # an older state
        if forward:
            self._acked += forward
            self._smooth += forward
            if self._smooth >= _SMOOTH_CELLS and self._window < self._widest:
                self._smooth, self._window = 0, self._window + 1
            self._next = max(self._next, self._acked)
            self._progress_at = self._timer_at = now
            while self._sent_at and self._sent_at[0][0] < self._acked:
                number, sent = self._sent_at.popleft()
                if number == self._acked - 1:
                    self._trips.seen(now - sent)
        if answer.kind is Kind.LOST and self._acked < self._next:
            if self._wanted_since == self._acked and self._excuses > 0:
                self._excuses -= 1
            else:
                self._go_back(self._acked)

    def _keep(self, answer: CellAnswer) -> None:
        index = self._start + ((answer.run - self._runs - 1 + (1 << 31)) & 0xFFFF_FFFF) - (1 << 31)
        if not self.answered <= index < self.answered + self._kept + 1 or index in self._waiting:
            return
        parts = self._parts.setdefault(index, {})
        parts[answer.offset] = answer.output
        if len(parts) * self._room < self._output_bytes:
            return
        output = b"".join(parts[offset] for offset in sorted(parts))[: self._output_bytes]
        del self._parts[index]
        self._waiting[index] = Result(index, output, answer.cycles, answer.stack, answer.io_crc)
