"""Every command and error of the protocol (docs/manual/mlperf-tiny.md), from the C of the device."""

from __future__ import annotations

import random
import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from .conftest import ENERGY, FLOAT32, UINT8, Device, compile_c

Make = Callable[..., Device]
SAMPLE = bytes([1, 200, 3, 40, 250, 6])
TICKS_HZ = 2_000_000


def turned(sample: bytes) -> list[int]:
    """The test's model, in Python."""
    values = [byte - 256 if byte > 127 else byte for byte in sample]
    return [int(values[5 - i] / 2) + i for i in range(6)]


def test_greeting(device: Make) -> None:
    lines = device().greeting.decode().split("\r\n")
    assert lines[0] == "m-timestamp-mode-performance"
    assert re.fullmatch(r"m-lap-us-\d+", lines[1])
    assert lines[2:] == ["test 1.0, model turn", "m-init-done", "m-ready", ""]


def test_name_profile_and_unknown_commands(device: Make) -> None:
    one = device(*UINT8)
    assert one.ask("name") == ["m-name-dut-[leadwire]"]
    assert one.ask("profile") == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[ic01]"]
    assert len(one.ask("help")) > 5
    assert one.ask("Name") == ["e-[Unknown command: Name]"]
    assert one.ask("names x y") == ["e-[Unknown command: names]"]
    assert one.ask("   name   ") == ["m-name-dut-[leadwire]"]
    assert one.ask("") == one.ask("   ") == one.ask("\0name") == []


def test_line_ends_become_part_of_the_command(device: Make) -> None:
    assert device().send(b"\r\nname%") == b"e-[Unknown command: \r\nname]\r\nm-ready\r\n"
    assert device().send(b"name\r%") == b"e-[Unknown command: name\r]\r\nm-ready\r\n"


def test_a_command_is_cut_at_eighty_characters(device: Make) -> None:
    one = device()
    assert one.ask("a" * 80) == ["e-[Unknown command: " + "a" * 80 + "]"]
    assert one.ask("b" * 5000) == ["e-[Unknown command: " + "b" * 80 + "]"]
    assert one.ask("name" + " " * 76 + "x") == ["m-name-dut-[leadwire]"]
    assert one.ask("db load 60") == ["m-[Expecting 60 bytes]"]
    assert one.ask("db " + "ab" * 39) == ["e-[Insufficent number of hex digits]"]  # 77 digits are left
    assert one.ask("db " + "ab" * 38) == []


def test_commands_may_come_in_any_pieces(device: Make) -> None:
    one = device()
    assert [one.send(bytes([byte])) for byte in b"name%"][-1] == b"m-name-dut-[leadwire]\r\nm-ready\r\n"
    assert one.send(b"name%name%").count(b"m-ready") == 2


def test_loading(device: Make) -> None:
    one = device()
    assert one.ask("db") == ["e-[Command 'db' requires a subcommand]"]
    assert one.ask("db load") == ["e-[Command 'db load' requires the # of bytes]"]
    for size in ("0", "x", "0x10", "+", "-0"):
        assert one.ask(f"db load {size}") == ["e-[Command 'db load' must be >0 bytes]"]
    assert one.send(b"db load 27649%") == b"Supplied buffer size 27649 exceeds maximum of 27648\nm-ready\r\n"
    assert one.send(b"db load -5%") == b"Supplied buffer size -5 exceeds maximum of 27648\nm-ready\r\n"
    assert one.send(b"db load 99999999999999999999%").startswith(b"Supplied buffer size 2147483647 exceeds")
    assert one.ask("db 00") == []  # nothing is expected, so it is surplus
    assert one.ask("db load 27648") == ["m-[Expecting 27648 bytes]"]
    assert one.ask("db load 4abc") == ["m-[Expecting 4 bytes]"]
    assert one.ask("db 0A") == []
    assert one.ask("db b") == ["e-[Insufficent number of hex digits]"]
    assert one.ask("db 1gzz") == ["e-[Invalid hex digit '1g']"]
    assert one.ask("db FfxX") == ["e-[Invalid hex digit 'xX']"]
    assert one.ask("db print")[0].startswith("m-buffer-0a-ff-")
    assert one.ask("db 0102030405") == ["m-load-done"]
    assert one.ask("db 55") == []
    assert one.ask("db print 2 1") == ["m-buffer-0a-ff-01-02"]
    one.load(bytes(range(17)))
    assert [line.count("-") for line in one.ask("db print")] == [9, 9, 2]


