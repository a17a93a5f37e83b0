"""The golden vector of the self-test: an input, and what TensorFlow Lite Micro's interpreter answers to it.

It is the pattern input, but for models with a scale for each output of a FULLY_CONNECTED: a TFLite Micro that reads the
first alone must not pass, so the input is one whose answer is another where all scales are the first.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from leadwire import reference
from leadwire.bench import pattern_input
from leadwire.model.graph import Model
from leadwire.reference import Rows

_CANDIDATES = 64


def golden_by_tflm(path: Path, model: Model) -> tuple[bytes, bytes]:
    """Bytes of all inputs and all outputs. The same file gives the same bytes."""
    rows = np.frombuffer(pattern_input(model.input_bytes), dtype=np.int8).reshape(1, -1)
    if not model.per_channel_dense:
        return rows[0].tobytes(), reference.run_tflm(path, rows)[0].tobytes()
    random = np.random.default_rng(0).integers(-128, 128, (_CANDIDATES - 1, model.input_bytes)).astype(np.int8)
    rows = np.concatenate([rows, random])
    right, wrong = reference.run_tflm(path, rows), _with_first_scales(path, model, rows)
    telling = np.flatnonzero((right != wrong).any(axis=1))
    chosen = int(telling[0]) if telling.size else 0
    return rows[chosen].tobytes(), right[chosen].tobytes()


def _with_first_scales(path: Path, model: Model, rows: Rows) -> Rows:
    """What a TFLite Micro answers that reads the first scale of each FULLY_CONNECTED."""
    data = path.read_bytes()
    for operator in model.per_channel_dense:
        quantization = model.required(operator, 1).quantization
        assert quantization is not None
        scales = np.array(quantization.scales, dtype="<f4")
        data = data.replace(scales.tobytes(), np.full_like(scales, scales[0]).tobytes())
    with TemporaryDirectory(prefix="leadwire-") as folder:
        changed = Path(folder) / path.name
        changed.write_bytes(data)
        return reference.run_tflm(changed, rows)
