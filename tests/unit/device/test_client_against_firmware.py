"""The client against the bench firmware's own C (bench.c, smp.c, cbor.c, frame.c), run as a process of this machine.

The process has a port of sockets instead of a UART and a model that destroys its input, as models in one arena do: two
inputs, a long output, a hundred operators. A proxy on a pseudo-terminal can damage bytes in both directions.
"""

from __future__ import annotations

import asyncio
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import threading
import tty
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead, ResetWrite
from smpclient.transport.serial import SMPSerialTransport

from leadwire.device.client import DeviceClient
from leadwire.device.messages import Describe, DescribeResponse
from leadwire.device.samples import run_samples
from leadwire.errors import DeviceError, DeviceRefusedError, DeviceSilentError
from leadwire.resources import FIRMWARE_TEMPLATES

BYTES, OPERATORS = 2000, 100
BUILD = bytes(range(16))

MODEL_H = '#include <stddef.h>\n#include "leadwire.h"\nextern const lw_model LW_MODEL;\n'
MODEL_C = """
#include "model.h"
static int8_t arena[2000];
static const lw_tensor inputs[] = {{"a", arena, 1500, {1500}, 1, 1.0f, 0}, {"b", arena + 1500, 500, {500}, 1, 1.0f, 0}};
static const lw_tensor outputs[] = {{"y", arena, 2000, {2000}, 1, 1.0f, 0}};
static const lw_operator operators[100] = {[0 ... 99] = {"MUL", arena, 2000}};
static lw_status nothing(void) { return LW_OK; }
static lw_status step(uint16_t index)
{
    for (int i = 0; i < 2000; i++) arena[i] = (int8_t)((uint8_t)arena[i] * 5 + index);
    return LW_OK;
}
static lw_status infer(void)
{
    for (uint16_t i = 0; i < 100; i++) step(i);
    return LW_OK;
}
const lw_model LW_MODEL = {"process", "leadwire test aot", {1, 2, 3}, 2000, 2, 1, 100, 0, inputs, outputs, operators, 0,
                           nothing, infer, step, nothing, nothing};
"""
PORT_C = """
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include "port.h"
static uint32_t ticks, stack[256];
void lw_port_init(void) {}
size_t lw_port_read(uint8_t *bytes, size_t capacity)
{
    struct pollfd input = {0, POLLIN, 0};
    if (poll(&input, 1, 0) <= 0) return 0;
    ssize_t count = read(0, bytes, capacity);
    if (count <= 0) exit(0);
    return (size_t)count;
}
void lw_port_write(const uint8_t *bytes, size_t length)
{
    if (write(1, bytes, length) < 0) exit(0);
}
void lw_port_idle(void)
{
    struct pollfd input = {0, POLLIN, 0};
    poll(&input, 1, -1);
}
uint32_t lw_port_cycles(void) { return ticks += 7; }
uint32_t lw_port_cycles_hz(void) { return 1000000; }
const char *lw_port_cycles_name(void) { return "sevens"; }
size_t lw_port_unique_id(uint8_t *bytes, size_t capacity) { bytes[0] = 0xab; return capacity ? 1 : 0; }
uint32_t *lw_port_stack_bottom(void) { return stack; }
uint32_t *lw_port_stack_top(void) { return stack + 256; }
lw_reset_cause lw_port_reset_cause(void) { return LW_RESET_UNKNOWN; }
bool lw_port_watchdog_start(uint32_t timeout_ms) { return timeout_ms != 0; }
void lw_port_watchdog_feed(void) {}
void lw_port_marker(bool on) { (void)on; }
void lw_port_reset(void) { execl("/proc/self/exe", "bench", (char *)0); }
"""


def expected_output(data: bytes, last: int = OPERATORS - 1) -> bytes:
    for index in range(last + 1):
        data = bytes((value * 5 + index) & 0xFF for value in data)
    return data


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler, folder, app = shutil.which("gcc"), tmp_path_factory.mktemp("firmware"), FIRMWARE_TEMPLATES / "app"
    if compiler is None or not Path("/proc/self/exe").exists():
        pytest.skip("needs gcc and /proc")
    for name, text in (("model.h", MODEL_H), ("model.c", MODEL_C), ("port.c", PORT_C)):
        (folder / name).write_text(text)
    sources = [str(app / f"{name}.c") for name in ("main", "bench", "smp", "cbor", "crc", "frame", "stack")]
    defines = [f"-DLW_BUILD_ID={','.join(map(str, BUILD))}", '-DLW_BOARD_ID="host-process"', "-DLW_MODEL=lw_model_test"]
    subprocess.run(
        [compiler, "-O1", "-fsanitize=undefined,address", *defines, f"-I{folder}", f"-I{app}",
         f"-I{FIRMWARE_TEMPLATES / 'runtime'}", "-o", str(folder / "bench"), *sources, str(folder / "model.c"),
         str(folder / "port.c")],
        check=True, timeout=120,
    )  # fmt: skip
    return folder / "bench"


