"""A board at the other end of a serial port, as methods: OS group, describe, infer, profile, tensor, self-test, status.

Every method raises PortError, DeviceSilentError, FrameError or DeviceRefusedError and none waits without bound: at most
`attempts` time-outs per message (`link` has the retry policy, docs/manual/link-protocol.md the protocol). `infer` is
safe to repeat because the device answers a sample it has already run from its store. A slice in mid-sample whose answer
was lost starts its sample again; `profile` and `tensor` send their input again.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

from smpclient.generics import SMPRequest, TEr1, TEr2, TRep
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead, ResetWrite

from leadwire.artifacts import DeviceInfo, FirmwareImage
from leadwire.errors import DeviceRefusedError, FrameError, PortError, WrongDeviceError

from .framing import FRAME_OVERHEAD_BYTES
from .link import Link
from .messages import (
    RC_INVALID,
    RC_STATUS,
    RESET_CAUSES,
    Describe,
    Infer,
    InferResponse,
    Output,
    Profile,
    RefusalError,
    SelfTest,
    Status,
    Tensor,
)
from .stream import Opened, Result

SMALLEST_BUFFER_BYTES = 64
_LARGEST_LENGTH_BYTES = 4
"""What CBOR adds at most to write the length of a slice instead of an empty byte string's."""
_LARGEST_EMPTY = Infer(seq=0xFFFF_FFFF, off=0xFFFF_FFFF, data=b"", hold=True, sequence=0)
_AROUND_SLICE_BYTES = FRAME_OVERHEAD_BYTES + len(_LARGEST_EMPTY.BYTES) + _LARGEST_LENGTH_BYTES
"""What a packet with a slice has besides the slice's bytes, at most."""
_NOISY_SLICE_BYTES = 128
_ARENA_TOO_SMALL = 2
"""LW_ERROR_ARENA_TOO_SMALL of leadwire.h."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """MCUmgr parameters. A request has at most `buffer_bytes` - 4 bytes of SMP message."""

    buffer_bytes: int
    buffer_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InferResult:
    """`output`: all outputs' bytes in graph order. `cycles`: of `infer()` alone, in ticks of the device's counter.
    `stack_bytes`: the deepest stack use since reset."""

    output: bytes
    cycles: int
    stack_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestResult:
    ok: bool
    cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """`runs` completed since reset, `io_crc` the CRC-32 over their (input, output) bytes in order."""

    runs: int
    io_crc: int
    stack_bytes: int


class DeviceClient:
    """Context manager around one port: entering opens it, leaving closes it. Not for use by several threads.

    `timeout_s` is the wait for an ordinary answer, `run_timeout_s` for one that runs the model, each per attempt.
    """

    def __init__(
        self, port: str, baud: int = 115200, *, timeout_s: float = 2.0, run_timeout_s: float = 60.0, attempts: int = 3
    ) -> None:
        self.port = port
        self.baud = baud
        self.timeout_s = timeout_s
        self.run_timeout_s = run_timeout_s
        self.attempts = attempts
        self._open_link: Link | None = None
        self._parameters: Parameters | None = None
        self._info: DeviceInfo | None = None
        self._boot_status = 0
        self._cell_bytes = 0
        self._reset_cause = 0

    def __enter__(self) -> DeviceClient:
        self._open_link = Link(
            self.port, self.baud, timeout_s=self.timeout_s, run_timeout_s=self.run_timeout_s, attempts=self.attempts
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()

    @property
    def retries(self) -> int:
        """Requests and cells that had to be sent again since the port was opened."""
        return self._link.retries

    @property
    def corrected(self) -> int:
        """Damaged cells of the device that were put right."""
        return self._link.corrected

    @property
    def carried_bytes(self) -> tuple[int, int]:
        """Sent and received since the port was opened."""
        return self._link.sent_bytes, self._link.received_bytes

    @property
    def _link(self) -> Link:
        if self._open_link is None:
            raise PortError(self.port, "is not open", hint="use DeviceClient as a context manager")
        return self._open_link

    # ------------------------------------------------------------------------------------------ OS group

    def echo(self, text: str) -> str:
        return self._link.request("echo", EchoWrite(d=text, sequence=self._link.next_sequence())).r

    def reset(self) -> None:
        """Resets the device, which answers first. Its counts and stored results begin anew."""
        self._link.request("reset", ResetWrite(sequence=self._link.next_sequence()))
        self._parameters = self._info = None

    def parameters(self) -> Parameters:
        """Asked for once per connection and reset."""
        if self._parameters is None:
            answer = self._link.request("parameters", MCUMgrParametersRead(sequence=self._link.next_sequence()))
            if answer.buf_size < SMALLEST_BUFFER_BYTES:
                raise DeviceRefusedError(self.port, "requests", f"its buffer of {answer.buf_size} bytes is too small")
            self._parameters = Parameters(buffer_bytes=answer.buf_size, buffer_count=answer.buf_count)
        return self._parameters

    # ------------------------------------------------------------------------------------------ identity

    def describe(self, *, boot_timeout_s: float = 0.0) -> DeviceInfo:
        """What the device says of itself, asked anew each time; a device that may still be in its self-test at start is
        given `boot_timeout_s` to answer."""
        attempts = max(self.attempts, math.ceil(boot_timeout_s / self.timeout_s))
        answer = self._link.request("describe", Describe(sequence=self._link.next_sequence()), attempts=attempts)
        self._boot_status = answer.boot
        self._cell_bytes = answer.cell
        self._reset_cause = answer.reset
        self._info = DeviceInfo(
            firmware_version=answer.firmware,
            build_id=answer.build.hex(),
            model_name=answer.model,
            model_digest=answer.digest.hex(),
            board_id=answer.board,
            unique_id=answer.uid.hex(),
            clock_hz=answer.clock_hz,
            arena_bytes=answer.arena,
            input_bytes=answer.input_bytes,
            output_bytes=answer.output_bytes,
            operator_count=answer.ops,
            cycle_counter=answer.counter,
            arena_used_bytes=answer.used,
            arena_needed_bytes=answer.need,
        )
        return self._info

    def expect(self, image: FirmwareImage, *, boot_timeout_s: float = 30.0) -> DeviceInfo:
        """`describe`; WrongDeviceError unless board, model and build are those of `image`, DeviceRefusedError where
        the device failed its self-test at start."""
        info = self.describe(boot_timeout_s=boot_timeout_s)
        for what, found, expected in (
            ("board", info.board_id, image.board_id),
            ("model", info.model_digest, image.model_digest),
            ("firmware build", info.build_id, image.build_id),
        ):
            if found != expected:
                raise WrongDeviceError(self.port, what, found, expected)
        if self._boot_status:
            raise self._boot_failure(info, self._boot_status)
        return info

    def _boot_failure(self, info: DeviceInfo, status: int) -> DeviceRefusedError:
        reason, hint = f"its start ended with {RefusalError(RC_STATUS + status)}", "flash the image again"
        if status == _ARENA_TOO_SMALL:
            reason += f": {info.arena_bytes} B given, at least {info.arena_needed_bytes} B needed"
            hint = "generate the firmware again with a larger arena"
        return DeviceRefusedError(self.port, "to run", reason, hint=hint)

    # ------------------------------------------------------------------------------------------ running

    def infer(self, seq: int, data: bytes) -> InferResult:
        """Runs the model once on `data`, all inputs' bytes in graph order.

        `seq` numbers the sample, below 2**32, and must differ from the sample's before: one sent again under its number
        is answered from the device's store. `run_samples` numbers from `status().runs` + 1 on.
        """
        info = self._info_for(data)
        answer = self._send("infer", seq, data, hold=None, attempts=self.attempts)
        if answer.cycles is None or answer.stack is None or answer.crc is None or answer.out is None:
            raise self._unsound("infer", "cycles, stack, crc or out are missing")
        if (answer.seq, answer.len) != (seq, info.output_bytes):
            unlike = f"{answer.len} bytes for sample {answer.seq}, not {info.output_bytes} for {seq}"
            raise self._unsound("infer", unlike)

        def fetch(offset: int) -> bytes:
            page = self._link.request("output", Output(seq=seq, off=offset, sequence=self._link.next_sequence()))
            return page.out if (page.seq, page.off) == (seq, offset) else b""

        output = self._collect("output", answer.out, info.output_bytes, fetch)
        if zlib.crc32(output) != answer.crc:
            raise self._unsound("output", "its bytes do not have the CRC-32 the device gave")
        return InferResult(output=output, cycles=answer.cycles, stack_bytes=answer.stack)

    def profile(self, seq: int, data: bytes) -> tuple[int, ...]:
        """Cycles of each operator, the model run operator by operator on `data`; `status().runs` does not count it."""
        count = self._info_for(data).operator_count
        held = self._request_held
        answer = held("profile", seq, data, lambda sequence: Profile(seq=seq, sequence=sequence), self.attempts)
        cycles = list(answer.cycles)
        while len(cycles) < count and answer.next == len(cycles) and answer.cycles:
            more = Profile(seq=seq, first=answer.next, sequence=self._link.next_sequence())
            answer = self._link.request("profile", more)
            cycles += answer.cycles
        if len(cycles) != count:
            raise self._unsound("profile", f"cycles of {len(cycles)} operators, not {count}")
        return tuple(cycles)

    def tensor(self, op: int, data: bytes) -> bytes:
        """Bytes of operator `op`'s output, the model run on `data` up to and including it; not counted as a run."""
        info = self._info_for(data)
        held = self._request_held
        answer = held("tensor", 0, data, lambda sequence: Tensor(op=op, off=0, sequence=sequence), self.attempts)
        if (answer.op, answer.off) != (op, 0) or answer.len > max(info.arena_bytes, info.output_bytes):
            raise self._unsound("tensor", f"{answer.len} bytes of operator {answer.op} from {answer.off} on")

        def fetch(offset: int) -> bytes:
            page = self._link.request("tensor", Tensor(op=op, off=offset, sequence=self._link.next_sequence()))
            return page.out if (page.op, page.off) == (op, offset) else b""

        return self._collect("tensor", answer.out, answer.len, fetch)

    def self_test(self) -> SelfTestResult:
        """Golden input through the model on the device, its output compared there."""
        answer = self._link.request("self-test", SelfTest(sequence=self._link.next_sequence()), runs=True)
        return SelfTestResult(ok=answer.ok, cycles=answer.cycles)

    def status(self) -> DeviceStatus:
        answer = self._link.request("status", Status(sequence=self._link.next_sequence()))
        return DeviceStatus(runs=answer.runs, io_crc=answer.io_crc, stack_bytes=answer.stack)

    def info(self) -> DeviceInfo:
        """What the device said of itself last."""
        return self._info or self.describe()

    @property
    def has_streams(self) -> bool:
        """Whether the device takes samples without a request for each, as it said last."""
        return self._cell_bytes > 0

    @property
    def reset_cause(self) -> str:
        """Why the device last started, as it said last: 'watchdog', 'software', ..., 'unknown'."""
        return RESET_CAUSES.get(self._reset_cause, f"cause {self._reset_cause}")

    def open_stream(self) -> Opened:
        """Makes the device ready for `stream`; any other request ends it."""
        return self._link.open_stream(self._cell_bytes)

    def stream(self, opened: Opened, samples: Sequence[bytes], *, start: int, answered: int) -> Iterator[Result]:
        """Runs samples without a request for each; those from `start` on are sent, the device has run those before it
        since sample `answered`. Results in order, from `answered` on; ends early when nothing goes forward any more."""
        info = self.info()
        for sample in samples:
            self._info_for(sample)
        return self._link.stream(opened, samples, start=start, answered=answered, output_bytes=info.output_bytes)

    def reopen(self) -> None:
        """Opens the port anew after it has vanished; PortError where it is not back yet."""
        self._link.reopen()

    # ------------------------------------------------------------------------------------------ transfers

    def _info_for(self, data: bytes) -> DeviceInfo:
        """What the device said last; WrongDeviceError where its model takes another number of input bytes."""
        info = self.info()
        if len(data) != info.input_bytes:
            raise WrongDeviceError(self.port, "model input", f"{info.input_bytes} B", f"{len(data)} B")
        return info

    def _send(self, what: str, seq: int, data: bytes, *, hold: bool | None, attempts: int) -> InferResponse:
        """All slices of an input; the answer to the last one. Begins again where the device lost the thread."""
        try:
            return self._send_once(what, seq, data, hold=hold)
        except RefusalError as refusal:
            if refusal.rc != RC_INVALID or len(data) <= _NOISY_SLICE_BYTES or attempts <= 1:
                raise DeviceRefusedError(self.port, what, str(refusal)) from None
        self._link.retries += 1
        return self._send(what, seq, data, hold=hold, attempts=attempts - 1)

    def _send_once(self, what: str, seq: int, data: bytes, *, hold: bool | None) -> InferResponse:
        size = self._slice_bytes()
        last = (len(data) - 1) // size * size
        for offset in range(0, last, size):
            part = data[offset : offset + size]
            slice_ = Infer(seq=seq, off=offset, data=part, hold=hold, sequence=self._link.next_sequence())
            self._check_next(what, self._link.ask(what, slice_), seq, offset + size)
        slice_ = Infer(seq=seq, off=last, data=data[last:], hold=hold, sequence=self._link.next_sequence())
        answer = self._link.ask(what, slice_, runs=not hold, stored=not hold)
        if hold:
            self._check_next(what, answer, seq, len(data))
        return answer

    def _check_next(self, what: str, answer: InferResponse, seq: int, offset: int) -> None:
        if (answer.seq, answer.off) != (seq, offset):
            raise self._unsound(what, f"sample {answer.seq} goes on at {answer.off}, not {seq} at {offset}")

    def _slice_bytes(self) -> int:
        """Most input bytes that fit any request; few on a noisy line, where long requests seldom arrive whole."""
        most = self.parameters().buffer_bytes - _AROUND_SLICE_BYTES
        return min(most, _NOISY_SLICE_BYTES) if self._link.noisy else most

    def _request_held(
        self, what: str, seq: int, data: bytes, build: Callable[[int], SMPRequest[TRep, TEr1, TEr2]], attempts: int
    ) -> TRep:
        """Sends the input to be held, then the request that consumes it; both again where the device has lost it."""
        self._send(what, seq, data, hold=True, attempts=self.attempts)
        before = self._link.retries
        try:
            return self._link.ask(what, build(self._link.next_sequence()), runs=True, stored=True)
        except RefusalError as refusal:
            if refusal.rc != RC_INVALID or attempts <= 1 or self._link.retries == before:
                raise DeviceRefusedError(self.port, what, str(refusal)) from None
        self._link.retries += 1
        return self._request_held(what, seq, data, build, attempts - 1)

    def _collect(self, what: str, first: bytes, total: int, fetch: Callable[[int], bytes]) -> bytes:
        """`total` bytes, of which `first` came already; `fetch` gives the page at an offset, empty where unfit."""
        collected = bytearray(first)
        while len(collected) < total:
            page = fetch(len(collected))
            if not page:
                raise self._unsound(what, f"no bytes at {len(collected)} of {total}")
            collected += page
        if len(collected) > total:
            raise self._unsound(what, f"{len(collected)} bytes, not {total}")
        return bytes(collected)

    def _unsound(self, what: str, reason: str) -> FrameError:
        """A whole answer that contradicts itself or the device's description."""
        return FrameError(self.port, what, reason, 1)
