"""Forms of one graph put together, ranges of our own, repairs: three conversions by TensorFlow, shared by all tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from float_network import float_network, waves
from leadwire import HostModel, reference
from leadwire.artifacts import QuantizationRecipe, QuantizedModel
from leadwire.datasets import Dataset, take
from leadwire.errors import BadInputError, DatasetError, UnsupportedModelError
from leadwire.model.editing import EditableModel
from leadwire.model.tensor import TensorType
from leadwire.model.tflite import parse_tflite, read_tflite
from leadwire.pipeline.sources import read_model
from leadwire.quantize import CalibrationPolicy, quantize_model
from leadwire.quantize.bias import correct_biases
from leadwire.quantize.effect import effect_of, outputs_of
from leadwire.quantize.found import mode_of
from leadwire.quantize.islands import Form, body, compose, computing, follow
from leadwire.quantize.modes import Maker
from leadwire.quantize.sensitivity import keep_enough, keep_worst, rank_layers

pytestmark = pytest.mark.timeout(300)
PLAIN, NARROW = QuantizationRecipe(), QuantizationRecipe(calibrator="percentile", percentile=95.0)
EQUALIZED = QuantizationRecipe(equalize=True)
POLICY = CalibrationPolicy(count=40, seed=2)


@dataclass(frozen=True)
class Forms:
    maker: Maker
    data: Dataset
    plain: dict[Form, bytes]


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Forms:
    """A network whose channels differ by up to a factor of 400, in all forms."""
    path = tmp_path_factory.mktemp("forms") / "net.tflite"
    path.write_bytes(float_network(spread=20.0))
    data = waves()
    maker = Maker(path, take(data, range(45)), per_tensor_dense=False, timeout_s=250)
    maker.make_ready([("int8", PLAIN), ("int16x8", PLAIN), ("int8", NARROW), ("int8", EQUALIZED)])
    return Forms(maker, take(data, range(45, 90)), maker.forms(("int8", "int16x8"), PLAIN))


def tflm(content: bytes, folder: Path, data: Dataset) -> np.ndarray:
    path = folder / "one.tflite"
    path.write_bytes(content)
    model = read_tflite(path)
    return reference.run_tflm(path, reference.quantize_inputs(model, data.inputs, data.input_names))


@pytest.mark.parametrize("form", ["int8", "int16x8"])
def test_a_graph_put_together_from_one_form_answers_as_it_does(forms: Forms, form: Form, tmp_path: Path) -> None:
    count = len(body(EditableModel(forms.plain["float"])))
    made = compose(forms.plain, [form] * count)
    assert np.array_equal(tflm(made, tmp_path, forms.data), tflm(forms.plain[form], tmp_path, forms.data))
    assert compose(forms.plain, [form] * count) == made


def test_constants_lie_on_multiples_of_sixteen(forms: Forms) -> None:
    made = compose(forms.plain, follow(EditableModel(forms.plain["float"]), {1: "int16x8"}, "int8"))
    model = EditableModel(made)
    for buffer in model.root.buffers:
        if buffer.data is not None and len(buffer.data) >= 16:
            assert made.find(buffer.data.tobytes()) % 16 == 0


def test_mixed_precision_runs_on_tflm_and_in_the_generated_c_alike(forms: Forms, tmp_path: Path) -> None:
    plain = EditableModel(forms.plain["float"])
    choice = follow(plain, {2: "int16x8", 4: "int16x8"}, "int8")
    assert [choice[index] for index in (1, 2, 3, 4, 5, 6)] == [
        "int8", "int16x8", "int16x8", "int16x8", "int16x8", "int8",
    ]  # fmt: skip
    made = compose(forms.plain, choice)
    model = parse_tflite(made, "mixed")
    kinds = [(operator.kind, model.output(operator).dtype) for operator in model.operators]
    assert kinds.count(("QUANTIZE", TensorType.INT16)) == kinds.count(("QUANTIZE", TensorType.INT8)) == 1
    assert mode_of(model) == "mixed"
    expected = tflm(made, tmp_path, forms.data)
    raw = HostModel.from_tflite(tmp_path / "one.tflite").predict_quantized(forms.data.inputs)
    assert np.array_equal(np.ascontiguousarray(raw).view(np.int8), expected)


def test_one_layer_in_int8_leaves_the_others_in_float(forms: Forms) -> None:
    plain = EditableModel(forms.plain["float"])
    assert computing(plain) == (1, 2, 4, 6, 7)
    model = parse_tflite(compose(forms.plain, follow(plain, {4: "int8"}, "float")), "one")
    integers = [op.kind for op in model.operators if model.output(op).dtype is TensorType.INT8]
    assert integers == ["QUANTIZE", "CONV_2D", "RESHAPE"]
    assert mode_of(model) == "mixed"
    assert {tensor.dtype for tensor in (*model.input_tensors, *model.output_tensors)} == {TensorType.FLOAT32}


def test_forms_with_other_operators_are_refused(forms: Forms) -> None:
    other = EditableModel(forms.plain["int8"])
    other.graph.operators = other.operators[:-1]
    with pytest.raises(UnsupportedModelError, match="has 7 operators, the float graph 8; they part at operator 7"):
        compose({**forms.plain, "int8": other.written()}, ["int8"] * 8)


def test_layers_are_ranked_and_keeping_the_worst_helps(forms: Forms) -> None:
    ranked = rank_layers(forms.plain, forms.data)
    losses = [layer.effect.sqnr_db for layer in ranked]
    assert losses == sorted(losses) and {layer.operator_index for layer in ranked} == {1, 2, 4, 6, 7}
    floats = outputs_of(forms.plain["float"], forms.data)

    def kept(count: int, keep_as: Form) -> float:
        made = keep_worst(forms.plain, ranked, count, keep_as)
        return effect_of(floats, outputs_of(made, forms.data), forms.data).sqnr_db

    assert kept(0, "int16x8") == effect_of(floats, outputs_of(forms.plain["int8"], forms.data), forms.data).sqnr_db
    assert kept(5, "int16x8") > kept(3, "int16x8") > kept(0, "int16x8") + 1
    assert kept(5, "float") == np.inf and kept(3, "float") > kept(0, "float") + 1
    count, content, effect = keep_enough(forms.plain, ranked, forms.data, "int16x8", kept(3, "int16x8"))
    assert content is not None and count <= 3 and effect.sqnr_db >= kept(3, "int16x8")
    count, content, effect = keep_enough(forms.plain, ranked, forms.data, "int16x8", 150.0)
    assert content is None and effect.sqnr_db < 150


def test_a_calibrator_moves_the_scales_as_its_ranges_say(forms: Forms) -> None:
    ranges = forms.maker._ranges(forms.maker.floating, "int8", NARROW)
    found = parse_tflite(forms.maker.forms(("int8",), NARROW)["int8"], "narrow")
    floats = parse_tflite(forms.maker.floating, "float")
    (entry,) = found.input_tensors
    low, high = ranges[floats.inputs[0]]
    assert entry.quantization is not None
    assert entry.quantization.scale == pytest.approx((high - low) / 255, rel=1e-5)
    wide = parse_tflite(forms.plain["int8"], "minmax").input_tensors[0].quantization
    assert wide is not None and entry.quantization.scale < wide.scale
    extremes = forms.maker.drawn.inputs[0]
    assert wide.scale == pytest.approx((extremes.max() - extremes.min()) / 255, rel=1e-5)


def test_equalization_wins_back_what_wild_channels_lose(forms: Forms) -> None:
    floats = outputs_of(forms.plain["float"], forms.data)
    wild = effect_of(floats, outputs_of(forms.plain["int8"], forms.data), forms.data)
    made = forms.maker.make("int8", EQUALIZED, forms.data)
    tame = effect_of(floats, outputs_of(made.content, forms.data), forms.data)
    assert made.equalized and tame.sqnr_db > wild.sqnr_db + 6


def test_bias_correction_takes_the_mean_error_off(forms: Forms) -> None:
    """Second witness: the mean of the last dense layer's real error over the samples, straight from its outputs."""
    samples = forms.maker.drawn
    content, corrected = correct_biases(forms.plain["int8"], forms.plain["float"], samples)
    assert "dense" in corrected
    assert correct_biases(forms.plain["int8"], forms.plain["float"], samples) == (content, corrected)

    def mean_error(made: bytes) -> float:
        model, folder = parse_tflite(made, "made"), Path(forms.maker.source).parent
        path = folder / "bias.tflite"
        path.write_bytes(made)
        last = next(op.index for op in model.operators if op.kind == "FULLY_CONNECTED")
        dense = model.output(model.operators[last])
        raw = [
            one[last] for one in reference.operator_values(path, samples.inputs, samples.input_names, runtime="tflm")
        ]
        plain = reference.float_operator_outputs(forms.maker.source, samples.inputs, samples.input_names)
        wanted = np.array([one[6] for one in plain])
        return float(np.abs((reference.dequantize_array(np.array(raw), dense) - wanted).mean(axis=0)).max())

    before, after = mean_error(forms.plain["int8"]), mean_error(content)
    assert after < before / 2


