"""Masks over kernels: which weights are zero and stay zero while a network trains."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .work import Keras

Weights = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def cubic_sparsity(target: float, begin: int, end: int, batch: int) -> float:
    """The polynomial schedule of Zhu and Gupta, "To prune, or not to prune", ICLR 2018 workshop, equation 1, from 0:
    most weights go early, while those that are left can still take over."""
    done = min(max((batch - begin) / max(1, end - begin), 0.0), 1.0)
    return target * (1 - (1 - done) ** 3)


def kernels_of(model: Keras) -> tuple[tuple[str, Any], ...]:
    """(layer, variable) of all that multiplies: kernels of convolutions, depthwise and dense layers, and of recurrent
    ones; no biases, no batch normalization."""
    return tuple((layer.name, one) for layer in model.layers for one in layer.weights if "kernel" in one.name)


class Masks:
    """Weights of `kernels` that were zeroed stay zero, and more follow by magnitude: of each kernel, or of all of them
    together, by one threshold ('global'), by which no kernel loses its last weight."""

    def __init__(self, kernels: Sequence[Any], scope: Literal["layer", "global"]) -> None:
        self._kernels, self._scope = tuple(kernels), scope
        self._masks: list[Mask] = []
        self.start()

    def start(self) -> None:
        """What is zero now is masked: a training that was cut goes on with the zeros it had."""
        self._masks = [np.asarray(kernel) != 0 for kernel in self._kernels]

    def hold(self) -> None:
        """Zero again what an update has moved."""
        for kernel, mask in zip(self._kernels, self._masks, strict=True):
            kernel.assign(np.asarray(kernel) * mask)

    def raise_to(self, sparsity: float) -> None:
        """The smallest weights are masked until a fraction `sparsity` is (rounded to whole weights)."""
        values = [np.abs(np.asarray(kernel)) * mask for kernel, mask in zip(self._kernels, self._masks, strict=True)]
        if self._scope == "layer":
            self._masks = [_largest(value, sparsity) for value in values]
        else:
            for value in values:  # its largest weight is kept whatever the others are
                value.flat[int(value.argmax())] = np.inf
            flat = _largest(np.concatenate([value.ravel() for value in values]), sparsity)
            ends = np.cumsum([value.size for value in values])[:-1]
            self._masks = [mask.reshape(value.shape) for mask, value in zip(np.split(flat, ends), values, strict=True)]


def zeros_of(model: Keras) -> Masks:
    """The masks that hold the zeros a network has; a kernel that is nothing but zeros may learn."""
    return Masks([kernel for _, kernel in kernels_of(model) if 0 < sparsity_of([kernel]) < 1], "layer")


def _largest(values: Weights, sparsity: float) -> Mask:
    zeros = min(round(sparsity * values.size), values.size - 1)
    mask = np.ones(values.size, np.bool_)
    mask[np.argsort(values, axis=None, kind="stable")[:zeros]] = False
    return mask.reshape(values.shape)


def sparsity_of(kernels: Iterable[Any]) -> float:
    """The fraction of exact zeros."""
    values = [np.asarray(kernel) for kernel in kernels]
    return float(sum((value == 0).sum() for value in values) / max(1, sum(value.size for value in values)))


def deflated_bytes(kernels: Iterable[Any]) -> int:
    """Bytes of the kernels as 8-bit integers by output channel, in DEFLATE (zlib, level 9): what a compressed image of
    them would take in flash."""
    content = b""
    for kernel in kernels:
        value = np.asarray(kernel, np.float64)
        largest = np.abs(value).max(axis=tuple(range(value.ndim - 1)), keepdims=True)
        content += np.rint(value / np.maximum(largest, 1e-30) * 127).astype(np.int8).tobytes()
    return len(zlib.compress(content, 9))
