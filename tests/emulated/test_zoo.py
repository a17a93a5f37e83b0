"""Every family of the zoo, quantized without a float left, on the emulated board: the bytes of TensorFlow Lite Micro in
a number of instructions that no input changes, and the figures of docs/manual/zoo.md.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leadwire import reference, zoo
from leadwire.device.client import DeviceClient
from leadwire.flash import flash_image
from leadwire.ops import registry
from leadwire.pipeline.alone import analyze_model, build_model, choose, require_image
from zoo_models import make_models

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")
pytestmark = pytest.mark.timeout(900)

TINY: dict[str, dict[str, Any]] = {
    "cnn_gru": {"halvings": 5},
    "mobilenet_v1": {"depth": 2},
    "mobilenet_v2": {"depth": 3, "expansion": 2},
    "resnet": {"stages": 2},
    "shufflenet": {"depth": 3},
    "squeeze_excite": {"stages": 2},
    "tcn": {"depth": 3},
    "unet": {"depth": 2, "output": "softmax"},
}
"""Smaller than the defaults, because each operator costs the converter time; the others are compared with the page."""

OPERATORS = {
    "attention": {"CONV_2D", "DEPTHWISE_CONV_2D", "BATCH_MATMUL", "SOFTMAX", "CONCATENATION", "ADD"},
    "cnn": {"CONV_2D", "AVERAGE_POOL_2D", "FULLY_CONNECTED", "SOFTMAX"},
    "cnn_gru": {"CONV_2D", "FULLY_CONNECTED", "LOGISTIC", "TANH", "MUL", "SUB", "STRIDED_SLICE", "SPLIT", "UNPACK"},
    "mobilenet_v1": {"CONV_2D", "DEPTHWISE_CONV_2D"},
    "mobilenet_v2": {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD"},
    "resnet": {"CONV_2D", "ADD"},
    "shufflenet": {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE", "AVERAGE_POOL_2D", "CONCATENATION", "ADD"},
    "squeeze_excite": {"CONV_2D", "MEAN", "FULLY_CONNECTED", "LOGISTIC", "MUL", "ADD"},
    "tcn": {"CONV_2D", "PAD", "ADD"},
    "unet": {"CONV_2D", "MAX_POOL_2D", "RESIZE_NEAREST_NEIGHBOR", "CONCATENATION", "SOFTMAX"},
}
"""Those that make the family, among others."""
UNWANTED = {"QUANTIZE", "TILE", "SPACE_TO_BATCH_ND", "RSQRT", "SQUARED_DIFFERENCE", "RELU", "RELU6"}
"""Marks of a conversion that went another way: a change of scales, a dilation or an activation that did not fuse."""


class Quiet:
    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...


QUICK = ("attention", "cnn", "shufflenet", "squeeze_excite", "tcn")
"""Those of every run; with LEADWIRE_ZOO=all (make zoo) all ten. A recurrent network alone costs half of the time."""
FAMILIES = sorted(zoo.FAMILIES) if os.environ.get("LEADWIRE_ZOO") == "all" else QUICK


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    make_models(folder, {name: TINY.get(name, {}) for name in FAMILIES})
    return folder


def on_the_page(root: Path, family: str) -> dict[str, int]:
    page = (root / "docs" / "manual" / "zoo.md").read_text(encoding="utf-8")
    columns, row = (
        next(line for line in page.splitlines() if line.startswith(start)).strip("| ").split(" | ")
        for start in ("| family |", f"| [`{family}`]")
    )
    return {
        name: int(cell.replace(",", ""))
        for name, cell in zip(columns, row, strict=True)
        if cell[0].isdigit() and "." not in cell
    }


@pytest.mark.requirement("LW-TIM-001")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_on_the_board(made: Path, family: str, tmp_path: Path, root: Path) -> None:
    path, options = made / f"{family}.tflite", choose("virtual-stm32f405", "aot", "zig")
    built = build_model(path, options, tmp_path / "firmware", Quiet())
    model = built.model
    kinds = {operator.kind for operator in model.operators}
    assert OPERATORS[family] <= kinds
    assert not UNWANTED & kinds
    rows = np.random.default_rng(3).integers(-128, 128, (3, model.input_bytes)).astype(np.int8)
    rows[1:] = [[-128], [127]]
    expected = reference.run_tflm(path, rows)
    assert len({row.tobytes() for row in expected}) > 1, "an output that no input changes compares nothing"
    counts = set()
    with flash_image(require_image(built), options.target) as running, DeviceClient(running.port) as client:
        for number, (row, wanted) in enumerate(zip(rows, expected, strict=True)):
            result = client.infer(number, row.tobytes())
            assert result.output == wanted.tobytes()
            counts.add(result.cycles)
        assert len(counts) == 1
    if family not in TINY:
        found, said = analyze_model(built), on_the_page(root, family)
        assert (found.macs, len(model.operators)) == (said["MACs"], said["operators"]), "run make zoo"
        assert found.arena_bytes == pytest.approx(said["arena B"], rel=0.1), "run make zoo"
        assert found.flash_bytes == pytest.approx(said["flash B"], rel=0.1), "run make zoo"
        assert counts.pop() == pytest.approx(said["cycles"], rel=0.1), "run make zoo"


def test_a_grouped_convolution_is_one_operator(made: Path) -> None:
    from leadwire.model.tflite import read_tflite
    from leadwire.ops.geometry import groups_of

    model = read_tflite(made / "shufflenet.tflite")
    groups = [groups_of(model, operator) for operator in model.operators if operator.kind == "CONV_2D"]
    assert groups == [1, 2, 2, 2, 2, 2, 2]
    macs = [count for count, op in zip(registry.macs(model), model.operators, strict=True) if op.kind == "CONV_2D"]
    assert macs[1] == 48 * 20 * 12, "48 positions, 20 outputs, half of 24 inputs"
