"""Backend `aot`: interpreter-free C99. A model becomes tables, a list of kernel calls and a static arena.

The templates of backends/aot hold tables and calls; every algorithm is a plain C file of runtime/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from leadwire.artifacts import MemoryPlan
from leadwire.errors import BadInputError
from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor
from leadwire.ops import registry
from leadwire.ops.arithmetic import is_wide
from leadwire.ops.padding import left_out
from leadwire.ops.runs import copy_runs
from leadwire.ops.spec import BACKWARD, PORTABLE, SIMD, Constant, KernelCall
from leadwire.ops.tables import TableNames, direct_tensors, table_names
from leadwire.resources import FIRMWARE_TEMPLATES

from .descriptor import HOST_RUNTIME, Table, check_limits, described, descriptor, first_outputs, render, table
from .names import c_identifier, c_string
from .project import BackendOptions, GoldenVector, ModelPart

_RUNTIME = ("leadwire.h", "requantize.h", "kernels.h", "self_test.h", "self_test.c")
_VARIANT_HEADERS = ("dsp.h", "mve.h")
_HOST_HEADERS = ("simd.h",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    function: str
    params_type: str
    params_name: str
    params: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Output:
    at: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arena:
    """`mark`: the macro that says where it lies, with a space behind it; empty: with all other data."""

    name: str
    bytes: int
    mark: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    comment: str
    kind: str
    outputs: tuple[_Output, ...]
    first_output: int
    calls: tuple[_Call, ...]


def write_model(
    model: Model,
    plan: MemoryPlan,
    *,
    host: bool,
    golden: GoldenVector | None,
    source: bytes | None = None,
    options: BackendOptions | None = None,
) -> ModelPart:
    """The sources of `model` placed by `plan`; with `host`, also the entry of a shared library. `source` is not read.

    UnsupportedModelError (3) names every operator that cannot run as full INT8, BadInputError (2) for options.
    """
    del source
    if options not in (None, BackendOptions()):
        raise BadInputError("backend aot has no options", hint="give options to the backend tflm alone")
    registry.check(model)
    check_limits(model)
    name = c_identifier(model.name)
    held = left_out(model)
    calls = {operator.index: _kernel_calls(model, plan, operator, held) for operator in model.operators}
    headers = sorted({call.header for its in calls.values() for call in its if call.header})
    variants = set(plan.kernels) - {PORTABLE, "packed", "table"}
    family = _HOST_HEADERS if SIMD in variants else _VARIANT_HEADERS if variants else ()
    names = {key: f"lw_{name}_{table}" for key, table in table_names(calls).items()}
    fast = () if plan.fast is None else tuple(f"lw_{name}_{table.name}" for table in plan.fast.tables)
    tables = tuple(_tables(model, name, calls, names))
    context = descriptor(model, "aot", arena_bytes=plan.arena_bytes, golden=golden) | {
        "private_header": "weights.h",
        "kernels_header": family[-1] if family else "kernels.h",
        "further_headers": headers,
        "lower_bound_bytes": plan.lower_bound_bytes,
        "peak_operator": plan.peak_operator,
        "with_halves": any(is_wide(tensor) for tensor in model.tensors),
        "places": {
            "inputs": [_place(plan, tensor) for tensor in model.inputs],
            "outputs": [_place(plan, tensor) for tensor in model.outputs],
        },
        "arenas": _arenas(plan),
        "fast": plan.fast,
        "fast_tables": fast,
        "tables": tables,
        "steps": [
            _step(model, plan, name, names, operator, calls[operator.index], first, held)
            for operator, first in zip(model.operators, first_outputs(model), strict=True)
        ],
    }
    templates = ["model.h", "model.c", "weights.h", "weights.c", "self_test.c"] + (["host.c"] if host else [])
    files = {f"model/{template}": render("aot", f"{template}.j2", context) for template in templates}
    kernels = sorted({source for its in calls.values() for call in its for source in (call.source, *call.also)})
    runtime = [
        *_RUNTIME,
        *(HOST_RUNTIME if host else ()),
        *family,
        *headers,
        *(f"kernels/{kernel}" for kernel in kernels),
    ]
    files |= {f"runtime/{path}": (FIRMWARE_TEMPLATES / "runtime" / path).read_bytes() for path in runtime}
    return ModelPart(
        files=tuple(sorted(files.items())),
        sources=tuple(path for path in files if path.endswith(".c")),
        include_dirs=("model", "runtime"),
        arena_bytes=plan.arena_bytes,
    )


def _kernel_calls(
    model: Model, plan: MemoryPlan, operator: Operator, held: Mapping[int, int]
) -> tuple[KernelCall, ...]:
    """The calls of an operator; a copy where a no-copy operator's output has a place of its own. `held` are the bytes
    of tensors that are not made."""
    spec = registry.spec(operator.kind).using(plan.kernel(operator.index))
    if spec.emit is not None and not spec.is_no_copy(model, operator):
        return spec.emit(model, operator)
    if plan.offset(operator.inputs[0]) == plan.offset(operator.outputs[0]):
        return ()
    source = model.required(operator, 0)
    return (copy_runs(runs=1, run=held.get(source.index, source.size_bytes)),)


def _arenas(plan: MemoryPlan) -> tuple[_Arena, ...]:
    """One for each memory region that holds activations."""
    most = f"at most {plan.lower_bound_bytes} are alive at once (op {plan.peak_operator})"
    if plan.fast is None or not plan.fast.arena_bytes:
        return (_Arena(name="arena", bytes=plan.arena_bytes, mark="", comment=f"of which {most}"),)
    there, here = plan.fast.arena_bytes, plan.arena_bytes - plan.fast.arena_bytes
    main = _Arena(name="arena", bytes=here, mark="", comment=f"beside those of fast_arena; {most}")
    fast = _Arena(
        name="fast_arena", bytes=there, mark="LW_FAST_ARENA ", comment=f"for memory region {plan.fast.region}"
    )
    return (main, fast) if here else (fast,)


def _tensor_arena(plan: MemoryPlan, tensor: int) -> str:
    return "fast_arena" if plan.fast is not None and tensor in plan.fast.tensors else "arena"


def _place(plan: MemoryPlan, tensor: int) -> str:
    """The bytes of an activation as a C expression."""
    return f"{_tensor_arena(plan, tensor)}.bytes + {plan.offset(tensor)}"


def _step(
    model: Model,
    plan: MemoryPlan,
    name: str,
    names: TableNames,
    operator: Operator,
    calls: Sequence[KernelCall],
    first_output: int,
    held: Mapping[int, int],
) -> _Step:
    return _Step(
        comment=described(model, operator),
        kind=c_string(operator.kind),
        outputs=tuple(
            _Output(at=_place(plan, tensor.index), bytes=0 if tensor.index in held else tensor.size_bytes)
            for tensor in model.made(operator)
        ),
        first_output=first_output,
        calls=tuple(
            _Call(
                function=call.function,
                params_type=call.params_type,
                params_name=f"params_{operator.index}" + (f"_{number}" if len(calls) > 1 else ""),
                params=tuple((field, _value(plan, operator, value)) for field, value in call.params),
                arguments=tuple(_argument(model, plan, name, names, operator, token) for token in call.arguments),
            )
            for number, call in enumerate(calls)
        ),
    )


def _value(plan: MemoryPlan, operator: Operator, value: str) -> str:
    """A parameter of a kernel call, those that the plan decides included."""
    return str(int(operator.index in plan.backward)) if value == BACKWARD else value


def _argument(model: Model, plan: MemoryPlan, name: str, names: TableNames, operator: Operator, token: str) -> str:
    """An argument token of a kernel call as a C expression."""
    if token.startswith("const:"):
        return names[operator.index, token.removeprefix("const:")]
    if token in ("scratch", "scratch:halves", "scratch:bytes"):
        arena = "fast_arena" if plan.fast is not None and operator.index in plan.fast.scratch else "arena"
        member, size = {"scratch": ("words", 4), "scratch:halves": ("halves", 2), "scratch:bytes": ("bytes", 1)}[token]
        return f"{arena}.{member} + {plan.scratch_offset(operator.index) // size}"
    token, _, as_bytes = token.partition(":")
    if token.startswith("in"):
        tensor = model.required(operator, int(token.removeprefix("in")))
        if tensor.is_constant:
            return "(const int8_t *)" * (bool(as_bytes) and is_wide(tensor)) + _tensor_name(name, tensor)
    else:
        tensor = model.output(operator, int(token.removeprefix("out")))
    if is_wide(tensor) and not as_bytes:
        return f"{_tensor_arena(plan, tensor.index)}.halves + {plan.offset(tensor.index) // 2}"
    return _place(plan, tensor.index)


def _tensor_name(name: str, tensor: Tensor) -> str:
    return f"lw_{name}_tensor{tensor.index}"


def _tables(model: Model, name: str, calls: dict[int, tuple[KernelCall, ...]], names: TableNames) -> Iterator[Table]:
    """Every constant of the model: those of kernel calls, and constant tensors that calls read directly."""
    direct: dict[int, Tensor] = {}
    written: set[str] = set()
    for operator in model.operators:
        for call in calls[operator.index]:
            for constant in call.constants:
                called = names[operator.index, constant.suffix]
                if called not in written:
                    written.add(called)
                    yield table(called, constant, f"{model.describe(operator)}")
        direct |= {tensor.index: tensor for tensor in direct_tensors(model, operator, calls[operator.index])}
    for tensor in direct.values():
        values = tuple(int(value) for value in tensor.array.reshape(-1))
        ctype = f"{tensor.dtype.lower()}_t"
        yield table(_tensor_name(name, tensor), Constant(suffix="", ctype=ctype, values=values), f"'{tensor.name}'")
