"""A small model whose names are as bad as names get, its packages, and the bytes it must answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leadwire.artifacts import FirmwareProject
from leadwire.bench import pattern_input
from leadwire.board import load_board
from leadwire.generate import generate_project
from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.planner import plan_memory
from single_operator import Op, T, run_witness, write_tflite

HOSTILE = 'int "Überwachung" \\$(HOME) %s;*/ ?? </a>&#1 \u202eñ 心电'
ID = "int_uberwachung_home_s_a_1_n"
LABELS = ("normal", 'V"\\n*/', "while", "Ä心", "")
INPUTS = np.random.default_rng(3).integers(-128, 128, (20, 6), dtype=np.int8)


def hostile_model() -> bytes:
    """FULLY_CONNECTED and SOFTMAX, five classes; tensor names with quotes, comment ends and keywords."""
    weights = (np.arange(30, dtype=np.int8).reshape(5, 6) * 7 - 90).astype(np.int8)
    tensors = [
        T(shape=(1, 6), scale=0.5, zero_point=-3),
        T(shape=(5, 6), array=weights, scale=0.001),
        T(shape=(5,), array=np.array([10, -10, 0, 400, -400], np.int32), scale=0.0005),
        T(shape=(1, 5), scale=0.1, zero_point=4),
        T(shape=(1, 5), scale=1 / 256, zero_point=-128),
    ]
    operators = [
        Op(kind="FULLY_CONNECTED", inputs=(0, 1, 2), outputs=(3,), options="FullyConnectedOptions"),
        Op(kind="SOFTMAX", inputs=(3,), outputs=(4,), options="SoftmaxOptions", fields={"beta": 1.0}),
    ]
    return write_tflite(tensors, operators, [0], [4], ['in "put"', "int", "for */", "dense/Ünï\n#if 0", "p\\"])


def model(name: str = HOSTILE) -> Model:
    return parse_tflite(hostile_model(), name, LABELS)


def answers(rows: np.ndarray) -> np.ndarray:
    """What TensorFlow Lite Micro's interpreter answers."""
    return run_witness(hostile_model(), model(), rows)


def pattern_line() -> str:
    """What every example prints: the answer to the pattern input."""
    row = np.frombuffer(pattern_input(6), np.int8).reshape(1, -1)
    return "output 0:" + "".join(f" {value}" for value in answers(row)[0])


def project(folder: Path, name: str = HOSTILE) -> FirmwareProject:
    """The generated project, with the golden self-test of the pattern input."""
    loaded = model(name)
    given = pattern_input(loaded.input_bytes)
    expected = answers(np.frombuffer(given, np.int8).reshape(1, -1)).tobytes()
    return generate_project(
        loaded,
        plan_memory(loaded),
        load_board("virtual-stm32f405"),
        folder,
        self_test_input=given,
        self_test_output=expected,
    )


def program(name: str) -> str | None:
    """A program of this Python's environment, or of the PATH."""
    return shutil.which(name, path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))


def run(*argv: str | Path, folder: Path | None = None, given: bytes = b"", **environment: str) -> bytes:
    """What a program prints; AssertionError with all of it where it fails."""
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=folder,
        input=given,
        env={**os.environ, **environment},
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")[-4000:]
    return done.stdout


CMAKE, NINJA = program("cmake"), program("ninja")
needs_cmake = pytest.mark.skipif(CMAKE is None, reason="needs cmake: pip install cmake ninja")


def compilers(c: str) -> None:
    if not shutil.which(c):
        pytest.skip(f"needs {c}, which is not installed")


def configure(source: Path, build: Path, c: str, cxx: str, *options: str) -> None:
    assert CMAKE is not None
    generator = ("-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={NINJA}") if NINJA else ()
    run(CMAKE, "-S", source, "-B", build, *generator, f"-DCMAKE_C_COMPILER={c}", f"-DCMAKE_CXX_COMPILER={cxx}",
        "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON", *options)  # fmt: skip
