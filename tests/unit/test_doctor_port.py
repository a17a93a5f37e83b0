"""Each code of docs/manual/doctor.md, provoked for real: ports, the firmware itself, a line that is bad on purpose."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_device import FakeDevice
from firmware_process import BUILD, SMALL_MODEL_C, compile_firmware, device
from smp import packet
from typer.testing import CliRunner

from leadwire.board import Board, load_board
from leadwire.cli import app
from leadwire.device.client import DeviceClient
from leadwire.device.faults import Faults
from leadwire.device.proxy import FaultProxy
from leadwire.doctor import Expected, diagnose_port
from leadwire.errors import BadInputError, DeviceSilentError

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "manual" / "doctor.md"
ANYTHING = Expected()


def codes(port: str, expected: Expected = ANYTHING) -> list[str]:
    checks = [check for check in diagnose_port(port, expected) if not check.ok]
    assert all(check.found and check.remedy for check in checks)
    assert {check.code for check in checks} <= in_manual()
    return [check.code for check in checks]


def in_manual() -> set[str]:
    rows = [line.split("|")[1] for line in MANUAL.read_text().splitlines() if line.startswith("| `")]
    return {code for row in rows for code in re.findall(r"`([a-z-]+)`", row)}


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_firmware(tmp_path_factory.mktemp("firmware"), SMALL_MODEL_C)


@pytest.fixture
def port(firmware: Path) -> Iterator[str]:
    with device(firmware) as (port, _):
        yield port


@pytest.fixture
def board() -> Board:
    return load_board("virtual-stm32f405")


def test_a_healthy_board_has_no_finding(port: str) -> None:
    checks = diagnose_port(port, ANYTHING)
    assert all(check.ok and not check.code for check in checks)
    assert [check.name for check in checks] == ["port", "rate", "identity", "bytes"]


def test_port_missing(tmp_path: Path) -> None:
    assert codes(str(tmp_path / "ttyACM0")) == ["port-missing"]


def test_port_unusable(tmp_path: Path) -> None:
    assert codes(str(tmp_path)) == ["port-unusable"]
    (tmp_path / "file").write_bytes(b"")
    assert codes(str(tmp_path / "file")) == ["port-unusable"]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert codes(f"socket://127.0.0.1:{unused.getsockname()[1]}") == ["port-unusable"]


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs users")
def test_port_permission(port: str) -> None:
    pytest.importorskip("grp")
    codes(port)  # so that everything it imports is there before this user may not read it any more
    before, mode = os.geteuid(), Path(port).stat().st_mode
    Path(port).chmod(0o600 if before == 0 else 0)
    try:
        if before == 0:
            os.seteuid(65534)
        (check,) = diagnose_port(port, ANYTHING)
    finally:
        os.seteuid(before)
        Path(port).chmod(mode)
    assert check.code == "port-permission"
    assert "usermod -aG" in check.remedy


def test_port_busy_names_the_program_that_holds_it(port: str) -> None:
    hold = f"import serial, sys; p = serial.Serial({port!r}, exclusive=True); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        holder.stdout.readline()
        (check,) = diagnose_port(port, ANYTHING)
        holder.stdin.close()
    assert check.code == "port-busy"
    assert f"process {holder.pid}" in check.found


def test_port_vanished(port: str) -> None:
    with FaultProxy(port, Faults(unplug=2e-3, unplug_s=60), seed=3) as proxy:
        threading.Timer(20, proxy._stop.set).start()
        assert codes(proxy.port) == ["port-vanished"]
        proxy._stop.set()


def test_silent_and_garbage() -> None:
    with FakeDevice(deaf=True) as mute:
        assert codes(mute.port) == ["silent"]
    with FakeDevice(tamper=lambda _, lines: b"\xf0\x0f" * 30) as babbler:
        assert codes(babbler.port) == ["garbage"]


def test_baud_wrong_says_the_right_one(port: str) -> None:
    with FaultProxy(port, Faults(board_baud=57600)) as proxy:
        checks = diagnose_port(proxy.port, ANYTHING)
    assert [check.code for check in checks if not check.ok] == ["baud-wrong"]
    assert "57600" in next(check.found for check in checks if check.code)


def test_firmware_foreign() -> None:
    """A server of MCUmgr's that has no leadwire group."""

    def refuse(_: int, lines: bytes) -> bytes:
        decoder = packet.decode()
        next(decoder)
        message = b""
        try:
            for line in lines.splitlines(keepends=True):
                decoder.send(line)
        except StopIteration as done:
            message = bytes(done.value)
        body = b"\xa1\x62rc\x08"
        answer = message[:2] + len(body).to_bytes(2, "big") + message[4:8] + body
        return b"".join(packet.encode(answer, line_length=128))

    with FakeDevice(tamper=refuse) as stock:
        assert codes(stock.port) == ["firmware-foreign"]


