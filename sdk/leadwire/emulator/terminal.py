"""The host's end of the emulated serial line: a pseudo-terminal in raw mode."""

from __future__ import annotations

import os
import threading
import tty


class Terminal:
    """`port` is the device name to open. Its far end stays open, so that clients may come and go."""

    BACKLOG_BYTES = 1 << 20
    READ_BYTES = 4096

    def __init__(self) -> None:
        self.descriptor, self._far = os.openpty()
        tty.setraw(self._far)
        os.set_blocking(self.descriptor, False)
        self.port = os.ttyname(self._far)
        self._backlog = bytearray()
        self._lock = threading.Lock()

    @property
    def has_backlog(self) -> bool:
        return bool(self._backlog)

    def read(self) -> bytes:
        try:
            return os.read(self.descriptor, self.READ_BYTES)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        """Never blocks. What nobody reads is kept up to BACKLOG_BYTES, then lost as on a line nobody listens to."""
        with self._lock:
            self._backlog += data[: self.BACKLOG_BYTES - len(self._backlog)]
            self._push()

    def push(self) -> None:
        """Try again to hand over the backlog."""
        with self._lock:
            self._push()

    def _push(self) -> None:
        try:
            while self._backlog:
                del self._backlog[: os.write(self.descriptor, self._backlog)]
        except BlockingIOError:
            return
