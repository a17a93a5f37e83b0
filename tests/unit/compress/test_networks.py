"""What a recipe names is looked for before anything is trained: files, families, settings, layers; and its order."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from leadwire.compress import load_recipe
from leadwire.compress.networks import start_model, step_files
from leadwire.errors import BadInputError, ConfigError, FileMissingError

START = """
name = "small"
[model]
path = "net.keras"
[dataset]
source = "synthetic-ecg"
"""
PRUNE = 'kind = "prune_weights"\nsparsity = 0.5'
AWARE = 'kind = "quantization_aware"'
LEVELS = 'kind = "few_levels"'
STUDENT = 'kind = "distill"\nstudent = "small.keras"'


def network(path: Path, *layers: str) -> None:
    """As much of a .keras file as is looked at."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "config.json", json.dumps({"config": {"layers": [{"config": {"name": one}} for one in layers]}})
        )


def begin(folder: Path, *steps: str, start: str = START) -> Path | None:
    network(folder / "net.keras", "beat", "first", "first_relu", "scores")
    network(folder / "small.keras", "beat", "only", "scores")
    (folder / "old.hdf5").write_bytes(b"not looked at")
    (folder / "notes.txt").write_text("no network")
    (folder / "recipe.toml").write_text(start + "".join(f"[[steps]]\n{one}\n" for one in steps))
    return start_model(load_recipe(folder / "recipe.toml"))


@pytest.mark.parametrize(
    "steps",
    [
        [f'{PRUNE}\nlayers = ["fir*"]\nskip = ["first_relu"]'],
        [LEVELS + '\nlayers = ["fir*"]\nexcept_layers = ["scores"]'],
        ['kind = "distill"\nfamily = "cnn"', f'{PRUNE}\nlayers = ["dense"]'],
        [STUDENT + '\nfeatures = [{ student = "only", teacher = "first" }]', f'{PRUNE}\nlayers = ["only"]'],
        ['kind = "distill"\nteachers = ["small.keras"]\nfeatures = [{ student = "first", teacher = "only" }]'],
        ['kind = "distill"\nteachers = ["old.hdf5"]\nfeatures = [{ student = "first", teacher = "any" }]'],
        [AWARE, STUDENT + '\nfeatures = [{ student = "only", teacher = "beat_range" }]'],
    ],
)
def test_what_is_there(steps: list[str], tmp_path: Path) -> None:
    assert begin(tmp_path, *steps) == tmp_path / "net.keras"


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([f'{PRUNE}\nlayers = ["second*"]'], r"step 'prune_weights': model '.*net.keras' has no layer 'second\*'"),
        ([f'{PRUNE}\nskip = ["second"]'], "no layer 'second'"),
        (['kind = "fine_tune"', f'{LEVELS}\nexcept_layers = ["second"]'], "step 'few_levels': .* no layer 'second'"),
        ([STUDENT, f'{PRUNE}\nlayers = ["first"]'], "small.keras' has no layer 'first'"),
        ([STUDENT + '\nfeatures = [{ student = "first", teacher = "first" }]'], "small.keras' has no layer 'first'"),
        ([STUDENT + '\nfeatures = [{ student = "only", teacher = "only" }]'], "net.keras' has no layer 'only'"),
        (
            ['kind = "distill"\nfamily = "cnn"\nfeatures = [{ student = "any", teacher = "only" }]'],
            "net.keras' has no layer 'only'",
        ),
        (
            ['kind = "distill"\nteachers = ["small.keras"]\nfeatures = [{ student = "only", teacher = "only" }]'],
            "net.keras' has no layer 'only'",
        ),
        (['kind = "fine_tune"', 'kind = "distill"\nteachers = ["missing.keras"]'], "missing.keras' does not exist"),
        (['kind = "distill"\nstudent = "missing.keras"'], "missing.keras' does not exist"),
        (['kind = "distill"\nteachers = ["notes.txt"]'], "notes.txt' is no Keras file"),
    ],
)
def test_what_is_not_there(steps: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=words) as caught:
        begin(tmp_path, *steps)
    assert caught.value.hint


def test_the_network_a_recipe_starts_from(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match=r"other\.keras"):
        begin(tmp_path, AWARE, start=START.replace("net.keras", "other.keras"))
    assert begin(tmp_path, f'{PRUNE}\nlayers = ["any"]', start=START.replace("net.keras", "old.hdf5"))
    assert begin(tmp_path, f'{PRUNE}\nlayers = ["any"]', start=START.replace("path =", "family = 'cnn' #")) is None


def test_the_files_that_a_step_names(tmp_path: Path) -> None:
    begin(tmp_path, STUDENT + '\nteachers = ["old.hdf5"]', AWARE)
    recipe = load_recipe(tmp_path / "recipe.toml")
    assert [[path.name for path in step_files(recipe, index)] for index in (0, 1)] == [["old.hdf5", "small.keras"], []]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ('kind = "distill"\nfamily = "resnte"', r"steps\[1\].family: there is no family 'resnte'; families: .*resnet"),
        ('kind = "distill"\nfamily = "cnn"\nsettings = { widht = 4 }', r"steps\[1\].settings.widht: unknown key"),
        ('kind = "distill"\nfamily = "unet"', "unet gives samples, not classes"),
        (f"{STUDENT}\nsettings = {{ width = 4 }}", "settings: have no meaning without a family"),
        (STUDENT + '\nfamily = "cnn"', "give one of the two"),
        ('kind = "distill"', "neither a teacher nor a student"),
        (STUDENT + '\nfeatures = [{ student = "fir*", teacher = "first" }]', r"features\[?\.?0\]?.student"),
    ],
)
def test_a_distillation_that_cannot_be(step: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        begin(tmp_path, 'kind = "fine_tune"', step)


def test_a_family_that_a_recipe_cannot_start_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.family: there is no family 'resnte'"):
        begin(tmp_path, AWARE, start=START.replace("path =", "family = 'resnte' #"))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (LEVELS, AWARE),
        (LEVELS, 'kind = "fine_tune"'),
        (LEVELS, PRUNE),
        (LEVELS, 'kind = "prune_channels"\nkeep_macs = 0.5'),
        (LEVELS, 'kind = "prune_activations"'),
        (LEVELS, LEVELS),
        (LEVELS, 'kind = "distill"\nteachers = ["small.keras"]'),
        (AWARE, AWARE),
        (AWARE, LEVELS),
        (AWARE, 'kind = "prune_channels"\nkeep_macs = 0.5'),
        (AWARE, 'kind = "prune_activations"'),
        (PRUNE, f'{LEVELS}\nlevels = "binary"'),
    ],
)
def test_an_order_that_undoes_a_step(first: str, then: str, tmp_path: Path) -> None:
    kinds = [one.split('"')[1] for one in (first, then)]
    with pytest.raises(ConfigError, match=rf"steps\[2\]: {kinds[1]} cannot follow {kinds[0]} \(steps\[0\]\): .+"):
        begin(tmp_path, first, 'kind = "initialize"', then)
    begin(tmp_path, first, STUDENT, then)  # the student has nothing that could be undone


@pytest.mark.parametrize(
    "steps",
    [
        [LEVELS, f"{LEVELS}\ntrain = false"],
        [PRUNE, LEVELS],
        [PRUNE, f'{LEVELS}\nlevels = "binary"\nexcept_layers = ["first"]'],
        [PRUNE, 'kind = "prune_activations"', AWARE],
        [AWARE, 'kind = "fine_tune"'],
    ],
)
def test_an_order_that_keeps_what_was_done(steps: list[str], tmp_path: Path) -> None:
    assert begin(tmp_path, *steps)
