"""The proxy on real pseudo-terminals: a stand-in board behind it that sends every byte back."""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadwire.device.faults import Faults
from leadwire.device.framing import FrameDecoder
from leadwire.device.port import Port
from leadwire.device.proxy import FaultProxy
from leadwire.errors import PortError

TEXT = bytes(range(256)) * 8


class Echo:
    """A port whose board sends back what it gets; `received` is all it got."""

    def __init__(self) -> None:
        self._near, self._far = os.openpty()
        tty.setraw(self._far)
        self.port, self.received = os.ttyname(self._far), bytearray()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            if select.select([self._near], [], [], 0.02)[0]:
                data = os.read(self._near, 4096)
                self.received += data
                os.write(self._near, data)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        os.close(self._near)
        os.close(self._far)


@pytest.fixture
def echo() -> Iterator[Echo]:
    running = Echo()
    yield running
    running.close()


def read_for(port: Port, count: int, seconds: float = 5.0) -> bytes:
    found, deadline = b"", time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        found += port.read()
    return found


def open_port(proxy: FaultProxy, baud: int = 115200) -> Port:
    return Port(proxy.port, baud, write_timeout_s=1.0)


def test_a_good_line_carries_every_byte(echo: Echo) -> None:
    with FaultProxy(echo.port, Faults()) as proxy:
        port = open_port(proxy)
        port.write(TEXT)
        assert read_for(port, len(TEXT)) == TEXT
        assert proxy.carried == (len(TEXT), len(TEXT))
        assert not proxy.struck
        port.close()


def test_the_same_seed_damages_the_same_bytes(echo: Echo) -> None:
    found = []
    for seed in (1, 1, 2):
        with FaultProxy(echo.port, Faults(corrupt=0.01), seed=seed) as proxy:
            port = open_port(proxy)
            port.write(TEXT)
            found.append(read_for(port, len(TEXT)))
            assert proxy.struck["corrupt"] > 10
            port.close()
    assert found[0] == found[1] != found[2]
    assert found[0] != TEXT


def test_a_paced_line_takes_the_time_of_its_baud_rate(echo: Echo) -> None:
    with FaultProxy(echo.port, Faults(pace_baud=38400)) as proxy:
        port = open_port(proxy)
        began = time.monotonic()
        port.write(TEXT)
        assert read_for(port, len(TEXT)) == TEXT
        expected = len(TEXT) / 3840
        assert expected <= time.monotonic() - began + 0.05 < 2 * expected + 1
        port.close()


def test_an_unplugged_port_vanishes_and_comes_back_under_its_name(echo: Echo) -> None:
    with FaultProxy(echo.port, Faults(unplug=1e-3, unplug_s=0.2), seed=3) as proxy:
        port = open_port(proxy)
        with pytest.raises(PortError, match="vanished"):
            for _ in range(200):
                port.write(TEXT[:100])
                port.read()
        port.close()
        deadline = time.monotonic() + 5
        while not Path(proxy.port).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        again = open_port(proxy)
        again.write(b"x")  # none of the bytes before, of which some may still be on their way
        answer, deadline = b"", time.monotonic() + 5
        while b"x" not in answer and time.monotonic() < deadline:
            answer += again.read()
        assert answer.endswith(b"x")
        again.close()


def test_a_reset_is_an_smp_request_in_mid_frame_and_noise_follows(echo: Echo) -> None:
    with FaultProxy(echo.port, Faults(reset=0.01, boot_noise=30), seed=4) as proxy:
        port = open_port(proxy)
        port.write(b"\x06\x09AAAA" * 40)
        assert not read_for(port, 10_000, 0.5).startswith(b"\x06")
        (message, *_) = FrameDecoder().feed(bytes(echo.received))
        assert message[4:8] == bytes([0, 0, 0, 5])
        assert proxy.struck["reset"] >= 1
        port.close()


def test_own_reset_is_called_instead(echo: Echo) -> None:
    resets: list[int] = []
    with FaultProxy(echo.port, Faults(reset=0.05), reset=lambda: resets.append(1)) as proxy:
        port = open_port(proxy)
        port.write(TEXT)
        assert read_for(port, len(TEXT)) == TEXT
        assert len(resets) == proxy.struck["reset"] > 0
        port.close()


def test_another_rate_than_the_boards_gives_garbage(echo: Echo) -> None:
    with FaultProxy(echo.port, Faults(board_baud=57600)) as proxy:
        for baud, same in ((115200, False), (57600, True)):
            port = open_port(proxy, baud)
            port.write(b"hello, board " * 10)
            assert (read_for(port, 130, 1.0) == b"hello, board " * 10) is same
            port.close()


def test_a_port_behind_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="cannot be opened"):
        FaultProxy(str(tmp_path / "none"), Faults())
