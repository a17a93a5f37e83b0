"""A recipe is read strictly, and its mistakes are told all at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leadwire.compress import kinds, load_recipe, split_patients
from leadwire.compress.batches import Batches
from leadwire.compress.data import class_indices, with_shortened
from leadwire.compress.recipe import Augment, Training
from leadwire.compress.scores import class_counts, macro_f1
from leadwire.datasets import Dataset
from leadwire.errors import BadInputError, ConfigError, DatasetError, FileMissingError

GOOD = """
name = "small"
[model]
path = "net.keras"
[dataset]
source = "synthetic-ecg"
[[steps]]
kind = "fine_tune"
epochs = 2
"""


def beats(count: int = 120, patients: int = 10) -> Dataset:
    generator = np.random.default_rng(3)
    names = tuple(f"p{i % patients}" for i in range(count))
    return Dataset(
        name="noise", split="train", input_names=("beat", "features"),
        inputs=(
            generator.normal(size=(count, 12, 2)).astype(np.float32),
            generator.uniform(-1, 1, (count, 3)).astype(np.float32),
        ),
        labels=np.where(np.arange(count) % 6 == 5, 1, 0).astype(np.int64), label_names=("N", "V"), patients=names,
        records=names, times_s=np.arange(count, dtype=np.float64), basis="synthetic", licence="ours",
    )  # fmt: skip


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_a_recipe(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, GOOD))
    assert recipe.output == tmp_path / "out"
    assert [(step.kind, step.label, step.epochs) for step in recipe.steps] == [("fine_tune", "fine_tune", 2)]
    assert load_recipe(recipe.path, output=tmp_path / "else").output == tmp_path / "else"


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = GOOD + '[[steps]]\nkind = "shrink"\n[[steps]]\nkind = "fine_tune"\nepoch = 3\nlearning_rate = -1.0\n'
    with pytest.raises(ConfigError) as caught:
        load_recipe(write(tmp_path, text))
    message = str(caught.value)
    assert f"steps[1].kind: must be one of {', '.join(kinds())}, found 'shrink'" in message
    assert "steps[2].epoch: unknown key" in message
    assert "steps[2].learning_rate" in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('path = "net.keras"', "", "model: give either path"),
        ('name = "small"', 'name = "small"\nseed = -1', "seed"),
        ("epochs = 2", "epochs = 0", r"steps\[0\].epochs"),
        ("[[steps]]", "[steps]", "steps"),
    ],
)
def test_a_mistake(old: str, new: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        load_recipe(write(tmp_path, GOOD.replace(old, new)))


def test_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="recipe"):
        load_recipe(tmp_path / "none.toml")


def test_patients_are_held_out_whole() -> None:
    data = beats()
    train, tune = split_patients(data)
    assert set(tune.patients) == {"p2", "p7"}
    assert not set(train.patients) & set(tune.patients)
    assert len(train) + len(tune) == len(data)
    assert set(split_patients(data, ["p1"])[1].patients) == {"p1"}
    with pytest.raises(DatasetError, match="has no patient p99"):
        split_patients(data, ["p99"])
    with pytest.raises(DatasetError, match="nobody is left"):
        split_patients(data, data.patients)


def test_an_epoch_is_a_function_of_its_number() -> None:
    augment = Augment(shift_samples=1, gain=0.1, wander_mv=0.1, noise_mv=0.1, polarity=True, features=0.1)
    training = Training(batch=16, majority_per_epoch=40, augment=augment)
    one, other = (Batches(beats(), training, 5) for _ in range(2))
    assert len(one) == (40 + 20) // 16
    list(other.epoch(0))
    first, second = list(one.epoch(1)), list(other.epoch(1))
    for a, b in zip(first, second, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a.inputs, b.inputs, strict=True))
        assert np.array_equal(a.weights, b.weights)
        assert a.inputs[0].dtype == np.float32
        assert np.abs(a.inputs[1]).max() <= 1
    assert not np.array_equal(first[0].inputs[0], next(iter(one.epoch(2))).inputs[0])
    plain = next(iter(Batches(beats(), Training(majority_per_epoch=0), 1).epoch(0)))
    assert set(map(bytes, plain.inputs[0])) <= set(map(bytes, beats().inputs[0]))


def test_classes_that_the_data_has() -> None:
    data = beats()
    assert class_indices(data, ()) == (0, 1)
    assert class_indices(data, ("V",)) == (1,)
    for names in (["W"], {"V": 2.0, "Zebra": 5.0}):
        with pytest.raises(BadInputError, match=r"dataset 'noise' has no class (W|Zebra)$") as caught:
            class_indices(data, names)
        assert caught.value.hint == "its classes: N V"
    with pytest.raises(BadInputError, match="has no class Zebra"):
        with_shortened(data, Training(class_factors={"Zebra": 5.0}))


def test_macro_f1_by_hand() -> None:
    data = beats(6, patients=2)  # one V beat, the last
    decided = np.array([0, 0, 0, 0, 1, 1])
    counts = class_counts(data, decided, (0, 1))
    assert counts.shape == (2, 6)
    assert counts.sum(axis=0).tolist() == [4, 5, 4, 1, 1, 2]
    assert macro_f1(counts.sum(axis=0)) == pytest.approx((8 / 9 + 2 / 3) / 2)
    assert macro_f1(np.zeros(6)) == 0
