"""Bad input at the command line: each gives its exit code, says what and where, and never a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from single_operator import Op, T, write_tflite

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    environment = {key: value for key, value in os.environ.items() if key != "LEADWIRE_DATA"}

    def call(*arguments: str | Path, timeout: float = 120, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "leadwire", *map(str, arguments)],
            cwd=tmp_path, env={**environment, **extra}, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    return call


def refused(done: subprocess.CompletedProcess[str], code: int, *expected: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "has a bug" not in done.stderr
    assert f"[exit {code}]" in done.stderr
    for text in expected:
        assert text in done.stderr, done.stderr


@pytest.fixture
def good(reference_models: Path) -> bytes:
    return (reference_models / "ecg_cnn_int8.tflite").read_bytes()


def test_missing_file(cli: Cli, tmp_path: Path) -> None:
    refused(cli("analyze", "absent.tflite"), 2, "absent.tflite", "does not exist")
    refused(cli("run", "absent.toml"), 2, "absent.toml", "does not exist")
    refused(cli("verify", "absent.zip"), 2, "absent.zip")


def test_truncated_model(cli: Cli, tmp_path: Path, good: bytes) -> None:
    for kept in (0, 3, 8, 100, len(good) // 2, len(good) - 1):
        (tmp_path / "m.tflite").write_bytes(good[:kept])
        refused(cli("analyze", "m.tflite"), 2, "m.tflite", "cannot be read")


def test_bit_flipped_model(cli: Cli, tmp_path: Path, good: bytes) -> None:
    """A flipped bit in the structure is refused; one in a weight is another, valid model with another digest."""
    damaged = bytearray(good)
    damaged[4] ^= 0x40
    (tmp_path / "m.tflite").write_bytes(damaged)
    refused(cli("analyze", "m.tflite"), 2, "m.tflite")
    damaged = bytearray(good)
    damaged[0] ^= 0x80
    (tmp_path / "m.tflite").write_bytes(damaged)
    refused(cli("generate", "m.tflite"), 2, "m.tflite")


def test_json_errors_are_json(cli: Cli) -> None:
    done = cli("analyze", "absent.tflite", "--json")
    assert json.loads(done.stdout)["error"]["exit_code"] == done.returncode == 2


def test_unknown_board_backend_and_toolchain(cli: Cli, tmp_path: Path, good: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(good)
    refused(cli("analyze", "m.tflite", "--board", "nucleo-nothing"), 2, "nucleo-nothing", "leadwire boards")
    refused(cli("analyze", "m.tflite", "--backend", "magic"), 2, "magic", "aot")
    refused(cli("build", "m.tflite", "--toolchain", "tcc"), 2, "tcc", "zig")


def test_choices_of_tflms_array_and_arena(cli: Cli, tmp_path: Path, good: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(good)
    refused(cli("generate", "m.tflite", "--section", ".x"), 2, "aot has no options")
    refused(cli("generate", "m.tflite", "--arena-bytes", "9000"), 2, "plans its arena itself, 9000 B")
    refused(cli("generate", "m.tflite", "--backend", "tflm", "--section", "a;b"), 2, "'a;b'", "section")
    refused(cli("generate", "m.tflite", "--backend", "tflm", "--alignment", "24"), 2, "24 bytes", "power of two")
    refused(
        cli("package", "m.tflite", "--for", "cmake", "--backend", "tflm", "--arena-bytes", "64"), 2, "64 B is too small"
    )


def own_board(root: Path, old: str, new: str) -> str:
    """The virtual board as one file, with something changed."""
    board = (root / "boards" / "virtual-stm32f405.toml").read_text().replace('inherits = "stm32f405"\n', "")
    top, emulation = board.split("[emulation]")
    text = top + (root / "boards" / "families" / "stm32f405.toml").read_text() + "\n[emulation]" + emulation
    assert old in text
    return text.replace(old, new)


def test_board_with_overlapping_memory_and_unknown_keys(cli: Cli, tmp_path: Path, root: Path, good: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(good)
    (tmp_path / "over.toml").write_text('colour = "red"\n' + own_board(root, "0x1000_0000", "0x2000_8000"))
    refused(cli("analyze", "m.tflite", "--board", "over.toml"), 2, "colour: unknown key")
    (tmp_path / "over.toml").write_text(own_board(root, "0x1000_0000", "0x2000_8000"))
    refused(cli("analyze", "m.tflite", "--board", "over.toml"), 2, "overlap", "sram", "ccm")


def test_unknown_keys_in_the_project(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "leadwire.toml").write_text('name = "x"\nnmae = 1\n[model]\npth = "m"\n')
    refused(cli("run", "leadwire.toml"), 2, "nmae: unknown key", "model.pth: unknown key", "model.path: missing")


def test_budget_too_small(cli: Cli, tmp_path: Path, root: Path, good: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(good)
    (tmp_path / "small.toml").write_text(own_board(root, "ram_bytes = 114_688", "ram_bytes = 1024"))
    done = cli("analyze", "m.tflite", "--board", "small.toml", "--json")
    refused(done, 4, "does not fit", "ram", "over", "peak at op")
    assert json.loads(done.stdout)["fits"] is False


def test_a_port_that_does_not_exist(cli: Cli, tmp_path: Path, root: Path, good: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(good)
    refused(cli("bench", "m.tflite", "--port", "/dev/ttyNOTHING0"), 6, "/dev/ttyNOTHING0")


def test_init_never_overwrites(cli: Cli, tmp_path: Path) -> None:
    assert cli("init").returncode == 0
    before = (tmp_path / "leadwire.toml").read_text()
    refused(cli("init"), 2, "exists already")
    assert (tmp_path / "leadwire.toml").read_text() == before


def test_calibrating_without_a_dataset(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"not a zip file")
    refused(cli("quantize", "m.keras"), 2, "--dataset")


def test_a_keras_file_that_is_none(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"not a zip file")
    refused(cli("quantize", "m.keras", "--dataset", "synthetic-ecg"), 2, "m.keras")


def test_an_operator_without_kernel_names_it_and_its_layer(cli: Cli, tmp_path: Path) -> None:
    data = write_tflite(
        [T(shape=(1, 4)), T(shape=(1, 4))],
        [Op(kind="GELU", inputs=(0,), outputs=(1,))],
        [0],
        [1],
        names=["x", "block/gelu"],
    )
    (tmp_path / "m.tflite").write_bytes(data)
    refused(cli("generate", "m.tflite"), 3, "GELU", "block/gelu", "try: use ReLU, hard_swish")
    assert not list(tmp_path.glob("m-*"))


def test_a_float_model_cannot_be_generated_from(cli: Cli, tmp_path: Path) -> None:
    tensors = [T(shape=(1, 4), dtype="float32", quantized=False)] * 2
    (tmp_path / "m.tflite").write_bytes(write_tflite(tensors, [Op(kind="RELU", inputs=(0,), outputs=(1,))], [0], [1]))
    refused(cli("generate", "m.tflite"), 3, "float", "quantize")


def test_nan_in_the_dataset_names_the_beat(cli: Cli, tmp_path: Path, root: Path) -> None:
    beats = np.zeros((12, 96, 2), np.float32)
    beats[7, 3, 0] = np.nan
    patients = np.array([f"p{i % 4}" for i in range(12)])
    np.savez(tmp_path / "d.npz", beat=beats, features=np.zeros((12, 19)), labels=np.arange(12) % 3, patients=patients)
    (tmp_path / "d.toml").write_text(
        'kind = "npz"\nname = "mine"\ntitle = "x"\nlicence = "x"\nbasis = "real"\n'
        'input_names = ["beat", "features"]\nlabel_names = ["N", "S", "V"]\n[splits.train]\npath = "d.npz"\n'
    )
    model = root / "examples" / "arrhythmia" / "arrhythmia.keras"
    refused(cli("quantize", model, "--dataset", "d.toml", "--out", "o.tflite"), 2, "'beat' of beat 7", "NaN")
    assert not (tmp_path / "o.tflite").exists()


def test_a_model_larger_than_the_memory_itself(cli: Cli, tmp_path: Path, root: Path, good: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(good)
    text = own_board(root, "size_bytes = 131_072", "size_bytes = 12_288")
    (tmp_path / "tiny.toml").write_text(text.replace("ram_bytes = 114_688", "ram_bytes = 12_000"))
    done = cli("analyze", "m.tflite", "--board", "tiny.toml", "--json")
    refused(done, 4, "does not fit", "larger than the board's memory", "peak at op")
    analysis = json.loads(done.stdout)
    assert (analysis["fits"], analysis["basis"], analysis["image_flash_bytes"]) == (False, "planned", None)
    refused(cli("bench", "m.tflite", "--board", "tiny.toml"), 4, "does not fit")


def test_a_project_needs_the_float_model(cli: Cli, tmp_path: Path, good: bytes) -> None:
    (tmp_path / "model.tflite").write_bytes(good)
    assert cli("init", "--model", "model.tflite", "--dataset", "synthetic-ecg").returncode == 0
    refused(cli("run", "leadwire.toml"), 2, "quantized already", "float model")


def test_options_that_a_project_file_says_itself(cli: Cli, tmp_path: Path) -> None:
    refused(cli("bench", "leadwire.toml", "--board", "host", "-n", "3"), 2, "--board, --inputs", "project file")


def test_a_budget_that_is_no_number(cli: Cli, tmp_path: Path) -> None:
    assert cli("init", "--dataset", "synthetic-ecg").returncode == 0
    text = (tmp_path / "leadwire.toml").read_text().replace("# latency_us = 100000.0", "latency_us = nan")
    (tmp_path / "leadwire.toml").write_text(text)
    refused(cli("run", "leadwire.toml"), 2, "target.latency_us")


def test_a_device_that_dies_in_mid_run(tmp_path: Path, good: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(good)
    command = [sys.executable, "-m", "leadwire", "bench", "m.tflite", "-n", "100000"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            emulator = wait_for_child(run.pid, "leadwire.emulator")
            time.sleep(1.5)
            os.kill(emulator, signal.SIGKILL)
            stdout, stderr = run.communicate(timeout=240)
        finally:
            run.kill()
    refused(subprocess.CompletedProcess(command, run.returncode, stdout, stderr), 6)
    assert stdout == ""


def wait_for_child(parent: int, words: str) -> int:
    """The process id of a descendant whose command line holds `words`."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        parents = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                status = dict(
                    line.split(":\t", 1) for line in (entry / "status").read_text().splitlines() if ":\t" in line
                )
                parents[int(entry.name)] = (int(status["PPid"]), (entry / "cmdline").read_text().replace("\0", " "))
            except (OSError, KeyError):
                continue
        for pid, (above, line) in parents.items():
            while words in line and above in parents and above != parent:
                above = parents[above][0]
            if words in line and above == parent:
                return pid
        time.sleep(0.1)
    raise AssertionError(f"no child with '{words}' appeared")
