"""The firmware's framing and CRCs against the shared vectors, the smp package and zlib."""

from __future__ import annotations

import ctypes
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from smp.packet import encode as smp_encode

from leadwire.device.framing import encode

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "link"
PACKETS = json.loads((VECTORS / "packets.json").read_text())
STREAMS = json.loads((VECTORS / "streams.json").read_text())
LARGEST = 1020


def decode(firmware: Any, data: bytes) -> list[bytes]:
    messages, place = [], ctypes.create_string_buffer(1024)
    for byte in data:
        if length := firmware.c.test_decode(byte, place):
            messages.append(place.raw[:length])
    return messages


def encoded(firmware: Any, message: bytes) -> bytes:
    text = ctypes.create_string_buffer(4096)
    length = firmware.c.test_encode(message, ctypes.c_size_t(len(message)), text)
    return text.raw[:length]


@pytest.mark.parametrize("vector", PACKETS, ids=lambda vector: vector["name"])
def test_packets_are_coded_as_in_the_shared_vectors(firmware: Any, vector: dict[str, Any]) -> None:
    message, lines = bytes.fromhex(vector["message"]), bytes.fromhex(vector["lines"])
    if len(message) <= LARGEST:
        assert encoded(firmware, message) == lines
    expected = [message] if 0 < len(message) <= LARGEST else []  # an empty message is no request; a long one is dropped
    assert decode(firmware, lines) == expected


@pytest.mark.parametrize("vector", STREAMS, ids=lambda vector: vector["name"])
def test_damaged_streams_give_the_messages_of_the_shared_vectors(firmware: Any, vector: dict[str, Any]) -> None:
    messages = [bytes.fromhex(message) for message in vector["messages"]]
    assert decode(firmware, bytes.fromhex(vector["bytes"])) == messages


def test_every_length_up_to_the_largest_goes_both_ways(firmware: Any) -> None:
    for length in [*range(1, 200), LARGEST - 1, LARGEST]:
        message = bytes((i * 37 + length) & 0xFF for i in range(length))
        lines = encoded(firmware, message)
        assert lines == encode(message) == b"".join(smp_encode(message, line_length=128))
        assert decode(firmware, lines) == [message]
    assert decode(firmware, encode(bytes(LARGEST + 1))) == []
    assert decode(firmware, encode(b"after")) == [b"after"]


def test_any_single_flipped_bit_is_noticed(firmware: Any) -> None:
    message = bytes(range(20))
    lines = encode(message)
    for bit in range(8 * len(lines)):
        damaged = bytearray(lines)
        damaged[bit // 8] ^= 1 << bit % 8
        assert decode(firmware, bytes(damaged)) in ([], [message])
        assert decode(firmware, lines)[-1] == message


def test_crcs_match_their_published_check_values_and_zlib(firmware: Any) -> None:
    firmware.c.lw_crc16.restype = ctypes.c_uint16
    firmware.c.lw_crc32.restype = ctypes.c_uint32

    def crc32(start: int, data: bytes) -> int:
        return int(firmware.c.lw_crc32(ctypes.c_uint32(start), data, ctypes.c_size_t(len(data))))

    assert firmware.c.lw_crc16(0, b"123456789", ctypes.c_size_t(9)) == 0x31C3
    assert crc32(0, b"123456789") == 0xCBF43926
    data = bytes((i * i) & 0xFF for i in range(1000))
    assert crc32(crc32(0, data[:333]), data[333:]) == zlib.crc32(data)
