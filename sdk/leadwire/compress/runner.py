"""The steps of a recipe one after the other, each in a process of its own, each finished one kept.

A step's folder is `<output>/steps/NN-name`: `model.keras`, `step.json` with the digests it was made from, and while it
trains its last whole epoch. A step is not run again while its settings, the recipe's training, the data and the model
it starts from are the same, and its model still has the recorded digest.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from leadwire.datasets import Dataset
from leadwire.tensorflow_process.worker import ask_worker
from leadwire.workspace import file_digest, write_atomically

from .data import class_indices, load_training, store_dataset
from .networks import start_model, step_files
from .recipe import Recipe, StepSettings
from .work import Facts

_TRAINING_CODE = (
    "compress", "model/keras_graph.py", "tensorflow_process/fake_quant.py", "tensorflow_process/keras_files.py",
    "weight_levels.py", "zoo",
)  # fmt: skip
_TRAINS_WITH = ("keras", "numpy", "tensorflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedStep:
    """`model` is the .keras file the step left, with its `digest`; `facts` what it said of itself."""

    index: int
    kind: str
    label: str
    model: Path
    digest: str
    source_digest: str
    facts: Facts
    skipped: bool


def run_recipe(
    recipe: Recipe,
    data: tuple[Dataset, Dataset] | None = None,
    *,
    store: Path | None = None,
    fresh: bool = False,
    timeout_s: float = 86_400.0,
    progress: Callable[[str, int, int], None] = lambda label, done, total: None,
    begun: Callable[[str, bool], None] = lambda label, skipped: None,
    finished: Callable[[FinishedStep], None] = lambda step: None,
) -> tuple[FinishedStep, ...]:
    """Run the steps that are not done, in order; `begun(label, kept)` and `finished` are told of each. `data` is
    (train, tune) as `load_training` gives it, loaded where it is not given; `store` is where it is kept for the steps'
    processes, by default in the output folder.

    Errors are those of the steps, BuildError (5) where a step's process ends without an answer. What was finished
    before an error stays.
    """
    source = start_model(recipe)
    digest = file_digest(source) if source else ""
    train, tune = data if data is not None else load_training(recipe)
    class_indices(train, recipe.dataset.classes)
    data_key = hashlib.sha256(f"{train.digest} {tune.digest}".encode()).hexdigest()
    done: list[FinishedStep] = []
    for index, settings in enumerate(recipe.steps):
        folder = recipe.output / "steps" / f"{index + 1:02}-{settings.label}"
        key = _key(recipe, index, digest, data_key)
        step = None if fresh else _kept(folder, key)
        begun(f"{index + 1}. {settings.label}", step is not None)
        if step is None:
            request = {
                "recipe": str(recipe.path.resolve()),
                "step": index,
                "seed": step_seed(recipe, index),
                "source": str(source.resolve()) if source else "",
                "out": str((folder / "model.keras").resolve()),
                **_stored(store or recipe.output / "data", train, tune),
            }
            _prepare(folder, key, fresh)
            answer = ask_worker(
                "leadwire.compress", folder, f"step '{settings.label}'", request, timeout_s=timeout_s, progress=progress
            )
            facts = tuple((str(name), value) for name, value in answer)
            step = _keep(folder, key, index, settings, digest, facts)
        finished(step)
        done.append(step)
        source, digest = step.model, step.digest
    return tuple(done)


def _key(recipe: Recipe, index: int, source_digest: str, data: str) -> str:
    """Everything that decides what a step makes."""
    settings = recipe.steps[index]
    told = {
        "code": code_digest(),
        "step": [settings.kind, dataclasses.asdict(settings)],
        "files": [file_digest(path) for path in step_files(recipe, index)],
        "source": source_digest,
        "model": dataclasses.asdict(recipe.model) if not source_digest else None,
        "training": dataclasses.asdict(recipe.training),
        "data": data,
        "classes": recipe.dataset.classes,
        "seed": step_seed(recipe, index),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def step_seed(recipe: Recipe, index: int) -> int:
    """Another for each step, the same in each run."""
    return (recipe.seed * 1009 + index) % 2**31


@functools.cache
def code_digest() -> str:
    """SHA-256 over the code that trains, and the versions of what it trains with: another one, another result."""
    digest = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in _TRAINS_WITH).encode())
    package = Path(__file__).parents[1]
    parts = [package / part for part in _TRAINING_CODE]
    for file in sorted(file for part in parts for file in ((part,) if part.is_file() else part.rglob("*.py"))):
        digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _kept(folder: Path, key: str) -> FinishedStep | None:
    try:
        note = json.loads((folder / "step.json").read_bytes())
        model = folder / "model.keras"
        if note["key"] != key or file_digest(model) != note["digest"]:
            return None
        return FinishedStep(
            index=int(note["index"]),
            kind=str(note["kind"]),
            label=str(note["label"]),
            model=model,
            digest=str(note["digest"]),
            source_digest=str(note["source_digest"]),
            facts=tuple((str(name), value) for name, value in note["facts"]),
            skipped=True,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _stored(store: Path, train: Dataset, tune: Dataset) -> dict[str, str]:
    """Where the data lies for the steps' processes, by role."""
    found = {}
    for role, one in (("train", train), ("tune", tune)):
        path = store / f"{role}-{one.digest[:16]}.npz"
        if not path.is_file():
            store_dataset(one, path)
        found[role] = str(path.resolve())
    return found


def _prepare(folder: Path, key: str, fresh: bool) -> None:
    """The step's folder, emptied unless the same step was begun there."""
    begun = folder / "begun"
    if fresh or not begun.is_file() or begun.read_text(encoding="utf-8", errors="replace") != key:
        shutil.rmtree(folder, ignore_errors=True)
    write_atomically(begun, key.encode())


def _keep(folder: Path, key: str, index: int, settings: StepSettings, source_digest: str, facts: Facts) -> FinishedStep:
    """The step's note, written last; what only an unfinished step needs is removed."""
    note = {
        "key": key, "index": index, "kind": settings.kind, "label": settings.label,
        "digest": file_digest(folder / "model.keras"), "source_digest": source_digest, "facts": facts,
    }  # fmt: skip
    for left in (*folder.glob("*.npz"), folder / "request.json", folder / "log", folder / "begun"):
        left.unlink(missing_ok=True)
    write_atomically(folder / "step.json", json.dumps(note, indent=1, sort_keys=True).encode())
    kept = _kept(folder, key)
    assert kept is not None
    return dataclasses.replace(kept, skipped=False)
