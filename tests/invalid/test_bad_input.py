"""Bad input at the command line: each gives its exit code, says what and where, and never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

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
    refused(cli("analyze", "m.tflite", "--board", "nucleo-nothing"), 2, "nucleo-nothing", "virtual-stm32f405")
    refused(cli("analyze", "m.tflite", "--backend", "magic"), 2, "magic", "aot")
    refused(cli("build", "m.tflite", "--toolchain", "tcc"), 2, "tcc", "zig")


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


def npz_dataset(folder: Path, beats: np.ndarray) -> None:
    n = len(beats)
    np.savez(folder / "d.npz", beat=beats, labels=np.arange(n) % 2, patients=np.array([f"p{i % 4}" for i in range(n)]))
