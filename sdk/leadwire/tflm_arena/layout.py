"""How many bytes TFLite Micro's bookkeeping takes: the size and alignment of each record, by kind of machine.

Source: sizeof and alignof of the records of TensorFlow Lite Micro's main branch of August 2026 (90b983c2), taken with
TF_LITE_STATIC_MEMORY from clang for the Arm EABI (enums as small as their values, as arm-none-eabi-gcc has them), from
clang for a 32-bit machine whose enums are ints (as on RISC-V and Xtensa), and from gcc for x86-64. The last column is
the PyPI package tflite-micro: its interpreter records allocations and is built with USE_TFLM_COMPRESSION, both of which
make records longer. Checked against what that package and firmware on a Cortex-M4 report (tests/realdata).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Abi = Literal["arm-eabi", "int-enums-32", "lp64", "tflite-micro-package"]

_COLUMNS: Final[tuple[Abi, ...]] = ("arm-eabi", "int-enums-32", "lp64", "tflite-micro-package")

_RECORDS: Final = {
    # the interpreter                  Arm EABI  32-bit    64-bit    package
    "arena buffer allocator":         ((36, 4), (36, 4), (72, 8), (104, 8)),
    "memory planner":                 ((44, 4), (44, 4), (72, 8), (72, 8)),
    "allocator":                      ((36, 4), (36, 4), (72, 8), (272, 8)),
    "options allocator":              ((8, 4), (8, 4), (16, 8), (16, 8)),
    "subgraph":                       ((8, 4), (8, 4), (16, 8), (24, 8)),
    "tensor in use":                  ((12, 4), (12, 4), (24, 8), (24, 8)),
    "operator":                       ((32, 4), (32, 4), (64, 8), (64, 8)),
    "tensor":                         ((32, 4), (40, 4), (64, 8), (64, 8)),
    "quantization":                   ((12, 4), (12, 4), (24, 8), (24, 8)),
    "pointer":                        ((4, 4), (4, 4), (8, 8), (8, 8)),
    "scratch request":                ((12, 4), (12, 4), (16, 8), (16, 8)),
    "planned buffer":                 ((24, 4), (24, 4), (32, 8), (32, 8)),
    # an operator's options, from the model file
    "CONV_2D options":                ((28, 4), (28, 4), (28, 4), (28, 4)),
    "FULLY_CONNECTED options":        ((5, 1), (16, 4), (16, 4), (32, 8)),
    "POOL_2D options":                ((40, 4), (40, 4), (40, 4), (40, 4)),
    "SOFTMAX options":                ((4, 4), (4, 4), (4, 4), (4, 4)),
    "ADD options":                    ((2, 1), (8, 4), (8, 4), (8, 4)),
    "MUL options":                    ((1, 1), (4, 4), (4, 4), (4, 4)),
    "MEAN options":                   ((1, 1), (1, 1), (1, 1), (1, 1)),
    "CONCATENATION options":          ((8, 4), (8, 4), (8, 4), (8, 4)),
    "RESHAPE options":                ((36, 4), (36, 4), (36, 4), (36, 4)),
    "SQUEEZE options":                ((36, 4), (36, 4), (36, 4), (36, 4)),
    "RESIZE_NEAREST_NEIGHBOR options": ((2, 1), (2, 1), (2, 1), (2, 1)),
    "STRIDED_SLICE options":          ((24, 4), (24, 4), (24, 4), (24, 4)),
    "LEAKY_RELU options":             ((4, 4), (4, 4), (4, 4), (4, 4)),
    "TRANSPOSE_CONV options":         ((16, 4), (20, 4), (20, 4), (20, 4)),
    "BATCH_MATMUL options":           ((3, 1), (3, 1), (3, 1), (3, 1)),
    "L2_NORMALIZATION options":       ((1, 1), (4, 4), (4, 4), (4, 4)),
    "ARG_MAX options":                ((1, 1), (4, 4), (4, 4), (4, 4)),
    "CAST options":                   ((2, 1), (8, 4), (8, 4), (8, 4)),
    "SPLIT options":                  ((4, 4), (4, 4), (4, 4), (4, 4)),
    "SPLIT_V options":                ((4, 4), (4, 4), (4, 4), (4, 4)),
    "PACK options":                   ((8, 4), (8, 4), (8, 4), (8, 4)),
    "UNPACK options":                 ((8, 4), (8, 4), (8, 4), (8, 4)),
    # what a reference kernel keeps
    "CONV_2D data":                   ((56, 4), (56, 4), (72, 8), (80, 8)),
    "FULLY_CONNECTED data":           ((48, 4), (48, 4), (64, 8), (72, 8)),
    "ADD data":                       ((60, 4), (60, 4), (60, 4), (60, 4)),
    "SUB data":                       ((52, 4), (52, 4), (52, 4), (52, 4)),
    "MUL data":                       ((36, 4), (36, 4), (36, 4), (36, 4)),
    "POOL_2D data":                   ((32, 4), (32, 4), (32, 4), (32, 4)),
    "MEAN data":                      ((44, 4), (44, 4), (44, 4), (44, 4)),
    "QUANTIZE data":                  ((32, 8), (32, 8), (32, 8), (32, 8)),
    "DEQUANTIZE data":                ((32, 8), (32, 8), (32, 8), (32, 8)),
    "PAD data":                       ((56, 4), (56, 4), (56, 4), (56, 4)),
    "RELU data":                      ((28, 4), (28, 4), (28, 4), (28, 4)),
    "RELU6 data":                     ((8, 4), (8, 4), (8, 4), (8, 4)),
    "LOGISTIC data":                  ((16, 4), (16, 4), (16, 4), (16, 4)),
    "STRIDED_SLICE data":             ((84, 4), (84, 4), (84, 4), (84, 4)),
    "HARD_SWISH data":                ((20, 4), (20, 4), (20, 4), (20, 4)),
    "LEAKY_RELU data":                ((24, 4), (24, 4), (24, 4), (24, 4)),
    "CONCATENATION data":             ((24, 4), (24, 4), (40, 8), (80, 8)),
    "SOFTMAX data":                   ((56, 8), (56, 8), (80, 8), (80, 8)),
    "PRELU data":                     ((28, 4), (28, 4), (28, 4), (28, 4)),
    "TRANSPOSE_CONV data":            ((72, 4), (72, 4), (80, 8), (88, 8)),
    "BATCH_MATMUL data":              ((16, 4), (16, 4), (32, 8), (32, 8)),
    "BATCH_MATMUL quantization":      ((28, 4), (28, 4), (28, 4), (28, 4)),
    "L2_NORMALIZATION data":          ((4, 4), (4, 4), (4, 4), (4, 4)),
    "SPACE_TO_BATCH_ND data":         ((4, 4), (4, 4), (4, 4), (4, 4)),
    # what a CMSIS-NN kernel keeps, where it differs
    "CMSIS-NN CONV_2D data":          ((60, 4), (60, 4), (80, 8), (88, 8)),
    "CMSIS-NN FULLY_CONNECTED data":  ((72, 4), (72, 4), (96, 8), (104, 8)),
    "CMSIS-NN POOL_2D data":          ((36, 4), (36, 4), (36, 4), (36, 4)),
    "CMSIS-NN TRANSPOSE_CONV data":   ((76, 4), (76, 4), (88, 8), (88, 8)),
    "CMSIS-NN BATCH_MATMUL data":     ((36, 4), (36, 4), (56, 8), (56, 8)),
    "CMSIS-NN SOFTMAX data":          ((64, 8), (64, 8), (88, 8), (88, 8)),
}  # fmt: skip

ARENA_ALIGNMENT: Final = 16
"""Of the arena, of every planned buffer and of every buffer that a kernel asks for."""

SCRATCH_REQUESTS: Final = 12
"""Scratch buffers that one operator may ask for; room to note that many is kept while the next one is prepared."""

PLANNER_BYTES: Final = 40
"""What the planner notes of each buffer while it plans: ten ints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record of TFLite Micro in memory."""

    size_bytes: int
    alignment_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The records of one kind of machine."""

    abi: Abi

    def record(self, name: str) -> Record:
        size, alignment = _RECORDS[name][_COLUMNS.index(self.abi)]
        return Record(size_bytes=size, alignment_bytes=alignment)


def records() -> tuple[str, ...]:
    """The names of all records in the table."""
    return tuple(_RECORDS)
