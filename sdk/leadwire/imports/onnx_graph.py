"""An ONNX file, read with suspicion: its nodes in order, its constants, its inputs and outputs with their shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leadwire.errors import BadInputError, FileMissingError, ModelFileError, UnsupportedModelError

MAX_BYTES: Final = 512 * 1024 * 1024
_OLDEST_OPSET: Final = 9

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`attributes` are plain Python values and numpy arrays."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def label(self) -> str:
        return f"node '{self.name or self.outputs[0]}' ({self.kind})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """`inputs` and `outputs` by name with their shapes, the batch first; `constants` by name."""

    name: str
    opset: int
    producer: str
    nodes: tuple[Node, ...]
    inputs: Mapping[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    constants: Mapping[str, Array] = field(default_factory=dict)


def read_onnx(path: Path) -> Graph:
    """FileMissingError, ModelFileError (2) for what is no sound ONNX file, UnsupportedModelError (3) for one whose
    inputs have no fixed shape or whose weights lie in other files; BadInputError (2) without the extra `onnx`."""
    if not path.is_file():
        raise FileMissingError(path, role="model")
    if path.stat().st_size > MAX_BYTES:
        raise ModelFileError(path, f"{path.stat().st_size} bytes, more than {MAX_BYTES}")
    try:
        import onnx
    except ImportError as error:
        raise BadInputError("the package onnx is not installed", hint="pip install 'leadwire[onnx]'") from error
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        _refuse_outside(path, model)
        onnx.checker.check_model(model)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except UnsupportedModelError:
        raise
    except Exception as error:
        raise ModelFileError(path, f"no sound ONNX file: {' '.join(str(error).split())[:300]}") from error
    return _graph(path, model)


def _refuse_outside(path: Path, model: Any) -> None:
    """Weights in other files: a path in a model file is not followed."""
    for tensor in model.graph.initializer:
        if tensor.external_data:
            raise UnsupportedModelError(
                f"model '{path.name}'",
                f"the weights of '{tensor.name}' lie in another file",
                hint="export it as one file (torch.onnx.export(..., external_data=False))",
            )


def _graph(path: Path, model: Any) -> Graph:
    from onnx import helper, numpy_helper

    graph = model.graph
    opset = max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0)
    if opset < _OLDEST_OPSET:
        raise UnsupportedModelError(
            f"model '{path.name}'", f"has opset {opset}", hint=f"export it with opset {_OLDEST_OPSET} or newer"
        )
    constants = {one.name: np.array(numpy_helper.to_array(one)) for one in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise UnsupportedModelError(
                f"model '{path.name}'", f"operator {node.domain}.{node.op_type} is not one of ONNX's own",
                hint="export it without custom operators",
            )  # fmt: skip
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "Constant" and "value" in attributes:
            constants[node.output[0]] = np.array(numpy_helper.to_array(attributes["value"]))
            continue
        nodes.append(
            Node(
                name=node.name, kind=node.op_type, inputs=tuple(node.input), outputs=tuple(node.output),
                attributes={k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()},
            )
        )  # fmt: skip
    for name, values in constants.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ModelFileError(path, f"the weights '{name}' hold NaN or infinity")
    inputs = {one.name: _shape(path, one) for one in graph.input if one.name not in constants}
    if not inputs or not graph.output:
        raise ModelFileError(path, "it has no input or no output")
    return Graph(
        name=graph.name or path.stem,
        opset=opset,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        nodes=tuple(nodes),
        inputs=inputs,
        outputs=tuple(one.name for one in graph.output),
        constants=constants,
    )


def _shape(path: Path, value: Any) -> tuple[int, ...]:
    """A shape whose batch may be open (given as 1); every other size must be known."""
    sizes = [one.dim_value if one.HasField("dim_value") else 0 for one in value.type.tensor_type.shape.dim]
    if len(sizes) < 2 or any(size < 1 for size in sizes[1:]):
        raise UnsupportedModelError(
            f"input '{value.name}' of '{path.name}'",
            f"has the open shape {sizes}",
            hint="export it with every dimension but the batch fixed",
        )
    return (1, *sizes[1:])
