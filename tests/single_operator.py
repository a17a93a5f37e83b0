"""Small .tflite files written byte by byte in the test, run through TensorFlow Lite Micro and through generated C.

The C is compiled with address and undefined-behaviour sanitizers into a program of its own; it reads inputs from stdin
and writes every operator's output to stdout. Buffers lie apart in the arena with poisoned bytes after each, so that a
kernel that reads or writes one byte too far stops the program.
"""

from __future__ import annotations

import os
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from leadwire.artifacts import MemoryPlan, Placement
from leadwire.board import load_board
from leadwire.generate import generate_project
from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.ops.choice import choose_kernels, packed_instead
from leadwire.ops.spec import SIMD

EXAMPLES = int(os.environ.get("LEADWIRE_KERNEL_EXAMPLES", "4"))
"""Hypothesis examples per operator; a nightly run sets more."""

GAP = 64
WARNINGS = (
    "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Wvla",
    "-Wdouble-promotion", "-Werror",
)  # fmt: skip
SANITIZE = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")

MAIN = r"""
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <string.h>
#include "model.h"
const lw_model *lw_host_model(void);

static void poison(const lw_tensor *tensors, uint16_t count, int on)
{
    for (uint16_t i = 0; i < count; i++) {
        const int8_t *const end = tensors[i].data + tensors[i].bytes;
        if (on) {
            __asan_poison_memory_region(end, LW_GUARD);
        } else {
            __asan_unpoison_memory_region(end, LW_GUARD);
        }
    }
}

int main(void)
{
    const lw_model *const model = lw_host_model();
    if (model->infer() != LW_ERROR_NOT_INITIALIZED || model->init() != LW_OK) {
        return 3;
    }
    if (model->step(model->operator_count) != LW_ERROR_ARGUMENT) {
        return 4;
    }
    for (;;) {
        for (uint16_t i = 0; i < model->input_count; i++) {
            if (fread(model->inputs[i].data, 1, model->inputs[i].bytes, stdin) != model->inputs[i].bytes) {
                return 0;
            }
        }
        poison(model->inputs, model->input_count, 1);
        poison(model->outputs, model->output_count, 1);
        const lw_status status = model->infer();
        poison(model->inputs, model->input_count, 0);
        poison(model->outputs, model->output_count, 0);
        if (status != LW_OK) {
            return 5;
        }
        for (uint16_t i = 0; i < model->output_count; i++) {
            fwrite(model->outputs[i].data, 1, model->outputs[i].bytes, stdout);
        }
    }
}
"""


@dataclass(frozen=True, kw_only=True)
class T:
    """A tensor to be written: int8 unless `array` says otherwise; constant where `array` is given."""

    shape: tuple[int, ...]
    scale: float | tuple[float, ...] = 1.0
    zero_point: int = 0
    axis: int = 0
    array: np.ndarray | None = None
    dtype: str = "int8"
    quantized: bool = True
    variable: bool = False


