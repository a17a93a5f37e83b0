"""Channels whose values are zero can be taken out of any network without changing what it answers: each way in which
layers are connected (`connections`), by numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.tensorflow_process import convert

CONNECTIONS = (
    "residual", "residual_with_projection", "functions_of_keras_ops", "squeeze_and_excite", "one_gate_for_all",
    "depthwise", "separable", "concatenation", "concatenation_in_time", "flatten", "folded_in_time", "spread_in_time",
    "channel_shuffle", "up_and_down", "prelu", "layer_called_twice", "two_dimensions", "recurrent", "row",
)  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("channels") / "macs.keras"


@pytest.fixture(scope="module")
def found(saved: Path) -> dict[str, Any]:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("connections.py")), str(saved)],
        capture_output=True, text=True, timeout=570, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("name", CONNECTIONS)
def test_zero_channels_can_go(name: str, found: dict[str, Any]) -> None:
    one = found[name]
    assert one["apart"] < 2e-6 < 1e-3 < one["spread"]
    assert any(after < before for before, after in one["channels"].values())
    assert one["told"] == {layer: after for layer, (_, after) in one["channels"].items()}
    assert one["parameters"][1] < one["parameters"][0]
    assert one["same names"]
    whole, expected, counted = one["macs"]
    assert expected == counted < whole


def test_what_belongs_together(found: dict[str, Any]) -> None:
    def channels(name: str) -> dict[str, list[int]]:
        told: dict[str, list[int]] = found[name]["channels"]
        return told

    assert channels("residual") == {"stem": [8, 4], "first": [6, 3], "second": [8, 4], "classes": [3, 3]}
    excite = channels("squeeze_and_excite")
    assert excite["stem"] == excite["excite"] == [8, 4]
    assert excite["reduce"] == [3, 2]
    assert channels("one_gate_for_all")["gate"] == [1, 1]
    assert channels("channel_shuffle")["in"] == [8, 4]
    assert channels("recurrent") == {"stem": [8, 4], "between": [6, 3], "classes": [3, 3]}


def test_what_may_be_mixed_stays(found: dict[str, Any]) -> None:
    for name, words in (
        ("nested", "layer 'nested' (Functional) may mix them"),
        ("dot_products", "layer 'scores' (Dot) may mix them"),
        ("normalized_by_layer", "layer 'layer_norm' (LayerNormalization) may mix them"),
    ):
        one = found[name]
        assert one["channels"]["stem"] == [8, 8]
        assert one["reasons"]["stem"] == words
        assert one["apart"] == 0
    assert found["residual"]["reasons"]["classes"] == "the activation of layer 'classes' mixes them"


def test_the_converted_model_has_as_many_macs(found: dict[str, Any], saved: Path) -> None:
    beats = np.random.default_rng(1).normal(size=(8, 12, 2)).astype(np.float32)
    content, _ = convert(saved, {"beat": beats}, per_tensor_dense=True, timeout_s=500)
    assert sum(registry.macs(parse_tflite(content, "macs"))) == sum(found["macs"].values())
    assert set(found["macs"]) == {
        "conv", "depthwise", "separable", "grouped", "transposed", "dense", "scores", "mix", "image", "classes",
    }  # fmt: skip
