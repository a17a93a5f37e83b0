"""Backend `aot`: interpreter-free C99. A model becomes tables, a list of kernel calls and a static arena.

The templates of backends/aot hold tables and calls; every algorithm is a plain C file of runtime/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import leadwire
from leadwire.artifacts import MemoryPlan
from leadwire.errors import UnsupportedModelError
from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor
from leadwire.ops import registry
from leadwire.ops.arithmetic import c_int32
from leadwire.ops.spec import Constant, KernelCall
from leadwire.resources import FIRMWARE_TEMPLATES

from .names import c_comment, c_identifier, c_string
from .project import GoldenVector, ModelPart

_MAX_RANK = 5
_MAX_COUNT = 0xFFFF
_RUNTIME = ("leadwire.h", "requantize.h", "kernels.h", "self_test.h", "self_test.c")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A constant array as the template prints it."""

    name: str
    ctype: str
    elements: int
    lines: tuple[str, ...]
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    function: str
    params_type: str
    params_name: str
    params: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    comment: str
    kind: str
    offset: int
    bytes: int
    calls: tuple[_Call, ...]


def write_model(model: Model, plan: MemoryPlan, *, host: bool, golden: GoldenVector | None) -> ModelPart:
    """The sources of `model` placed by `plan`; with `host`, also the entry of a shared library.

    UnsupportedModelError (3) names every operator that cannot run as full INT8.
    """
    registry.check(model)
    _check_limits(model)
    name = c_identifier(model.name)
    calls = {operator.index: _kernel_calls(model, plan, operator) for operator in model.operators}
    tables = tuple(_tables(model, name, calls))
    context: dict[str, Any] = {
        "banner": f"leadwire {leadwire.__version__} aot, model '{c_comment(model.name)}' sha256 {model.digest}",
        "facts": _facts(model, plan),
        "name": name,
        "guard": f"LW_MODEL_{name.upper()}",
        "shown_name": c_string(model.name),
        "generator": c_string(f"leadwire {leadwire.__version__} aot"),
        "digest": model.digest,
        "digest_lines": _lines([f"0x{byte:02x}" for byte in bytes.fromhex(model.digest)]),
        "arena_bytes": plan.arena_bytes,
        "lower_bound_bytes": plan.lower_bound_bytes,
        "peak_operator": plan.peak_operator,
        "input_bytes": model.input_bytes,
        "output_bytes": model.output_bytes,
        "inputs": [_port(plan, tensor) for tensor in model.input_tensors],
        "outputs": [_port(plan, tensor) for tensor in model.output_tensors],
        "labels": [c_string(label) for label in model.labels],
        "tables": tables,
        "steps": [_step(model, plan, name, operator, calls[operator.index]) for operator in model.operators],
        "golden": None if golden is None else _golden_tables(golden),
    }
    templates = ["model.h", "model.c", "weights.h", "weights.c", "self_test.c"] + (["host.c"] if host else [])
    files = {f"model/{template}": _render(f"{template}.j2", context) for template in templates}
    kernels = sorted({call.source for its in calls.values() for call in its})
    runtime = [*_RUNTIME, *(f"kernels/{kernel}" for kernel in kernels)]
    files |= {f"runtime/{path}": (FIRMWARE_TEMPLATES / "runtime" / path).read_bytes() for path in runtime}
    return ModelPart(
        files=tuple(sorted(files.items())),
        sources=tuple(path for path in files if path.endswith(".c")),
        include_dirs=("model", "runtime"),
    )


def _check_limits(model: Model) -> None:
    """What leadwire.h's descriptor can say."""
    for tensor in (*model.input_tensors, *model.output_tensors):
        if len(tensor.shape) > _MAX_RANK:
            raise UnsupportedModelError(
                f"tensor '{tensor.name}'",
                f"has {len(tensor.shape)} dimensions, at most {_MAX_RANK} can be described",
                hint="reshape inputs and outputs to fewer dimensions",
            )
        if tensor.is_constant:
            raise UnsupportedModelError(
                f"tensor '{tensor.name}'", "is an output that is a constant", hint="remove it from the model"
            )
    for what, count in (("operators", len(model.operators)), ("labels", len(model.labels))):
        if count > _MAX_COUNT:
            raise UnsupportedModelError(f"model '{model.name}'", f"has {count} {what}, at most {_MAX_COUNT}")


def _kernel_calls(model: Model, plan: MemoryPlan, operator: Operator) -> tuple[KernelCall, ...]:
    """The calls of an operator; a copy where a no-copy operator's output has a place of its own."""
    emit = registry.spec(operator.kind).emit
    if emit is not None:
        return emit(model, operator)
    if plan.offset(operator.inputs[0]) == plan.offset(operator.outputs[0]):
        return ()
    size = str(model.output(operator).size_bytes)
    return (
        KernelCall(
            function="lw_copy_s8",
            source="copy_s8.c",
            params_type="lw_copy_params",
            params=(("runs", "1"), ("run", size), ("output_step", size), ("output_offset", "0")),
            arguments=("in0", "out0"),
        ),
    )


