"""One tensor of a model: shape, type, quantization and, for constants, its bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt


class TensorType(StrEnum):
    """Element types a .tflite tensor may have; names as in TFLite's schema."""

    INT8 = "INT8"
    UINT8 = "UINT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FLOAT16 = "FLOAT16"
    FLOAT32 = "FLOAT32"
    BOOL = "BOOL"
    OTHER = "OTHER"

    @property
    def item_bytes(self) -> int:
        return {"INT8": 1, "UINT8": 1, "BOOL": 1, "INT16": 2, "FLOAT16": 2, "INT32": 4, "FLOAT32": 4, "INT64": 8}.get(
            self.value, 1
        )

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The little-endian numpy type; OTHER reads as bytes."""
        return np.dtype(
            {"BOOL": "?", "FLOAT16": "<f2", "FLOAT32": "<f4", "INT8": "i1", "UINT8": "u1", "OTHER": "u1"}.get(
                self.value, f"<i{self.item_bytes}"
            )
        )

    @property
    def is_float(self) -> bool:
        return self in (TensorType.FLOAT16, TensorType.FLOAT32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """real = scale * (quantized - zero_point), TFLite's 8-bit quantization specification.

    One scale and zero point per tensor, or one per slice along `axis`. Scales are the float32 values of the file.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        return len(self.scales) > 1

    @property
    def scale(self) -> float:
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        return self.zero_points[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """`data` holds the little-endian bytes of a constant, None for an activation. A scalar has shape ().

    A `variable` is state of the one operator that reads it: no operator has it as an output, and it has no place of its
    own in the arena.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: TensorType
    quantization: Quantization | None = None
    data: bytes | None = None
    variable: bool = False

    @property
    def label(self) -> str:
        """The name for people: of names the converter fused with ';' the first, without the model's own name."""
        first = self.name.partition(";")[0]
        return first.partition("/")[2] if first.count("/") > 1 else first

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        return self.elements * self.dtype.item_bytes

    @property
    def array(self) -> npt.NDArray[np.generic]:
        """The constant's values, shape `shape`; ValueError for an activation."""
        if self.data is None:
            raise ValueError(f"tensor {self.index} '{self.name}' is not a constant")
        return np.frombuffer(self.data, dtype=self.dtype.numpy).reshape(self.shape)


def values_of(tensors: Sequence[Tensor], rows: npt.NDArray[np.int8]) -> npt.NDArray[np.signedinteger[Any]]:
    """Rows of bytes [n, bytes of all tensors one after the other] as the integers they stand for [n, values]: int8, or
    int16 where a tensor is."""
    edges = np.cumsum([tensor.size_bytes for tensor in tensors])[:-1]
    parts = np.split(rows, edges, axis=1)
    return np.concatenate(
        [np.ascontiguousarray(part).view(tensor.dtype.numpy) for part, tensor in zip(parts, tensors, strict=True)],
        axis=1,
    )
