"""Framing: shared vectors, `smp.packet` as the witness, any chunking, any damage; the firmware's C beside it."""

from __future__ import annotations

import ctypes
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smp import packet

from leadwire.device.framing import MAX_MESSAGE_BYTES, Fault, FrameDecoder, crc16, encode
from leadwire.resources import FIRMWARE_TEMPLATES

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "link"
PACKETS = json.loads((VECTORS / "packets.json").read_text())
STREAMS = json.loads((VECTORS / "streams.json").read_text())


def decode_whole(data: bytes) -> list[bytes]:
    return FrameDecoder().feed(data)


@pytest.mark.parametrize("vector", PACKETS, ids=[v["name"] for v in PACKETS])
def test_packet_vectors(vector: dict[str, str]) -> None:
    message, lines = bytes.fromhex(vector["message"]), bytes.fromhex(vector["lines"])
    assert encode(message) == lines
    assert decode_whole(lines) == [message]


@pytest.mark.parametrize("vector", STREAMS, ids=[v["name"] for v in STREAMS])
@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_stream_vectors(vector: dict[str, str], chunk: int) -> None:
    data, decoder = bytes.fromhex(vector["bytes"]), FrameDecoder()
    messages = [m for i in range(0, len(data), chunk) for m in decoder.feed(data[i : i + chunk])]
    assert [m.hex() for m in messages] == vector["messages"]


def test_crc_is_xmodem() -> None:
    """The check value of the CRC catalogue (reveng, CRC-16/XMODEM)."""
    assert crc16(b"123456789") == 0x31C3


@given(st.binary(max_size=700))
@settings(max_examples=200, deadline=None)
def test_encoder_gives_the_bytes_of_smp(message: bytes) -> None:
    assert encode(message) == b"".join(packet.encode(message, line_length=128))


@given(st.lists(st.binary(max_size=300), max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_messages_survive_any_chunking(messages: list[bytes], source: random.Random) -> None:
    data, decoder, got = b"".join(encode(m) for m in messages), FrameDecoder(), []
    while data:
        size = source.randint(1, 60)
        got += decoder.feed(data[:size])
        data = data[size:]
    assert got == messages
    assert not decoder.faults


@given(st.binary(max_size=2000))
@settings(max_examples=200, deadline=None)
def test_noise_never_raises_and_the_next_packet_arrives(noise: bytes) -> None:
    decoder = FrameDecoder()
    before = decoder.feed(noise)
    assert decoder.feed(b"\n" + encode(b"after")) == [b"after"]
    assert before == decode_whole(noise)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (Fault.NOISE, "boot text before a packet"),
        (Fault.LINE_BROKEN, "line that lost its line feed, then the packet again"),
        (Fault.LINE_TOO_LONG, "endless line"),
        (Fault.ORPHAN, "further line without a first"),
        (Fault.INCOMPLETE, "first line alone, then another packet"),
        (Fault.BASE64, "character that is not base64"),
        (Fault.LENGTH, "length smaller than what comes"),
        (Fault.CRC, "flipped CRC bit"),
    ],
)
def test_what_is_dropped_is_counted(fault: Fault, name: str) -> None:
    decoder = FrameDecoder()
    decoder.feed(bytes.fromhex(next(v["bytes"] for v in STREAMS if v["name"] == name)))
    assert decoder.faults[fault] > 0


def test_every_single_bit_flip_is_noticed() -> None:
    lines, message = encode(bytes(range(60))), bytes(range(60))
    for position in range(len(lines) * 8):
        flipped = bytearray(lines)
        flipped[position // 8] ^= 1 << position % 8
        assert decode_whole(bytes(flipped)) in ([], [message])


def test_message_too_long_for_the_length_field() -> None:
    assert decode_whole(encode(bytes(MAX_MESSAGE_BYTES))) == [bytes(MAX_MESSAGE_BYTES)]
    with pytest.raises(ValueError, match="at most 65533 bytes, not 65534"):
        encode(bytes(MAX_MESSAGE_BYTES + 1))


# ------------------------------------------------------------------------------------------- the firmware's C


@pytest.fixture(scope="module")
def decode_in_c(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], list[bytes]]:
    """frame.c of the bench firmware as a host library: all messages of a stream."""
    compiler, app = shutil.which("gcc") or shutil.which("clang"), FIRMWARE_TEMPLATES / "app"
    if compiler is None:
        pytest.skip("needs gcc or clang")
    shared = tmp_path_factory.mktemp("frame") / "frame.so"
    sources = [str(app / "frame.c"), str(app / "crc.c")]
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(shared), *sources], check=True, timeout=60)
    library = ctypes.CDLL(str(shared))
    library.lw_frame_receive.restype = ctypes.c_size_t
    library.lw_frame_receive.argtypes = [ctypes.c_void_p, ctypes.c_uint8]
    library.lw_frame_message.restype = ctypes.POINTER(ctypes.c_uint8)
    library.lw_frame_message.argtypes = [ctypes.c_void_p]

    def decode(data: bytes) -> list[bytes]:
        state, messages = ctypes.create_string_buffer(4096), []
        for byte in data:
            if length := library.lw_frame_receive(state, byte):
                messages.append(bytes(library.lw_frame_message(state)[:length]))
        return messages

    return decode


@pytest.mark.parametrize("vector", STREAMS, ids=[v["name"] for v in STREAMS])
def test_stream_vectors_in_c(vector: dict[str, str], decode_in_c: Callable[[bytes], list[bytes]]) -> None:
    assert [m.hex() for m in decode_in_c(bytes.fromhex(vector["bytes"]))] == vector["messages"]


def test_host_and_firmware_take_the_same_from_damaged_streams(decode_in_c: Callable[[bytes], list[bytes]]) -> None:
    """2,000 streams of packets with random cuts, flips, insertions and repeats; an empty message is none in C."""
    source = random.Random(7)
    recovered = 0
    for _ in range(2_000):
        stream = bytearray()
        for _ in range(source.randint(1, 4)):
            stream += encode(source.randbytes(source.randint(1, 250)))
        for _ in range(source.randint(0, 4)):
            at = source.randrange(len(stream))
            match source.randrange(4):
                case 0:
                    del stream[at : at + source.randint(1, 20)]
                case 1:
                    stream[at] ^= 1 << source.randrange(8)
                case 2:
                    stream[at:at] = source.choice([b"\n", b"\x06", b"\x06\x09", b"\x04\x14", b"=", b"boot\r\n"])
                case _:
                    stream[at:at] = stream[at // 2 : at]
            stream = stream or bytearray(b"\n")
        messages = [m for m in decode_whole(bytes(stream)) if m]
        assert decode_in_c(bytes(stream)) == messages, bytes(stream).hex()
        recovered += len(messages)
    assert recovered > 1_000