@dataclass(frozen=True, kw_only=True)
class Op:
    """A node: TFLite's name, tensor indices (-1: absent), and the fields of its options class."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


def write_tflite(
    tensors: list[T], operators: list[Op], inputs: list[int], outputs: list[int], names: list[str] | None = None
) -> bytes:
    """The bytes of a .tflite file with one subgraph."""
    model = schema.ModelT()
    model.version = 3
    model.description = b"test"
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = []
    for index, spec in enumerate(tensors):
        tensor = schema.TensorT()
        tensor.name = (names[index] if names else f"t{index}").encode()
        tensor.shape = list(spec.shape)
        dtype = spec.array.dtype.name if spec.array is not None else spec.dtype
        tensor.type = getattr(schema.TensorType, dtype.upper())
        tensor.buffer = 0
        tensor.isVariable = spec.variable
        if spec.array is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(spec.array.tobytes(), np.uint8)
            tensor.buffer = len(model.buffers)
            model.buffers.append(buffer)
        if spec.quantized and dtype in ("int8", "int16", "uint8", "int32", "int64"):
            scales = spec.scale if isinstance(spec.scale, tuple) else (spec.scale,)
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [float(np.float32(scale)) for scale in scales]
            tensor.quantization.zeroPoint = [spec.zero_point] * len(scales)
            tensor.quantization.quantizedDimension = spec.axis
        graph.tensors.append(tensor)
    kinds = sorted({op.kind for op in operators})
    model.operatorCodes = []
    for kind in kinds:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        model.operatorCodes.append(code)
    graph.operators = []
    for op in operators:
        node = schema.OperatorT()
        node.opcodeIndex = kinds.index(op.kind)
        node.inputs, node.outputs = list(op.inputs), list(op.outputs)
        if op.options:
            node.builtinOptionsType = getattr(schema.BuiltinOptions, op.options)
            node.builtinOptions = getattr(schema, f"{op.options}T")()
            for name, value in op.fields.items():
                assert hasattr(node.builtinOptions, name), name
                setattr(node.builtinOptions, name, value)
        graph.operators.append(node)
    graph.inputs, graph.outputs = inputs, outputs
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def spread_plan(model: Model, kernels: tuple[str, ...] = ()) -> MemoryPlan:
    """Every activation and scratch in a place of its own, `GAP` bytes apart; a no-copy output where its input lies."""
    offsets: dict[int, int] = {}
    top = 0
    shared = {op.outputs[0]: op.inputs[0] for op in model.operators if registry.spec(op.kind).is_no_copy(model, op)}
    for tensor in model.tensors:
        if tensor.is_constant or tensor.variable or tensor.index in shared:
            continue
        offsets[tensor.index] = top
        top += (tensor.size_bytes + GAP + 7) // 8 * 8
    for output, given in shared.items():
        offsets[output] = offsets[given]
    last = len(model.operators) - 1
    scratch = []
    for op, name in zip(model.operators, kernels, strict=bool(kernels)):
        size = registry.spec(op.kind).using(name).scratch_bytes(model, op)
        if size:
            scratch.append(
                Placement(tensor=-1, offset_bytes=top, size_bytes=size, first_operator=op.index, last_operator=op.index)
            )
            top += (size + GAP + 7) // 8 * 8
    return MemoryPlan(
        model_digest=model.digest,
        arena_bytes=top,
        lower_bound_bytes=top,
        peak_operator=0,
        alignment_bytes=8,
        placements=tuple(
            Placement(
                tensor=tensor,
                offset_bytes=offset,
                size_bytes=model.tensors[tensor].size_bytes,
                first_operator=0,
                last_operator=last,
            )
            for tensor, offset in sorted(offsets.items())
        ),
        scratch=tuple(scratch),
        in_place=(),
        kernels=kernels,
    )


Witness = Callable[[bytes, Model, np.ndarray], np.ndarray]
_SCRATCH = TemporaryDirectory(prefix="leadwire-kernels-")
"""Programs and objects of this process; removed when it ends."""


def compile_program(model: Model, plan: MemoryPlan, *, guard: int = 24, instrument: tuple[str, ...] = SANITIZE) -> Path:
    """The generated C of `model` as a program, sanitized or otherwise instrumented by gcc; so many bytes behind inputs
    and outputs are poisoned."""
    folder = Path(mkdtemp(dir=_SCRATCH.name))
    project = generate_project(model, plan, load_board("host"), folder)
    includes = [f"-I{folder / path}" for path in project.include_dirs]
    objects = [
        str(_kernel_object(Path(path), folder, instrument))
        for path in project.model_sources
        if path.startswith("runtime/")
    ]
    unity = "".join(f'#include "{folder / path}"\n' for path in project.model_sources if path.startswith("model/"))
    (folder / "main.c").write_text(unity + MAIN)
    program = folder / "program"
    subprocess.run(
        ["gcc", "-std=c99", *WARNINGS, *instrument, "-DLW_WITH_OPERATOR_TABLE", f"-DLW_GUARD={guard}", *includes,
         str(folder / "main.c"), *objects, "-o", str(program)],
        check=True,
    )  # fmt: skip
    return program


_objects: dict[tuple[Path, tuple[str, ...]], Path] = {}


def _kernel_object(path: Path, folder: Path, instrument: tuple[str, ...]) -> Path:
    """A file of the runtime, compiled once a session."""
    key = (path, instrument)
    if key not in _objects:
        target = Path(_SCRATCH.name) / f"{len(_objects)}_{path.stem}.o"
        subprocess.run(
            ["gcc", "-std=c99", *WARNINGS, *instrument, f"-I{folder / 'runtime'}", "-c", str(folder / path), "-o",
             str(target)],
            check=True,
        )  # fmt: skip
        _objects[key] = target
    return _objects[key]


def run_program(program: Path, model: Model, rows: np.ndarray) -> np.ndarray:
    """Outputs [n, output bytes] of inputs [n, input bytes]; AssertionError with the sanitizer's report."""
    result = subprocess.run([str(program)], input=rows.tobytes(), capture_output=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr.decode(errors="replace")[-3000:]
    return np.frombuffer(result.stdout, np.int8).reshape(len(rows), model.output_bytes)


def run_witness(data: bytes, model: Model, rows: np.ndarray, *, arena_bytes: int = 1 << 21) -> np.ndarray:
    """The same through TensorFlow Lite Micro."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(data, arena_size=arena_bytes)
    answers = []
    for row in rows:
        offset = 0
        for position, tensor in enumerate(model.input_tensors):
            values = row[offset : offset + tensor.size_bytes].view(tensor.dtype.numpy).reshape(tensor.shape)
            interpreter.set_input(values, position)
            offset += tensor.size_bytes
        if model.has_state:
            interpreter.reset()
        interpreter.invoke()
        answers.append(b"".join(interpreter.get_output(position).tobytes() for position in range(len(model.outputs))))
    return np.frombuffer(b"".join(answers), np.int8).reshape(len(rows), -1)


def sample_rows(model: Model, seed: int, count: int = 6) -> np.ndarray:
    """Input bytes [count + 4, n]: random ones, the extremes, alternating extremes, and a narrow band."""
    random = np.random.default_rng(seed)
    parts = []
    for tensor in model.input_tensors:
        size, kind = tensor.elements, np.iinfo(tensor.dtype.numpy)
        rows = random.integers(kind.min, kind.max + 1, (count, size), dtype=np.int64)
        alternating = np.where(np.arange(size) % 2 == 0, kind.min, kind.max)
        narrow = random.integers(-3, 4, size)
        corners = [np.full(size, kind.min), np.full(size, kind.max), alternating, narrow]
        parts.append(np.concatenate([rows, corners]).astype(tensor.dtype.numpy).view(np.int8))
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def run_tflite(data: bytes, model: Model, rows: np.ndarray) -> np.ndarray:
    """The same through TensorFlow Lite's reference kernels, where TensorFlow Lite Micro cannot say."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    answers = []
    for row in rows:
        parts = np.split(row, np.cumsum([tensor.size_bytes for tensor in model.input_tensors])[:-1])
        for tensor, part in zip(model.input_tensors, parts, strict=True):
            interpreter.set_tensor(tensor.index, part.reshape(tensor.shape))
        interpreter.invoke()
        answers.append(b"".join(interpreter.get_tensor(index).tobytes() for index in model.outputs))
    return np.frombuffer(b"".join(answers), np.int8).reshape(len(rows), -1)


def assert_same_as_tflm(data: bytes, seed: int = 0, witness: Witness = run_witness) -> Model:
    """Generated C and TensorFlow Lite Micro, or another `witness`, give the same bytes for `data`, on every sample."""
    model = parse_tflite(data, "single")
    rows = sample_rows(model, seed)
    theirs = witness(data, model, rows)
    for kernels in every_choice(model):
        instrument = (*SANITIZE, *simd_flags_for(data, kernels))
        program = compile_program(model, spread_plan(model, kernels), instrument=instrument)
        ours = run_program(program, model, rows)
        different = np.argwhere(ours != theirs)
        assert different.size == 0, (
            f"{kernels}: {len(different)} of {ours.size} bytes differ, first at sample {different[0][0]} byte "
            f"{different[0][1]}: {ours[tuple(different[0])]} for {theirs[tuple(different[0])]}"
        )
    return model


def every_choice(model: Model) -> tuple[tuple[str, ...], ...]:
    """The different kernels that a core could give this model: portable, without and with flash to spare, packed."""
    none: tuple[str, ...] = ("portable",) * len(model.operators)
    small, wide = (choose_kernels(model, ["dsp"], spare_flash_bytes=spare) for spare in (0, 1 << 30))
    packed = tuple(packed_instead(model, one) for one in (none, small))
    vectors = (choose_kernels(model, ["dsp", "mve"]), choose_kernels(model, [SIMD]))
    return tuple(dict.fromkeys((none, small, wide, *packed, *vectors)))


def _simd_flags() -> tuple[tuple[str, ...], ...]:
    """For each way in which runtime/simd.h is written, what has gcc take it, of those that this processor can run."""
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        facts = []
    avx512 = ("avx512f", "avx512bw", "avx512vl", "avx512_vnni")
    found: list[tuple[str, ...]] = [()]
    if "avx2" in facts:
        found.append(("-mavx2",))
    if set(avx512) <= set(facts):
        found.append(tuple(f"-m{name.replace('_', '')}" for name in avx512))
    return tuple(found)


SIMD_FLAGS = _simd_flags()


def simd_flags_for(data: bytes, kernels: tuple[str, ...]) -> tuple[str, ...]:
    """One of them for kernels of a desktop processor, by the bytes of the model: drawn models see all."""
    return SIMD_FLAGS[zlib.crc32(data) % len(SIMD_FLAGS)] if SIMD in kernels else ()
