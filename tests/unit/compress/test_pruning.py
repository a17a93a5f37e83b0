"""Pruning of weights, channels and activations on a network of a few weights (`pruned_steps`), and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leadwire.compress import load_recipe
from leadwire.compress.masks import Masks, cubic_sparsity
from leadwire.errors import ConfigError

pytestmark = pytest.mark.timeout(600)
RECIPE = """
name = "small"
[model]
path = "net.keras"
[dataset]
source = "synthetic-ecg"
[[steps]]
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("pruned_steps.py"))],
        cwd=tmp_path_factory.mktemp("pruned"), capture_output=True, text=True, timeout=570, check=False,
        env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


class Kernel:
    """As much of a variable of Keras as masks use."""

    def __init__(self, values: npt.NDArray[np.float32]) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:
        return np.array(self.values, dtype)

    def assign(self, values: npt.NDArray[np.float32]) -> None:
        self.values = values


def kernels() -> list[Kernel]:
    random = np.random.default_rng(4)
    return [Kernel((size * random.normal(size=(3, 8, 5))).astype(np.float32)) for size in (1, 0.01, 4)]


def test_the_schedule() -> None:
    told = [cubic_sparsity(0.8, 10, 50, batch) for batch in (0, 10, 30, 50, 70)]
    assert told == pytest.approx([0, 0, 0.8 * (1 - 0.5**3), 0.8, 0.8])


def test_masks_take_the_smallest_of_each_kernel() -> None:
    given = kernels()
    before = [np.array(one) for one in given]
    masks = Masks(given, "layer")
    masks.raise_to(0.75)
    masks.hold()
    for one, old in zip(given, before, strict=True):
        kept = np.array(one) != 0
        assert kept.sum() == 30
        assert np.abs(old[kept]).min() > np.abs(old[~kept]).max()
    for one in given:
        one.assign(np.array(one) + 5)
    masks.raise_to(0.8)
    masks.hold()
    assert [int((np.array(one) != 0).sum()) for one in given] == [24, 24, 24]
    assert not any((np.array(one)[old == 0] != 0).any() for one, old in zip(given, before, strict=True))


def test_masks_by_one_threshold_leave_no_kernel_empty() -> None:
    given = kernels()
    masks = Masks(given, "global")
    masks.raise_to(0.6)
    masks.hold()
    left = [int((np.array(one) != 0).sum()) for one in given]
    assert sum(left) == 144
    assert left[1] == 1 < left[0] < left[2]


def test_what_is_zero_at_the_start_is_held() -> None:
    one = Kernel(np.array([0, 1, 2, 0], np.float32))
    masks = Masks([one], "layer")
    one.assign(np.array([3, 4, 5, 6], np.float32))
    masks.hold()
    assert np.array(one).tolist() == [0, 4, 5, 0]


def test_weights_of_each_layer(found: dict[str, Any]) -> None:
    one = found["weights"]["layer"]
    assert set(one["zeros"]) == {"first", "depth", "second", "hidden", "scores"}
    for name, (zero, size) in one["zeros"].items():
        assert zero == round(0.8 * size), name
    facts = one["facts"]
    assert facts["sparsity of depth, kernel"] == pytest.approx(0.8, abs=0.02)
    assert facts["kernels in DEFLATE after, bytes"] < 0.6 * facts["kernels in DEFLATE before, bytes"]


def test_weights_of_named_layers_and_of_the_best_epoch_behind_the_schedule(found: dict[str, Any]) -> None:
    zeros = found["weights"]["some"]["zeros"]
    assert {name: zero for name, (zero, _) in zeros.items() if zero} == {"hidden": 384}


def test_zeros_outlive_the_next_step(found: dict[str, Any]) -> None:
    assert found["weights"]["after fine-tuning"] == found["weights"]["layer"]["zeros"]


@pytest.mark.parametrize("part", ["weights", "channels"])
def test_a_cut_step_goes_on(part: str, found: dict[str, Any]) -> None:
    assert found[part]["gone on"]


def test_channels(found: dict[str, Any]) -> None:
    for criterion in ("l1", "taylor"):
        one = found["channels"][criterion]
        before, after = one["macs"]
        assert 0.3 * before < after <= 0.5 * before
        assert one["facts"]["multiply-accumulates after"] == after
        told = {name: value for name, value in one["facts"].items() if name.startswith("channels of ")}
        assert all(int(value.split(" to ")[1]) % 4 == 0 for name, value in told.items() if "scores" not in name)
        assert told["channels of scores"] == "3 to 3"
        assert one["facts"]["why scores keeps all"] == "the activation of layer 'scores' mixes them"
    gamma = found["channels"]["gamma"]["facts"]
    assert gamma["channels of first"] == "16 to 8"
    assert gamma["channels of second"] == "16 to 16"
    assert "no batch normalization" in gamma["why second keeps all"]


