"""The firmware's whole link code under libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import cbor2
import pytest
from firmware_process import APP, MODEL_H, PARTS, SMALL_MODEL_C

from leadwire.device.cells import CellCoder
from leadwire.device.framing import encode
from leadwire.resources import FIRMWARE_TEMPLATES

HERE = Path(__file__).resolve().parent
HARNESS = HERE.parent / "unit" / "firmware"
SECONDS = int(os.environ.get("LEADWIRE_LINK_FUZZ_SECONDS", "5"))
FRESH = ["sh", "-c", '"$@"; exit $?', "sh"]
"""Runs a program as a grandchild. Linux counts the peak of memory that a process had before it executed a program as
that program's, so the fuzzer's limit would be one of this process, which has loaded TensorFlow."""
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler, folder = shutil.which("clang"), tmp_path_factory.mktemp("fuzzer")
    if compiler is None:
        pytest.skip("needs clang, which is not installed")
    (folder / "model.h").write_text(MODEL_H)
    (folder / "model.c").write_text(SMALL_MODEL_C)
    (folder / "empty.c").write_text(
        "int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d == 0 && n; }"
    )
    sanitizers = "-fsanitize=fuzzer,address,undefined"
    trial = [compiler, sanitizers, str(folder / "empty.c"), "-o", str(folder / "empty")]
    if subprocess.run(trial, capture_output=True, check=False).returncode:
        pytest.skip("needs clang's libFuzzer (Debian: libclang-rt-14-dev), which is not installed")
    parts = [str(APP / f"{part}.c") for part in PARTS if part != "main"]
    subprocess.run(
        [compiler, "-g", "-O1", sanitizers, "-fno-sanitize-recover=all", "-Dmain=harness_main", *WARNINGS,
         "-Wno-missing-prototypes", '-DLW_BOARD_ID="fuzzed"', "-DLW_MODEL=lw_model_test", '-DLW_MODEL_DIGEST="00"',
         f"-DLW_BUILD_ID={','.join(map(str, range(16)))}",
         *(f"-I{place}" for place in (folder, APP, HARNESS, FIRMWARE_TEMPLATES / "runtime")),
         str(HERE / "link_fuzz.c"), *parts, str(folder / "model.c"), "-o", str(folder / "fuzzer")],
        check=True, timeout=300,
    )  # fmt: skip
    return folder / "fuzzer"


def seeds() -> dict[str, bytes]:
    """Inputs that reach far: each way of arriving, with what is right."""

    def piece(*parts: bytes) -> bytes:
        return b"".join(bytes([len(part)]) + part for part in parts)

    def request(op: int, group: int, command: int, body: object) -> bytes:
        return bytes([op, group, command]) + cbor2.dumps(body)

    infer = [
        request(2, 1, 1, {"seq": 1, "off": at, "data": bytes(range(at, min(at + 90, 187)))}) for at in (0, 90, 180)
    ]
    held = [
        request(2, 1, 1, {"seq": 2, "off": at, "data": bytes(min(90, 187 - at)), "hold": True}) for at in (0, 90, 180)
    ]
    more = [
        request(2, 1, 4, {"seq": 2}),
        request(0, 1, 5, {"op": 0, "off": 0}),
        request(0, 1, 6, {}),
        request(2, 1, 3, {}),
    ]
    coder = CellCoder(0x5EED5EED, 64)
    cells = [coder.data(number, bytes(range(number, number + 47))) for number in range(9)] + [coder.question(1)]
    contents = [cell[2:-10] for cell in cells]
    whole = bytes([0]) + encode(bytes([8, 0, 0, 1, 0, 64, 7, 0, 0xA0]))
    opening = bytes([10, 0, 0, 16, 0, 64, 7, 7]) + cbor2.dumps({"id": 0x5EED5EED, "cell": 64})
    return {
        "requests": bytes([1]) + piece(*infer, *held, *more, request(2, 0, 0, {"d": "x"}), request(0, 0, 6, {})),
        "cells": bytes([2]) + piece(*contents),
        "mixed": bytes([3]) + piece(*contents[:3]) + bytes([128 + 20]) + contents[3][:20] + piece(request(0, 1, 0, {})),
        "describe": whole,
        "stream": bytes([0]) + encode(opening) + b"".join(cells) + b"\xe1\x5a" + cells[3][:30] + cells[4][5:],
    }


@pytest.mark.requirement("LW-LNK-004")
def test_nothing_that_arrives_makes_the_firmware_misbehave_or_forget_itself(fuzzer: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name, data in seeds().items():
        (corpus / name).write_bytes(data)
    limits = ["-max_len=4096", f"-max_total_time={SECONDS}", "-timeout=20", "-rss_limit_mb=1024", "-seed=1"]
    done = subprocess.run(
        [*FRESH, str(fuzzer), *limits, "-malloc_limit_mb=64", f"-artifact_prefix={tmp_path}/", str(corpus)],
        capture_output=True, text=True, timeout=SECONDS + 120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    covered = [line for line in done.stderr.splitlines() if " cov: " in line]
    assert covered and int(covered[-1].split("cov: ")[1].split()[0]) > 300, done.stderr[-2000:]


def test_the_fuzzer_notices_a_firmware_that_remembers(fuzzer: Path, tmp_path: Path) -> None:
    """The check is checked: a stream that a request does not close is found at once."""
    broken = tmp_path / "smp.c"
    text = (APP / "smp.c").read_text()
    assert text.count("lw_stream_close(") == 1
    broken.write_text(text.replace("lw_stream_close(", "(void)sizeof("))
    parts = [str(APP / f"{part}.c") for part in PARTS if part not in ("main", "smp")]
    subprocess.run(
        ["clang", "-O1", "-w", "-fsanitize=fuzzer", "-Dmain=harness_main", '-DLW_BOARD_ID="fuzzed"',
         "-DLW_MODEL=lw_model_test", '-DLW_MODEL_DIGEST="00"', f"-DLW_BUILD_ID={','.join(map(str, range(16)))}",
         *(f"-I{place}" for place in (fuzzer.parent, APP, HARNESS, FIRMWARE_TEMPLATES / "runtime")),
         str(HERE / "link_fuzz.c"), *parts, str(broken), str(fuzzer.parent / "model.c"),
         "-o", str(tmp_path / "fuzzer")],
        check=True, timeout=300,
    )  # fmt: skip
    (tmp_path / "cells").write_bytes(seeds()["cells"])
    done = subprocess.run([str(tmp_path / "fuzzer"), str(tmp_path / "cells")], capture_output=True, check=False)
    assert done.returncode != 0