def test_wrong_board_model_and_build(port: str, board: Board) -> None:
    expected = Expected(board=board, model_digest="a" * 64, build_id="0" * 32)
    assert codes(port, expected) == ["board-wrong", "model-wrong", "firmware-wrong"]
    said = {check.code: check.found for check in diagnose_port(port, expected)}
    assert f"expected '{board.id}'" in said["board-wrong"], "names are told whole"
    assert f"expected '{'a' * 16}...'" in said["model-wrong"]
    assert codes(port, Expected(build_id=BUILD.hex())) == []


def test_restarted_by_watchdog_and_fault(tmp_path: Path) -> None:
    """A model that hangs on one input, once; the watchdog of the process is a timer."""
    begin = "static lw_status infer(void)\n{"
    hanging = SMALL_MODEL_C.replace(begin, begin + " while (in[0] == 77) {}")
    with device(compile_firmware(tmp_path, hanging)) as (port, _):
        with DeviceClient(port, timeout_s=0.3, run_timeout_s=1.0, attempts=1) as client:
            client.describe()
            with pytest.raises(DeviceSilentError):
                client.infer(1, bytes([77]) + bytes(186))
        assert codes(port) == ["restarted-by-watchdog"]
    with FakeDevice(describe={"reset": 4}) as crashed:
        assert codes(crashed.port) == ["restarted-by-fault"]


def test_bytes_lost_estimates_the_share(port: str) -> None:
    with FaultProxy(port, Faults(drop=2e-3), seed=2) as proxy:
        (check,) = (check for check in diagnose_port(proxy.port, ANYTHING) if check.code == "bytes-lost")
    estimate = float(re.findall(r"about ([\d.]+) bytes in 1,000", check.found)[0])
    assert 0.5 < estimate < 6


def test_tool_missing_and_unusable(port: str, board: Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    real = replace(board, flash_tool="stm32flash", flash={})
    found = codes(port, Expected(board=real))
    assert found[0] == "tool-missing"
    assert codes(port, Expected(board=replace(board, flash_tool="openocd", flash={})))[0] == "tool-unusable"


@pytest.mark.parametrize(
    ("options", "reason"),
    [(("--port", ""), "--port is empty"), (("--port", "", "--board", "host"), "--port is empty"),
     (("--port", "p", "--model", "trace.csv"), "trace.csv"),
     (("--port", "p", "--model", "none.tflite"), "does not exist"),
     (("--port", "p", "--build", "zzz"), "no build id"), (("--board", "host"), "about a port")],
)  # fmt: skip
def test_what_is_no_model_build_or_port_is_bad_input(
    options: tuple[str, ...], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any port is opened: the board is not to blame."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trace.csv").write_text("time_s,current_a\n")
    error = CliRunner().invoke(app, ["doctor", *options]).exception
    assert isinstance(error, BadInputError) and reason in error.message


def test_the_manual_has_no_code_that_no_test_provokes() -> None:
    text = Path(__file__).read_text().replace("restarted-by-" + "fault", "", 1)
    assert all(f'"{code}"' in text or code in ("restarted-by-fault",) for code in in_manual())