Damage = Callable[[bytes], bytes]


@contextmanager
def device(program: Path, damage: Damage = bytes) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """(port, process): the firmware behind a pseudo-terminal; every piece of bytes goes through `damage`."""
    master, slave = os.openpty()
    tty.setraw(slave)
    near, far = socket.socketpair()
    process = subprocess.Popen([str(program)], stdin=far, stdout=far, stderr=subprocess.PIPE)
    far.close()

    def pump() -> None:
        while True:
            for ready in select.select([master, near], [], [], 5)[0]:
                try:
                    data = os.read(master, 4096) if ready == master else near.recv(4096)
                    if not data:
                        return
                    (near.sendall if ready == master else lambda piece: os.write(master, piece))(damage(data))
                except OSError:
                    return

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave), process
    finally:
        process.send_signal(signal.SIGCONT)
        near.shutdown(socket.SHUT_RDWR)
        _, complaints = process.communicate(timeout=10)
        thread.join(10)
        for descriptor in (master, slave):
            os.close(descriptor)
        near.close()
    assert complaints == b""


def quick(port: str, attempts: int = 3) -> DeviceClient:
    return DeviceClient(port, timeout_s=0.25, run_timeout_s=0.5, attempts=attempts)


def sample(seed: int) -> bytes:
    return random.Random(seed).randbytes(BYTES)


def test_every_method(firmware: Path) -> None:
    data = sample(0)
    with device(firmware) as (port, _), DeviceClient(port) as client:
        info = client.describe()
        assert (info.build_id, info.board_id, info.model_name) == (BUILD.hex(), "host-process", "process")
        assert (info.model_digest, info.unique_id) == ((b"\x01\x02\x03" + bytes(29)).hex(), "ab")
        assert (info.input_bytes, info.output_bytes, info.operator_count) == (BYTES, BYTES, OPERATORS)
        assert client.echo("über") == "über"
        result = client.infer(1, data)
        assert (result.output, result.cycles) == (expected_output(data), 7)
        assert client.profile(2, data) == (7,) * OPERATORS
        assert client.tensor(17, data) == expected_output(data, 17)
        assert client.self_test().ok
        status = client.status()
        assert (status.runs, status.io_crc) == (1, zlib.crc32(data + result.output))
        with pytest.raises(DeviceRefusedError, match=r"rc 3 \(EINVAL\)"):
            client.tensor(OPERATORS, data)
        client.reset()
        assert client.status().runs == 0
        assert client.retries == 0


def test_stock_smpclient(firmware: Path) -> None:
    async def talk(port: str) -> None:
        async with SMPClient(SMPSerialTransport(), port, timeout_s=5) as client:
            echoed = await client.request(EchoWrite(d="ECG" * 100))
            assert success(echoed)
            assert echoed.r == "ECG" * 100
            parameters = await client.request(MCUMgrParametersRead())
            assert success(parameters)
            assert parameters.buf_count == 1
            assert isinstance(await client.request(Describe()), DescribeResponse)
            assert success(await client.request(ResetWrite()))
            assert success(await client.request(EchoWrite(d="again")))

    with device(firmware) as (port, _):
        asyncio.run(talk(port))


@pytest.mark.parametrize("seed", range(3))
def test_noisy_line_in_both_directions(firmware: Path, seed: int) -> None:
    """One piece in twenty is lost, cut, flipped or preceded by noise: the run is whole all the same."""
    source = random.Random(seed)

    def noisy(data: bytes) -> bytes:
        if source.random() > 0.05:
            return data
        at = source.randrange(len(data))
        flipped = data[:at] + bytes((data[at] ^ 1 << source.randrange(8),)) + data[at + 1 :]
        return source.choice([b"", data[:at], flipped, b"\x06boot\r\n" + data])

    samples = [sample(100 + i) for i in range(12)]
    with device(firmware, noisy) as (port, _), quick(port, attempts=8) as client:
        run = run_samples(client, samples)
        assert run.outputs == tuple(expected_output(data) for data in samples)
        assert run.retries > 0
        assert client.profile(1, samples[0]) == (7,) * OPERATORS
        assert client.tensor(3, samples[1]) == expected_output(samples[1], 3)
        assert client.status().runs == len(samples)


def test_reset_in_mid_run(firmware: Path) -> None:
    with device(firmware) as (port, _), DeviceClient(port) as client:

        def reset_at_five(done: int, total: int) -> None:
            if done == 5:
                client.reset()

        with pytest.raises(DeviceError, match=r"is invalid: the device counts 4 runs .* the host 9"):
            run_samples(client, [sample(i) for i in range(9)], reset_at_five)


def test_firmware_that_hangs_in_mid_run(firmware: Path) -> None:
    with device(firmware) as (port, process), quick(port) as client:

        def stop_at_five(done: int, total: int) -> None:
            if done == 5:
                process.send_signal(signal.SIGSTOP)

        with pytest.raises(DeviceSilentError, match="to infer"):
            run_samples(client, [sample(i) for i in range(9)], stop_at_five)
