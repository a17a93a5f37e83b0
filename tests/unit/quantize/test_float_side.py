"""Calibrators, equalization, weights alone, recipes: what needs no TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from float_network import float_network, waves
from leadwire.artifacts import Calibrator, QuantizationMode, QuantizationRecipe
from leadwire.errors import BadInputError, UnsupportedModelError
from leadwire.model.editing import EditableModel
from leadwire.model.tflite import parse_tflite
from leadwire.pipeline.sources import read_model
from leadwire.quantize.draw import CalibrationPolicy, draw_calibration, draw_held_out
from leadwire.quantize.effect import effect_of, macro_f1, outputs_of
from leadwire.quantize.equalize import equalize
from leadwire.quantize.found import mode_of
from leadwire.quantize.modes import check_recipe, is_for_device
from leadwire.quantize.ranges import Spread, choose_range, measure_spreads
from leadwire.quantize.weights import quantize_symmetric, to_dynamic_range, to_half


def spread_of(values: np.ndarray) -> Spread:
    counts, _ = np.histogram(values, bins=4096, range=(values.min(), values.max()))
    return Spread(low=float(values.min()), high=float(values.max()), counts=counts.astype(np.float64))


# ---------------------------------------------------------------------------------------------- calibrators


def test_spreads_are_those_of_all_values() -> None:
    floating, data = float_network(), waves(20)
    found = measure_spreads(floating, data)
    model = parse_tflite(floating, "net")
    (given,) = model.inputs
    assert (found[given].low, found[given].high) == (float(data.inputs[0].min()), float(data.inputs[0].max()))
    assert all(one.counts.sum() == 20 * model.tensors[index].elements for index, one in found.items())
    assert set(found) == {given, *(op.outputs[0] for op in model.operators)}


def test_a_model_that_overflows_has_no_ranges() -> None:
    model = EditableModel(float_network())
    weights = int(model.operators[1].inputs[1])
    model.set_constant(weights, np.full_like(model.constant(weights), 3e38))
    with pytest.raises(UnsupportedModelError, match="is NaN or infinite on a calibration input"):
        measure_spreads(model.written(), waves(5))


def test_percentile_leaves_out_half_of_the_share_at_each_end() -> None:
    values = np.random.default_rng(1).normal(size=200_000)
    low, high = choose_range(spread_of(values), "percentile", bits=8, percentile=99.0)
    width = (values.max() - values.min()) / 4096
    assert low == pytest.approx(np.percentile(values, 0.5), abs=2 * width)
    assert high == pytest.approx(np.percentile(values, 99.5), abs=2 * width)
    rectified = np.maximum(values, 0)
    assert choose_range(spread_of(rectified), "percentile", bits=8, percentile=99.0)[0] == 0


@pytest.mark.parametrize(("bits", "sigmas"), [(3, 2.15), (4, 2.55), (8, 3.92)])
def test_mse_clips_a_normal_distribution_where_theory_does(bits: int, sigmas: float) -> None:
    """Banner, Nahshan and Soudry, NeurIPS 2019, table of optimal clipping values for a Gaussian."""
    values = np.random.default_rng(2).normal(size=1_000_000)
    low, high = choose_range(spread_of(values), "mse", bits=bits, percentile=99.99)
    step = max(-values.min(), values.max()) / 64
    assert high == pytest.approx(sigmas, abs=2 * step) and -low == pytest.approx(sigmas, abs=2 * step)


def test_entropy_leaves_out_what_stands_alone_and_nothing_else() -> None:
    values = np.random.default_rng(3).normal(size=100_000)
    low, high = choose_range(spread_of(np.append(values, 60.0)), "entropy", bits=8, percentile=99.99)
    assert high < 10 and low == pytest.approx(values.min())
    even = np.random.default_rng(4).uniform(-1, 1, 100_000)
    assert choose_range(spread_of(even), "entropy", bits=8, percentile=99.99) == (even.min(), even.max())


@pytest.mark.parametrize("calibrator", ["minmax", "percentile", "mse", "entropy"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_range_lies_within_the_values(calibrator: Calibrator, bits: int) -> None:
    draw = np.random.default_rng(5)
    for values in (draw.normal(size=999), np.maximum(draw.normal(size=999), 0), draw.uniform(2, 3, 50), -np.ones(3)):
        low, high = choose_range(spread_of(values), calibrator, bits=bits, percentile=99.99)
        assert values.min() <= low <= high <= values.max()
    if bits == 16 and calibrator in ("mse", "entropy"):
        values = draw.normal(size=9999)
        assert choose_range(spread_of(values), calibrator, bits=16, percentile=99.99) == (values.min(), values.max())


# ---------------------------------------------------------------------------------------------- equalization


def test_equalization_keeps_the_function_and_brings_channels_to_one_size() -> None:
    wild, data = float_network(spread=100.0), waves(30)
    tame, pairs = equalize(wild)
    assert pairs == ("conv1 > depthwise", "depthwise > conv2", "conv2 > dense")
    before, after = outputs_of(wild, data), outputs_of(tame, data)
    assert np.abs(before - after).max() < 1e-5
    model = EditableModel(tame)
    ops = [op for op in model.operators if model.kind(op) in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    first, second = (model.constant(int(op.inputs[1])) for op in ops[:2])
    assert np.allclose(np.abs(first).max(axis=(1, 2, 3)), np.abs(second).max(axis=(0, 1, 2)), rtol=0.01)
    assert equalize(wild) == (tame, pairs)
    assert equalize(tame)[1] == ()


def test_what_is_not_homogeneous_is_not_equalized() -> None:
    bounded = float_network(spread=100.0, activation=3)
    assert equalize(bounded) == (bounded, ())


def test_a_channel_of_zeros_and_shared_constants_are_left_alone() -> None:
    model = EditableModel(float_network(spread=10.0))
    conv = model.operators[1]
    weights = model.constant(int(conv.inputs[1]))
    weights[2] = 0
    model.set_constant(int(conv.inputs[1]), weights)
    depthwise = model.operators[2]
    depthwise.inputs = [*(int(index) for index in depthwise.inputs[:2]), int(conv.inputs[2])]
    wild, data = model.written(), waves(20)
    tame, pairs = equalize(wild)
    assert pairs
    assert np.abs(outputs_of(wild, data) - outputs_of(tame, data)).max() < 1e-5


# ---------------------------------------------------------------------------------------------- weights alone


def test_dynamic_range_and_fp16_stay_close_and_are_smaller() -> None:
    floating, data = float_network(), waves(40)
    plain = outputs_of(floating, data)
    dynamic, half = to_dynamic_range(floating), to_half(floating)
    assert effect_of(plain, outputs_of(dynamic, data), data).sqnr_db > 30
    assert effect_of(plain, outputs_of(half, data), data).sqnr_db > 60
    assert (mode_of(parse_tflite(dynamic, "d")), mode_of(parse_tflite(half, "h"))) == ("dynamic", "fp16")
    assert len(dynamic) < len(floating)
    assert (to_dynamic_range(floating), to_half(floating)) == (dynamic, half)
    constants = [one for one in parse_tflite(half, "h").tensors if one.is_constant and one.elements == 192]
    assert [(one.dtype.value, one.size_bytes) for one in constants] == [("FLOAT16", 384)]


def test_symmetric_weights_are_within_half_a_step() -> None:
    weights = np.random.default_rng(6).normal(size=(4, 1, 3, 5)).astype(np.float32)
    weights[1] = 0
    values, scales = quantize_symmetric(weights, 0)
    assert values.min() >= -127 and len(scales) == 4 and scales[1] == 1
    assert np.abs(values * scales[:, None, None, None] - weights).max() <= scales.max() / 2 * 1.001


def test_a_weight_beyond_float16_is_refused() -> None:
    model = EditableModel(float_network())
    dense = model.operators[6]
    model.set_constant(int(dense.inputs[1]), model.constant(int(dense.inputs[1])) * np.float32(1e6))
    with pytest.raises(UnsupportedModelError, match="more than float16's 65504"):
        to_half(model.written())


@pytest.mark.parametrize("make", [to_dynamic_range, to_half])
def test_firmware_is_not_made_of_modes_for_hosts(make: object, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(make(float_network()))  # type: ignore[operator]
    with pytest.raises(UnsupportedModelError, match="its activations are float, and firmware computes in integers"):
        read_model(path)


# ---------------------------------------------------------------------------------------------- recipes and figures


@pytest.mark.parametrize(
    ("mode", "given", "words"),
    [
        ("int8", {"percentile": 50.0, "calibrator": "percentile"}, "not above 50"),
        ("int8", {"percentile": float("nan"), "calibrator": "percentile"}, "not above 50"),
        ("int8", {"percentile": 99.0}, "a percentile is of calibrator percentile"),
        ("int8", {"keep": 2}, "layers are kept in mode mixed"),
        ("int16x8", {"keep_as": "float"}, "layers are kept in mode mixed"),
        ("mixed", {"keep": -1}, "cannot keep -1 layers"),
        ("mixed", {"target_sqnr_db": float("nan")}, "for nan dB"),
        ("mixed", {"target_sqnr_db": 0.0}, "for 0.0 dB"),
        ("dynamic", {"calibrator": "mse"}, "mode dynamic has float activations"),
        ("fp16", {"bias_correction": True}, "mode fp16 has float activations"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(mode: QuantizationMode, given: dict[str, object], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        check_recipe(mode, replace(QuantizationRecipe(), **given))  # type: ignore[arg-type]


def test_which_modes_are_for_the_device() -> None:
    plain, floats = QuantizationRecipe(), QuantizationRecipe(keep_as="float")
    assert [is_for_device(mode, plain) for mode in ("int8", "int16x8", "mixed", "dynamic", "fp16")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert not is_for_device("mixed", floats)


def test_held_out_samples_set_no_range() -> None:
    data, policy = waves(60), CalibrationPolicy(count=40, seed=5)
    _, indices = draw_calibration(data, policy)
    held_out = draw_held_out(data, policy, indices)
    assert held_out is not None and len(held_out) == 20
    drawn = {data.inputs[0][i].tobytes() for i in indices}
    assert not drawn & {one.tobytes() for one in held_out.inputs[0]}
    assert draw_held_out(data, policy, range(60)) is None


def test_macro_f1_is_the_mean_over_the_classes_that_occur() -> None:
    labels, decisions = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 2])
    assert macro_f1(labels, decisions) == pytest.approx((2 / 3 + 2 * 2 / (3 + 3)) / 2)


def test_outputs_that_are_no_classes_have_an_error_and_no_decisions() -> None:
    data = waves(10)
    found = effect_of(np.ones((10, 2)), np.full((10, 2), 1.1), data)
    assert found.sqnr_db == pytest.approx(20) and found.changed is None and found.macro_f1_loss is None
