"""Every family of the zoo at its default settings for the example's inputs, with random weights, as full INT8.

`python tests/zoo_models.py FOLDER [TABLES]` writes FAMILY.keras and FAMILY.tflite of each and `parameters.json`, all in
one process, because starting TensorFlow takes as long as converting a model. TABLES is JSON: settings by family, of
those that are wanted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

WINDOW, FEATURES, CLASSES = (96, 2), 19, 5
SAMPLES = 24


def make_models(folder: Path, tables: dict[str, dict[str, Any]] | None = None) -> dict[str, int]:
    """The files in `folder` of the families in `tables`, of all without; trained parameters of each, batch
    normalization's included."""
    from leadwire.tensorflow_process import PINNED_ENVIRONMENT

    done = subprocess.run(
        [sys.executable, "-P", __file__, str(folder), json.dumps(tables)],
        env=os.environ | PINNED_ENVIRONMENT | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-4000:])
    found: dict[str, int] = json.loads((folder / "parameters.json").read_text(encoding="utf-8"))
    return found


def _scattered(model: Any) -> None:
    """Statistics and biases as training leaves them: not 0 and 1, which would hide a wrong fold."""
    import numpy as np

    random = np.random.default_rng(7)
    for weights in model.weights:
        kind = weights.path.rsplit("/", 1)[-1]
        if kind in ("moving_variance", "gamma"):
            weights.assign(random.uniform(0.5, 1.5, weights.shape))
        elif kind in ("moving_mean", "beta", "bias"):
            weights.assign(random.normal(0, 0.2, weights.shape))


def main(folder: Path, tables: dict[str, dict[str, Any]] | None) -> None:
    import keras
    import numpy as np

    from leadwire import zoo
    from leadwire.tensorflow_process.__main__ import _Worker

    parameters = {}
    for name, family in zoo.FAMILIES.items():
        if tables is not None and name not in tables:
            continue
        keras.utils.set_random_seed(1)
        classes = family.gives == "classes"
        model = zoo.build(
            zoo.settings(name, (tables or {}).get(name, {})), WINDOW, CLASSES if classes else WINDOW[1],
            features=FEATURES if classes else 0,
        )  # fmt: skip
        _scattered(model)
        parameters[name] = sum(int(np.prod(weights.shape)) for weights in model.trainable_weights)
        work = folder / name
        work.mkdir()
        model.save(folder / f"{name}.keras")
        random = np.random.default_rng(5)
        arrays = {f"input:{one.name}": random.normal(size=(SAMPLES, *one.shape[1:])) for one in model.inputs}
        np.savez(work / "inputs.npz", allow_pickle=False, **{k: v.astype(np.float32) for k, v in arrays.items()})
        request = {"task": "convert", "source": str(folder / f"{name}.keras"), "mode": "int8"}
        (work / "request.json").write_text(json.dumps(request), encoding="utf-8")
        _Worker(work).run()
        (work / "integer.tflite").rename(folder / f"{name}.tflite")
    (folder / "parameters.json").write_text(json.dumps(parameters), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]) if len(sys.argv) > 2 else None)
