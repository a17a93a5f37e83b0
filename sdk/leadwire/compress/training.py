"""The one training loop: every step that trains calls `fit`. Imported where Keras runs."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from leadwire.datasets import Dataset
from leadwire.errors import BadInputError, TrainingError
from leadwire.workspace import write_atomically

from .batches import Batches
from .masks import Masks, zeros_of
from .recipe import StepSettings
from .scores import class_counts, macro_f1
from .work import Keras, Work

Loss = Callable[[Keras, Any, Any, Any], Any]
"""(model, inputs, labels [n], weights [n]) to a scalar tensor; it calls the model with training=True."""
_PREDICT_BATCH = 2048
_TRIED = 32
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`losses` is the mean of each epoch, `tune_f1` the macro F1 on the patients held out before training and after
    each epoch, `kept_epoch` the one whose weights the model has (0: those it came with)."""

    losses: tuple[float, ...]
    tune_f1: tuple[float, ...]
    kept_epoch: int


def cross_entropy(model: Keras, inputs: Any, labels: Any, weights: Any) -> Any:
    """Weighted mean of -log p(label), of a model that ends in softmax."""
    return weighted_mean(keras.losses.sparse_categorical_crossentropy(labels, model(inputs, training=True)), weights)


def weighted_mean(values: Any, weights: Any) -> Any:
    return tf.reduce_sum(values * weights) / tf.reduce_sum(weights)


def inputs_for(model: Keras, dataset: Dataset, inputs: Sequence[npt.NDArray[np.float32]] | None = None) -> Any:
    """A data set's inputs (or arrays in its order) as the model takes them: by name, or the only one to the only one.

    BadInputError where names or shapes are others.
    """
    arrays = dict(zip(dataset.input_names, dataset.inputs if inputs is None else inputs, strict=True))
    wanted = [tensor.name for tensor in model.inputs]
    if len(wanted) == 1 and len(arrays) == 1:
        arrays = {wanted[0]: next(iter(arrays.values()))}
    if set(wanted) != set(arrays):
        raise BadInputError(
            f"model '{model.name}' has inputs {sorted(wanted)}, the dataset has {sorted(arrays)}",
            hint="name the model's inputs as the dataset's",
        )
    for tensor in model.inputs:
        if tuple(tensor.shape[1:]) != arrays[tensor.name].shape[1:]:
            raise BadInputError(
                f"input '{tensor.name}' of model '{model.name}' has shape {tuple(tensor.shape[1:])}, "
                f"the dataset's {arrays[tensor.name].shape[1:]}",
                hint="use the front end the model was trained with",
            )
    given = [arrays[name] for name in wanted]
    return given[0] if len(given) == 1 else given


def check_classifier(model: Keras, dataset: Dataset) -> None:
    """BadInputError unless the model takes the dataset's inputs and gives one probability for each of its labels: a few
    beats show it. Answers that are no number are left to the training, which tells where they come from."""
    shape = tuple(model.outputs[0].shape[1:])
    if len(model.outputs) != 1 or shape != (len(dataset.label_names),):
        raise BadInputError(
            f"model '{model.name}' puts out {[tuple(one.shape[1:]) for one in model.outputs]}, dataset "
            f"'{dataset.name}' has {len(dataset.label_names)} classes ({' '.join(dataset.label_names)})",
            hint="give a classifier with one softmax output of these classes",
        )
    given = np.asarray(model(inputs_for(model, dataset, [one[:_TRIED] for one in dataset.inputs]), training=False))
    sums = given.sum(axis=1)
    if np.any(given < 0) or np.any(np.abs(sums - 1) > _ROUNDING):
        raise BadInputError(
            f"model '{model.name}' does not put out probabilities: its answers to the first {len(given)} beats of "
            f"'{dataset.name}' go from {given.min():.3g} to {given.max():.3g}, their sums from {sums.min():.3g} to "
            f"{sums.max():.3g}",
            hint="give a network that ends in softmax; 'leadwire import --softmax' puts one behind what it imports",
        )


def probabilities(model: Keras, dataset: Dataset) -> npt.NDArray[np.float32]:
    """[n, classes] of a model that is not trained meanwhile."""
    found: npt.NDArray[np.float32] = model.predict(inputs_for(model, dataset), batch_size=_PREDICT_BATCH, verbose=0)
    return found


def tune_score(model: Keras, work: Work) -> float:
    """Macro F1 on the patients held out."""
    decided = probabilities(model, work.tune).argmax(axis=1)
    return float(macro_f1(class_counts(work.tune, decided, work.classes).sum(axis=0)))