def test_taylor_knows_whom_nobody_listens_to(found: dict[str, Any]) -> None:
    worth = found["importance"]
    assert worth[2] == worth[5] == worth[7] == 0
    assert sum(one > 0 for one in worth) > 4


def test_silent_channels_go_and_nothing_changes(found: dict[str, Any]) -> None:
    one = found["activations"]
    assert one["apart"] < 1e-6
    assert one["untouched"]
    facts = one["facts"]
    before, after = map(int, facts["channels of second"].split(" to "))
    assert (before, after <= 14) == (16, True)  # 3 is zero; 5 is constant and goes into the bias of `hidden`
    assert facts["largest change of a probability by removing them"] < 1e-6
    assert "channels of first" not in facts  # constant, not zero: beside the padding of `second` it is no bias


def test_a_penalty_silences(found: dict[str, Any]) -> None:
    facts = found["activations"]["penalty"]
    before, trained, _ = map(float, facts["zeros in second"].split(" to "))
    assert trained > before + 0.1


@pytest.mark.parametrize(
    ("case", "kind", "words"),
    [
        ("weights of no layer", "BadInputError", "no layer 'first_relu' that this step could work on"),
        ("channels of no layer", "BadInputError", "no layer 'third'"),
        ("activations of no layer", "BadInputError", "no layer 'nothing*'"),
        ("too few", "BadInputError", "multiply-accumulates cannot be reached"),
        ("nothing left", "BadInputError", "scores: the activation of layer 'scores' mixes them"),
        ("nan in training", "TrainingError", "the loss is nan in epoch 1 of 3, batch 1 of"),
        ("nan in importance", "TrainingError", "the gradient that tells channels' importance is no number"),
        ("no normalization", "BadInputError", "criterion 'gamma' wants batch normalizations"),
        ("no rectifier", "BadInputError", "has no ReLU whose output could be silenced"),
        ("subclass", "UnsupportedModelError", "it is a subclass of keras.Model"),
    ],
)
def test_refused(case: str, kind: str, words: str, found: dict[str, Any]) -> None:
    error, message, hint = found["refused"][case]
    assert error == kind
    assert words in message
    assert hint


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ('kind = "prune_weights"\nsparsity = 1.0', "sparsity: input should be less than 1, found 1.0"),
        ('kind = "prune_weights"\nsparsity = 0', "sparsity: input should be greater than 0"),
        ('kind = "prune_weights"', "sparsity: missing"),
        ('kind = "prune_weights"\nsparsity = nan', "sparsity"),
        (
            'kind = "prune_weights"\nsparsity = 0.5\nbegin = 0.6\nend = 0.6',
            "begin: must lie before end, found 0.6 and 0.6",
        ),
        ('kind = "prune_weights"\nsparsity = 0.5\nscope = "model"', "scope"),
        ('kind = "prune_weights"\nsparsity = 0.5\nlayers = [""]', "layers"),
        ('kind = "prune_channels"', "give one of keep_macs and keep_channels"),
        ('kind = "prune_channels"\nkeep_macs = 0.5\nkeep_channels = 0.5', "give one of keep_macs and keep_channels"),
        ('kind = "prune_channels"\nkeep_macs = 1.0', "keep_macs"),
        ('kind = "prune_channels"\nkeep_macs = 0.5\ncriterion = "l2"', "criterion"),
        ('kind = "prune_channels"\nkeep_macs = 0.5\nmultiple = 0', "multiple"),
        ('kind = "prune_activations"\npenalty = -1.0', "penalty"),
        ('kind = "prune_activations"\nrare = 1.5', "rare"),
    ],
)
def test_a_mistake_in_a_recipe(step: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE + step + "\n")
    with pytest.raises(ConfigError, match=r"steps\[0\]") as caught:
        load_recipe(path)
    caught.match(words)


def test_the_example() -> None:
    example = Path(__file__).parents[3] / "examples" / "compression" / "prune.toml"
    assert [step.kind for step in load_recipe(example).steps] == [
        "prune_channels", "prune_activations", "prune_weights",
    ]  # fmt: skip