def test_inference(device: Make) -> None:
    one = device()
    assert one.ask("results") == one.ask("leadwire output") == ["e-[No results before an inference]"]
    assert one.ask("infer") == ["e-[Input has 0 of 6 bytes]"]
    one.load(SAMPLE)
    for runs in ("0", "-1", "x"):
        assert one.ask(f"infer {runs} 1") == ["e-[Inference iterations must be >0]"]
    assert one.ask("infer 1 -1") == ["e-[Inference warmup must be >=0]"]
    numbers = ",".join(f"{(value + 3) * 0.25:.3f}" for value in turned(SAMPLE))
    for command, warmup, runs in (("infer 1 0", 0, 1), ("infer 3 2", 2, 3), ("infer", 10, 1), ("infer 2", 10, 2)):
        before = one.c.test_runs()
        lines = one.ask(command)
        assert one.c.test_runs() - before == warmup + runs
        laps = [int(lines.pop(3).removeprefix("m-lap-us-")) for _ in range(2)]
        assert laps[0] < laps[1]
        assert lines == [
            f"m-warmup-start-{warmup}", "m-warmup-done", f"m-infer-start-{runs}", "m-infer-done",
            f"m-results-[{numbers}]",
        ]  # fmt: skip
    assert one.ask("results") == [f"m-results-[{numbers}]"]
    assert one.ask("leadwire output") == [f"m-output-[{bytes(v & 255 for v in turned(SAMPLE)).hex()}]"]


def test_surplus_input_is_ignored(device: Make) -> None:
    one = device()
    one.load(SAMPLE + b"more")
    assert one.ask("infer 1 0")[-1].startswith("m-results-[")


def test_a_model_that_fails_gives_no_result(device: Make) -> None:
    one = device()
    one.load(SAMPLE)
    one.ask("infer 1 0")
    one.c.test_fail_at(one.c.test_runs() + 3)
    lines = one.ask("infer 5 0")
    assert lines[-2] == "e-[Model error 3]" and "m-infer-done" not in lines
    assert one.ask("results") == ["e-[No results before an inference]"]
    one.boot(status=2)
    one.load(SAMPLE)
    assert one.ask("infer 1 0") == ["e-[Model error 2]"]
    assert "m-boot-[2]" in one.ask("leadwire")


def test_identity(device: Make) -> None:
    answers = dict(re.fullmatch(r"m-([a-z-]+)-\[(.*)\]", line).groups() for line in device().ask("leadwire"))
    assert answers == {
        "firmware": "test 1.0", "board": "test-board", "build": bytes(range(16)).hex(), "digest": "ab" + 62 * "0",
        "uid": 12 * "a5", "counter": "test", "clock-hz": "2000000", "sample-bytes": "6", "boot": "0",
    }  # fmt: skip


def test_time_goes_on_when_the_counter_wraps(device: Make) -> None:
    """Forty runs of half the counter's period each: 20 wraps within one command."""
    one = device()
    one.boot(start=0xFFFF_FF00, cycles_a_run=1 << 31)
    one.load(SAMPLE)
    lines = one.ask("infer 40 1")
    first, second = (int(line.removeprefix("m-lap-us-")) for line in lines if line.startswith("m-lap-us-"))
    assert second - first == pytest.approx(40 * (1 << 31) / 2, rel=1e-6)
    assert second > 1 << 32


def test_energy_mode_pulls_the_marker_down_and_says_nothing(device: Make) -> None:
    one = device(*ENERGY)
    assert one.greeting.split(b"\r\n")[:2] == [b"m-timestamp-mode-energy", b"test 1.0, model turn"]
    assert one.c.test_marker()
    assert one.ask("timestamp") == []
    assert one.c.test_pulses() == 1
    one.load(SAMPLE)
    assert not any(line.startswith("m-lap") for line in one.ask("infer 2 1"))
    assert one.c.test_pulses() == 3
    assert one.c.test_marker()
    assert 1e-6 <= one.c.test_shortest_low() / TICKS_HZ < 1e-5, "the protocol wants the pin low for at least 1 us"


