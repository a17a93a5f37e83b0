"""One request, one answer, in bounded time: sequence numbers, time-outs, retries and the errors they end in.

The messages are smpclient's and ours in its form, but `smpclient.SMPClient` does not carry them: it gives up at the
first time-out and raises at the first damaged line, polls every 5 ms, which a run of 50,000 samples feels, and opens
operating system ports only, no 'socket://' of an emulator. A blocking loop does all that is needed here. Stock clients
reach the firmware all the same.

Retry policy: a request is sent up to `attempts` times with the same sequence number and bytes, each after a time-out.
An answer to any attempt counts, later ones are ignored. Damaged lines shorten a long wait, they do not end it: boot
messages look like them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from smpclient.generics import SMPRequest, TEr1, TEr2, TRep

from leadwire.errors import DeviceRefusedError, DeviceSilentError, FrameError

from .framing import Fault, FrameDecoder, encode
from .messages import MalformedAnswerError, RefusalError, is_answer_to, parse_answer
from .port import Port


class Link:
    """An open port that carries SMP messages. `retries` counts repeated requests, `faults` what was dropped.

    `timeout_s` is the wait for an ordinary answer, `run_timeout_s` for one that runs the model. Once runs have been
    seen to be quick, a lost answer to one is asked for again earlier; the last attempt always waits in full.
    """

    def __init__(self, port: str, baud: int, *, timeout_s: float, run_timeout_s: float, attempts: int) -> None:
        """Opens the port; PortError where that fails."""
        if attempts < 1 or timeout_s <= 0 or run_timeout_s <= 0:
            raise ValueError("at least one attempt and time-outs above 0 are needed")
        self.name = port
        self.timeout_s = timeout_s
        self.run_timeout_s = run_timeout_s
        self.attempts = attempts
        self.retries = 0
        self._port = Port(port, baud, write_timeout_s=timeout_s)
        self._decoder = FrameDecoder()
        self._sequence = 0
        self._longest_run_s: float | None = None

    @property
    def faults(self) -> Counter[Fault]:
        return self._decoder.faults

    def close(self) -> None:
        self._port.close()

    def next_sequence(self) -> int:
        """SMP's 8-bit sequence number for a new request."""
        self._sequence = (self._sequence + 1) & 0xFF
        return self._sequence

    def request(
        self, what: str, request: SMPRequest[TRep, TEr1, TEr2], *, runs: bool = False, attempts: int | None = None
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
        self, what: str, request: SMPRequest[TRep, TEr1, TEr2], *, runs: bool = False, attempts: int | None = None
    ) -> TRep:
        """As `request`, but lets the device's refusal through as RefusalError."""
        attempts = attempts or self.attempts
        lines, faults_before, malformed = encode(request.BYTES), Counter(self.faults), ""
        started = time.monotonic()
        for attempt in range(attempts):
            self.retries += attempt > 0
            sent = time.monotonic()
            for message in self._exchange(lines, self._wait_s(runs=runs, last=attempt == attempts - 1)):
                if not is_answer_to(request, message):
                    continue
                try:
                    answer = parse_answer(request, message)
                except MalformedAnswerError as error:
                    malformed = str(error)
                    break
                if runs:
                    self._longest_run_s = max(self._longest_run_s or 0.0, time.monotonic() - sent)
                return answer
        if malformed:
            raise FrameError(self.name, what, malformed, attempts)
        dropped = self.faults - faults_before
        if dropped:
            seen = ", ".join(f"{count} {fault.value}" for fault, count in sorted(dropped.items()))
            raise FrameError(self.name, what, seen, attempts)
        raise DeviceSilentError(self.name, what, round(time.monotonic() - started, 1), attempts)

    def _wait_s(self, *, runs: bool, last: bool) -> float:
        if not runs:
            return self.timeout_s
        if last or self._longest_run_s is None:
            return self.run_timeout_s
        return min(self.run_timeout_s, self.timeout_s + 4 * self._longest_run_s)

    def _exchange(self, lines: bytes, wait_s: float) -> Iterator[bytes]:
        """Sends `lines` and yields every whole message that arrives in time."""
        deadline = time.monotonic() + wait_s
        damaged = self._damaged()
        if not self._port.write(lines):
            return
        while time.monotonic() < deadline:
            yield from self._decoder.feed(self._port.read())
            if self._damaged() > damaged:
                damaged = self._damaged()
                deadline = min(deadline, time.monotonic() + self.timeout_s)

    def _damaged(self) -> int:
        """Damaged lines and packets so far, noise outside lines not counted."""
        return self.faults.total() - self.faults[Fault.NOISE]
