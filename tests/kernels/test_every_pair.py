"""Elementwise operators over all that int8 can say, at scales whose ratios make exact ties: 6 : 5, 1 : 3, 2 : 5, and
such as float32 and double round apart. A byte that a drawn example meets once in a hundred thousand shows here always.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from single_operator import Op, T, compile_program, run_program, run_witness, spread_plan, write_tflite

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")

BYTES = np.arange(-128, 128, dtype=np.int8)
SCALES = [(0.06, 0.05, 0.06), (0.03, 0.05, 0.06), (0.01, 0.03, 0.02), (0.02, 0.05, 0.1), (0.1, 0.1, 0.3)]
ZEROS = [(0, 0, 0), (-128, 5, -3), (127, -77, 90)]


def assert_equal(tensors: list[T], operators: list[Op], rows: npt.NDArray[np.int8]) -> None:
    given = [index for index in range(len(tensors)) if not any(index in op.outputs for op in operators)]
    made = [index for index in range(len(tensors)) if index not in given]
    data = write_tflite(tensors, operators, given, made)
    model = parse_tflite(data, "pairs")
    registry.check(model)
    expected = run_witness(data, model, rows, arena_bytes=1 << 24)
    found = run_program(compile_program(model, spread_plan(model)), model, rows)
    differing = np.flatnonzero(found != expected)
    assert not len(differing), f"{len(differing)} of {expected.size} bytes"


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL", "PRELU"])
def test_every_pair_of_int8(kind: str) -> None:
    tensors: list[T] = []
    operators = []
    for a, b, output in SCALES:
        for zero_a, zero_b, zero in ZEROS:
            first = len(tensors)
            made = output * a if kind in ("MUL", "PRELU") else output
            tensors += [
                T(shape=(256, 256), scale=scale, zero_point=point)
                for scale, point in ((a, zero_a), (b, zero_b), (made, zero))
            ]
            options = "" if kind == "PRELU" else f"{kind.capitalize()}Options"
            operators.append(Op(kind=kind, inputs=(first, first + 1), outputs=(first + 2,), options=options))
    pair = np.concatenate([np.repeat(BYTES, 256), np.tile(BYTES, 256)])
    assert_equal(tensors, operators, np.tile(pair, len(operators))[None])


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_pairs_of_int16(kind: str) -> None:
    tensors: list[T] = []
    operators = []
    for a, b, output in SCALES:
        first = len(tensors)
        made = output * a * 300 if kind == "MUL" else output
        tensors += [T(shape=(10_000,), scale=scale / 300, dtype="int16") for scale in (a, b, made)]
        options = f"{kind.capitalize()}Options"
        operators.append(Op(kind=kind, inputs=(first, first + 1), outputs=(first + 2,), options=options))
    values = np.random.default_rng(7).integers(-(2**15), 2**15, 20_000 * len(operators)).astype("<i2")
    assert_equal(tensors, operators, values.view(np.int8)[None])


def rescaling(kind: str, given: int) -> Op:
    """From tensor `given` to the next one."""
    options = {"QUANTIZE": "QuantizeOptions", "LEAKY_RELU": "LeakyReluOptions"}.get(kind, "")
    fields = {"alpha": 0.1} if kind == "LEAKY_RELU" else {}
    return Op(kind=kind, inputs=(given,), outputs=(given + 1,), options=options, fields=fields)


@pytest.mark.parametrize("kind", ["RELU", "QUANTIZE", "LEAKY_RELU", "HARD_SWISH", "ABS", "ELU"])
def test_every_byte_rescaled(kind: str) -> None:
    tensors: list[T] = []
    operators = []
    for scale in (0.05, 0.06, 0.1, 0.3, 1 / 3, 0.7):
        for output in (0.03, 0.05, 0.06, 0.1, 0.15, 0.2, 0.3):
            for zero, output_zero in ((-128, -128), (5, -3), (0, 90)):
                first = len(tensors)
                tensors += [
                    T(shape=(256,), scale=scale, zero_point=zero),
                    T(shape=(256,), scale=output, zero_point=output_zero),
                ]
                operators.append(rescaling(kind, first))
    assert_equal(tensors, operators, np.tile(BYTES, len(operators))[None])


@pytest.mark.parametrize("kind", ["RELU", "QUANTIZE", "LEAKY_RELU", "ABS"])
def test_int16_rescaled(kind: str) -> None:
    tensors: list[T] = []
    operators = []
    for scale in (0.05, 0.06, 1 / 3, 0.7):
        for output in (0.03, 0.05, 0.1, 0.2):
            first = len(tensors)
            tensors += [T(shape=(10_000,), scale=one / 300, dtype="int16") for one in (scale, output)]
            operators.append(rescaling(kind, first))
    values = np.random.default_rng(9).integers(-(2**15), 2**15, 10_000 * len(operators)).astype("<i2")
    assert_equal(tensors, operators, values.view(np.int8)[None])


def test_batch_matmul_of_awkward_scales() -> None:
    tensors: list[T] = []
    operators = []
    for a, b, output in SCALES:
        first = len(tensors)
        tensors += [
            T(shape=shape, scale=scale, zero_point=3)
            for shape, scale in (((16, 6), a), ((6, 16), b), ((16, 16), output * a * 30))
        ]
        operators.append(
            Op(kind="BATCH_MATMUL", inputs=(first, first + 1), outputs=(first + 2,), options="BatchMatMulOptions")
        )
    rows = np.random.default_rng(8).integers(-128, 128, (40, 192 * len(operators))).astype(np.int8)
    assert_equal(tensors, operators, rows)
