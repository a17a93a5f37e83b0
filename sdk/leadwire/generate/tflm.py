"""Backend `tflm`: the .tflite file as an array, and TensorFlow Lite Micro behind the same leadwire.h.

TensorFlow Lite Micro itself is the user's: the sources include its headers and are linked with its library. The arena
is that of the plan, see `tflm_arena.plan_tflm`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from leadwire.artifacts import MemoryPlan, sha256_hex
from leadwire.errors import BadInputError, UnsupportedModelError
from leadwire.model.graph import Model
from leadwire.model.tensor import TensorType
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.resources import FIRMWARE_TEMPLATES
from leadwire.tflm_arena import REFUSED, arena_sizes

from .descriptor import HOST_RUNTIME, check_limits, described, descriptor, first_outputs, lines, render
from .names import c_comment, c_string
from .project import BackendOptions, GoldenVector, ModelPart

SCHEMA_VERSION = 3
"""TFLITE_SCHEMA_VERSION of TensorFlow Lite Micro, and the only one that `read_tflite` takes."""

_LEAST_ALIGNMENT = 16
_SECTION = re.compile(r"[A-Za-z0-9_.$-]{1,64}")
_RUNTIME = ("leadwire.h", "self_test.h", "self_test.c")

ADD_FUNCTIONS = {
    "ADD": "AddAdd",
    "ARG_MAX": "AddArgMax",
    "ARG_MIN": "AddArgMin",
    "AVERAGE_POOL_2D": "AddAveragePool2D",
    "BATCH_MATMUL": "AddBatchMatMul",
    "BATCH_TO_SPACE_ND": "AddBatchToSpaceNd",
    "CAST": "AddCast",
    "CONCATENATION": "AddConcatenation",
    "CONV_2D": "AddConv2D",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "EXPAND_DIMS": "AddExpandDims",
    "FULLY_CONNECTED": "AddFullyConnected",
    "HARD_SWISH": "AddHardSwish",
    "L2_NORMALIZATION": "AddL2Normalization",
    "LEAKY_RELU": "AddLeakyRelu",
    "LOGISTIC": "AddLogistic",
    "MAX_POOL_2D": "AddMaxPool2D",
    "MAXIMUM": "AddMaximum",
    "MEAN": "AddMean",
    "MINIMUM": "AddMinimum",
    "MUL": "AddMul",
    "PACK": "AddPack",
    "PAD": "AddPad",
    "PADV2": "AddPadV2",
    "PRELU": "AddPrelu",
    "QUANTIZE": "AddQuantize",
    "REDUCE_MAX": "AddReduceMax",
    "REDUCE_MIN": "AddReduceMin",
    "RELU": "AddRelu",
    "RELU6": "AddRelu6",
    "RESHAPE": "AddReshape",
    "RESIZE_BILINEAR": "AddResizeBilinear",
    "RESIZE_NEAREST_NEIGHBOR": "AddResizeNearestNeighbor",
    "SLICE": "AddSlice",
    "SOFTMAX": "AddSoftmax",
    "SPACE_TO_BATCH_ND": "AddSpaceToBatchNd",
    "SPLIT": "AddSplit",
    "SPLIT_V": "AddSplitV",
    "SQUEEZE": "AddSqueeze",
    "STRIDED_SLICE": "AddStridedSlice",
    "SUB": "AddSub",
    "TANH": "AddTanh",
    "TRANSPOSE": "AddTranspose",
    "TRANSPOSE_CONV": "AddTransposeConv",
    "UNPACK": "AddUnpack",
}
"""MicroMutableOpResolver's function for each operator that leadwire knows."""

AOT_ALONE = frozenset(REFUSED)
"""What they ask of TensorFlow Lite Micro's arena is not computed."""

INT8_ONLY = frozenset(
    {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
        "MAX_POOL_2D",
        "MUL",
        "PAD",
        "SOFTMAX",
    }
)
"""Operators with a registration that leaves the kernels of other types out (with CMSIS-NN; the same one elsewhere)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One line of the resolver."""

    kind: str
    add: str
    argument: str


