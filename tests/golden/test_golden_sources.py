"""The generated sources of a tiny model, and SUPPORTED_OPS.md, compared byte by byte: read the diff before accepting.

LEADWIRE_GOLDEN=write (make golden) writes them again.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from leadwire.board import load_board
from leadwire.generate import generate_project
from leadwire.generate.project import BackendOptions
from leadwire.model.tflite import parse_tflite
from leadwire.ops.registry import supported_ops_markdown
from leadwire.planner import plan_memory
from leadwire.tflm_arena import plan_tflm
from single_operator import Op, T, write_tflite

GOLDEN = Path(__file__).resolve().parent / "aot_tiny"
ROOT = Path(__file__).resolve().parents[2]
WRITE = os.environ.get("LEADWIRE_GOLDEN") == "write"


def tiny_model() -> bytes:
    """RESHAPE, CONV_2D, MEAN, FULLY_CONNECTED, SOFTMAX with weights that can be read at a glance."""
    tensors = [
        T(shape=(1, 6, 1), scale=0.5, zero_point=-3),
        T(shape=(4,), array=np.array([1, 1, 6, 1], np.int32), quantized=False),
        T(shape=(1, 1, 6, 1), scale=0.5, zero_point=-3),
        T(shape=(2, 1, 3, 1), array=np.array([1, 2, 3, -1, -2, -3], np.int8), scale=(0.25, 0.5), axis=0),
        T(shape=(2,), array=np.array([10, -10], np.int32), scale=(0.125, 0.25)),
        T(shape=(1, 1, 4, 2), scale=0.75, zero_point=-128),
        T(shape=(2,), array=np.array([1, 2], np.int32), quantized=False),
        T(shape=(1, 2), scale=0.7, zero_point=-128),
        T(shape=(2, 2), array=np.array([[5, -5], [7, 9]], np.int8), scale=0.1),
        T(shape=(1, 2), scale=0.3, zero_point=4),
        T(shape=(1, 2), scale=1 / 256, zero_point=-128),
    ]
    operators = [
        Op(kind="RESHAPE", inputs=(0, 1), outputs=(2,), options="ReshapeOptions"),
        Op(
            kind="CONV_2D",
            inputs=(2, 3, 4),
            outputs=(5,),
            options="Conv2DOptions",
            fields={"padding": 1, "strideH": 1, "strideW": 1, "fusedActivationFunction": 1},
        ),
        Op(kind="MEAN", inputs=(5, 6), outputs=(7,), options="ReducerOptions"),
        Op(kind="FULLY_CONNECTED", inputs=(7, 8, -1), outputs=(9,), options="FullyConnectedOptions"),
        Op(kind="SOFTMAX", inputs=(9,), outputs=(10,), options="SoftmaxOptions", fields={"beta": 1.0}),
    ]
    names = ["ecg", "shape", "row", "w", "b", "conv", "axes", "mean", "fw", "dense", "probability"]
    return write_tflite(tensors, operators, [0], [10], names)


def compare(path: Path, contents: bytes) -> None:
    if WRITE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
    assert path.is_file(), f"{path} is missing: make golden"
    assert contents.decode() == path.read_text(), f"{path.name} changed: make golden, and read the diff"


@pytest.mark.parametrize("name", ["model.h", "model.c", "weights.h", "weights.c", "self_test.c", "host.c"])
def test_sources(name: str, tmp_path: Path) -> None:
    model = parse_tflite(tiny_model(), "tiny", ("normal", "ectopic"))
    generate_project(
        model,
        plan_memory(model),
        load_board("host"),
        tmp_path,
        self_test_input=bytes(range(6)),
        self_test_output=b"\x80\x7f",
    )
    compare(GOLDEN / name, (tmp_path / "model" / name).read_bytes())


@pytest.mark.parametrize(
    "name",
    [
        "model.h", "model.c", "engine.h", "engine.cc", "model_data.h", "model_data.cc", "op_resolver.h",
        "op_resolver.cc", "self_test.c",
    ],
)  # fmt: skip
def test_tflm_sources(name: str, tmp_path: Path) -> None:
    model = parse_tflite(tiny_model(), "tiny", ("normal", "ectopic"))
    generate_project(
        model,
        plan_tflm(model),
        load_board("virtual-stm32f405"),
        tmp_path,
        backend="tflm",
        self_test_input=bytes(range(6)),
        self_test_output=b"\x80\x7f",
        source=tiny_model(),
        options=BackendOptions(section=".model_data", alignment=64),
    )
    compare(GOLDEN.with_name("tflm_tiny") / name, (tmp_path / "model" / name).read_bytes())


def test_supported_operators_page() -> None:
    compare(ROOT / "docs" / "SUPPORTED_OPS.md", supported_ops_markdown().encode())
