"""Candidates of a search judged: what each costs on the board, and how well it does on the patients held out.

A candidate's folder is `<output>/candidates/<digest>`: `recipe.toml`, which `leadwire compress` runs too, the models of
its steps, and `judged.json`. One that was cut goes on from there. Costs are known before it is trained; one that is
over budget then is not trained.
"""

from __future__ import annotations

import csv
import io
import json
import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from leadwire.compress import FinishedStep, load_recipe, run_recipe, split_patients
from leadwire.compress.data import restore_dataset, store_dataset, with_shortened
from leadwire.compress.scores import class_counts, macro_f1
from leadwire.compress.search import Candidate, Judged, SearchPlan, load_search, pareto_front
from leadwire.compress.search.plot import plot_front
from leadwire.compress.search.study import Study
from leadwire.datasets import Dataset, load_dataset, read_source
from leadwire.errors import BadInputError, LeadwireError
from leadwire.workspace import write_atomically

from .measured import Measured, decided_by_integers, emulated_target, measure_keras, quantize_keras
from .watcher import Watcher

_COLUMNS = (
    "trial", "score", "flash_bytes", "ram_bytes", "instructions", "latency_us", "parameters", "macs", "label", "model",
)  # fmt: skip
_ROLES = ("train", "tune", "calibration")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """`front`: what no other candidate beats, best score first. `over`: candidates that were over budget."""

    name: str
    score: str
    board: str
    trials: int
    over: int
    failures: tuple[tuple[int, str], ...]
    tune_patients: tuple[str, ...]
    front: tuple[Judged, ...]
    judged: tuple[Judged, ...]


def search_networks(plan: SearchPlan, watcher: Watcher, *, workers: int = 1, ray: str | None = None) -> SearchResult:
    """Judge candidates until the plan's trials have ended, `workers` at a time on this machine, or as many on a Ray
    cluster: `ray` is its address, or 'local' for one of processes here.

    What was judged before is kept (`study.log`). Writes `front.csv`, `front.svg` and `search.json`. Test patients are
    not looked at. BadInputError, ConfigError, DatasetError (2).
    """
    require_libraries()
    emulated_target(plan.target)
    watcher.stage("load data", False)
    folder = plan.base / plan.dataset.folder if plan.dataset.folder else None
    split = load_dataset(read_source(plan.dataset.source), plan.dataset.train_split, folder=folder)
    calibration, tune = split_patients(split, plan.dataset.tune_patients)
    _columns(plan, tune)
    train = with_shortened(calibration, plan.training)
    data = {}
    for role, one in zip(_ROLES, (train, tune, calibration), strict=True):
        path = plan.output / "data" / f"{role}-{one.digest[:16]}.npz"
        if not path.is_file():
            store_dataset(one, path)
        data[role] = str(path.resolve())
    study = Study(plan)
    watcher.stage(f"search, {study.finished} of {plan.trials} trials done before", False)
    with _workers(plan, data, workers, ray) as crew:

        def told(done: int, total: int, sentence: str) -> None:
            watcher.note(f"{done} of {total}: {sentence}")
            watcher.progress("trials", done, total)

        study.run(crew, told)
    judged = study.judged
    result = SearchResult(
        name=plan.name,
        score=plan.objective.score + (f" {plan.objective.label}" if plan.objective.label else ""),
        board=plan.target.board,
        trials=study.finished,
        over=sum(1 for one in judged if one.over),
        failures=study.failures,
        tune_patients=tuple(sorted(set(tune.patients))),
        front=pareto_front(plan, judged),
        judged=judged,
    )
    _write(plan, result)
    return result


def require_libraries() -> None:
    """BadInputError (2) where the extra that a search needs is not installed, before anything is judged."""
    missing = [name for name in ("optuna", "matplotlib", "tomli_w") if find_spec(name) is None]
    if missing:
        raise BadInputError(
            f"a search needs {', '.join(missing)}, not installed", hint="pip install 'leadwire[search]'"
        )


