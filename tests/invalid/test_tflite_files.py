"""One mistake per file, each named: exit code 2 (not a sound file) or 3 (sound, but no static firmware)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from leadwire.errors import FileMissingError, LeadwireError, ModelFileError, UnsupportedModelError
from leadwire.model.tflite import parse_tflite, read_tflite

INT8 = schema.TensorType.INT8


def tensor(name: str, shape: list[int], kind: int = INT8, buffer: int = 0, **quantization: Any) -> Any:
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, shape, kind, buffer
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale = quantization.get("scale", [0.5])
    made.quantization.zeroPoint = quantization.get("zero_point", [0])
    made.quantization.quantizedDimension = quantization.get("axis", 0)
    return made


def operator(inputs: list[int], outputs: list[int], code: int = 0) -> Any:
    made = schema.OperatorT()
    made.inputs, made.outputs, made.opcodeIndex = inputs, outputs, code
    return made


def model() -> Any:
    """RELU, then RELU: tensors 0 -> 1 -> 2; tensor 3 is an unused constant of four bytes."""
    made = schema.ModelT()
    made.version, made.description = 3, "two layers"
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
    made.operatorCodes = [code]
    empty, four = schema.BufferT(), schema.BufferT()
    four.data = [1, 2, 3, 4]
    made.buffers = [empty, four]
    graph = schema.SubGraphT()
    graph.tensors = [tensor("in", [1, 4]), tensor("mid", [1, 4]), tensor("out", [1, 4]), tensor("w", [4], buffer=1)]
    graph.operators = [operator([0], [1]), operator([1], [2])]
    graph.inputs, graph.outputs = [0], [2]
    made.subgraphs = [graph]
    return made


def pack(made: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def refused(data: bytes) -> LeadwireError:
    with pytest.raises((ModelFileError, UnsupportedModelError)) as caught:
        parse_tflite(data, "broken")
    return caught.value


def test_the_model_the_mistakes_are_made_in_is_sound() -> None:
    read = parse_tflite(pack(model()), "sound")
    assert [o.kind for o in read.operators] == ["RELU", "RELU"]
    assert read.tensors[3].data == bytes([1, 2, 3, 4])
    assert read.description == "two layers"


MISTAKES: list[tuple[str, int, str, Callable[[Any, Any], object]]] = [
    ("schema version", 2, "version 4", lambda m, g: setattr(m, "version", 4)),
    ("no graph", 2, "no graph", lambda m, g: setattr(m, "subgraphs", [])),
    ("no operators", 3, "computes nothing", lambda m, g: setattr(g, "operators", [])),
    ("no inputs", 2, "no inputs", lambda m, g: setattr(g, "inputs", [])),
    ("no outputs", 2, "no outputs", lambda m, g: setattr(g, "outputs", [])),
    ("input twice", 2, "distinct", lambda m, g: setattr(g, "inputs", [0, 0])),
    ("output out of range", 2, "distinct tensors of 4", lambda m, g: setattr(g, "outputs", [9])),
    ("operator reads tensor 9", 2, "reads a tensor that", lambda m, g: setattr(g.operators[0], "inputs", [9])),
    ("operator reads tensor -2", 2, "does not exist", lambda m, g: setattr(g.operators[0], "inputs", [-2])),
    ("operator writes nothing", 2, "writes a tensor", lambda m, g: setattr(g.operators[0], "outputs", [])),
    ("operator writes -1", 2, "writes a tensor", lambda m, g: setattr(g.operators[0], "outputs", [-1])),
    ("operator code 5 of 1", 2, "operator code 5 of 1", lambda m, g: setattr(g.operators[0], "opcodeIndex", 5)),
    ("wrong order", 2, "'mid' before it is written", lambda m, g: g.operators.reverse()),
    ("a cycle", 2, "before it is written", lambda m, g: setattr(g.operators[0], "inputs", [2])),
    ("reads its own output", 2, "before it is written", lambda m, g: setattr(g.operators[0], "inputs", [1])),
    ("written twice", 2, "a second time", lambda m, g: setattr(g.operators[1], "outputs", [1])),
    ("input overwritten", 2, "a second time", lambda m, g: setattr(g.operators[1], "outputs", [0])),
    ("constant overwritten", 2, "a second time", lambda m, g: setattr(g.operators[1], "outputs", [3])),
    ("constant as graph input", 2, "input is a constant", lambda m, g: setattr(g, "inputs", [0, 3])),
    ("output never written", 2, "written by no operator", lambda m, g: g.operators.pop()),
    ("buffer out of range", 2, "buffer 7 of 2", lambda m, g: setattr(g.tensors[3], "buffer", 7)),
    ("size does not match", 2, "holds 4 bytes", lambda m, g: setattr(g.tensors[3], "shape", [5])),
    ("type does not match", 2, "holds 4 bytes", lambda m, g: setattr(g.tensors[3], "type", schema.TensorType.INT32)),
    ("type not in the schema", 2, "type 77", lambda m, g: setattr(g.tensors[0], "type", 77)),
    ("open batch", 3, "not fixed", lambda m, g: setattr(g.tensors[0], "shape", [-1, 4])),
    ("negative size", 2, r"shape \[-3, 4\]", lambda m, g: setattr(g.tensors[0], "shape", [-3, 4])),
    ("empty activation", 2, "nothing in it", lambda m, g: setattr(g.tensors[0], "shape", [0, 4])),
    ("absurd size", 2, "more than", lambda m, g: setattr(g.tensors[0], "shape", [2**30, 2**30, 2**30])),
    ("nine dimensions", 2, "9 dimensions", lambda m, g: setattr(g.tensors[0], "shape", [1] * 9)),
    ("NaN scale", 2, "number: nan", lambda m, g: setattr(g.tensors[0].quantization, "scale", [float("nan")])),
    ("infinite scale", 2, "inf", lambda m, g: setattr(g.tensors[0].quantization, "scale", [float("inf")])),
    ("zero scale", 2, "not a positive number: 0.0", lambda m, g: setattr(g.tensors[0].quantization, "scale", [0.0])),
    ("negative scale", 2, "-1.0", lambda m, g: setattr(g.tensors[0].quantization, "scale", [-1.0])),
    ("zero point 200", 2, "outside -128..127", lambda m, g: setattr(g.tensors[0].quantization, "zeroPoint", [200])),
    ("no zero point", 2, "and 0 zero points", lambda m, g: setattr(g.tensors[0].quantization, "zeroPoint", [])),
    ("three scales on four slices", 2, "3 scales along axis 0", lambda m, g: g.tensors.__setitem__(
        3, tensor("w", [4], buffer=1, scale=[1.0] * 3, zero_point=[0] * 3))),
    ("axis out of range", 2, "along axis 5", lambda m, g: g.tensors.__setitem__(
        3, tensor("w", [4], buffer=1, scale=[1.0] * 4, zero_point=[0] * 4, axis=5))),
    ("state", 3, "keeps state", lambda m, g: setattr(g.tensors[1], "isVariable", True)),
    ("control flow", 3, "control flow", lambda m, g: setattr(m.operatorCodes[0], "builtinCode", 119)),
    ("no options", 2, "where AddOptions belong", lambda m, g: setattr(m.operatorCodes[0], "deprecatedBuiltinCode", 0)
     or setattr(m.operatorCodes[0], "builtinCode", schema.BuiltinOperator.ADD)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "message", "break_it"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_each_mistake_is_named(code: int, message: str, break_it: Callable[[Any, Any], object]) -> None:
    made = model()
    break_it(made, made.subgraphs[0])
    with pytest.raises((ModelFileError, UnsupportedModelError), match=message) as caught:
        parse_tflite(pack(made), "broken")
    assert caught.value.exit_code == code
    assert caught.value.hint or code == 3


def test_files_that_are_no_model_at_all(tmp_path: Path) -> None:
    assert "too few" in str(refused(b""))
    assert "identifier" in str(refused(b"PK\x03\x04" + bytes(100)))
    with pytest.raises(FileMissingError) as missing:
        read_tflite(tmp_path / "no.tflite")
    assert missing.value.exit_code == 2
    for path, found in ((tmp_path, "is a folder"), (Path("/dev/null"), "is not a file")):
        with pytest.raises(FileMissingError, match=found):
            read_tflite(path)


def test_offsets_that_lead_out_of_the_file() -> None:
    data = bytearray(pack(model()))
    struct.pack_into("<I", data, 0, 0xFFFFFFF0)
    assert "outside the file" in str(refused(bytes(data)))


def test_a_vector_of_absurd_length_is_refused_without_reading_it() -> None:
    data = pack(model())
    at = data.index(bytes([1, 2, 3, 4])) - 4
    assert struct.unpack_from("<I", data, at) == (4,)
    error = refused(data[:at] + struct.pack("<I", 0x7FFFFFFF) + data[at + 4 :])
    assert "outside the file" in str(error)


def test_a_small_file_that_unfolds_to_gigabytes_is_refused() -> None:
    """10,000 tensors whose names are one and the same long string."""
    builder = flatbuffers.Builder(1 << 20)
    name = builder.CreateString("n" * 100_000)
    schema.TensorStart(builder)
    schema.TensorAddName(builder, name)
    one = schema.TensorEnd(builder)
    schema.SubGraphStartTensorsVector(builder, 10_000)
    for _ in range(10_000):
        builder.PrependUOffsetTRelative(one)
    tensors = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.BufferStart(builder)
    empty = schema.BufferEnd(builder)
    schema.ModelStartBuffersVector(builder, 1)
    builder.PrependUOffsetTRelative(empty)
    buffers = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, graphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    assert "overlap" in str(refused(bytes(builder.Output())))


def test_an_operator_outside_the_schema_keeps_its_name() -> None:
    made = model()
    made.operatorCodes[0].builtinCode = made.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    made.operatorCodes[0].customCode = "MyLayer"
    assert parse_tflite(pack(made), "custom").operators[0].kind == "CUSTOM:MyLayer"
    made.operatorCodes[0].builtinCode = 9999
    made.operatorCodes[0].customCode = None
    assert parse_tflite(pack(made), "custom").operators[0].kind == "CUSTOM:9999"