@pytest.fixture(scope="module")
def mixed(forms: Forms) -> QuantizedModel:
    recipe = QuantizationRecipe(calibrator="percentile", equalize=True, bias_correction=True, keep=2)
    out = forms.maker.source.parent / "out" / "mixed.tflite"
    return quantize_model(forms.maker.source, waves(), POLICY, out, mode="mixed", recipe=recipe)


@pytest.mark.requirement("LW-QNT-003")
def test_the_record_says_how_a_mixed_model_was_made(mixed: QuantizedModel, tmp_path: Path) -> None:
    assert mixed.mode == "mixed" and len(mixed.kept) == 2 and mixed.equalized and mixed.corrected
    pinned = dict(mixed.pinned)
    assert pinned["mode"] == "mixed" and pinned["calibrator"] == "percentile 99.99"
    assert pinned["cross-layer equalization"] == pinned["bias correction"] == "yes"
    assert mixed.effect is not None and mixed.effect.samples == 50 and mixed.effect.sqnr_db > 15
    assert mode_of(read_model(mixed.path)) == "mixed"
    assert [error.operator_index for error in mixed.layer_errors] == list(range(len(mixed.layer_errors)))
    adopted = quantize_model(mixed.path, waves(), POLICY, tmp_path / "copy.tflite", mode="mixed")
    assert adopted.digest == mixed.digest and adopted.mode == "mixed"


def test_what_cannot_be_is_said(mixed: QuantizedModel, forms: Forms, tmp_path: Path) -> None:
    out = tmp_path / "no.tflite"
    with pytest.raises(BadInputError, match="as mixed and not as int8"):
        quantize_model(mixed.path, waves(), POLICY, out)
    with pytest.raises(BadInputError, match="calibrator and repairs come too late"):
        quantize_model(mixed.path, waves(), POLICY, out, mode="mixed", recipe=EQUALIZED)
    half = quantize_model(forms.maker.source, waves(), POLICY, tmp_path / "half.tflite", mode="fp16")
    assert half.calibration.count == 0 and half.effect is not None and half.effect.samples == 90
    with pytest.raises(UnsupportedModelError, match="quantized already, in mode fp16"):
        quantize_model(half.path, waves(), POLICY, out)
    with pytest.raises(DatasetError, match="none is left to rank layers on"):
        forms.maker.make("mixed", PLAIN, None)
    with pytest.raises(BadInputError, match=r"comes to 150 dB: the best one, with \d of 5 layers kept"):
        forms.maker.make("mixed", replace(PLAIN, target_sqnr_db=150.0), forms.data)
    assert not out.exists()
