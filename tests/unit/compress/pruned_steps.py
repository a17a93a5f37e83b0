"""The pruning steps on a network of a few weights. Run as a program: it prints what test_pruning.py judges."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from leadwire.compress import Training, Work, apply_step, split_patients
from leadwire.compress.channels.coupling import couple_channels
from leadwire.compress.channels.importance import importance_of
from leadwire.compress.masks import kernels_of
from leadwire.compress.recipe import StepSettings
from leadwire.compress.steps import fine_tune, prune_activations, prune_channels, prune_weights
from leadwire.datasets import Dataset
from leadwire.errors import LeadwireError
from leadwire.model.keras_graph import count_macs

TRAINING = Training(epochs=3, batch=32, learning_rate=0.01, majority_per_epoch=0)


def data(count: int = 240, *, scale: float = 1.0) -> Dataset:
    generator = np.random.default_rng(3)
    labels = np.arange(count, dtype=np.int64) % 3
    beat = generator.normal(0, 0.3, (count, 16, 2)) + np.sin(np.arange(16) * (1 + labels[:, None]) / 3)[..., None]
    names = tuple(f"p{i // 3 % 8}" for i in range(count))
    return Dataset(
        name="waves", split="train", input_names=("beat",), inputs=((scale * beat).astype(np.float32),),
        labels=labels, label_names=("N", "S", "V"), patients=names, records=names,
        times_s=np.arange(count, dtype=np.float64), basis="synthetic", licence="ours",
    )  # fmt: skip


def network() -> Any:
    keras.utils.set_random_seed(1)
    beat = keras.Input((16, 2), name="beat")
    x = layers.Conv1D(16, 3, padding="same", use_bias=False, name="first")(beat)
    x = layers.ReLU(name="first_relu")(layers.BatchNormalization(name="first_norm")(x))
    y = layers.DepthwiseConv1D(3, padding="same", use_bias=False, name="depth")(x)
    y = layers.BatchNormalization(name="depth_norm")(y)
    x = layers.ReLU(name="join_relu")(layers.Add(name="add")([x, y]))
    x = layers.Conv1D(16, 3, padding="same", activation="relu", name="second")(x)
    x = layers.Flatten(name="flatten")(layers.AveragePooling1D(4, name="pool")(x))
    x = layers.Dense(12, activation="relu", name="hidden")(x)
    return keras.Model(beat, layers.Dense(3, activation="softmax", name="scores")(x), name="net")


def work(model: Any, folder: str, *, dataset: Dataset | None = None, **changes: Any) -> Work:
    train, tune = split_patients(dataset or data())
    Path(folder).mkdir(exist_ok=True)
    given = {"training": TRAINING, "classes": (0, 1, 2), "seed": 5, "base": Path(), **changes}
    return Work(model=model, train=train, tune=tune, folder=Path(folder), **given)


def refused(settings: StepSettings, model: Any, **changes: Any) -> list[str]:
    try:
        apply_step(settings, work(model, "refused", **changes))
    except LeadwireError as error:
        return [type(error).__name__, error.message, error.hint]
    return []


def zeros(model: Any) -> dict[str, list[int]]:
    return {name: [int((np.asarray(one) == 0).sum()), int(np.size(one))] for name, one in kernels_of(model)}


def cut_and_gone_on(settings: StepSettings, start: Any, folder: str, expected: list[Any]) -> bool:
    """Whether a step that is cut in its training gives the expected weights when it is run again."""

    def model() -> Any:
        one = network()
        one.set_weights(start)
        return one

    def stop(label: str, done: int, total: int) -> None:
        if "importance" not in label and done > 0.8 * total:
            raise KeyboardInterrupt

    try:
        apply_step(settings, work(model(), folder, progress=stop))
    except KeyboardInterrupt:
        gone_on = apply_step(settings, work(model(), folder)).model.get_weights()
        return all(np.array_equal(a, b) for a, b in zip(gone_on, expected, strict=True))
    return False


def of_weights(start: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    some = prune_weights.Settings(sparsity=0.5, layers=("f*", "hidden"), skip=("first",))
    for name, settings, training in (
        ("layer", prune_weights.Settings(sparsity=0.8, every=2), TRAINING),
        ("some", some, dataclasses.replace(TRAINING, keep="best")),
    ):
        model = network()
        model.set_weights(start)
        outcome = apply_step(settings, work(model, f"weights-{name}", training=training))
        found[name] = {"zeros": zeros(outcome.model), "facts": dict(outcome.facts)}
        if name == "layer":
            found["gone on"] = cut_and_gone_on(settings, start, "weights-cut", outcome.model.get_weights())
            apply_step(fine_tune.Settings(epochs=1), work(outcome.model, "after"))
            found["after fine-tuning"] = zeros(outcome.model)
    return found


def of_channels(start: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, settings in (
        ("l1", prune_channels.Settings(keep_macs=0.5, criterion="l1", epochs=1)),
        ("gamma", prune_channels.Settings(keep_channels=0.5, criterion="gamma", multiple=1, at_least=1, epochs=1)),
        ("taylor", prune_channels.Settings(keep_macs=0.5, rounds=2, epochs=2)),
    ):
        model = network()
        model.set_weights(start)
        outcome = apply_step(settings, work(model, f"channels-{name}"))
        found[name] = {
            "facts": dict(outcome.facts),
            "macs": [sum(count for _, count in count_macs(one)) for one in (model, outcome.model)],
        }
        if name == "taylor":
            found["gone on"] = cut_and_gone_on(settings, start, "channels-cut", outcome.model.get_weights())
    return found


def of_importance(start: Any) -> list[float]:
    """What each channel of `hidden` is worth to taylor, where nobody listens to 2, 5 and 7."""
    model = network()
    model.set_weights(start)
    kernel, bias = model.get_layer("scores").get_weights()
    kernel[[2, 5, 7]] = 0
    model.get_layer("scores").set_weights([kernel, bias])
    coupling = couple_channels(model)
    told = importance_of("taylor", model, coupling, work(model, "importance"), label="x", beats=200)
    return [told[int(root)] for root in coupling.roots(coupling.producers["hidden"])]


def of_activations(start: Any) -> dict[str, Any]:
    """Channel 3 of `second` is zero, channel 5 of it and channel 1 of `first` are constant for all beats."""
    model = network()
    model.set_weights(start)
    kernel, bias = model.get_layer("second").get_weights()
    kernel[..., [3, 5]] = 0
    bias[[3, 5]] = -1, 0.7
    model.get_layer("second").set_weights([kernel, bias])
    gamma, beta, mean, variance = model.get_layer("first_norm").get_weights()
    gamma[1], beta[1] = 0, 0.4
    model.get_layer("first_norm").set_weights([gamma, beta, mean, variance])
    before = model.get_weights()
    outcome = apply_step(prune_activations.Settings(), work(model, "activations"))
    beats = data().inputs[0]
    answers = [np.asarray(one(beats)) for one in (model, outcome.model)]
    found: dict[str, Any] = {
        "facts": dict(outcome.facts),
        "apart": float(np.abs(answers[0] - answers[1]).max()),
        "untouched": all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)),
    }
    model = network()
    model.set_weights(start)
    penalized = prune_activations.Settings(penalty=0.3, rare=0.02, epochs=3)
    found["penalty"] = dict(apply_step(penalized, work(model, "penalty")).facts)
    return found


def of_bad_input() -> dict[str, list[str]]:
    unseen = prune_channels.Settings(keep_macs=0.5, layers=("third",))
    huge, broken = data(scale=1e38), network()
    kernel, bias = broken.get_layer("hidden").get_weights()
    broken.get_layer("hidden").set_weights([kernel, bias + np.nan])
    found = {
        "weights of no layer": refused(prune_weights.Settings(sparsity=0.5, skip=("first_relu",)), network()),
        "channels of no layer": refused(unseen, network()),
        "activations of no layer": refused(prune_activations.Settings(skip=("nothing*",)), network()),
        "too few": refused(prune_channels.Settings(keep_macs=0.05), network()),
        "nothing left": refused(prune_channels.Settings(keep_macs=0.5, layers=("scores",)), network()),
        "nan in training": refused(prune_weights.Settings(sparsity=0.5), network(), dataset=huge),
        "nan in importance": refused(prune_channels.Settings(keep_macs=0.5), broken),
    }
    beat = keras.Input((16, 2), name="beat")
    x = layers.Dense(3, activation="softmax", name="scores")(layers.Flatten(name="flatten")(beat))
    flat = keras.Model(beat, x, name="flat")
    found["no normalization"] = refused(prune_channels.Settings(keep_macs=0.5, criterion="gamma"), flat)
    found["no rectifier"] = refused(prune_activations.Settings(penalty=0.1), flat)

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="own")
            self.inner = network()

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs)

    own = Own()
    own(np.zeros((1, 16, 2), np.float32))
    try:
        couple_channels(own)
    except LeadwireError as error:
        found["subclass"] = [type(error).__name__, error.message, error.hint]
    return found


def main() -> None:
    keras.config.disable_traceback_filtering()
    keras.utils.set_random_seed(1)
    model = network()
    apply_step(fine_tune.Settings(), work(model, "start"))
    start = model.get_weights()
    parts: dict[str, Callable[[], Any]] = {
        "weights": lambda: of_weights(start),
        "channels": lambda: of_channels(start),
        "importance": lambda: of_importance(start),
        "activations": lambda: of_activations(start),
        "refused": of_bad_input,
    }
    print("\n" + json.dumps({name: part() for name, part in parts.items()}))


if __name__ == "__main__":
    main()