def write_model(
    model: Model,
    plan: MemoryPlan,
    *,
    host: bool,
    golden: GoldenVector | None,
    source: bytes | None = None,
    options: BackendOptions | None = None,
) -> ModelPart:
    """The sources of `model`, whose file is `source`, with the arena of `plan`, which is TFLite Micro's.

    UnsupportedModelError (3) where TensorFlow Lite Micro would not take the file, BadInputError (2) without the
    file, for options that cannot be and an arena that is too small.
    """
    options = options or BackendOptions()
    registry.check(model)
    check_limits(model)
    data = _checked_source(model, source)
    _check_options(options)
    registrations = registrations_of(model, int8_only=options.int8_only)
    arena = arena_sizes(model, plan.arena_bytes)
    kinds = [registration.kind for registration in registrations]
    context: dict[str, Any] = descriptor(model, "tflm", arena_bytes=arena.given, golden=golden)
    context["facts"].append(f"TFLite schema version {SCHEMA_VERSION}, {len(data)} bytes")
    context |= {
        "private_header": "engine.h",
        "schema_version": SCHEMA_VERSION,
        "data_bytes": len(data),
        "data_lines": lines([f"0x{byte:02x}" for byte in data]),
        "alignment": options.alignment,
        "section": options.section,
        "arena": arena,
        "registrations": registrations,
        "per_channel_dense": next((c_comment(model.describe(one)) for one in model.per_channel_dense), ""),
        "kind_lines": lines([str(kinds.index(operator.kind)) for operator in model.operators]),
        "steps": [
            {
                "kind": c_string(operator.kind),
                "outputs": [{"bytes": tensor.size_bytes} for tensor in model.made(operator)],
                "first_output": first,
                "comment": described(model, operator),
            }
            for operator, first in zip(model.operators, first_outputs(model), strict=True)
        ],
        "operator_outputs": sum(len(operator.outputs) for operator in model.operators),
    }
    templates = ["model.h", "model.c", "engine.h", "engine.cc", "model_data.h", "model_data.cc", "op_resolver.h"]
    templates += ["op_resolver.cc", "self_test.c"] + (["host.c"] if host else [])
    files = {f"model/{template}": render("tflm", f"{template}.j2", context) for template in templates}
    runtime = (*_RUNTIME, *(HOST_RUNTIME if host else ()))
    files |= {f"runtime/{path}": (FIRMWARE_TEMPLATES / "runtime" / path).read_bytes() for path in runtime}
    return ModelPart(
        files=tuple(sorted(files.items())),
        sources=tuple(path for path in files if path.endswith((".c", ".cc"))),
        include_dirs=("model", "runtime"),
        arena_bytes=arena.given,
        operators=tuple(kinds),
    )


def registrations_of(model: Model, *, int8_only: bool) -> tuple[Registration, ...]:
    """Each operator kind of the model once, in alphabetical order."""
    kinds = sorted({operator.kind for operator in model.operators})
    int8_only = int8_only and not any(tensor.dtype is TensorType.INT16 for tensor in model.tensors)
    for operator in model.operators:
        if operator.kind not in ADD_FUNCTIONS:
            raise UnsupportedModelError(
                model.describe(operator),
                "leadwire does not know how TensorFlow Lite Micro registers it",
                hint=f"use one of {', '.join(ADD_FUNCTIONS)}",
            )
    return tuple(
        Registration(
            kind=kind,
            add=ADD_FUNCTIONS[kind],
            argument=f"tflite::Register_{kind}_INT8()" if int8_only and kind in INT8_ONLY else "",
        )
        for kind in kinds
    )


def _checked_source(model: Model, source: bytes | None) -> bytes:
    """The file's bytes, which TensorFlow Lite Micro reads as they are."""
    if source is None or sha256_hex(source) != model.digest:
        found = "is missing" if source is None else f"is another one, sha256 {sha256_hex(source)[:12]}"
        raise BadInputError(
            f"backend tflm hands over the file of '{model.name}', sha256 {model.digest[:12]}, which {found}",
            hint="give the bytes of the .tflite file that the model was read from",
        )
    whole = parse_tflite(source, model.name)
    if (whole.inputs, whole.outputs) != (model.inputs, model.outputs):
        floats = [
            f"'{tensor.name}'" for tensor in (*whole.input_tensors, *whole.output_tensors) if tensor.dtype.is_float
        ]
        raise UnsupportedModelError(
            f"model '{model.name}'",
            f"has the float inputs or outputs {', '.join(floats)}, which the backend tflm cannot hand to leadwire.h",
            hint="convert it with inference_input_type = inference_output_type = tf.int8, or use the backend aot",
        )
    return source


def _check_options(options: BackendOptions) -> None:
    if options.section and not _SECTION.fullmatch(options.section):
        raise BadInputError(
            f"section {options.section!r} is no section name",
            hint="letters, digits, '.', '_', '$' and '-' only, at most 64, such as .model_data",
        )
    alignment = options.alignment
    if alignment < _LEAST_ALIGNMENT or alignment > 4096 or alignment & (alignment - 1):
        raise BadInputError(
            f"the model cannot be aligned to {alignment} bytes",
            hint=f"a power of two from {_LEAST_ALIGNMENT} to 4096: TensorFlow Lite Micro reads weights where they lie",
        )
