"""The client against the bench firmware's own C (bench.c, smp.c, cbor.c, frame.c), run as a process of this machine.

The process has a port of sockets instead of a UART and a model that destroys its input, as models in one arena do: two
inputs, a long output, a hundred operators. A proxy on a pseudo-terminal can damage bytes in both directions.
"""

from __future__ import annotations

import asyncio
import random
import signal
import zlib
from pathlib import Path

import pytest
from firmware_process import BUILD, compile_firmware, device
from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead, ResetWrite
from smpclient.transport.serial import SMPSerialTransport

from leadwire.device.client import DeviceClient
from leadwire.device.messages import Describe, DescribeResponse
from leadwire.device.samples import run_samples
from leadwire.errors import DeviceError, DeviceRefusedError, DeviceSilentError

BYTES, OPERATORS = 2000, 100

MODEL_C = """
#include "model.h"
static int8_t arena[2000];
static const lw_tensor inputs[] = {{"a", arena, 1500, {1500}, 1, 1, 1.0f, 0},
                                   {"b", arena + 1500, 500, {500}, 1, 1, 1.0f, 0}};
static const lw_tensor outputs[] = {{"y", arena, 2000, {2000}, 1, 1, 1.0f, 0}};
static const lw_operator_output whole = {arena, 2000};
static const lw_operator operators[100] = {[0 ... 99] = {"MUL", &whole, 1}};
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


def expected_output(data: bytes, last: int = OPERATORS - 1) -> bytes:
    for index in range(last + 1):
        data = bytes((value * 5 + index) & 0xFF for value in data)
    return data


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_firmware(tmp_path_factory.mktemp("firmware"), MODEL_C)


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
