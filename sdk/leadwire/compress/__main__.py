"""One step in a process of its own: `python -m leadwire.compress FOLDER`; see `runner`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leadwire.datasets import Dataset
from leadwire.tensorflow_process.worker import Progress, serve

from .recipe import Recipe, load_recipe
from .work import Keras, Work


def _run(request: dict[str, Any], progress: Progress) -> list[tuple[str, str | int | float]]:
    import keras
    import tensorflow as tf

    from leadwire.tensorflow_process.keras_files import load_keras, save_keras

    from .data import class_indices, restore_dataset
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
    outcome = apply_step(
        recipe.steps[index],
        Work(
            model=model,
            train=train,
            tune=tune,
            training=recipe.training,
            classes=class_indices(train, recipe.dataset.classes),
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


if __name__ == "__main__":
    serve(_run)
