"""The worker: one step in a process of its own. `python -m leadwire.compress FOLDER`; see `runner`.

Standard input at its end means that the parent is gone: the process ends at once. Standard output carries one JSON
object a line: progress, then the answer.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from leadwire.datasets import Dataset
from leadwire.errors import LeadwireError

from .recipe import Recipe, load_recipe
from .work import Keras, Work

_PROGRESS_S = 0.2


def main() -> None:
    request = json.loads((Path(sys.argv[1]) / "request.json").read_text(encoding="utf-8"))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # Keras prints to stdout
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def say(**content: Any) -> None:
        print(json.dumps(content), file=answers)

    try:
        say(facts=_run(request, say))
    except LeadwireError as error:
        say(error={"kind": type(error).__name__, "message": error.message, "hint": error.hint})


def _run(request: dict[str, Any], say: Any) -> list[tuple[str, str | int | float]]:
    import keras
    import tensorflow as tf

    from .data import restore_dataset
    from .keras_files import load_keras, save_keras
    from .steps import apply_step
    from .training import check_classifier

    recipe = load_recipe(Path(request["recipe"]))
    seed = int(request["seed"])
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    index, source, out = int(request["step"]), str(request["source"]), Path(request["out"])
    train, tune = (restore_dataset(Path(request[name])) for name in ("train", "tune"))
    model = load_keras(Path(source)) if source else _from_zoo(recipe, train)
    check_classifier(model, train)
    last = [0.0]

    def progress(label: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - last[0] > _PROGRESS_S:
            last[0] = now
            say(progress=[label, done, total])

    classes = tuple(train.label_names.index(name) for name in recipe.dataset.classes or train.label_names)
    outcome = apply_step(
        recipe.steps[index],
        Work(
            model=model,
            train=train,
            tune=tune,
            training=recipe.training,
            classes=classes,
            seed=seed,
            folder=out.parent,
            base=recipe.base,
            progress=progress,
        ),
    )
    save_keras(outcome.model, out)
    return list(outcome.facts)


def _from_zoo(recipe: Recipe, split: Dataset) -> Keras:
    from leadwire import zoo

    shapes = {name: values.shape[1:] for name, values in zip(split.input_names, split.inputs, strict=True)}
    return zoo.build_for(recipe.model.family, recipe.model.settings, shapes, len(split.label_names), recipe.path)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
