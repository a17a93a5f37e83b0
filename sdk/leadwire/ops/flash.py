"""Flash that a choice of kernels takes: tables to the byte, code as far as choices between kernels differ in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from leadwire.model.graph import Model, Operator

from . import registry
from .spec import PORTABLE, Constant, KernelCall

CODE_BYTES: Final = {
    "lw_columns_s8_dsp": 1640,
    "lw_conv_2d_packed_1bit_s8_dsp": 650,
    "lw_conv_2d_packed_2bit_s8_dsp": 650,
    "lw_conv_2d_packed_s8": 1260,
    "lw_conv_2d_packed_s8_dsp": 630,
    "lw_conv_2d_s8": 3220,
    "lw_conv_2d_s8_dsp": 690,
    "lw_fully_connected_packed_1bit_s8_dsp": 850,
    "lw_fully_connected_packed_2bit_s8_dsp": 850,
    "lw_fully_connected_packed_s8_dsp": 840,
    "lw_fully_connected_s8": 1500,
    "lw_fully_connected_s8_dsp": 900,
}
"""Of kernels with what only they call, as the pinned zig compiles them for a Cortex-M4; gcc's are smaller."""
_ITEM_BYTES: Final = {
    "int8_t": 1, "uint8_t": 1, "int16_t": 2, "int32_t": 4, "uint32_t": 4, "int64_t": 8,
    "lw_channel": 12, "lw_rescale": 12, "lw_scale": 8, "lw_wide_rescale": 8,
}  # fmt: skip


def table_bytes(constants: Iterable[Constant]) -> int:
    """Equal tables are written once."""
    unique = {(one.ctype, one.row, one.values) for one in constants}
    return sum(_ITEM_BYTES[ctype] * len(values) // row for ctype, row, values in unique)


class FlashOfKernels:
    """The flash of different choices for one model; what an operator's kernel needs is computed once."""

    def __init__(self, model: Model) -> None:
        @cache
        def calls(index: int, kernel: str) -> tuple[KernelCall, ...]:
            operator = model.operators[index]
            emit = registry.spec(operator.kind).using(kernel).emit
            return () if emit is None else emit(model, operator)

        self._calls = calls

    def tables(self, kernels: tuple[str, ...]) -> int:
        """Bytes of all constant tables."""
        return table_bytes(constant for call in self._of(kernels) for constant in call.constants)

    def tables_and_code(self, kernels: tuple[str, ...]) -> int:
        """Tables, and the code of kernels in CODE_BYTES."""
        names = {name for call in self._of(kernels) for name in (call.function, *_called(call))}
        return self.tables(kernels) + sum(CODE_BYTES.get(name, 0) for name in names)

    def saved(self, index: int, kernel: str, other: str) -> int:
        """Bytes of tables less of one operator with the `other` kernel, those that it may share left out of account."""
        if kernel == other:
            return 0
        one, two = (self._calls(index, name) for name in (kernel, other))
        shared = ("pairs", "levels")
        return table_bytes(t for call in one for t in call.constants) - table_bytes(
            t for call in two for t in call.constants if t.suffix not in shared
        )

    def _of(self, kernels: tuple[str, ...]) -> list[KernelCall]:
        return [call for index, kernel in enumerate(kernels) for call in self._calls(index, kernel)]


def _called(call: KernelCall) -> list[str]:
    return [f"lw_{file.removesuffix('.c')}" for file in call.also]


def packed_saving(model: Model, kernels: tuple[str, ...]) -> int:
    """Bytes of weights as int8 that codes and levels take the place of; 0 where nothing is packed."""
    return sum(_saved(model, operator, kernel) for operator, kernel in zip(model.operators, kernels, strict=False))


def _saved(model: Model, operator: Operator, kernel: str) -> int:
    found = registry.spec(operator.kind)
    if not any(variant.name == kernel and variant.packs for variant in found.variants):
        return 0
    emit = found.using(kernel).emit
    assert emit is not None and kernel != PORTABLE
    tables = [
        one for call in emit(model, operator) for one in call.constants if one.suffix in ("codes", "pairs", "levels")
    ]
    return model.required(operator, 1).size_bytes - table_bytes(tables)
