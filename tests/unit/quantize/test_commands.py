"""The commands around modes: what they show and what they refuse, without TensorFlow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from float_network import float_network
from leadwire.artifacts import (
    CalibrationSet,
    ComparedMode,
    LayerSensitivity,
    ModeComparison,
    QuantizationEffect,
    QuantizationRecipe,
    QuantizedModel,
    SensitivityResult,
)
from leadwire.cli import app
from leadwire.errors import BadInputError, ConfigError, LeadwireError, UnsupportedModelError
from leadwire.pipeline import run_project
from leadwire.pipeline.modes import recipe_of
from leadwire.pipeline.watcher import Quiet
from leadwire.project import load_project, write_template
from leadwire.views import quantization as views

EQUALIZED = QuantizationRecipe(equalize=True)
EFFECT = QuantizationEffect(samples=40, sqnr_db=31.25, changed=2, macro_f1_float=0.75, macro_f1=0.74)
CALIBRATION = CalibrationSet(
    dataset="waves", policy="drawn", seed=1, count=30, per_class=(("N", 30),), patients=("p",), indices=(1,),
    digest="0",
)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["quantize", "m.keras", "--dataset", "synthetic-ecg", "--calibrator", "kl"], "no calibrator 'kl'"),
        (
            ["quantize", "m.keras", "--dataset", "mitdb", "--keep-as", "int4"],
            "no form to keep layers in 'int4'",
        ),
        (["quantize", "m.keras", "--dataset", "synthetic-ecg", "--compare", "--mode", "fp16"], "--mode: of one mode"),
        (["quantize", "m.keras", "--compare"], "needs inputs to calibrate with"),
        (["sensitivity", "m.keras"], "needs inputs to calibrate with"),
        (["sensitivity", "m.keras", "--dataset", "synthetic-ecg", "--stratify", "age"], "no stratification 'age'"),
        (["sensitivity", "leadwire.toml", "--seed", "3"], "--seed"),
        (["quantize", "leadwire.toml", "--keep", "3"], "--keep"),
    ],
)
def test_commands_refuse_what_does_not_go_together(arguments: list[str], words: str) -> None:
    found = CliRunner().invoke(app, arguments)
    assert isinstance(found.exception, BadInputError) and words in found.exception.message


@pytest.mark.parametrize("verb", ["quantize", "sensitivity"])
def test_a_model_that_is_not_there(verb: str, tmp_path: Path) -> None:
    found = CliRunner().invoke(app, [verb, str(tmp_path / "no.keras"), "--dataset", "synthetic-ecg"])
    assert isinstance(found.exception, LeadwireError) and "does not exist" in found.exception.message


def test_rankings_and_comparisons_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    layers = (LayerSensitivity(operator_index=4, kind="CONV_2D", tensor="conv", effect=EFFECT),)
    views.ranked(
        SensitivityResult(source_digest="0", calibration=CALIBRATION, calibrator="mse", all_int8=EFFECT, layers=layers)
    )
    shown = capsys.readouterr().out
    assert "conv" in shown and "31.2" in shown and "+1.00" in shown and "mse" in shown
    plain = QuantizationRecipe()
    modes = (
        ComparedMode(
            mode="mixed", recipe=replace(plain, equalize=True), size_bytes=1234, kept=("conv",), effect=EFFECT
        ),
        ComparedMode(mode="fp16", recipe=plain, size_bytes=99, kept=(), effect=replace(EFFECT, changed=None)),
    )
    views.compared(ModeComparison(source_digest="0", calibration=CALIBRATION, modes=modes))
    shown = capsys.readouterr().out
    assert "mixed, 1 kept as int16x8" in shown and "equalized" in shown and "1 234 B" in shown and "fp16" in shown
    made = QuantizedModel(
        path=Path("m.tflite"), digest="0", size_bytes=5, source_digest="1", calibration=CALIBRATION, layer_errors=(),
        pinned=(), mode="int16x8", recipe=replace(plain, calibrator="mse"), effect=EFFECT,
    )  # fmt: skip
    views.quantized(made)
    shown = capsys.readouterr().out
    assert "INT16x8, calibrator mse" in shown and "2 decisions changed, macro F1 +1.00 points lost" in shown


def project(folder: Path, model: str, calibration: str = "") -> Path:
    (folder / "model.tflite").write_bytes(float_network())
    path = write_template(folder, model="model.tflite", dataset="synthetic-ecg", protocol="arrhythmia-synthetic")
    text = path.read_text().replace('mode = "int8"', f'mode = "{model}"', 1)
    path.write_text(text.replace('method = "minmax"', f'method = "minmax"\n{calibration}', 1))
    return path


@pytest.mark.parametrize(("mode", "until"), [("dynamic", "budget"), ("fp16", "report")])
def test_a_project_in_a_mode_for_hosts_stops_before_its_first_stage(mode: str, until: str, tmp_path: Path) -> None:
    loaded = load_project(project(tmp_path, mode))
    with pytest.raises(UnsupportedModelError, match=f"is in mode {mode}") as caught:
        run_project(loaded, until=until, watcher=Quiet())
    assert caught.value.exit_code == 3 and "runs on hosts" in caught.value.hint
    assert not list((tmp_path / "out").glob("*.tflite"))


def test_a_project_says_mode_and_recipe(tmp_path: Path) -> None:
    path = project(tmp_path, 'mixed"\nkeep = 5\nkeep_as = "float', "percentile = 99.5")
    assert recipe_of(load_project(path).settings) == QuantizationRecipe(keep=5, keep_as="float", percentile=99.5)
    with pytest.raises(BadInputError, match="a percentile is of calibrator percentile"):
        run_project(load_project(path), until="quantize", watcher=Quiet())
    path.write_text(path.read_text().replace('"minmax"', '"kl"').replace("keep = 5", "keep = -1"))
    with pytest.raises(ConfigError) as caught:
        load_project(path)
    assert "method" in str(caught.value.message) and "keep" in str(caught.value.message)


def test_sensitivity_refuses_a_model_that_is_quantized(tmp_path: Path) -> None:
    from leadwire.quantize.weights import to_half

    path = tmp_path / "half.tflite"
    path.write_bytes(to_half(float_network()))
    found = CliRunner().invoke(app, ["sensitivity", str(path), "--dataset", "synthetic-ecg", "--json"])
    assert isinstance(found.exception, UnsupportedModelError) and "in mode fp16" in json.dumps(found.exception.message)
