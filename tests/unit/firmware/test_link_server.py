"""The firmware's SMP server: every command against the protocol's text, with cbor2 as the other side."""

from __future__ import annotations

import random
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest

from leadwire.device.framing import encode

from .conftest import A, B, Firmware, compile_c, tiny_model

DATA = bytes((i * 37 + 11) & 0xFF for i in range(A + B))
OTHER = bytes((i * 91 + 5) & 0xFF for i in range(A + B))
INVALID, NOT_SUPPORTED, SELF_TEST_FAILED = 3, 8, 20


def error(rc: int, group: int = 64) -> dict[str, Any]:
    return {"err": {"group": group, "rc": rc}}


def test_os_group(firmware: Firmware) -> None:
    assert firmware.ask(2, 0, 0, {"d": "häl\0lo"}) == {"r": "häl\0lo"}
    assert firmware.ask(0, 0, 6, {}) == {"buf_size": 1024, "buf_count": 1}
    assert firmware.ask(2, 0, 5, {"force": 1}) == {}
    assert firmware.c.test_resets() == 1
    assert firmware.ask(2, 0, 0, {"d": "x" * 1000}) == {"r": "x" * 1000}


def test_describe(firmware: Firmware) -> None:
    assert firmware.ask(0, 64, 0, {}) == {
        "firmware": "leadwire 0.1.0 aot", "build": bytes(range(16)), "model": "tiny",
        "digest": bytes.fromhex("00112233445566778899aabbccddeeff" * 2), "board": "test-board", "uid": b"\xa5" * 12,
        "clock_hz": 1_000_000, "arena": A + B + 6 + 2 + 2000,
        "used": A + B + 6 + 2 + 2000, "need": A + B + 6 + 2 + 2000, "in": A + B, "out": 2002, "ops": 3,
        "counter": "test",
        "boot": 0, "cell": 0, "reset": 0,
    }  # fmt: skip


def test_infer_counts_every_run_once(firmware: Firmware) -> None:
    crc = 0
    for sequence, data in enumerate((DATA, OTHER, DATA), start=1):
        expected = tiny_model(data)
        answer = firmware.sample(sequence, data)
        out = answer.pop("out")
        assert answer == {"seq": sequence, "cycles": 7, "stack": 0, "crc": zlib.crc32(expected), "len": 2002}
        while len(out) < 2002:
            more = firmware.ask(0, 64, 2, {"seq": sequence, "off": len(out)})
            assert more["off"] == len(out)
            out += more["out"]
        assert out == expected
        crc = zlib.crc32(data + expected, crc)
        assert firmware.ask(0, 64, 6, {}) == {"runs": sequence, "io_crc": crc, "stack": 0}


def test_stack_use_is_the_deepest_since_reset(firmware: Firmware) -> None:
    firmware.c.test_use_stack(5)
    assert firmware.sample(1, DATA)["stack"] == 20
    firmware.c.test_use_stack(3)
    assert firmware.ask(0, 64, 6, {})["stack"] == 20


def test_a_repeated_last_slice_is_answered_without_a_run(firmware: Firmware) -> None:
    first = firmware.sample(9, DATA)
    again = firmware.infer(9, 1400, DATA[1400:])
    assert again == first
    assert firmware.ask(0, 64, 6, {})["runs"] == 1
    assert firmware.infer(10, 1400, DATA[1400:]) == error(INVALID)
    assert firmware.infer(9, 1400, OTHER[1400:]) == error(INVALID)
    assert firmware.infer(9, 1400, DATA[1400:]) == first


@pytest.mark.parametrize(("offset", "length"), [(701, 100), (0x7FFFFFFF, 10), (0xFFFFFFFF, 1), (1400, 107), (1507, 0)])
def test_a_slice_in_the_wrong_place_changes_nothing(firmware: Firmware, offset: int, length: int) -> None:
    assert firmware.infer(1, 0, DATA[:700]) == {"seq": 1, "off": 700}
    assert firmware.infer(1, offset, bytes(length)) == error(INVALID)
    assert firmware.infer(2, 700, DATA[700:1400]) == error(INVALID)
    assert firmware.infer(1, 700, DATA[700:1400], hold=True) == error(INVALID)
    assert firmware.infer(1, 700, DATA[700:1400]) == {"seq": 1, "off": 1400}
    assert firmware.infer(1, 1400, DATA[1400:])["crc"] == zlib.crc32(tiny_model(DATA))


def test_offset_zero_begins_again(firmware: Firmware) -> None:
    firmware.infer(1, 0, OTHER[:700])
    assert firmware.sample(1, DATA)["crc"] == zlib.crc32(tiny_model(DATA))
    assert firmware.ask(0, 64, 6, {})["io_crc"] == zlib.crc32(DATA + tiny_model(DATA))