def fit(
    work: Work,
    model: Keras,
    settings: StepSettings,
    *,
    name: str = "training",
    loss: Loss = cross_entropy,
    after_batch: Callable[[int, int], None] | None = None,
    extra: Sequence[Any] = (),
    epochs: int | None = None,
    learning_rate: float | None = None,
    masks: Masks | None = None,
    keep_from: int = 0,
) -> History:
    """Train `model` in place on `work.train`; the settings of the step go before those of the recipe.

    `after_batch(batch, batches)` is called after each update, counted over all epochs from 1. Weights that are exactly
    zero stay so, as do those that `masks` hold: what was pruned once stays pruned.
    `extra` are trainable variables beside the model's. Each epoch is kept in `work.folder/<name>.npz` until the step is
    done, so that a training that was cut goes on after its last whole epoch and gives the same weights. With `keep` =
    'best' the weights kept are those of epoch `keep_from` (0: those it came with) or a later one.
    TrainingError for a loss that is no number.
    """
    training = work.training
    total = epochs or settings.epochs or training.epochs
    inputs_for(model, work.train)
    batches = Batches(work.train, training, work.seed)
    steps = total * len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate or settings.learning_rate or training.learning_rate, steps
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=training.weight_decay)
    variables = [*model.trainable_variables, *extra]
    optimizer.build(variables)
    state = _State(work.folder / f"{name}.npz", [*model.variables, *optimizer.variables, *extra], model, keep_from)

    def update_once(inputs: Any, labels: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(model, inputs, labels, weights)
        optimizer.apply(tape.gradient(value, variables), variables)
        return value

    update = tf.function(update_once, reduce_retracing=True)
    if not state.restore():
        state.note(math.nan, tune_score(model, work), keep=training.keep == "best")
    held = [zeros_of(model), *([masks] if masks else [])]
    for one in held:
        one.start()
    for epoch in range(state.done, total):
        losses: list[float] = []
        for index, batch in enumerate(batches.epoch(epoch)):
            value = float(update(inputs_for(model, work.train, batch.inputs), batch.labels, batch.weights))
            if not math.isfinite(value):
                raise TrainingError(
                    f"'{settings.label}'",
                    f"the loss is {value} in epoch {epoch + 1} of {total}, batch {index + 1} of {len(batches)}",
                )
            losses.append(value)
            done = epoch * len(batches) + index + 1
            if after_batch is not None:
                after_batch(done, steps)
            for one in held:
                one.hold()
            work.progress(f"{settings.label}: {name}", done, steps)
        state.note(float(np.mean(losses)), tune_score(model, work), keep=training.keep == "best")
        state.store()
    return state.finish(training.keep == "best")


class _State:
    """How far a training is: all variables, losses and scores, and the weights of its best epoch."""

    def __init__(self, path: Path, variables: Sequence[Any], model: Keras, keep_from: int) -> None:
        self._path, self._variables, self._model, self._keep_from = path, list(variables), model, keep_from
        self._losses: list[float] = []
        self._scores: list[float] = []
        self._best: list[npt.NDArray[Any]] = []

    @property
    def done(self) -> int:
        """Whole epochs."""
        return len(self._losses) - 1

    def note(self, loss: float, score: float, *, keep: bool) -> None:
        before = self._scores[self._keep_from :]
        if keep and len(self._scores) >= self._keep_from and (not before or score > max(before)):
            self._best = self._model.get_weights()
        self._losses.append(loss)
        self._scores.append(score)

    def store(self) -> None:
        arrays = {f"variable{i}": np.asarray(one) for i, one in enumerate(self._variables)}
        arrays |= {f"best{i}": one for i, one in enumerate(self._best)}
        stream = io.BytesIO()
        np.savez(stream, losses=np.array(self._losses), scores=np.array(self._scores), **arrays)  # type: ignore[arg-type]
        write_atomically(self._path, stream.getvalue())

    def restore(self) -> bool:
        """Whether there was a training to go on with; one of another network is begun anew."""
        if not self._path.is_file():
            return False
        with np.load(self._path, allow_pickle=False) as stored:
            found = [stored[name] for name in stored.files if name.startswith("variable")]
            if [one.shape for one in found] != [tuple(one.shape) for one in self._variables]:
                return False
            for variable, value in zip(self._variables, found, strict=True):
                variable.assign(value)
            self._losses, self._scores = stored["losses"].tolist(), stored["scores"].tolist()
            self._best = [stored[name] for name in stored.files if name.startswith("best")]
        return True

    def finish(self, keep_best: bool) -> History:
        kept = self._keep_from + int(np.argmax(self._scores[self._keep_from :])) if keep_best else self.done
        if keep_best:
            self._model.set_weights(self._best)
        return History(losses=tuple(self._losses[1:]), tune_f1=tuple(self._scores), kept_epoch=kept)