@settings(deadline=None)
@given(st.floats())
@example(0.0005)
@example(0.0625)
@example(2.5e-4)
@example(1.7976931348623157e308)
@example(5e-324)
@example(float(1 << 63))
@example(9007199254740993.0)
def test_three_decimals_are_those_of_the_c_library(device: Make, value: float) -> None:
    assert device().decimal(value).lstrip("-") == f"{value:.3f}".lstrip("-")
    if value == value:
        assert device().decimal(value) == f"{value:.3f}"


def test_every_softmax_value_is_rounded_right(device: Make) -> None:
    one = device()
    assert [one.decimal(k / 256) for k in range(257)] == [f"{k / 256:.3f}" for k in range(257)]


@pytest.mark.parametrize(("flags", "expected"), [((), 0), (UINT8, 128)])
def test_bytes_become_int8(device: Make, flags: tuple[str, ...], expected: int) -> None:
    one = device(*flags)
    for byte in range(256):
        assert one.quantize(bytes([byte] * 6)) == bytes([(byte + expected) % 256] * 6)


@settings(deadline=None)
@given(st.lists(st.floats(width=32), min_size=6, max_size=6))
@example([0.125, -0.125, 0.375, -0.375, 31.9, -32.1])
def test_floats_are_quantized_half_away_from_zero(device: Make, values: list[float]) -> None:
    def expected(value: float) -> int:
        if value != value:
            return -3
        steps = value / 0.25  # exact: a power of two
        rounded = int(abs(min(max(steps, -1e6), 1e6)) + 0.5)
        return max(-128, min(127, (rounded if value > 0 else -rounded) - 3))

    found = device(*FLOAT32).quantize(struct.pack("<6f", *values))
    assert list(struct.unpack("6b", found)) == [expected(value) for value in values]


def test_the_reconstruction_error_is_the_mean_square(device: Make) -> None:
    one = device(*FLOAT32)
    values = [0.5, -3.25, 7.0, 10.1, 0.0, -20.0]
    one.load(struct.pack("<6f", *values))
    quantized = [round(value / 0.25) - 3 for value in values]
    real = [(value + 3) * 0.25 for value in turned(bytes(q & 255 for q in quantized))]
    error = sum((a - b) ** 2 for a, b in zip(real, values, strict=True)) / 6
    assert one.ask("infer 4 2")[-1] == f"m-results-[{error:.3f}]"


def stream(seed: int) -> bytes:
    """Commands of all kinds, whole and damaged, with noise between."""
    draw = random.Random(seed)
    words = [
        b"name", b"db", b"load", b"print", b"infer", b"results", b"profile", b"leadwire", b"output", b"timestamp",
        b"help", b"6", b"0", b"-1", b"3", b"0a112233445566", b"abcdefA", b"zz", b"\0", b"\r\n", b"",
    ]  # fmt: skip
    sizes = [b"27648", b"27649", b"2147483648", b"-2147483649", b"6"]
    parts = []
    for _ in range(3000):
        command = b" ".join(draw.choices(words, k=draw.randint(0, 5)))
        if draw.random() < 0.3:
            command = b"db load 24%db " + draw.randbytes(draw.randint(0, 40)).hex().encode() + b"%infer 2 1"
        if draw.random() < 0.1:
            command = b"db load " + draw.choice(sizes)
        if draw.random() < 0.2:
            command = draw.randbytes(draw.randint(0, 200))
        parts.append(command + (b"%" if draw.random() < 0.95 else b""))
    return b"".join(parts)


@pytest.mark.parametrize("flags", [(), FLOAT32, ENERGY, ("-DLW_MLPERF_BUFFER_BYTES=24u",)])
def test_no_stream_makes_the_parser_misbehave(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Under AddressSanitizer and UndefinedBehaviorSanitizer."""
    program = compile_c(tmp_path / "device", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *flags)
    runs = 0
    for seed in range(3):
        file = tmp_path / f"{seed}.bin"
        file.write_bytes(stream(seed) + random.Random(seed).randbytes(100_000))
        done = subprocess.run([program, file], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        runs += int(done.stdout.split()[0])
    assert runs > 100