def test_profile_and_tensor_work_on_a_held_sample(firmware: Firmware) -> None:
    assert firmware.ask(2, 64, 4, {"seq": 4}) == error(INVALID)
    assert firmware.sample(4, DATA, hold=True) == {"seq": 4, "off": A + B}
    assert firmware.ask(2, 64, 4, {"seq": 5}) == error(INVALID)
    profile = {"seq": 4, "cycles": [7, 7, 7]}
    assert firmware.ask(2, 64, 4, {"seq": 4}) == profile
    assert firmware.ask(2, 64, 4, {"seq": 4, "first": 0}) == profile
    assert firmware.ask(2, 64, 4, {"seq": 4, "first": 3}) == error(INVALID)
    firmware.sample(5, DATA, hold=True)
    t = bytes((DATA[i] + DATA[A + i]) & 0xFF for i in range(6))
    assert firmware.ask(0, 64, 5, {"op": 0, "off": 0}) == {"op": 0, "off": 0, "len": 6, "out": t}
    assert firmware.ask(0, 64, 5, {"op": 0, "off": 2})["out"] == t[2:]
    assert firmware.ask(0, 64, 5, {"op": 2, "off": 1990})["out"] == tiny_model(DATA)[-10:]
    assert firmware.ask(0, 64, 5, {"op": 1, "off": 0}) == error(INVALID)
    assert firmware.ask(0, 64, 5, {"op": 3, "off": 0}) == error(INVALID)
    assert firmware.ask(0, 64, 5, {"op": 2, "off": 2001}) == error(INVALID)
    assert firmware.ask(0, 64, 6, {})["runs"] == 0


def test_what_writes_the_arena_ends_the_stored_result(firmware: Firmware) -> None:
    firmware.sample(1, DATA)
    assert firmware.ask(0, 64, 2, {"seq": 2, "off": 0}) == error(INVALID)
    assert firmware.ask(2, 64, 3, {}) == {"ok": True, "cycles": 7}
    assert firmware.ask(0, 64, 2, {"seq": 1, "off": 0}) == error(INVALID)
    firmware.sample(2, DATA, hold=True)
    firmware.infer(3, 0, DATA[:700])
    assert firmware.ask(2, 64, 4, {"seq": 2}) == error(INVALID)


def test_a_failed_self_test_is_shown_and_refuses_to_infer(firmware_library: Callable[..., Path]) -> None:
    firmware = Firmware(firmware_library("-DGOLDEN_Y0=2"))
    assert firmware.ask(0, 64, 0, {})["boot"] == 4
    assert firmware.ask(2, 64, 3, {})["ok"] is False
    assert firmware.infer(1, 0, DATA[:700]) == error(SELF_TEST_FAILED)
    assert firmware.sample(1, DATA, hold=True) == {"seq": 1, "off": A + B}
    assert firmware.ask(0, 64, 5, {"op": 0, "off": 0})["len"] == 6
    assert firmware.ask(0, 64, 6, {})["runs"] == 0


@pytest.mark.parametrize(("op", "group", "command", "rc"), [
    (0, 64, 99, NOT_SUPPORTED), (0, 64, 1, NOT_SUPPORTED), (2, 64, 0, NOT_SUPPORTED), (0, 1, 0, NOT_SUPPORTED),
    (0, 65535, 255, NOT_SUPPORTED), (2, 0, 0, INVALID), (2, 64, 1, INVALID), (0, 64, 2, INVALID),
])  # fmt: skip
def test_refused_requests_name_group_and_code(firmware: Firmware, op: int, group: int, command: int, rc: int) -> None:
    assert firmware.ask(op, group, command, {}) == error(rc, group)
    assert firmware.ask(op, group, command, {}, version=0) == {"rc": rc}


@pytest.mark.parametrize("payload", [
    b"", b"\xbf\xff", b"\xa1", b"\xa1\x61d", b"\xa1\x61d\x5f\x41a\xff", b"\xa1\x61d\x7a\xff\xff\xff\xff", b"\x80",
    b"\xf6",
    b"\xa2\x61d\x61a\x61d\x61b", b"\xa1\x61d\x41a", b"\xa1\x61d\x61a\x00", b"\xa2\x61d\x61a\x61x\x9a\xff\xff\xff\xff",
    b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x61d\x61a", b"\xa2\x61d\x61a\x61x\x81\x81\x81\x81\x00", b"\xa1\x00\x00",
    b"\xa2\x61d\x61a\x61x\x1c", b"\xa1\x61d\x7b\xff\xff\xff\xff\xff\xff\xff\xff",
])  # fmt: skip
def test_malformed_maps_are_refused(firmware: Firmware, payload: bytes) -> None:
    assert firmware.ask(2, 0, 0, payload) == error(INVALID, 0)


