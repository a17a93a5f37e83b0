"""Mixed precision: one graph whose operators come from several forms of the same model.

TensorFlow gives the int8 form and the int16x8 form of one float graph. Their operators are the float graph's, one by
one, with QUANTIZE in between where scales part. `compose` takes each operator, its weights, biases and scales from
the form that was chosen for it and joins them by what their types ask for: QUANTIZE between integers and from float,
DEQUANTIZE to float. Every operator is therefore one that TensorFlow made, and its arithmetic TFLite's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from leadwire.errors import UnsupportedModelError
from leadwire.model.editing import TYPES, EditableModel, copy_operator, copy_tensor, operator

Form = Literal["float", "int8", "int16x8"]
_EDGES: Final = ("QUANTIZE", "DEQUANTIZE")
_MOVING: Final = frozenset({
    "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "MAX_POOL_2D", "PAD", "SLICE", "STRIDED_SLICE", "SPLIT",
    "SPLIT_V", "UNPACK", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "RESIZE_NEAREST_NEIGHBOR",
})  # fmt: skip
"""Operators that move values and compute none: they cost nothing, and are of the form that wrote what they read."""


def body(model: EditableModel) -> list[Any]:
    """The operators without conversions."""
    return [op for op in model.operators if model.kind(op) not in _EDGES]


def computing(model: EditableModel) -> tuple[int, ...]:
    """Indices into `body` of the operators that compute: what a choice of forms is about."""
    return tuple(index for index, op in enumerate(body(model)) if model.kind(op) not in _MOVING)


def follow(model: EditableModel, chosen: Mapping[int, Form], default: Form) -> tuple[Form, ...]:
    """A form for each operator of `body`: that of `chosen`, else `default`; an operator that only moves values has
    that of the one that wrote what it reads, or, at an input of the model, of the one that reads what it writes."""
    ops = body(model)
    forms: list[Form | None] = [
        chosen.get(index, default) if model.kind(op) not in _MOVING else None for index, op in enumerate(ops)
    ]
    writers = {int(tensor): index for index, op in enumerate(ops) for tensor in op.outputs}
    for index, op in enumerate(ops):
        if forms[index] is None:
            writer = next((writers[int(t)] for t in op.inputs if int(t) in writers), None)
            forms[index] = None if writer is None else forms[writer]
    for index in reversed(range(len(ops))):
        if forms[index] is None:
            made = {int(tensor) for tensor in ops[index].outputs}
            reader = next((i for i, op in enumerate(ops) if made & {int(t) for t in op.inputs}), None)
            forms[index] = default if reader is None else forms[reader]
    return tuple(form or default for form in forms)


def compose(forms: Mapping[Form, bytes], choice: Sequence[Form]) -> bytes:
    """The .tflite file in which operator i of the float graph's `body` is of form `choice[i]`.

    `forms` holds "float" and every form chosen. An input of the model has the type of its first reader, an output that
    of its writer. UnsupportedModelError where a form has other operators than the float graph.
    """
    return _Composer({form: EditableModel(data) for form, data in forms.items()}, choice).composed()


class _Composer:
    """The new graph grows in the float file's objects, whose names and signature stay."""

    def __init__(self, forms: Mapping[Form, EditableModel], choice: Sequence[Form]) -> None:
        self.forms, self.choice = forms, choice
        self.bodies = {form: body(model) for form, model in forms.items()}
        self.kinds = [forms["float"].kind(op) for op in self.bodies["float"]]
        for form, model in forms.items():
            _check_same(form, self.kinds, [model.kind(op) for op in self.bodies[form]])
        self.new = forms["float"]
        self.old_tensors = list(self.new.tensors)
        self.old_codes = list(self.new.root.operatorCodes)
        self.new.graph.tensors, self.new.graph.operators, self.new.root.operatorCodes = [], [], []
        self.made: dict[tuple[int, Any], int] = {}
        """(float tensor, type and scales) to the new tensor that holds it so."""
        self.held: dict[int, int] = {}
        """Float tensor to the new tensor that its writer writes."""
        self.constants: dict[tuple[Form, int], int] = {}

    def composed(self) -> bytes:
        inputs = [int(t) for t in self.new.graph.inputs]
        for tensor in inputs:
            self._enter(tensor)
        for index in range(len(self.kinds)):
            self._operator(index)
        outputs = [int(t) for t in self.new.graph.outputs]
        self.new.graph.inputs = [self.held[t] for t in inputs]
        self.new.graph.outputs = [self.held[t] for t in outputs]
        for signature in self.new.root.signatureDefs or []:
            for one in [*signature.inputs, *signature.outputs]:
                one.tensorIndex = self.held[int(one.tensorIndex)]
        return self.new.written()

    def _enter(self, tensor: int) -> None:
        """A model input, as its first reader reads it."""
        for index, op in enumerate(self.bodies["float"]):
            for position, read in enumerate(op.inputs):
                if int(read) == tensor:
                    form = self.choice[index]
                    self._write(tensor, self._tensor(form, int(self.bodies[form][index].inputs[position])))
                    return
        self._write(tensor, self.old_tensors[tensor])

    def _operator(self, index: int) -> None:
        form = self.choice[index]
        source, original = self.forms[form], self.bodies[form][index]
        plain = self.bodies["float"][index]
        made = copy_operator(original)
        made.inputs = [
            -1 if int(wanted) < 0 else self._input(form, int(wanted), int(value))
            for wanted, value in zip(original.inputs, plain.inputs, strict=True)
        ]
        made.outputs = [
            self._write(int(value), self._tensor(form, int(written)))
            for written, value in zip(original.outputs, plain.outputs, strict=True)
        ]
        if original.intermediates is not None and len(original.intermediates):
            made.intermediates = [
                self.new.add_tensor(copy_tensor(self._tensor(form, int(i)))) for i in original.intermediates
            ]
        made.opcodeIndex = self._code(source if form != "float" else None, int(original.opcodeIndex))
        self.new.operators.append(made)

    def _tensor(self, form: Form, index: int) -> Any:
        return self.old_tensors[index] if form == "float" else self.forms[form].tensors[index]

    def _input(self, form: Form, wanted: int, value: int) -> int:
        """The new tensor that holds float tensor `value` as tensor `wanted` of the form does; converted on the way."""
        if value not in self.held:
            return self._constant(form, wanted)
        tensor = self._tensor(form, wanted)
        key = (value, _key(tensor))
        if key not in self.made:
            made = copy_tensor(tensor)
            made.buffer, made.name = 0, f"{self._name(value)}_{_suffix(tensor)}"
            self.made[key] = self.new.add_tensor(made)
            kind = "DEQUANTIZE" if tensor.type == TYPES["FLOAT32"] else "QUANTIZE"
            code = self.new.code(kind, version=2)
            self.new.operators.append(operator(code, [self.held[value]], [self.made[key]]))
        return self.made[key]

    def _write(self, value: int, tensor: Any) -> int:
        made = copy_tensor(tensor)
        made.buffer = 0
        self.held[value] = self.made[value, _key(tensor)] = self.new.add_tensor(made)
        return self.held[value]

    def _constant(self, form: Form, index: int) -> int:
        """A constant or a state, copied once."""
        tensor = self._tensor(form, index)
        if tensor.isVariable:
            return self.new.add_tensor(copy_tensor(tensor))
        if (form, index) not in self.constants:
            made = copy_tensor(tensor)
            if form != "float":
                data = self.forms[form].root.buffers[int(tensor.buffer)].data
                made.buffer = 0 if data is None else self.new.add_buffer(data.tobytes())
            self.constants[form, index] = self.new.add_tensor(made)
        return self.constants[form, index]

    def _code(self, source: EditableModel | None, index: int) -> int:
        wanted = self.old_codes[index] if source is None else source.root.operatorCodes[index]
        for place, code in enumerate(self.new.root.operatorCodes):
            if vars(code) == vars(wanted):
                return place
        self.new.root.operatorCodes.append(wanted)
        return len(self.new.root.operatorCodes) - 1

    def _name(self, value: int) -> str:
        raw = self.old_tensors[value].name
        return raw.decode() if isinstance(raw, bytes) else str(raw)


def _check_same(form: Form, wanted: list[str], found: list[str]) -> None:
    if wanted == found:
        return
    unlike = (index for index, (one, other) in enumerate(zip(wanted, found, strict=False)) if one != other)
    place = next(unlike, min(len(wanted), len(found)))
    raise UnsupportedModelError(
        f"the {form} form of the model",
        f"has {len(found)} operators, the float graph {len(wanted)}; they part at operator {place}",
        hint="use one mode for the whole model: int8 or int16x8",
    )


def _key(tensor: Any) -> tuple[int, tuple[float, ...], tuple[int, ...]]:
    """Type, scales and zero points."""
    found = tensor.quantization
    if found is None or found.scale is None or tensor.type == TYPES["FLOAT32"]:
        return int(tensor.type), (), ()
    return int(tensor.type), tuple(map(float, found.scale)), tuple(map(int, found.zeroPoint))


def _suffix(tensor: Any) -> str:
    return next(name for name, number in TYPES.items() if number == tensor.type).lower()
