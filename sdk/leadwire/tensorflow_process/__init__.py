"""The one door to TensorFlow and Keras: both run in a process of their own, with everything pinned that moves bytes.

Why a process: the converter can take the interpreter down with it (a Keras GRU that is not unrolled: SIGSEGV), Keras
prints to stdout, and TensorFlow costs seconds and half a gigabyte that no other stage needs.
Why the same bytes each time: versions are pinned by the package, the environment by `PINNED_ENVIRONMENT`, the batch is
1, names come from a fresh process (Keras numbers automatic names by what was built before).

The worker (`__main__`) reads `request.json` and `inputs.npz` from a folder and leaves its results there. It ends when
its standard input does: nobody is left to read them.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from leadwire.artifacts import QuantizationMode
from leadwire.errors import BadInputError, BuildError, ModelFileError, UnsupportedModelError

PINNED_ENVIRONMENT: Final = {
    "CUDA_VISIBLE_DEVICES": "",
    "KERAS_BACKEND": "tensorflow",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TF_DETERMINISTIC_OPS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}
TRAINING_THREADS: Final = "2"
_QUIET: Final = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
_DROPPED: Final = ("TF_", "XLA_", "KERAS_", "OMP_", "TFLITE_")
_PACKAGES: Final = ("tensorflow", "keras", "numpy", "ml-dtypes", "flatbuffers")
_CRASH_HINT: Final = (
    "recurrent layers: set unroll=True; otherwise leave out layers until it converts, to find the one that breaks it"
)

Task = Literal["convert", "quantize", "predict"]
IntegerForm = Literal["int8", "int16x8"]
Ranges = Mapping[int, tuple[float, float]]
"""Tensor of a float .tflite to the lowest and the highest value it is to hold."""


def pinned() -> tuple[tuple[str, str], ...]:
    """What is held fixed, as (name, value): versions, then environment."""
    versions = (("python", ".".join(map(str, sys.version_info[:2]))), *((name, version(name)) for name in _PACKAGES))
    return (*versions, *PINNED_ENVIRONMENT.items())


def convert(
    source: Path,
    inputs: Mapping[str, npt.NDArray[np.float32]],
    *,
    mode: QuantizationMode = "int8",
    per_tensor_dense: bool,
    timeout_s: float,
) -> tuple[bytes, bytes]:
    """(full-integer .tflite of a mode, float .tflite) of a Keras file, SavedModel folder or float .tflite.

    `inputs` are the calibration samples by input name, float32 [n, ...]. ModelFileError, BadInputError (2),
    UnsupportedModelError (3) with the converter's own words, BuildError (5) when it takes longer than `timeout_s`.
    """
    with TemporaryDirectory(prefix="leadwire-") as folder:
        _run("convert", source, inputs, Path(folder), timeout_s, mode=mode, per_tensor_dense=per_tensor_dense)
        return (Path(folder) / "integer.tflite").read_bytes(), (Path(folder) / "float.tflite").read_bytes()


def convert_to_float(source: Path, inputs: Mapping[str, npt.NDArray[np.float32]], *, timeout_s: float) -> bytes:
    """The float .tflite of a Keras file or SavedModel for one sample at a time; a float .tflite as it is. `inputs` say
    what goes in, as for `convert`, whose errors these are."""
    with TemporaryDirectory(prefix="leadwire-") as folder:
        _run("convert", source, inputs, Path(folder), timeout_s, float_only=True)
        return (Path(folder) / "float.tflite").read_bytes()


def quantize(
    floating: bytes,
    inputs: Mapping[str, npt.NDArray[np.float32]],
    wanted: Mapping[str, tuple[IntegerForm, Ranges]],
    *,
    per_tensor_dense: bool,
    timeout_s: float,
) -> dict[str, bytes]:
    """Full-integer forms of a float .tflite, each under the name that `wanted` gives it. A tensor without a range has
    the lowest and the highest value it takes on `inputs`. Errors as `convert`."""
    with TemporaryDirectory(prefix="leadwire-") as folder:
        source = Path(folder) / "model.tflite"
        source.write_bytes(floating)
        plain = {
            name: {"form": form, "ranges": {str(tensor): list(pair) for tensor, pair in ranges.items()}}
            for name, (form, ranges) in wanted.items()
        }
        _run("quantize", source, inputs, Path(folder), timeout_s, per_tensor_dense=per_tensor_dense, wanted=plain)
        return {name: (Path(folder) / f"made-{place}.tflite").read_bytes() for place, name in enumerate(wanted)}


def predict(
    source: Path, inputs: Mapping[str, npt.NDArray[np.float32]], *, timeout_s: float
) -> npt.NDArray[np.float64]:
    """Outputs of the float model, [n, classes], for all `inputs` at once. Errors as `convert`."""
    with TemporaryDirectory(prefix="leadwire-") as folder:
        _run("predict", source, inputs, Path(folder), timeout_s)
        outputs: npt.NDArray[np.float64] = np.load(Path(folder) / "outputs.npy", allow_pickle=False).astype(np.float64)
        return outputs


def training_environment(folder: Path) -> dict[str, str]:
    """The environment of a process that trains: as that which converts, but on as many threads as
    `TRAINING_THREADS`, always so many, because their number decides how sums are rounded."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(_DROPPED)}
    environment |= PINNED_ENVIRONMENT | _QUIET | {"KERAS_HOME": str(folder / "keras")}
    return environment | {"TF_NUM_INTRAOP_THREADS": TRAINING_THREADS}


