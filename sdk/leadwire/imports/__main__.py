"""One import in a process of its own: `python -m leadwire.imports FOLDER`; see `record`."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from leadwire.errors import BadInputError, ModelFileError, UnsupportedModelError
from leadwire.tensorflow_process.worker import Progress, serve


def _run(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from leadwire.tensorflow_process.keras_files import save_keras

    from .keras_layers import build_keras
    from .onnx_graph import read_onnx

    source, versions = Path(request["source"]), ["onnx", "keras"]
    if source.suffix == ".pt2":
        source = _onnx_of_program(source, Path(request["out"]).with_name("program.onnx"))
        versions.append("torch")
    graph = read_onnx(source)
    model = build_keras(graph)
    random = np.random.default_rng(request["seed"])
    given = {
        name: random.normal(size=(request["samples"], *shape[1:])).astype(np.float32)
        for name, shape in graph.inputs.items()
    }
    theirs = _answers(source, given, request["samples"])
    ours = _channels_last(model, given)
    if ours.shape != theirs.shape:
        raise UnsupportedModelError(
            f"model '{graph.name}'",
            f"its Keras form puts out {list(ours.shape[1:])}, its own runtime {list(theirs.shape[1:])}",
            hint="let it put out one vector for each sample",
        )
    apart = np.abs(ours - theirs) / max(1.0, float(np.abs(theirs).max()))
    save_keras(build_keras(graph, softmax=True) if request["softmax"] else model, Path(request["out"]))
    return {
        "producer": graph.producer,
        "opset": graph.opset,
        "inputs": [(tensor.name, list(tensor.shape[1:])) for tensor in model.inputs],
        "parameters": int(model.count_params()),
        "largest": float(apart.max()),
        "mean": float(apart.mean()),
        "same_class": float((ours.argmax(axis=-1) == theirs.argmax(axis=-1)).mean()),
        "versions": [(name, version(name)) for name in (*versions, "onnxruntime")],
    }


def _answers(source: Path, given: dict[str, Any], samples: int) -> Any:
    """What onnxruntime answers, one sample at a time: an exported batch of 1 is fixed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise BadInputError("the package onnxruntime is not installed", hint="pip install 'leadwire[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(source.read_bytes(), options, providers=["CPUExecutionProvider"])
        rows = [
            session.run(None, {name: values[index : index + 1] for name, values in given.items()})[0]
            for index in range(samples)
        ]
    except Exception as error:
        raise ModelFileError(source, f"onnxruntime cannot run it: {' '.join(str(error).split())[:300]}") from error
    return np.concatenate(rows)


def _channels_last(model: Any, given: dict[str, Any]) -> Any:
    arrays = [np.moveaxis(one, 1, -1) if one.ndim > 2 else one for one in given.values()]
    found = model.predict(arrays[0] if len(arrays) == 1 else arrays, verbose=0)
    return np.moveaxis(found, -1, 1) if found.ndim > 2 else found


def _onnx_of_program(source: Path, out: Path) -> Path:
    """An exported PyTorch program as ONNX. A .pt2 file is an archive of a graph and its weights; it is loaded without
    running code of its own."""
    try:
        import torch
    except ImportError as error:
        raise BadInputError(
            "PyTorch is not installed",
            hint="pip install 'leadwire[torch]', or export to ONNX where the model was trained",
        ) from error
    try:
        program = torch.export.load(str(source))
        torch.onnx.export(program, (), str(out), dynamo=True, external_data=False, verbose=False)
    except Exception as error:
        raise ModelFileError(source, f"no program of torch.export: {' '.join(str(error).split())[:300]}") from error
    return out


if __name__ == "__main__":
    serve(_run)