def test_unknown_keys_of_any_kind_are_skipped(firmware: Firmware) -> None:
    more = {"a": -1, "b": 2**63, "c": [1, {"x": b"y"}], "e": 1.5, "f": None, "g": "", "dd": True, "h": []}
    assert firmware.ask(2, 0, 0, {**more, "d": "x"}) == {"r": "x"}
    assert firmware.ask(2, 0, 0, {"d": "x", **more}) == {"r": "x"}
    assert firmware.infer(2**32, 0, b"") == error(INVALID)
    assert firmware.infer(-1, 0, b"") == error(INVALID)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x08",
        bytes(7),
        b"\x08\0\0\1\0\x40\1\0",
        b"\x08\0\0\0\0\x40\1\0\0",
        b"\x09\0\0\1\0\x40\1\0\xa0",
        b"\x0b\0\0\1\0\x40\1\0\xa0",
    ],
)
def test_messages_that_are_no_requests_get_no_answer(firmware: Firmware, message: bytes) -> None:
    assert firmware.answer(message) is None


def test_the_longest_messages_fit_and_longer_ones_are_dropped(firmware: Firmware) -> None:
    longest = 1020 - 8 - len(cbor2.dumps({"d": "x" * 1000})) + 1000
    assert firmware.ask(2, 0, 0, {"d": "x" * longest}) == {"r": "x" * longest}
    head = b"\x0a\0" + (1013).to_bytes(2, "big") + b"\0\0\1\0"
    assert firmware.answer(head + cbor2.dumps({"d": "x" * (longest + 1)})) is None


def whole_sample(sequence: int, data: bytes, hold: bool) -> bytes:
    """The requests that bring a sample and, where it is held, walk through its operators."""
    maps: list[tuple[int, dict[str, Any]]] = [
        (1, {"seq": sequence, "off": offset, "data": data[offset : offset + 700], "hold": hold})
        for offset in (0, 700, 1400)
    ]
    maps += [(4, {"seq": sequence}), (5, {"op": 2, "off": 0})] if hold else [(2, {"seq": sequence, "off": 900})]
    stream = b""
    for command, payload in maps:
        body = cbor2.dumps(payload)
        op = 10 if command in (1, 4) else 8
        stream += encode(bytes([op, 0]) + len(body).to_bytes(2, "big") + bytes([0, 64, 0, command]) + body)
    return stream


def damaged_requests(seed: int) -> bytes:
    """Valid requests, with bits flipped, pieces cut, doubled and dropped, and noise in between."""
    chance = random.Random(seed)
    stream = bytearray()
    for _ in range(3000):
        payload: dict[str, Any] = chance.choice([
            {}, {"d": "x" * chance.randrange(900)},
            {"seq": chance.randrange(4), "off": chance.choice([0, 0, 700, 1400])},
            {"op": chance.randrange(4), "off": chance.choice([0, 6, 2000])},
        ])  # fmt: skip
        if "seq" in payload and chance.random() < 0.8:
            payload["data"] = chance.randbytes(chance.choice([0, 106, 700, 900]))
            payload["hold"] = chance.random() < 0.5
        body = bytearray(cbor2.dumps(payload))
        if body and chance.random() < 0.3:
            body[chance.randrange(len(body))] = chance.randrange(256)
        head = bytes([chance.choice([0, 2, 8, 10, 10, 10, chance.randrange(256)]), 0]) + len(body).to_bytes(2, "big")
        message = head + bytes([0, chance.choice([0, 64, 64, 64])]) + bytes([0, chance.randrange(8)]) + body
        text = bytearray(encode(bytes(message)))
        if chance.random() < 0.2:
            text[chance.randrange(len(text))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.1:
            del text[chance.randrange(len(text)) :]
        if chance.random() < 0.05:
            stream += whole_sample(chance.randrange(4), chance.randbytes(A + B), chance.random() < 0.5)
        stream += text + (chance.randbytes(chance.randrange(20)) if chance.random() < 0.2 else b"")
    return bytes(stream)


def test_no_stream_makes_the_server_misbehave(tmp_path: Path) -> None:
    """Under AddressSanitizer and UndefinedBehaviorSanitizer, with damage behind valid CRCs as well."""
    program = compile_c(tmp_path / "firmware", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    runs = 0
    for seed in range(3):
        stream = tmp_path / f"{seed}.bin"
        stream.write_bytes(damaged_requests(seed) + random.Random(seed).randbytes(200_000))
        done = subprocess.run([program, stream], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        runs += int(done.stdout.split()[0])
    assert runs > 100