def _run(
    task: Task,
    source: Path,
    inputs: Mapping[str, npt.NDArray[np.float32]],
    folder: Path,
    timeout_s: float,
    **options: Any,
) -> None:
    np.savez(folder / "inputs.npz", allow_pickle=False, **{f"input:{name}": array for name, array in inputs.items()})
    request = {"task": task, "source": str(source.resolve()), **options}
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(_DROPPED)}
    environment |= PINNED_ENVIRONMENT | _QUIET | {"KERAS_HOME": str(folder / "keras")}
    with (folder / "log").open("wb") as log, _lifeline() as stdin:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "leadwire.tensorflow_process", str(folder)],
                env=environment, cwd=folder, stdin=stdin, stdout=subprocess.DEVNULL, stderr=log,
                timeout=timeout_s, check=False, start_new_session=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise BuildError(
                f"TensorFlow did not {task} '{source.name}' within {timeout_s:g} s",
                hint="allow more time, or try a smaller model to see whether it ends",
            ) from error
    answer = _answer(folder)
    if refusal := answer.get("refusal"):
        raise UnsupportedModelError(refusal["where"], refusal["reason"], hint=refusal["hint"])
    if mistake := answer.get("bad_input"):
        raise BadInputError(mistake["reason"], hint=mistake["hint"])
    if done.returncode != 0:
        raise _failure(task, source, done.returncode, str(answer.get("stage", "start")), folder)


@contextmanager
def _lifeline() -> Iterator[int]:
    """The reading end of a pipe that says nothing and ends with this process, however that ends."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _answer(folder: Path) -> dict[str, Any]:
    path = folder / "answer.json"
    if not path.is_file():
        return {}
    answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return answer


def _failure(task: Task, source: Path, code: int, stage: str, folder: Path) -> Exception:
    """The error for a worker that ended without an answer: crashed, or stopped by an exception of TensorFlow."""
    if code == -signal.SIGKILL:
        return BuildError(
            f"TensorFlow was killed while it handled '{source.name}'",
            hint="most likely the memory ran out: free some, or convert on a larger machine",
        )
    if code < 0:
        name = signal.Signals(-code).name
        return UnsupportedModelError(
            f"model '{source.name}'", f"the converter crashed ({name}) on it", hint=_CRASH_HINT
        )
    log = (folder / "log").read_text(encoding="utf-8", errors="replace").replace(str(folder), ".")
    reason = last_exception(log)
    if stage == "start":
        return BuildError("TensorFlow could not be started", log, hint="run 'leadwire doctor'; reinstall leadwire")
    if stage == "load":
        return ModelFileError(source, reason)
    return UnsupportedModelError(
        f"model '{source.name}'",
        f"TensorFlow cannot {task} it: {reason}",
        hint="see docs/SUPPORTED_OPS.md for the layers that have an INT8 form",
    )


def last_exception(log: str) -> str:
    """Why the worker ended, on one line of at most 400 letters: the converter's word on an operator, else the
    message of the last exception without its traceback."""
    if about_operator := re.search(r"'tfl?\.\w+' op [^\n]*", log):
        return about_operator.group()[:400]
    found = list(re.finditer(r"^[\w.]*(?:Error|Exception|Interrupt)\b:? ?", log, flags=re.MULTILINE))
    text = log[found[-1].end() :] if found else log[-400:]
    return " ".join(text.split())[:400] or "no reason given"
