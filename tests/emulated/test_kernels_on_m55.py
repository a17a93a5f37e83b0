"""The kernels for MVE on QEMU's MPS3 AN547, whose core has it: drawn operators of every kind give the bytes of
TensorFlow Lite Micro. On this computer it is their twins in C that run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leadwire.board import load_board
from leadwire.build import build_image
from leadwire.device.client import DeviceClient
from leadwire.device.target import Target
from leadwire.flash import flash_image
from leadwire.generate import generate_project
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.ops.choice import choose_kernels
from leadwire.planner import plan_memory
from many_operators import many_operators
from single_operator import run_witness, sample_rows

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")
pytestmark = pytest.mark.qemu

BOARD = "qemu-mps3-an547"
PATIENCE_S = 20.0
"""For one answer, because QEMU shares its processor with other tests."""
WITH_MVE = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MAX_POOL_2D", "AVERAGE_POOL_2D"}


@pytest.mark.requirement("LW-ENG-001")
def test_bytes_of_mve(tmp_path: Path) -> None:
    data = many_operators(3, each=5)
    model, board = parse_tflite(data, "many"), load_board(BOARD)
    registry.check(model)
    kernels = choose_kernels(model, ["dsp", "mve"])
    assert {op.kind for op, kernel in zip(model.operators, kernels, strict=True) if kernel == "mve"} >= WITH_MVE
    plan = plan_memory(model, kernels=kernels)
    rows = sample_rows(model, 3, count=2)
    expected = run_witness(data, model, rows)
    golden = {"self_test_input": rows[0].tobytes(), "self_test_output": expected[0].tobytes()}
    project = generate_project(model, plan, board, tmp_path / "source", **golden)
    image = build_image(project, board, toolchain="zig", out=tmp_path / "image")
    with (
        flash_image(image, Target(board=board)) as running,
        DeviceClient(running.port, board.link.baud, timeout_s=PATIENCE_S) as client,
    ):
        client.expect(image)
        answers = [client.infer(number, row.tobytes()).output for number, row in enumerate(rows, 1)]
    found = np.frombuffer(b"".join(answers), np.int8).reshape(len(rows), -1)
    assert np.array_equal(found, expected)
