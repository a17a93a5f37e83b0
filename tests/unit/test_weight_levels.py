"""Weights on few levels: laws, k-means against the best of all partitions, the bytes of the real converter."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadwire.errors import BadInputError
from leadwire.model.tflite import read_tflite
from leadwire.weight_levels import as_int8, binary, cluster, four_bit, levels_of, on_levels, ternary

STEPS = {0, 18, 36, 54, 73, 91, 109, 127}
"""127 * q / 7, rounded."""
SHAPES = st.sampled_from([(5,), (3, 4), (5, 2, 6), (3, 3, 4, 2)])


def drawn(shape: tuple[int, ...], seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.standard_normal(shape).astype(np.float32) * random.uniform(0.01, 30, shape[-1]).astype(np.float32)


@given(shape=SHAPES, seed=st.integers(0, 1000), count=st.sampled_from([3, 4, 5, 16, 255]))
def test_at_most_so_many_levels(shape: tuple[int, ...], seed: int, count: int) -> None:
    weights = drawn(shape, seed)
    found = cluster(weights, count, seed)
    assert found.shape == weights.shape and found.dtype == np.float32
    assert len(np.unique(as_int8(found))) <= count
    assert (cluster(weights, count, seed) == found).all()
    assert (as_int8(cluster(found, count, seed + 1)) == as_int8(found)).all()
    axes = tuple(range(len(shape) - 1))
    assert (np.abs(found).max(axis=axes) == np.abs(weights).max(axis=axes)).all()


@given(shape=SHAPES, seed=st.integers(0, 1000))
def test_four_bit_ternary_and_binary(shape: tuple[int, ...], seed: int) -> None:
    weights = drawn(shape, seed)
    quarter = four_bit(weights)
    assert set(np.abs(as_int8(quarter).astype(int)).ravel().tolist()) <= STEPS
    most = np.abs(weights).max(axis=tuple(range(len(shape) - 1)))
    assert (np.abs(quarter - weights) <= most / 14 + most / 200).all()
    assert (four_bit(quarter) == quarter).all()
    assert set(as_int8(ternary(weights)).ravel().tolist()) <= {-127, 0, 127}
    assert set(as_int8(binary(weights)).ravel().tolist()) <= {-127, 127}
    np.testing.assert_allclose(ternary(ternary(weights)), ternary(weights), rtol=1e-6)
    np.testing.assert_allclose(binary(binary(weights)), binary(weights), rtol=1e-6)


def test_ternary_and_binary_as_their_papers_say() -> None:
    """Threshold 0.7 * mean |w| = 0.7, the scale of those beyond it (1.5 + 1.25) / 2; of binary weights mean |w| = 1."""
    weights = np.array([[1.5], [-1.25], [0.6], [-0.65]], np.float32)
    assert ternary(weights).ravel().tolist() == [1.375, -1.375, 0, 0]
    assert binary(weights).ravel().tolist() == [1, -1, 1, -1]


def test_clusters_near_the_best_partition() -> None:
    """One channel of 12 weights, 3 levels given and 2 found: all pairs of whole levels are tried."""
    for seed in range(5):
        weights = np.random.default_rng(seed).uniform(-1, 1, (12, 1))
        weights[0] = 1.0

        def error(levels: tuple[int, ...], values: np.ndarray = weights) -> float:
            return float((np.abs(values * 127 - np.array([-127, 0, 127, *levels])).min(axis=1) ** 2).sum())

        best = min(error(pair) for pair in combinations(range(-126, 127), 2))
        found = np.unique(as_int8(cluster(weights, 5)).astype(int))
        assert error(tuple(found.tolist())) <= 1.5 * best + 1, seed


def test_levels_of_several_layers() -> None:
    layers = [(drawn((5, 3, 8), 1), (-1,)), (drawn((3, 4, 2), 2), (-2, -1)), (drawn((20, 6), 3), ())]
    levels = levels_of(layers, 16)
    assert len(levels) == 16
    for weights, channels in layers:
        made = as_int8(on_levels(weights, levels, channels=channels), channels=channels)
        nearest = np.abs(as_int8(weights, channels=channels).astype(int)[..., None] - np.array(levels)).min(axis=-1)
        assert set(made.ravel().tolist()) <= set(levels)
        assert (np.abs(made.astype(int) - as_int8(weights, channels=channels)) == nearest).all()


@pytest.mark.parametrize("levels", [(), (-127, 0, 126), (-127, 5, 5, 127), (-127, 9, 0, 127), (-128, 0, 127)])
def test_refused_levels(levels: tuple[int, ...]) -> None:
    with pytest.raises(BadInputError, match="do not rise from -127 to 127"):
        on_levels(np.ones((2, 2)), levels)


def test_zeros_stay_zeros() -> None:
    weights = drawn((3, 8, 4), 1)
    weights[:, ::2] = 0
    for made in (cluster(weights, 16), four_bit(weights), ternary(weights)):
        assert (made[:, ::2] == 0).all()
    nothing = np.zeros((3, 2), np.float32)
    for made in (cluster(nothing, 16), four_bit(nothing), ternary(nothing), binary(nothing)):
        assert (made == 0).all()


def test_one_scale_for_all_channels() -> None:
    weights = drawn((6, 4), 2)
    assert len(np.unique(np.abs(binary(weights, channels=())))) == 1
    depthwise = drawn((3, 4, 2), 3)
    assert len(np.unique(np.abs(binary(depthwise, channels=(-2, -1))))) == 8


@pytest.mark.parametrize("count", [-1, 0, 2, 256])
def test_refused_counts(count: int) -> None:
    with pytest.raises(BadInputError, match=f"{count} levels of weights, of 3 to 255"):
        cluster(np.ones((2, 2)), count)


def test_refused_weights() -> None:
    for make in (binary, ternary, four_bit, lambda weights: cluster(weights, 16)):
        with pytest.raises(BadInputError, match="1 of 2 weights are not finite"):
            make(np.array([1.0, np.nan]))
        with pytest.raises(BadInputError, match="without weights"):
            make(np.zeros((0, 3)))
    with pytest.raises(BadInputError, match=r"axes \[2\] of weights with 2 dimensions"):
        four_bit(np.ones((2, 2)), channels=(2,))


CONVERT = """
import contextlib, os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras, numpy as np, tensorflow as tf
from leadwire.weight_levels import binary, cluster, four_bit, ternary
ways = {"clustered": lambda w, **k: cluster(w, 16, **k), "four": four_bit, "ternary": ternary, "binary": binary}
keras.utils.set_random_seed(3)
given, ends = keras.Input((24, 3), batch_size=1, name="ecg"), []
for name in ways:
    x = keras.layers.Conv1D(8, 5, name=f"{name}_conv", use_bias=False)(given)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(name=f"{name}_norm")(x))
    x = keras.layers.DepthwiseConv1D(3, name=f"{name}_depthwise")(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    ends.append(keras.layers.Dense(6, name=f"{name}_dense")(x))
net = keras.Model(given, keras.layers.Add()(ends), name="net")
random = np.random.default_rng(0)
for layer in net.layers:
    name, _, kind = layer.name.partition("_")
    values = layer.get_weights()
    if kind == "norm":
        layer.set_weights([random.uniform(0.3, 3, v.shape) for v in values])
    elif name in ways and kind:
        channels = (-2, -1) if kind == "depthwise" else (-1,)
        layer.set_weights([ways[name](values[0], channels=channels), *values[1:]])
convert = tf.lite.TFLiteConverter.from_keras_model(net)
convert.optimizations = [tf.lite.Optimize.DEFAULT]
convert.representative_dataset = lambda: ([random.standard_normal((1, 24, 3)).astype(np.float32)] for _ in range(20))
convert.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
convert.inference_input_type = convert.inference_output_type = tf.int8
with contextlib.redirect_stdout(sys.stderr):
    data = convert.convert()
open(sys.argv[1], "wb").write(data)
"""


@pytest.mark.timeout(300)
def test_bytes_of_the_converter(tmp_path: Path) -> None:
    """Through TensorFlow with folded batch normalizations, per-channel scales and all three kinds of layers."""
    path = tmp_path / "levels.tflite"
    done = subprocess.run([sys.executable, "-c", CONVERT, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    model = read_tflite(path)
    counts: dict[str, list[set[int]]] = {}
    for operator in model.operators:
        if operator.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            tensor = model.required(operator, 1)
            assert tensor.quantization is not None and len(tensor.quantization.scales) > 1
            way = next(way for way in ("clustered", "four", "ternary", "binary") if way in tensor.name)
            counts.setdefault(way, []).append(set(tensor.array.ravel().tolist()))
    assert {way: len(sets) for way, sets in counts.items()} == dict.fromkeys(counts, 3) and len(counts) == 4
    assert all(len(values) <= 16 for values in counts["clustered"])
    assert all({abs(value) for value in values} <= STEPS for values in counts["four"])
    assert all(values <= {-127, 0, 127} for values in counts["ternary"])
    assert all(values <= {-127, 127} for values in counts["binary"])
