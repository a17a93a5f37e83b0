"""The client against a device that behaves: every method, long inputs and outputs, and stock smpclient beside it."""

from __future__ import annotations

import asyncio
import hashlib
import zlib

import pytest
from fake_device import BUILD, CYCLES_PER_RUN, DIGEST, FakeDevice, model_output
from smpclient import SMPClient
from smpclient.generics import error_v1, success
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead, ResetWrite
from smpclient.transport.serial import SMPSerialTransport

from leadwire.device.client import DeviceClient
from leadwire.device.messages import Describe, DescribeResponse, Infer, InferResponse
from leadwire.device.samples import run_samples
from leadwire.errors import DeviceRefusedError, WrongDeviceError


def client_of(device: FakeDevice) -> DeviceClient:
    return DeviceClient(device.port, 115200, timeout_s=5, run_timeout_s=5)


def test_os_group() -> None:
    with FakeDevice(buffer_bytes=300) as device, client_of(device) as client:
        assert client.echo("hällo 123") == "hällo 123"
        assert client.parameters().buffer_bytes == 300
        assert client.infer(1, bytes(24)).output == model_output(bytes(24), 5)
        assert client.status().runs == 1
        client.reset()
        assert client.status().runs == 0
        assert client.retries == 0


def test_describe_gives_every_field() -> None:
    with FakeDevice() as device, client_of(device) as client:
        info = client.describe()
    assert (info.build_id, info.model_digest, info.unique_id) == (BUILD.hex(), DIGEST.hex(), "010203")
    assert (info.input_bytes, info.output_bytes, info.operator_count, info.arena_bytes) == (24, 5, 3, 1024)
    assert (info.board_id, info.model_name, info.cycle_counter) == ("virtual-stm32f405", "trivial", "dwt")


@pytest.mark.parametrize("input_bytes", [1, 200, 201, 202, 203, 204, 205, 206, 207, 208, 1000])
@pytest.mark.parametrize("buffer_bytes", [64, 256])
def test_input_of_any_length_arrives_whole(input_bytes: int, buffer_bytes: int) -> None:
    """Requests fill the device's buffer and never exceed it, counting the length and CRC that share it."""
    data = bytes((i * 37 + 11) & 0xFF for i in range(input_bytes))
    with FakeDevice(input_bytes=input_bytes, buffer_bytes=buffer_bytes) as device, client_of(device) as client:
        assert client.infer(7, data).output == model_output(data, 5)
        slices = [fields for group, command, fields in device.requests if (group, command) == (64, 1)]
        assert b"".join(s["data"] for s in slices) == data
        sizes = [len(Infer(seq=7, off=s["off"], data=s["data"], sequence=0).BYTES) for s in slices]
        assert max(sizes) <= buffer_bytes - 4
        assert all(size > buffer_bytes - 4 - 24 for size in sizes[:-1])


@pytest.mark.parametrize("output_bytes", [1, 96, 97, 1000])
def test_output_is_fetched_in_pages(output_bytes: int) -> None:
    with FakeDevice(output_bytes=output_bytes) as device, client_of(device) as client:
        result = client.infer(1, bytes(range(24)))
    assert result.output == model_output(bytes(range(24)), output_bytes)
    assert (result.cycles, result.stack_bytes) == (CYCLES_PER_RUN, 512)


@pytest.mark.parametrize("operators", [1, 8, 9, 30])
def test_profile_gives_one_figure_per_operator(operators: int) -> None:
    with FakeDevice(operators=operators, input_bytes=500) as device, client_of(device) as client:
        assert client.profile(3, bytes(500)) == tuple(100 * (i + 1) for i in range(operators))
        assert client.status().runs == 0


def test_tensor_gives_the_operators_bytes() -> None:
    data = bytes(range(24))
    with FakeDevice() as device, client_of(device) as client:
        assert client.tensor(0, data) == model_output(data, 50)
        assert client.tensor(2, data) == model_output(data, 150)
        with pytest.raises(DeviceRefusedError, match=r"refused tensor: rc 3 \(EINVAL\)"):
            client.tensor(3, data)


@pytest.mark.parametrize("old_errors", [False, True])
def test_both_forms_of_error_are_understood(old_errors: bool) -> None:
    with FakeDevice(old_errors=old_errors) as device, client_of(device) as client:
        with pytest.raises(DeviceRefusedError, match=r"rc 3 \(EINVAL\)"):
            client.tensor(99, bytes(24))
        assert client.self_test().ok


def test_input_of_a_wrong_size_is_not_sent() -> None:
    with FakeDevice() as device, client_of(device) as client:
        with pytest.raises(WrongDeviceError, match="another model input: found 24 B, expected 23 B"):
            client.infer(1, bytes(23))
        assert (64, 1) not in {(group, command) for group, command, _ in device.requests}


def test_run_samples_agrees_with_the_device() -> None:
    samples = [bytes((i * j) & 0xFF for j in range(24)) for i in range(300)]
    outputs = [model_output(sample, 5) for sample in samples]
    seen: list[tuple[int, int]] = []
    with FakeDevice() as device, client_of(device) as client:
        client.infer(99, bytes(24))
        run = run_samples(client, samples, lambda done, total: seen.append((done, total)))
        assert run.outputs == tuple(outputs)
        assert run.cycles == (CYCLES_PER_RUN,) * 300
        pairs = b"".join(sample + output for sample, output in zip(samples, outputs, strict=True))
        assert run.io_digest == hashlib.sha256(pairs).hexdigest()
        assert client.status().io_crc == zlib.crc32(bytes(24) + model_output(bytes(24), 5) + pairs)
        again = run_samples(client, samples[:3])
        assert again.outputs == tuple(outputs[:3])
        assert device.runs == 304
    assert seen == [(i + 1, 300) for i in range(300)]
    assert run.retries == 0


def test_stock_smpclient_talks_to_the_same_device() -> None:
    """The OS group and, with our message classes, the leadwire group, through SMPClient and its own transport."""

    async def talk(port: str) -> None:
        async with SMPClient(SMPSerialTransport(), port, timeout_s=5) as client:
            echoed = await client.request(EchoWrite(d="x" * 200))
            assert success(echoed)
            assert echoed.r == "x" * 200
            parameters = await client.request(MCUMgrParametersRead())
            assert success(parameters)
            assert parameters.buf_size == 256
            described = await client.request(Describe())
            assert isinstance(described, DescribeResponse)
            assert described.digest == DIGEST
            answer = await client.request(Infer(seq=1, off=0, data=bytes(24)))
            assert isinstance(answer, InferResponse)
            assert answer.out == model_output(bytes(24), 5)
            refused = await client.request(Infer(seq=2, off=9, data=bytes(24)))
            assert error_v1(refused)
            assert success(await client.request(ResetWrite()))

    with FakeDevice(old_errors=True) as device:
        asyncio.run(talk(device.port))
    assert device.runs == 0  # read once the device's thread has ended: it answers a reset before it starts anew
    assert device.total_runs == 1
