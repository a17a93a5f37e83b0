"""What the sources of every backend share: the descriptor behind leadwire.h, its header, the golden self-test.

Templates that all backends use lie in firmware_templates/backends, those of one backend in its folder there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

import leadwire
from leadwire.artifacts import Backend
from leadwire.errors import UnsupportedModelError
from leadwire.model.graph import Model, Operator
from leadwire.model.tensor import Tensor
from leadwire.ops import registry
from leadwire.ops.arithmetic import c_int32, c_int64
from leadwire.ops.spec import Constant
from leadwire.resources import FIRMWARE_TEMPLATES

from .names import c_comment, c_identifier, c_string
from .project import GoldenVector

HOST_RUNTIME = ("batch.h", "batch.c")
"""Files of runtime/ that only a shared library has."""

_MAX_RANK = 5
_MAX_COUNT = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A constant array as the template prints it."""

    name: str
    ctype: str
    elements: int
    lines: tuple[str, ...]
    comment: str


def descriptor(model: Model, backend: Backend, *, arena_bytes: int, golden: GoldenVector | None) -> dict[str, Any]:
    """What the templates of any backend are rendered with."""
    name = c_identifier(model.name)
    return {
        "banner": f"leadwire {leadwire.__version__} {backend}, model '{c_comment(model.name)}' sha256 {model.digest}",
        "facts": _facts(model, arena_bytes),
        "name": name,
        "guard": f"LW_MODEL_{name.upper()}",
        "shown_name": c_string(model.name),
        "generator": c_string(f"leadwire {leadwire.__version__} {backend}"),
        "digest": model.digest,
        "digest_lines": lines([f"0x{byte:02x}" for byte in bytes.fromhex(model.digest)]),
        "arena_bytes": arena_bytes,
        "input_bytes": model.input_bytes,
        "output_bytes": model.output_bytes,
        "inputs": [_port(tensor) for tensor in model.input_tensors],
        "outputs": [_port(tensor) for tensor in model.output_tensors],
        "labels": [c_string(label) for label in model.labels],
        "golden": None if golden is None else _golden_tables(golden),
    }


def check_limits(model: Model) -> None:
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


def described(model: Model, operator: Operator) -> str:
    """The comment over an operator: "op 7 CONV_2D 'block2/conv' -> [1, 1, 60, 8]"."""
    shapes = ", ".join(str(list(tensor.shape)) for tensor in model.made(operator))
    return c_comment(f"{model.describe(operator)} -> {shapes}")


def first_outputs(model: Model) -> tuple[int, ...]:
    """Where each operator's outputs start in the table of all operators' outputs."""
    return tuple(accumulate((len(operator.outputs) for operator in model.operators[:-1]), initial=0))


def table(name: str, constant: Constant, comment: str) -> Table:
    write = {"uint32_t": lambda value: f"0x{value:08x}u", "int64_t": c_int64}.get(constant.ctype, c_int32)
    cells = [write(value) for value in constant.values]
    if constant.row > 1:
        cells = [
            "{" + ", ".join(cells[start : start + constant.row]) + "}" for start in range(0, len(cells), constant.row)
        ]
    return Table(
        name=name,
        ctype=constant.ctype,
        elements=len(cells),
        lines=lines(cells),
        comment=c_comment(f"{comment}: {constant.suffix}" if constant.suffix else comment),
    )


def _golden_tables(golden: GoldenVector) -> tuple[Table, ...]:
    return tuple(
        table(
            name,
            Constant(suffix="", ctype="int8_t", values=tuple(np.frombuffer(data, np.int8).tolist())),
            "",
        )
        for name, data in (("golden_input", golden.input), ("golden_output", golden.output))
    )


def lines(cells: Sequence[str]) -> tuple[str, ...]:
    """Initializer lines of at most about 110 characters."""
    done: list[str] = []
    line = ""
    for cell in cells:
        if line and len(line) + len(cell) + 2 > 110:
            done.append(line)
            line = ""
        line += f"{' ' if line else ''}{cell},"
    return (*done, line) if line else tuple(done)


def _port(tensor: Tensor) -> dict[str, Any]:
    """An entry of the input or output table; an index without a scale stands for itself."""
    scale, zero_point = (tensor.quantization.scale, tensor.quantization.zero_point) if tensor.quantization else (1.0, 0)
    return {
        "name": c_string(tensor.name),
        "comment": c_comment(f"'{tensor.name}' {list(tensor.shape)}, real = scale * (quantized - zero point)"),
        "ctype": f"{tensor.dtype.lower()}_t",
        "item_bytes": tensor.dtype.item_bytes,
        "bytes": tensor.size_bytes,
        "dims": tensor.shape or (0,),
        "rank": len(tensor.shape),
        "scale": _float32(scale),
        "zero_point": zero_point,
    }


def _float32(value: float) -> str:
    """A float literal that reads back as the same float32."""
    text = f"{np.float32(value):.9g}"
    return (text if "." in text or "e" in text else f"{text}.0") + "f"


def _facts(model: Model, arena_bytes: int) -> list[str]:
    labels = ", ".join(model.labels) or "none"
    macs = sum(registry.macs(model))
    return [
        c_comment(f"{len(model.operators)} operators, {macs} MACs, arena {arena_bytes} bytes"),
        c_comment(f"labels: {labels}"),
        "real = scale * (quantized - zero_point)",
    ]


def render(backend: Backend, template: str, context: dict[str, Any]) -> bytes:
    """A file from the backend's template, or from the one that all backends share."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([FIRMWARE_TEMPLATES / "backends" / backend, FIRMWARE_TEMPLATES / "backends"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(template).render(context).encode("ascii")