def judge_candidate(plan: SearchPlan, data: Mapping[str, str], trial: int, candidate: Candidate) -> Judged:
    """The figures of a candidate, from its folder where it was judged before."""
    folder = plan.output / "candidates" / candidate.digest[:16]
    note = folder / "judged.json"
    if note.is_file():
        kept = TypeAdapter(Judged).validate_json(note.read_bytes())
        return Judged(**(asdict(kept) | {"trial": trial, "over": kept.over}))
    train, tune, calibration = (restore_dataset(Path(data[role])) for role in _ROLES)
    options = emulated_target(plan.target)
    untrained = _make(plan, candidate, folder, "untrained", (train, tune))[-1].model
    costs = measure_keras(untrained, calibration, plan.quantization, options, folder / "untrained" / "board")
    over = _over(plan, costs)
    if over and candidate.prune == 1:
        judged = _judged(plan, trial, candidate, costs, None, over, untrained)
    else:
        model = _make(plan, candidate, folder, "recipe", (train, tune))[-1].model
        if candidate.prune < 1:  # else training changes no size
            costs = measure_keras(model, calibration, plan.quantization, options, folder / "board")
            quantized = costs.quantized
        else:
            quantized = quantize_keras(model, calibration, plan.quantization, folder / "board")
        decided = decided_by_integers(quantized.path, tune)
        judged = _judged(plan, trial, candidate, costs, _score(plan, tune, decided), _over(plan, costs), model)
    write_atomically(note, TypeAdapter(Judged).dump_json(judged, indent=1))
    return judged


def _make(
    plan: SearchPlan, candidate: Candidate, folder: Path, name: str, data: tuple[Dataset, Dataset]
) -> tuple[FinishedStep, ...]:
    """The candidate's recipe written and run; 'untrained' has no step that trains."""
    table = candidate.recipe(plan)
    place = folder
    if name == "untrained":
        table["steps"] = [{"kind": "initialize"}]
        place = folder / "untrained"
    import tomli_w

    write_atomically(place / "recipe.toml", tomli_w.dumps(table).encode())
    return run_recipe(load_recipe(place / "recipe.toml"), data, store=plan.output / "data")


def _judged(
    plan: SearchPlan,
    trial: int,
    candidate: Candidate,
    costs: Measured,
    score: float | None,
    over: tuple[str, ...],
    model: Path,
) -> Judged:
    return Judged(
        trial=trial,
        label=candidate.label,
        digest=candidate.digest,
        score=score,
        parameters=costs.figures.parameters,
        macs=costs.figures.macs,
        flash_bytes=costs.figures.flash_bytes,
        ram_bytes=costs.figures.ram_bytes,
        instructions=costs.instructions,
        latency_us=_latency_us(plan, costs),
        over=over,
        model=model.resolve().relative_to(plan.output.resolve()).as_posix(),
    )


def _latency_us(plan: SearchPlan, costs: Measured) -> float | None:
    return costs.cycles and costs.cycles / emulated_target(plan.target).board.clock_hz * 1e6


def _over(plan: SearchPlan, costs: Measured) -> tuple[str, ...]:
    """A sentence for each limit that is passed."""
    board = emulated_target(plan.target).board.budget
    limits = (
        ("flash", costs.figures.flash_bytes, plan.budget.flash_bytes or board.flash_bytes, "B"),
        ("RAM", costs.figures.ram_bytes, plan.budget.ram_bytes or board.ram_bytes, "B"),
        ("latency", _latency_us(plan, costs), plan.budget.latency_us or board.latency_us, "us"),
    )
    found = [
        f"{name} {used:,.0f} of {limit:,.0f} {unit}"
        for name, used, limit, unit in limits
        if limit and used and used > limit
    ]
    return tuple(found or (["image larger than the board's memory"] if costs.instructions is None else []))


def _columns(plan: SearchPlan, dataset: Dataset) -> tuple[int, ...]:
    """The classes that the score is over; BadInputError (2) for a class that is not the data's."""
    names = (plan.objective.label,) if plan.objective.label else plan.dataset.classes or dataset.label_names
    unknown = [name for name in names if name not in dataset.label_names]
    if unknown:
        raise BadInputError(
            f"dataset '{dataset.name}' has no class {', '.join(unknown)}",
            hint=f"its classes: {' '.join(dataset.label_names)}",
        )
    return tuple(dataset.label_names.index(name) for name in names)


