"""One request, one answer, in bounded time: sequence numbers, time-outs, retries and the errors they end in.

The messages are smpclient's and ours in its form, but `smpclient.SMPClient` does not carry them: it gives up at the
first time-out and raises at the first damaged line, polls every 5 ms, which a run of 50,000 samples feels, and opens
operating system ports only, no 'socket://' of an emulator. A blocking loop does all that is needed here. Stock clients
reach the firmware all the same.

Retry policy: a request is sent again, with the same sequence number and bytes, whenever an answer is overdue by the
round trips seen so far (`round_trips`); before the first one, or where repeating is not free, after a time-out. It ends
in an error when `attempts` time-outs have passed in all. An answer to any sending counts, later ones are ignored.
Damaged lines shorten a long wait, they do not end it: boot messages look like them.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from smpclient.generics import SMPRequest, TEr1, TEr2, TRep

from leadwire.errors import DeviceRefusedError, DeviceSilentError, FrameError

from .framing import Fault, FrameDecoder, encode
from .messages import (
    MalformedAnswerError,
    OpenStream,
    RefusalError,
    is_answer_to,
    parse_answer,
)
from .port import Port
from .round_trips import RoundTrips
from .stream import Opened, Result, Stream

_FIRST_S = 0.5
"""An answer that takes no run is overdue after this, before round trips have been seen."""
_SUSPICIOUS_S = 0.5


class Link:
    """An open port that carries SMP messages. `retries` counts what had to be sent again, `faults` what was dropped,
    `sent_bytes` and `received_bytes` what went over the line.

    `timeout_s` is the wait for an ordinary answer, `run_timeout_s` for one that runs the model.
    """

    def __init__(self, port: str, baud: int, *, timeout_s: float, run_timeout_s: float, attempts: int) -> None:
        """Opens the port; PortError where that fails."""
        if attempts < 1 or timeout_s <= 0 or run_timeout_s <= 0:
            raise ValueError("at least one attempt and time-outs above 0 are needed")
        self.name = port
        self.timeout_s = timeout_s
        self.run_timeout_s = run_timeout_s
        self.attempts = attempts
        self.retries = self.sent_bytes = self.received_bytes = self.corrected = 0
        self._baud = baud
        self._port = Port(port, baud, write_timeout_s=timeout_s)
        self._decoder = FrameDecoder()
        self._sequence = 0
        self._trips = RoundTrips(baud, first_s=min(_FIRST_S, timeout_s), longest_s=timeout_s)
        self._run_trips = RoundTrips(baud, first_s=run_timeout_s, longest_s=run_timeout_s)
        self._stream_trips = RoundTrips(baud, first_s=timeout_s, longest_s=timeout_s)
        self._longest_run_s: float | None = None
        self._loss = 0.0

    @property
    def faults(self) -> Counter[Fault]:
        return self._decoder.faults

    @property
    def noisy(self) -> bool:
        """Of late more than one sending in five had no answer."""
        return self._loss > 0.2

    def close(self) -> None:
        self._port.close()

    def reopen(self) -> None:
        """Closes the port and opens it again; PortError where that fails."""
        self._port.close()
        self._port = Port(self.name, self._baud, write_timeout_s=self.timeout_s)
        self._decoder = FrameDecoder(self._decoder.faults)

    def next_sequence(self) -> int:
        """SMP's 8-bit sequence number for a new request."""
        self._sequence = (self._sequence + 1) & 0xFF
        return self._sequence

    def request(
        self,
        what: str,
        request: SMPRequest[TRep, TEr1, TEr2],
        *,
        runs: bool = False,
        attempts: int | None = None,
    ) -> TRep:
        """The device's answer to `request`, called `what` in messages; `runs` says that answering runs the model.

        Raises DeviceRefusedError (the device answered with an error), FrameError (bytes came, but no whole answer),
        DeviceSilentError (nothing came) or PortError.
        """
        try:
            return self.ask(what, request, runs=runs, attempts=attempts)
        except RefusalError as refusal:
            raise DeviceRefusedError(self.name, what, str(refusal)) from None

    def ask(
        self,
        what: str,
        request: SMPRequest[TRep, TEr1, TEr2],
        *,
        runs: bool = False,
        stored: bool = False,
        attempts: int | None = None,
    ) -> TRep:
        """As `request`, but lets the device's refusal through as RefusalError. `stored`: the device keeps the answer,
        so that asking again costs it nothing."""
        attempts = attempts or self.attempts
        lines, faults_before, malformed = encode(request.BYTES), Counter(self.faults), ""
        trips = self._run_trips if runs else self._trips
        started, sendings = time.monotonic(), 0
        given_up = started + self._patience_s(runs=runs, attempts=attempts)
        while not sendings or time.monotonic() < given_up:
            sendings += 1
            self.retries += sendings > 1
            sent = time.monotonic()
            if attempts == 1:
                wait_s = given_up - sent
            elif runs and stored and self._longest_run_s is None:
                wait_s = self.timeout_s * float(1 << min(sendings - 1, 8))
            else:
                wait_s = trips.timeout_s(2 * len(lines))
            for message in self._exchange(lines, min(wait_s, given_up - sent), trips):
                if not is_answer_to(request, message):
                    continue
                try:
                    answer = parse_answer(request, message)
                except MalformedAnswerError as error:
                    malformed = str(error)
                    break
                self._loss += (0.0 - self._loss) / 8
                if sendings == 1:
                    trips.seen(time.monotonic() - sent)
                if runs:
                    self._longest_run_s = max(self._longest_run_s or 0.0, time.monotonic() - sent)
                return answer
            self._loss += (1.0 - self._loss) / 8
            if runs:
                trips.back_off()
        if malformed:
            raise FrameError(self.name, what, malformed, sendings)
        dropped = self.faults - faults_before
        if dropped:
            seen = ", ".join(f"{count} {fault.value}" for fault, count in sorted(dropped.items()))
            raise FrameError(self.name, what, seen, sendings)
        raise DeviceSilentError(self.name, what, round(time.monotonic() - started, 1), sendings)

    def _patience_s(self, *, runs: bool, attempts: int) -> float:
        """`attempts` time-outs; those for a run are shorter once runs have been seen to be quick, but for the last."""
        if not runs:
            return attempts * self.timeout_s
        if self._longest_run_s is None:
            return attempts * self.run_timeout_s
        quick_s = min(self.run_timeout_s, self.timeout_s + 4 * self._longest_run_s)
        return (attempts - 1) * quick_s + self.run_timeout_s

    def _exchange(self, lines: bytes, wait_s: float, trips: RoundTrips) -> Iterator[bytes]:
        """Sends `lines` and yields every whole message that arrives in time."""
        deadline = time.monotonic() + wait_s
        damaged = self._damaged()
        if not self._write(lines):
            return
        while time.monotonic() < deadline:
            yield from self._decoder.feed(self._read())
            if self._damaged() > damaged:
                damaged = self._damaged()
                deadline = min(deadline, time.monotonic() + min(self.timeout_s, trips.timeout_s(len(lines))))

    def _write(self, data: bytes) -> bool:
        self.sent_bytes += len(data)
        return self._port.write(data)

    def _read(self) -> bytes:
        data = self._port.read()
        self.received_bytes += len(data)
        return data

    def _damaged(self) -> int:
        """Damaged lines and packets so far, noise outside lines not counted."""
        return self.faults.total() - self.faults[Fault.NOISE]

    # ------------------------------------------------------------------------------------------ streams

    def open_stream(self, cell_bytes: int) -> Opened:
        """Asks the device to take cells from now on; any other request ends them."""
        session = secrets.randbits(32)
        request = OpenStream(id=session, cell=cell_bytes, sequence=self.next_sequence())
        found = self.request("stream", request)
        if found.id != session or found.cell > cell_bytes or found.window < found.cell:
            unlike = f"session {found.id:08x}, cells of {found.cell} B in a buffer of {found.window} B"
            raise FrameError(self.name, "stream", f"{unlike}, not {session:08x} and at most {cell_bytes} B", 1)
        return Opened(
            session=session,
            cell=found.cell,
            answer=found.answer,
            window=found.window,
            kept=found.kept,
            runs=found.runs,
            io_crc=found.io_crc,
        )

    def stream(
        self, opened: Opened, samples: Sequence[bytes], *, start: int, answered: int, output_bytes: int
    ) -> Iterator[Result]:
        """The results of samples `answered` on, in order; those from `start` on are sent, the others have been run.

        Ends early when nothing has gone forward for long: the device may have been reset. DeviceRefusedError where the
        model failed.
        """
        trips, now = self._stream_trips, time.monotonic()
        running = Stream(
            opened, samples, start=start, answered=answered, output_bytes=output_bytes, trips=trips, now=now
        )
        resent = 0
        try:
            while not running.done:
                data = running.to_send(time.monotonic())
                self.retries += running.resent + running.questions - resent
                resent = running.resent + running.questions
                if data:
                    self._write(data)
                yield from running.receive(self._read(), time.monotonic())
                if running.refused is not None:
                    raise DeviceRefusedError(self.name, "a stream", str(RefusalError(running.refused)))
                if running.silent_s(time.monotonic()) > self._suspicion_s():
                    return
        finally:
            self.corrected += running.corrected

    def _suspicion_s(self) -> float:
        """Silence after which a stream is given up and the device asked how it is."""
        return _SUSPICIOUS_S + 3 * self._stream_trips.usual_s(0)