def _step(model: Model, plan: MemoryPlan, name: str, operator: Operator, calls: Sequence[KernelCall]) -> _Step:
    output = model.output(operator)
    return _Step(
        comment=c_comment(f"{model.describe(operator)} -> {list(output.shape)}"),
        kind=c_string(operator.kind),
        offset=plan.offset(output.index),
        bytes=output.size_bytes,
        calls=tuple(
            _Call(
                function=call.function,
                params_type=call.params_type,
                params_name=f"params_{operator.index}" + (f"_{number}" if len(calls) > 1 else ""),
                params=call.params,
                arguments=tuple(_argument(model, plan, name, operator, token) for token in call.arguments),
            )
            for number, call in enumerate(calls)
        ),
    )


def _argument(model: Model, plan: MemoryPlan, name: str, operator: Operator, token: str) -> str:
    """An argument token of a kernel call as a C expression."""
    if token.startswith("const:"):
        return _constant_name(name, operator, token.removeprefix("const:"))
    if token.startswith("in"):
        tensor = model.required(operator, int(token.removeprefix("in")))
        if tensor.is_constant:
            return _tensor_name(name, tensor)
    else:
        tensor = model.output(operator, int(token.removeprefix("out")))
    return f"arena.bytes + {plan.offset(tensor.index)}"


def _constant_name(name: str, operator: Operator, suffix: str) -> str:
    return f"lw_{name}_op{operator.index}_{suffix}"


def _tensor_name(name: str, tensor: Tensor) -> str:
    return f"lw_{name}_tensor{tensor.index}"


def _tables(model: Model, name: str, calls: dict[int, tuple[KernelCall, ...]]) -> Iterator[_Table]:
    """Every constant of the model: those of kernel calls, and constant tensors that calls read directly."""
    direct: dict[int, Tensor] = {}
    for operator in model.operators:
        for call in calls[operator.index]:
            for constant in call.constants:
                yield _table(_constant_name(name, operator, constant.suffix), constant, f"{model.describe(operator)}")
            for token in call.arguments:
                if token.startswith("in"):
                    tensor = model.required(operator, int(token.removeprefix("in")))
                    if tensor.is_constant:
                        direct[tensor.index] = tensor
    for tensor in direct.values():
        values = tuple(int(value) for value in tensor.array.reshape(-1))
        yield _table(_tensor_name(name, tensor), Constant(suffix="", ctype="int8_t", values=values), f"'{tensor.name}'")


def _table(name: str, constant: Constant, comment: str) -> _Table:
    cells = [c_int32(value) for value in constant.values]
    if constant.row > 1:
        cells = [
            "{" + ", ".join(cells[start : start + constant.row]) + "}" for start in range(0, len(cells), constant.row)
        ]
    return _Table(
        name=name,
        ctype=constant.ctype,
        elements=len(cells),
        lines=_lines(cells),
        comment=c_comment(f"{comment}: {constant.suffix}" if constant.suffix else comment),
    )


def _golden_tables(golden: GoldenVector) -> tuple[_Table, ...]:
    return tuple(
        _table(
            name,
            Constant(suffix="", ctype="int8_t", values=tuple(np.frombuffer(data, np.int8).tolist())),
            "",
        )
        for name, data in (("golden_input", golden.input), ("golden_output", golden.output))
    )


def _lines(cells: Sequence[str]) -> tuple[str, ...]:
    """Initializer lines of at most about 110 characters."""
    lines: list[str] = []
    line = ""
    for cell in cells:
        if line and len(line) + len(cell) + 2 > 110:
            lines.append(line)
            line = ""
        line += f"{' ' if line else ''}{cell},"
    return (*lines, line) if line else tuple(lines)


def _port(plan: MemoryPlan, tensor: Tensor) -> dict[str, Any]:
    """An entry of the input or output table."""
    assert tensor.quantization is not None
    return {
        "name": c_string(tensor.name),
        "comment": c_comment(f"'{tensor.name}' {list(tensor.shape)}, real = scale * (quantized - zero point)"),
        "offset": plan.offset(tensor.index),
        "bytes": tensor.size_bytes,
        "dims": tensor.shape or (0,),
        "rank": len(tensor.shape),
        "scale": _float32(tensor.quantization.scale),
        "zero_point": tensor.quantization.zero_point,
    }


def _float32(value: float) -> str:
    """A float literal that reads back as the same float32."""
    text = f"{np.float32(value):.9g}"
    return (text if "." in text or "e" in text else f"{text}.0") + "f"


def _facts(model: Model, plan: MemoryPlan) -> list[str]:
    labels = ", ".join(model.labels) or "none"
    macs = sum(registry.macs(model))
    return [
        c_comment(f"{len(model.operators)} operators, {macs} MACs, arena {plan.arena_bytes} bytes"),
        c_comment(f"labels: {labels}"),
        "real = scale * (quantized - zero_point)",
    ]


def _render(template: str, context: dict[str, Any]) -> bytes:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FIRMWARE_TEMPLATES / "backends" / "aot"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(template).render(context).encode("ascii")