def _score(plan: SearchPlan, tune: Dataset, decided: npt.NDArray[np.int64]) -> float:
    counts = class_counts(tune, decided, _columns(plan, tune))
    kind = plan.objective.score
    if kind == "patient_macro_f1":
        present = counts[:, 1::3] > 0
        f1 = 2 * counts[:, 0::3] / np.maximum(counts[:, 1::3] + counts[:, 2::3], 1)
        return float(((f1 * present).sum(axis=1) / np.maximum(present.sum(axis=1), 1)).mean())
    sums = counts.sum(axis=0)
    if kind in ("macro_f1", "f1"):
        return float(macro_f1(sums))
    return float(sums[0] / max(sums[1 if kind == "sensitivity" else 2], 1))


# ------------------------------------------------------------------------------------------------ workers


def _evaluate(
    path: str, output: str, data: Mapping[str, str], trial: int, candidate: Mapping[str, Any]
) -> dict[str, Any]:
    """What a worker runs: plain data in and out; its own error as ('kind', 'message') of one."""
    plan = load_search(Path(path), output=Path(output))
    try:
        return asdict(judge_candidate(plan, data, trial, Candidate(**candidate)))
    except LeadwireError as error:
        raise BadInputError(error.message) from error


def _end_with_parent() -> None:
    """A worker whose parent was killed waits for work for ever; this one ends."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass
class _Local:
    pool: ProcessPoolExecutor
    plan: SearchPlan
    data: Mapping[str, str]
    size: int

    def submit(self, trial: int, candidate: Candidate) -> Future[dict[str, Any]]:
        return self.pool.submit(_evaluate, *_told(self.plan), self.data, trial, asdict(candidate))


@dataclass
class _OnRay:
    remote: Any
    plan: SearchPlan
    data: Mapping[str, str]
    size: int

    def submit(self, trial: int, candidate: Candidate) -> Future[dict[str, Any]]:
        future: Future[dict[str, Any]] = self.remote.remote(
            *_told(self.plan), self.data, trial, asdict(candidate)
        ).future()
        return future


def _told(plan: SearchPlan) -> tuple[str, str]:
    return str(plan.path.resolve()), str(plan.output.resolve())


@contextmanager
def _workers(plan: SearchPlan, data: Mapping[str, str], size: int, ray: str | None) -> Iterator[_Local | _OnRay]:
    if ray is None:
        with ProcessPoolExecutor(
            max_workers=size, mp_context=get_context("spawn"), initializer=_end_with_parent
        ) as pool:
            try:
                yield _Local(pool=pool, plan=plan, data=data, size=size)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in list((pool._processes or {}).values()):
                    process.terminate()
                raise
        return
    try:
        import ray as cluster
    except ImportError as error:
        raise BadInputError("Ray is not installed", hint="pip install 'leadwire[ray]'") from error
    try:
        if ray == "local":
            cluster.init(num_cpus=size, include_dashboard=False, log_to_driver=False)
        else:
            cluster.init(address=ray, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise BadInputError(
            f"no Ray cluster at '{ray}': {' '.join(str(error).split())[:200]}",
            hint="'ray start --head' starts one; 'local' makes one of processes on this machine",
        ) from error
    try:
        yield _OnRay(remote=cluster.remote(_evaluate), plan=plan, data=data, size=size)
    finally:
        cluster.shutdown()


# ------------------------------------------------------------------------------------------------ what is left


def _write(plan: SearchPlan, result: SearchResult) -> None:
    write_atomically(plan.output / "search.json", json.dumps(asdict(result), indent=1, sort_keys=True).encode())
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(one) for one in result.front)
    write_atomically(plan.output / "front.csv", stream.getvalue().encode())
    write_atomically(plan.output / "front.svg", plot_front(plan, result.judged, result.front))
