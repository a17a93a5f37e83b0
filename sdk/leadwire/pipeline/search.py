"""Candidates of a search judged: what each costs on the board, and how well it does on the patients held out.

A candidate's folder is `<output>/candidates/<digest>`: `recipe.toml`, which `leadwire compress` runs too, the models of
its steps, and `judged.json`. One that was cut goes on from there. Costs are known before it is trained; one that is
over budget then is not trained, unless pruning may make it fit. Pruning and quantization-aware training change costs:
those of the network that they left are counted then.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
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
from leadwire.compress.search import Candidate, Judged, SearchPlan, pareto_front
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

    What was judged before with this plan, data and board is kept (`study.log`); a study of others is refused. Writes
    `front.csv`, `front.svg` and `search.json`. Test patients are not looked at. BadInputError, ConfigError,
    DatasetError (2).
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
    made_from = _made_from(plan, (train, tune, calibration))
    study = Study(plan, made_from)
    given = Given(
        plan=replace(plan, path=plan.path.resolve(), output=plan.output.resolve()),
        data=data,
        digest=_digest(made_from),
    )
    watcher.stage(f"search, {study.finished} of {plan.trials} trials done before", False)
    with _workers(given, workers, ray) as crew:

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What all candidates are judged with: `data` holds the file of each role, `digest` is over all that decides their
    figures."""

    plan: SearchPlan
    data: Mapping[str, str]
    digest: str


def judge_candidate(given: Given, trial: int, candidate: Candidate) -> Judged:
    """The figures of a candidate, from its folder where it was judged with the same plan, data and board before."""
    plan, data = given.plan, given.data
    folder = plan.output / "candidates" / candidate.digest[:16]
    note = folder / "judged.json"
    if kept := _kept(note, given):
        return replace(kept, trial=trial)
    train, tune, calibration = (restore_dataset(Path(data[role])) for role in _ROLES)
    options = emulated_target(plan.target)
    untrained = _make(plan, candidate, folder, "untrained", (train, tune))[-1].model
    costs = measure_keras(untrained, calibration, plan.quantization, options, folder / "untrained" / "board")
    over = _over(plan, costs)
    if over and candidate.prune == 1:
        judged = _judged(plan, trial, candidate, costs, None, over, untrained)
    else:
        model = _make(plan, candidate, folder, "recipe", (train, tune))[-1].model
        if candidate.prune < 1 or candidate.quantization_aware:
            costs = measure_keras(model, calibration, plan.quantization, options, folder / "board")
            quantized = costs.quantized
        else:  # training alone changes no size
            quantized = quantize_keras(model, calibration, plan.quantization, folder / "board")
        decided = decided_by_integers(quantized.path, tune)
        judged = _judged(plan, trial, candidate, costs, _score(plan, tune, decided), _over(plan, costs), model)
    write_atomically(note, TypeAdapter(_Note).dump_json(_Note(made_from=given.digest, judged=judged), indent=1))
    return judged


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    made_from: str
    judged: Judged


def _kept(path: Path, given: Given) -> Judged | None:
    try:
        found = TypeAdapter(_Note).validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found.judged if found.made_from == given.digest else None


def _made_from(plan: SearchPlan, data: Sequence[Dataset]) -> dict[str, str]:
    """All that decides what a candidate is worth, by name: the plan's values, the digests of the data and the board."""
    told = {f"data, {role}": one.digest for role, one in zip(_ROLES, data, strict=True)}
    told["board file"] = _digest(asdict(emulated_target(plan.target).board))
    return plan.values | told


def _digest(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


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


def _evaluate(given: Given, trial: int, candidate: Candidate) -> dict[str, Any]:
    """What a worker runs; its own error as one that every process can read."""
    try:
        return asdict(judge_candidate(given, trial, candidate))
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


class _Local:
    """A process for each candidate: one that dies takes no other with it."""

    died: tuple[type[BaseException], ...] = (BrokenExecutor,)

    def __init__(self, given: Given, size: int) -> None:
        self.size = size
        self._given = given
        self._pools: set[ProcessPoolExecutor] = set()

    def submit(self, trial: int, candidate: Candidate) -> Future[dict[str, Any]]:
        pool = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), initializer=_end_with_parent)
        self._pools.add(pool)
        future = pool.submit(_evaluate, self._given, trial, candidate)
        future.add_done_callback(lambda _: self._end(pool))
        return future

    def _end(self, pool: ProcessPoolExecutor) -> None:
        self._pools.discard(pool)
        pool.shutdown(wait=False)

    def close(self) -> None:
        """End what is still running."""
        for pool in list(self._pools):
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()


class _OnRay:
    def __init__(self, given: Given, size: int, cluster: Any) -> None:
        self.size = size
        self.died: tuple[type[BaseException], ...] = (
            cluster.exceptions.WorkerCrashedError,
            cluster.exceptions.NodeDiedError,
            cluster.exceptions.OutOfMemoryError,
        )
        self._remote = cluster.remote(max_retries=0)(_evaluate)
        self._given = cluster.put(given)

    def submit(self, trial: int, candidate: Candidate) -> Future[dict[str, Any]]:
        future: Future[dict[str, Any]] = self._remote.remote(self._given, trial, candidate).future()
        return future


@contextmanager
def _workers(given: Given, size: int, ray: str | None) -> Iterator[_Local | _OnRay]:
    if ray is None:
        local = _Local(given, size)
        try:
            yield local
        finally:
            local.close()
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
        yield _OnRay(given, size, cluster)
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
