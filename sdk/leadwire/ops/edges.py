"""Models with float inputs or outputs around an int8 or int16 body: the device keeps the body, the host converts.

TensorFlow writes such files unless it is told `inference_input_type = inference_output_type = tf.int8`.
"""

from __future__ import annotations

from dataclasses import replace

from leadwire.model.graph import Model, Operator

from .rules import is_quantized


def integer_interface(model: Model) -> Model:
    """`model` without the QUANTIZE of its float inputs and the DEQUANTIZE of its float outputs.

    The integer tensors behind them become inputs and outputs, with the scale and zero point by which the host converts;
    their bytes are those that the removed operators would have read or written. An edge is left as it is where a float
    tensor has another reader. Tensors keep their indices, operators are numbered anew; digest and size stay those of
    the file. A model without such edges is returned as it is.
    """
    entries = {t: op for t in model.inputs if (op := _entry(model, t)) is not None}
    exits = {t: op for t in model.outputs if (op := _exit(model, t)) is not None}
    if not entries and not exits:
        return model
    removed = {op.index for op in (*entries.values(), *exits.values())}
    kept = [op for op in model.operators if op.index not in removed]
    return replace(
        model,
        operators=tuple(replace(op, index=index) for index, op in enumerate(kept)),
        inputs=tuple(entries[t].outputs[0] if t in entries else t for t in model.inputs),
        outputs=tuple(exits[t].inputs[0] if t in exits else t for t in model.outputs),
    )


def _readers(model: Model, tensor: int) -> list[Operator]:
    return [op for op in model.operators if tensor in op.inputs]


def _entry(model: Model, tensor: int) -> Operator | None:
    """The QUANTIZE that alone reads a float input and writes integers."""
    readers = _readers(model, tensor)
    if not model.tensors[tensor].dtype.is_float or len(readers) != 1 or tensor in model.outputs:
        return None
    (op,) = readers
    return op if op.kind == "QUANTIZE" and len(op.outputs) == 1 and is_quantized(model.output(op)) else None


def _exit(model: Model, tensor: int) -> Operator | None:
    """The DEQUANTIZE that writes a float output from a computed integer tensor, where nothing else reads it."""
    if not model.tensors[tensor].dtype.is_float or _readers(model, tensor) or model.outputs.count(tensor) != 1:
        return None
    writers = [op for op in model.operators if tensor in op.outputs]
    if len(writers) != 1 or writers[0].kind != "DEQUANTIZE" or len(writers[0].inputs) != 1:
        return None
    source = model.input(writers[0], 0)
    return writers[0] if is_quantized(source) and source is not None and not source.is_constant else None
