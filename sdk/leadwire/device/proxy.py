"""A bad line on purpose: a pseudo-terminal in front, any pyserial port behind, faults between (`faults`).

Two threads carry bytes, one for each direction. The port in front is a link to the pseudo-terminal, so that it keeps
its name when it is unplugged and comes back. Linux and macOS only.
"""

from __future__ import annotations

import contextlib
import os
import select
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from smpclient.requests.os_management import ResetWrite

from leadwire.errors import BadInputError, PortError

from .faults import BITS_PER_BYTE, Event, FaultLine, Faults, as_read_at, noise
from .framing import encode
from .port import Port

_WAIT_S = 0.02
_READ_BYTES = 1024
_SLICE_S = 0.004
"""A paced line hands on what has passed in so much time."""
_BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 500000, 921600, 1000000)


class FaultProxy:
    """Context manager; `port` is what a client opens. `reset` is called to reset the board; without it an SMP reset
    request is put onto the line, whole, wherever the client's own bytes are just then.

    `error` is why the port behind was given up, None while it lives.
    """

    def __init__(
        self, behind: str, faults: Faults, *, baud: int = 115200, seed: int = 1, reset: Callable[[], None] | None = None
    ) -> None:
        if not hasattr(os, "openpty"):
            raise BadInputError("the proxy needs pseudo-terminals, which this operating system does not have")
        self.faults, self.seed, self.baud = faults, seed, baud
        self.error: PortError | None = None
        self._behind = Port(behind, faults.board_baud or baud, write_timeout_s=2.0)
        self._up, self._down = (FaultLine(faults, f"{seed}/{way}", events=way == "up") for way in ("up", "down"))
        self._reset = reset
        self._folder = tempfile.TemporaryDirectory(prefix="leadwire-proxy-")
        self.port = str(Path(self._folder.name) / "port")
        self._lock = threading.Lock()
        self._near = self._far = -1
        self._noise_due = False
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._carry_up, self._carry_down)]
        self._plug_in()

    @property
    def struck(self) -> Counter[str]:
        """How often each kind of fault has struck, both directions together."""
        return self._up.struck + self._down.struck

    @property
    def carried(self) -> tuple[int, int]:
        """Bytes that came from the client, and from the board."""
        return self._up.passed, self._down.passed

    def __enter__(self) -> FaultProxy:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self._pull_out()
        self._behind.close()
        self._folder.cleanup()

    # ------------------------------------------------------------------------------------------ the port in front

    def _plug_in(self) -> None:
        import tty

        with self._lock:
            self._near, self._far = os.openpty()
            tty.setraw(self._far)
            os.set_blocking(self._near, False)
            fresh = f"{self.port}.new"
            Path(fresh).symlink_to(os.ttyname(self._far))
            Path(fresh).replace(self.port)
        self._noise_due = True

    def _pull_out(self) -> None:
        with self._lock:
            Path(self.port).unlink(missing_ok=True)
            for descriptor in {self._near, self._far} - {-1}:
                os.close(descriptor)
            self._near = self._far = -1

    def _client_baud(self) -> int:
        """The rate that the client has set on the pseudo-terminal."""
        import termios

        with self._lock:
            speed = termios.tcgetattr(self._far)[4]
        return next((baud for baud in _BAUDS if getattr(termios, f"B{baud}", None) == speed), self.faults.board_baud)

    def _to_client(self, data: bytes) -> None:
        """What a client does not fetch in time is lost, as on any port that nobody reads."""
        given_up = time.monotonic() + 1.0
        while data and not self._stop.is_set():
            with self._lock:
                if self._near < 0:
                    return
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self._near, data) :]
            if data:
                if time.monotonic() > given_up:
                    return
                time.sleep(0.001)

    # ------------------------------------------------------------------------------------------ the two directions

    def _carry_up(self) -> None:
        pace = _Pace(self.faults.pace_baud)
        while not self._stop.is_set() and self.error is None:
            ready = select.select([self._near], [], [], _WAIT_S)[0]
            try:
                data = os.read(self._near, _READ_BYTES) if ready else b""
            except (BlockingIOError, OSError):
                data = b""
            if not data:
                continue
            if self._noise_due:  # only now, because clients drop what came before they opened the port
                self._make_noise()
            if self.faults.board_baud and self._client_baud() != self.faults.board_baud:
                data = as_read_at(data, self._client_baud(), self.faults.board_baud)
            for part in self._up.feed(data):
                if isinstance(part, Event):
                    self._happen(part)
                else:
                    pace.pass_on(part, self._to_board)

    def _carry_down(self) -> None:
        pace = _Pace(self.faults.pace_baud)
        while not self._stop.is_set():
            try:
                data = self._behind.read()
            except PortError as error:
                self.error = error
                self._pull_out()
                return
            if not data:
                continue
            if self.faults.board_baud and self._near >= 0 and self._client_baud() != self.faults.board_baud:
                data = as_read_at(data, self.faults.board_baud, self._client_baud())
            for part in self._down.feed(data):
                if isinstance(part, Event):
                    self._happen(part)
                else:
                    pace.pass_on(part, self._to_client)

    def _to_board(self, data: bytes) -> None:
        try:
            self._behind.write(data)
        except PortError as error:
            self.error = error
            self._pull_out()

    def _happen(self, event: Event) -> None:
        if event.kind == "stall":
            self._stop.wait(self.faults.stall_s)
        elif event.kind == "unplug":
            self._pull_out()
            self._stop.wait(self.faults.unplug_s)
            self._plug_in()
        else:
            if self._reset is not None:
                self._reset()
            else:
                self._to_board(encode(ResetWrite(sequence=0).BYTES))
            self._make_noise()

    def _make_noise(self) -> None:
        self._noise_due = False
        self._to_client(noise(self.faults.boot_noise, f"{self.seed}/{self._up.passed}"))


class _Pace:
    """Lets bytes pass as a line of so many bits a second would, 0 meaning at once."""

    def __init__(self, baud: int) -> None:
        self._bytes_per_s = baud / BITS_PER_BYTE
        self._free_at = 0.0

    def pass_on(self, data: bytes, send: Callable[[bytes], None]) -> None:
        if not self._bytes_per_s:
            send(data)
            return
        size = max(1, int(self._bytes_per_s * _SLICE_S))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self._free_at = max(self._free_at, time.monotonic() - _SLICE_S) + len(piece) / self._bytes_per_s
            time.sleep(max(0.0, self._free_at - time.monotonic()))
            send(piece)
