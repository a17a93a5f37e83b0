"""A device that speaks MLPerf Tiny's protocol: ASCII commands ended by '%', lines of answer up to "m-ready".

The protocol has no checksums and no sequence numbers, so nothing is sent twice: an answer that does not come, or one
that does not fit its command, ends the conversation. What was loaded is read back (`db print`) and compared.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from types import TracebackType

from leadwire.artifacts import FirmwareImage
from leadwire.errors import DeviceRefusedError, DeviceSilentError, FrameError, PortError, WrongDeviceError
from leadwire.mlperf_tiny import ENERGY_BAUD, LONGEST_LOAD_BYTES

from .port import Port

READY = "m-ready"
LONGEST_ANSWER_BYTES = 1 << 20
_QUIET_SECONDS = 0.3
_NAMELESS_SECONDS = 2.0
_GREETING_SECONDS = 20.0
_FIELD = re.compile(r"m-([a-z-]+)-\[(.*)\]")
_NAMED = re.compile(rb"m-name-dut-\[.*\bm-ready\b", re.DOTALL)
_LAP = re.compile(r"m-lap-us-(\d{1,20})")
_NUMBER = re.compile(r"-?(\d{1,310}\.\d{3}|inf|nan)")


@dataclass(frozen=True, slots=True, kw_only=True)
class MlperfDevice:
    """What a device says of itself. What only leadwire's own firmware tells is empty or 0 for another."""

    vendor: str
    profile: str
    benchmark: str
    firmware: str = ""
    board_id: str = ""
    build_id: str = ""
    model_digest: str = ""
    unique_id: str = ""
    counter: str = ""
    clock_hz: int = 0
    boot: str = ""

    @property
    def is_leadwire(self) -> bool:
        return bool(self.model_digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class MlperfRun:
    """One `infer`: `elapsed_us` by the device's own clock, None in energy mode, which tells no time."""

    iterations: int
    warmup: int
    elapsed_us: int | None
    results: tuple[float, ...]


def link_baud(image: FirmwareImage, baud: int) -> int:
    """The baud rate of an image on a board whose link has `baud`."""
    return ENERGY_BAUD if image.personality == "mlperf-energy" else baud


class MlperfClient:
    """A context manager. `timeout_s` is the longest silence in an ordinary answer, `run_timeout_s` in one that runs the
    model. PortError, DeviceSilentError, FrameError (an answer that does not fit), DeviceRefusedError (an `e-` line).
    """

    def __init__(self, port: str, baud: int = 115200, *, timeout_s: float = 5.0, run_timeout_s: float = 60.0) -> None:
        self.port = port
        self.baud = baud
        self.timeout_s = timeout_s
        self.run_timeout_s = run_timeout_s
        self._open_port: Port | None = None
        self._received = b""

    def __enter__(self) -> MlperfClient:
        self._open_port = Port(self.port, self.baud, write_timeout_s=self.timeout_s)
        try:
            self._synchronize()
        except BaseException:
            self._open_port.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()

    @property
    def _link(self) -> Port:
        if self._open_port is None:
            raise PortError(self.port, "is not open", hint="use MlperfClient as a context manager")
        return self._open_port

    def ask(self, command: str, *, timeout_s: float | None = None) -> tuple[str, ...]:
        """The lines that answer, without the closing one. DeviceRefusedError for an error line."""
        self._send(command)
        lines = self._lines(command, timeout_s or self.timeout_s)
        for line in lines:
            if line.startswith(("e-[", "Supplied buffer size")):
                raise DeviceRefusedError(self.port, f"'{command[:40]}'", line)
        return lines

    def describe(self) -> MlperfDevice:
        name = dict(self._fields("name"))
        profile = dict(self._fields("profile"))
        missing = {"name-dut": name, "profile": profile, "model": profile}
        for field, answer in missing.items():
            if field not in answer:
                raise FrameError(self.port, "name and profile", f"no line m-{field}-[...]", 1)
        try:
            own = dict(self._fields("leadwire"))
        except DeviceRefusedError:
            own = {}
        clock = own.get("clock-hz", "")
        return MlperfDevice(
            vendor=name["name-dut"],
            profile=profile["profile"],
            benchmark=profile["model"],
            firmware=own.get("firmware", ""),
            board_id=own.get("board", ""),
            build_id=own.get("build", ""),
            model_digest=own.get("digest", ""),
            unique_id=own.get("uid", ""),
            counter=own.get("counter", ""),
            clock_hz=int(clock) if re.fullmatch(r"\d{1,10}", clock) else 0,
            boot=own.get("boot", ""),
        )

    def expect(self, image: FirmwareImage) -> MlperfDevice:
        """What the device says of itself; WrongDeviceError where that is not the image, DeviceRefusedError where its
        model did not start."""
        found = self.describe()
        for what, says, expected in (
            ("board", found.board_id, image.board_id),
            ("model", found.model_digest, image.model_digest),
            ("build", found.build_id, image.build_id),
        ):
            if says != expected:
                raise WrongDeviceError(self.port, what, says or "none told", expected)
        if found.boot != "0":
            raise DeviceRefusedError(self.port, "start", f"its model or self-test failed with status {found.boot}")
        return found

    def load(self, sample: bytes) -> None:
        """Fills the device's buffer, and reads it back: FrameError where it holds something else."""
        answer = self.ask(f"db load {len(sample)}")
        if answer != (f"m-[Expecting {len(sample)} bytes]",):
            raise FrameError(self.port, "'db load'", f"answered {_shown(answer)}", 1)
        for start in range(0, len(sample), LONGEST_LOAD_BYTES):
            last = self.ask("db " + sample[start : start + LONGEST_LOAD_BYTES].hex())
        if last != ("m-load-done",):
            raise FrameError(self.port, "the last 'db'", f"answered {_shown(last)}, bytes were lost", 1)
        held = "".join(line.removeprefix("m-buffer-").replace("-", "") for line in self.ask("db print"))
        if held != sample.hex():
            raise FrameError(self.port, "'db print'", "the buffer does not hold the sample", 1)

    def infer(self, iterations: int, warmup: int) -> MlperfRun:
        lines = self.ask(f"infer {iterations} {warmup}", timeout_s=self.run_timeout_s)
        laps = [int(found.group(1)) for line in lines if (found := _LAP.fullmatch(line))]
        results = [line[len("m-results-[") : -1] for line in lines if re.fullmatch(r"m-results-\[.*\]", line)]
        marks = [f"m-warmup-start-{warmup}", "m-warmup-done", f"m-infer-start-{iterations}", "m-infer-done"]
        if len(laps) not in (0, 2) or len(results) != 1 or [line for line in lines if line in marks] != marks:
            raise FrameError(self.port, f"'infer {iterations} {warmup}'", f"answered {_shown(lines)}", 1)
        numbers = results[0].removesuffix(",").split(",")  # some firmware puts a comma behind the last one, too
        if not all(map(_NUMBER.fullmatch, numbers)):
            raise FrameError(self.port, "'infer'", f"results '{results[0][:60]}' are not numbers", 1)
        return MlperfRun(
            iterations=iterations,
            warmup=warmup,
            elapsed_us=laps[1] - laps[0] if laps else None,
            results=tuple(map(float, numbers)),
        )

    def output(self) -> bytes:
        """The output bytes of the last run, from leadwire's own firmware."""
        parts = [found.group(2) for line in self.ask("leadwire output") if (found := _FIELD.fullmatch(line))]
        try:
            return bytes.fromhex("".join(parts))
        except ValueError:
            raise FrameError(self.port, "'leadwire output'", "the bytes are not hexadecimal", 1) from None

    def _fields(self, command: str) -> list[tuple[str, str]]:
        return [found.groups() for line in self.ask(command) if (found := _FIELD.fullmatch(line))]  # type: ignore[misc]

    def _synchronize(self) -> None:
        """What was said before is not an answer: waits for silence, after a command that ends whatever half a command
        the device has received. Not an empty one, which the benchmark's own firmware does not survive. A device that is
        just starting says that it is ready before it answers, so a silence without a name has to last longer."""
        started = time.monotonic()
        self._link.write(b"name%")
        quiet_since = time.monotonic()
        heard = b""
        while READY.encode() not in heard or time.monotonic() - quiet_since < (
            _QUIET_SECONDS if _NAMED.search(heard) else _NAMELESS_SECONDS
        ):
            if chunk := self._link.read():
                quiet_since = time.monotonic()
                heard = (heard + chunk)[-4096:]
            if time.monotonic() - started > _GREETING_SECONDS:
                raise DeviceSilentError(self.port, "the command 'name%'", _GREETING_SECONDS, 1)

    def _send(self, command: str) -> None:
        if not self._link.write(command.encode("ascii") + b"%"):
            raise DeviceSilentError(self.port, f"'{command[:40]}'", self.timeout_s, 1)

    def _lines(self, command: str, timeout_s: float) -> tuple[str, ...]:
        lines: list[str] = []
        total = 0
        deadline = time.monotonic() + timeout_s
        while True:
            while b"\n" not in self._received:
                chunk = self._link.read()
                if chunk:
                    deadline = time.monotonic() + timeout_s
                    total += len(chunk)
                    self._received += chunk
                elif time.monotonic() > deadline:
                    raise DeviceSilentError(self.port, f"'{command[:40]}'", timeout_s, 1)
                if total > LONGEST_ANSWER_BYTES:
                    raise FrameError(self.port, f"'{command[:40]}'", f"more than {LONGEST_ANSWER_BYTES} bytes", 1)
            line, self._received = self._received.split(b"\n", 1)
            text = line.decode("ascii", errors="replace").strip("\r\0")
            if text == READY:
                return tuple(lines)
            if text:
                lines.append(text)


def _shown(lines: tuple[str, ...]) -> str:
    return repr(" / ".join(lines)[:80]) if lines else "nothing"
