"""The arena of small models: what each choice changes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from leadwire.errors import UnsupportedModelError
from leadwire.generate.tflm import AOT_ALONE
from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.ops.registry import operators
from leadwire.tflm_arena import predict_arena
from leadwire.tflm_arena.kernels import known
from leadwire.tflm_arena.layout import Layout, records
from many_operators import fused_lstm
from single_operator import Op, T, write_tflite


def convolution(*, kernel: int = 3, channels: int = 8, stride: int = 1) -> Model:
    same = {"padding": 0, "strideH": 1, "strideW": stride, "dilationHFactor": 1, "dilationWFactor": 1}
    weights = np.ones((8, 1, kernel, channels), np.int8)
    tensors = [
        T(shape=(1, 1, 16, channels)),
        T(shape=weights.shape, array=weights, scale=(0.1,) * 8),
        T(shape=(1, 1, -(-16 // stride), 8)),
    ]
    op = Op(kind="CONV_2D", inputs=(0, 1), outputs=(2,), options="Conv2DOptions", fields=same)
    return parse_tflite(write_tflite(tensors, [op], [0], [2]), "conv")


def test_the_parts_add_up() -> None:
    arena = predict_arena(convolution(), kernels="cmsis-nn")
    assert arena.basis == "planned"
    assert sum(share.bytes for share in arena.breakdown) == arena.total_bytes
    assert arena.total_bytes == arena.persistent_bytes + arena.non_persistent_bytes
    assert arena.required_bytes == arena.total_bytes + arena.temporary_bytes
    assert arena.required_bytes % 16 == 0


def test_cmsis_nn_asks_for_two_columns_of_16_bit_values() -> None:
    reference = predict_arena(convolution())
    tuned = predict_arena(convolution(), kernels="cmsis-nn")
    assert tuned.non_persistent_bytes - reference.non_persistent_bytes == 2 * 2 * 3 * 8
    assert predict_arena(convolution(kernel=1), kernels="cmsis-nn").non_persistent_bytes == 2 * 128


def test_helium_asks_for_four_columns_of_whole_registers_or_a_padded_row() -> None:
    arena = predict_arena(convolution(channels=1), kernels="cmsis-nn", extension="mve")
    assert arena.non_persistent_bytes == 16 + 128 + 4 * 16  # 1 channel: stride x channels is no multiple of 4
    row = predict_arena(convolution(), kernels="cmsis-nn", extension="mve")
    assert row.non_persistent_bytes == 2 * 128 + 32  # 3 x 8 values and one column of padding


def test_ints_for_enums_and_64_bit_pointers_cost_more() -> None:
    model = convolution()
    sizes = [
        predict_arena(model, short_enums=True).total_bytes,
        predict_arena(model, short_enums=False).total_bytes,
        predict_arena(model, pointer_bytes=8).total_bytes,
    ]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_small_tensors_need_more_while_they_are_prepared() -> None:
    weights = np.ones((8, 8), np.int8)
    tensors = [T(shape=(1, 8)), T(shape=(8, 8), array=weights, scale=(0.1,) * 8), T(shape=(1, 8))]
    op = Op(kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,), options="FullyConnectedOptions")
    arena = predict_arena(parse_tflite(write_tflite(tensors, [op], [0], [2]), "fc"))
    # while the kernel is prepared: requests of 12 operators, then three tensors with quantization, one of 8 scales
    looked_at = 12 * 12 + 3 * (32 + 12) + 2 * 8 + 36
    assert arena.required_bytes >= arena.persistent_bytes - 2 * (16 + 32 + 12 + 8) + looked_at
    assert arena.temporary_bytes > 100


def test_an_unknown_operator_is_named_with_what_is_known() -> None:
    tensors = [T(shape=(1, 8)), T(shape=(1, 8))]
    model = parse_tflite(write_tflite(tensors, [Op(kind="SIN", inputs=(0,), outputs=(1,))], [0], [1]), "sine")
    with pytest.raises(UnsupportedModelError, match=r"op 0 SIN 't1'.*not known") as caught:
        predict_arena(model)
    assert "CONV_2D" in caught.value.hint


def test_what_the_backend_refuses_says_why_and_what_to_do() -> None:
    """The fused LSTM, whose state would last, and operators whose kernel's wishes are not computed."""
    absolute = [T(shape=(1, 8)), T(shape=(1, 8))]
    model = parse_tflite(write_tflite(absolute, [Op(kind="ABS", inputs=(0,), outputs=(1,))], [0], [1]), "abs")
    with pytest.raises(UnsupportedModelError, match=r"op 0 ABS 't1'.*asks of the arena is not known") as caught:
        predict_arena(model)
    assert "backend aot" in caught.value.hint
    lstm = parse_tflite(fused_lstm(1), "lstm")
    with pytest.raises(UnsupportedModelError, match="keeps the fused LSTM's state") as caught:
        predict_arena(lstm)
    assert "unroll=True" in caught.value.hint
    pair = [T(shape=(1, 2, 3), dtype="int16"), T(shape=(1, 3, 2), dtype="int16"), T(shape=(1, 2, 2), dtype="int16")]
    op = Op(kind="BATCH_MATMUL", inputs=(0, 1), outputs=(2,), options="BatchMatMulOptions")
    with pytest.raises(UnsupportedModelError, match="for int16 asks of the arena") as caught:
        predict_arena(parse_tflite(write_tflite(pair, [op], [0, 1], [2]), "matmul"))
    assert "aot" in caught.value.hint


def test_every_operator_of_aot_has_its_kernel_here() -> None:
    assert set(operators()) - AOT_ALONE <= set(known())


def test_every_record_has_a_sane_size_on_every_machine() -> None:
    for name in records():
        sizes = [Layout(abi=abi).record(name) for abi in ("arm-eabi", "int-enums-32", "lp64", "tflite-micro-package")]
        assert all(one.size_bytes % one.alignment_bytes == 0 for one in sizes), name
        assert [one.size_bytes for one in sizes] == sorted(one.size_bytes for one in sizes), name
