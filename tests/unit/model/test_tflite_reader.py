"""The reader against a second witness: LiteRT's own view of the same files, tensor by tensor, operator by operator."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from leadwire.model.tflite import read_tflite

MODELS = Path(os.environ.get("LEADWIRE_DATA", Path(__file__).parents[4] / "shared" / "data")) / "models"
FILES = sorted(MODELS.glob("*.tflite"))
needs_models = pytest.mark.skipif(not FILES, reason="no models in LEADWIRE_DATA")


@needs_models
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_reads_what_litert_reads(path: Path) -> None:
    model = read_tflite(path, labels=("a", "b"))
    witness = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    witness.allocate_tensors()
    details = {detail["index"]: detail for detail in witness.get_tensor_details()}
    assert model.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (model.name, model.size_bytes, model.labels) == (path.stem, path.stat().st_size, ("a", "b"))
    assert model.inputs == tuple(detail["index"] for detail in witness.get_input_details())
    assert model.outputs == tuple(detail["index"] for detail in witness.get_output_details())
    for tensor in model.tensors:
        detail = details[tensor.index]
        assert tensor.shape == tuple(detail["shape"])
        assert tensor.dtype.numpy == np.dtype(detail["dtype"])
        parameters = detail["quantization_parameters"]
        if tensor.quantization is not None:
            assert np.array_equal(np.float32(tensor.quantization.scales), parameters["scales"])
            assert tensor.quantization.zero_points == tuple(parameters["zero_points"])
            assert not tensor.quantization.per_channel or tensor.quantization.axis == parameters["quantized_dimension"]
        else:
            assert not parameters["scales"].size
        if tensor.is_constant:
            assert np.array_equal(tensor.array, witness.get_tensor(tensor.index))
        if tensor.index not in (*model.inputs, *model.outputs):
            assert tensor.name == detail["name"]
    for operator, other in zip(model.operators, witness._get_ops_details(), strict=True):
        assert operator.kind == other["op_name"]
        assert operator.inputs == tuple(other["inputs"])
        assert operator.outputs == tuple(other["outputs"])


@needs_models
def test_options_have_the_names_of_the_schema() -> None:
    model = read_tflite(MODELS / "kws_dscnn_int8.tflite")
    first = dict(model.operators[0].options)
    assert model.operators[0].kind == "CONV_2D"
    assert first["padding"] == "SAME"
    assert (first["stride_h"], first["stride_w"]) == (2, 2)
    assert first["fused_activation_function"] == "RELU"
    kinds = {operator.kind: operator for operator in model.operators}
    assert kinds["DEPTHWISE_CONV_2D"].option("depth_multiplier", 0) == 1
    assert kinds["AVERAGE_POOL_2D"].option("filter_height", 0) == 25
    assert kinds["SOFTMAX"].option("beta", 0.0) == 1.0
    assert isinstance(kinds["FULLY_CONNECTED"].option("keep_num_dims", True), bool)


@needs_models
def test_inputs_and_outputs_have_the_names_of_the_signature() -> None:
    model = read_tflite(MODELS / "ecg_cnn_int8.tflite")
    witness = Interpreter(str(MODELS / "ecg_cnn_int8.tflite")).get_signature_list()["serving_default"]
    assert [tensor.name for tensor in model.input_tensors] == witness["inputs"]
    assert [tensor.name for tensor in model.output_tensors] == witness["outputs"]


def test_reading_needs_no_tensorflow() -> None:
    program = "import sys, leadwire.model.tflite as t; t.operator_name(3); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
