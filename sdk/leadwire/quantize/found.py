"""In which mode a .tflite file is, by what its operators compute."""

from __future__ import annotations

from leadwire.artifacts import QuantizationMode
from leadwire.errors import UnsupportedModelError
from leadwire.model.graph import Model
from leadwire.model.tensor import TensorType
from leadwire.ops.rules import is_quantized


def mode_of(model: Model) -> QuantizationMode | None:
    """The mode of a model, None where all is float. Float inputs and outputs around integers count as float layers:
    leave them out first (`integer_interface`)."""
    made = {tensor.dtype for operator in model.operators for tensor in model.made(operator) if is_quantized(tensor)}
    floats = any(tensor.dtype.is_float for op in model.operators for tensor in model.made(op))
    constants = {tensor.dtype for tensor in model.tensors if tensor.is_constant}
    if made:
        if floats or len(made) > 1:
            return "mixed"
        return "int16x8" if made == {TensorType.INT16} else "int8"
    if TensorType.FLOAT16 in constants:
        return "fp16"
    return "dynamic" if TensorType.INT8 in constants else None


def refuse_host_mode(model: Model) -> None:
    """UnsupportedModelError (3) for a model in a mode that only hosts run, with what to do instead."""
    mode = mode_of(model)
    if not any(tensor.dtype.is_float for op in model.operators for tensor in model.made(op)) or mode is None:
        return
    refuse_mode(f"model '{model.name}'", mode)


def refuse_mode(where: str, mode: QuantizationMode) -> None:
    """Raise UnsupportedModelError (3): there is no firmware for a mode with float activations."""
    why = "some of its layers are float" if mode == "mixed" else "its activations are float"
    raise UnsupportedModelError(
        where,
        f"is in mode {mode}: {why}, and firmware computes in integers",
        hint="quantize to int8 or int16x8, or to mixed with layers kept at int16x8; this mode runs on hosts (LiteRT)",
    )
