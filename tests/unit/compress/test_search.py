"""The search without training: plans, candidates, the study that is killed and goes on, the front."""

from __future__ import annotations

import json
import os
from concurrent.futures import BrokenExecutor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import TypeAdapter

from leadwire.compress.search import Candidate, Judged, SearchPlan, dominates, load_search, pareto_front
from leadwire.compress.search.front import values_of
from leadwire.compress.search.plot import plot_front
from leadwire.compress.search.study import Study
from leadwire.errors import BadInputError, ConfigError, TrainingError
from leadwire.pipeline import search
from leadwire.pipeline.measured import Measured
from leadwire.views import search as views

PLAN = """
name = "small"
seed = 3
trials = 12
startup_trials = 4
[dataset]
source = "synthetic-ecg"
[space]
families = ["cnn", "resnet"]
epochs = [2, 4]
quantization_aware = [false, true]
[space.settings.resnet]
width = [8, 16]
"""


def plan_of(folder: Path, text: str = PLAN, **changes: Any) -> SearchPlan:
    path = folder / "search.toml"
    path.write_text(text)
    return load_search(path, **changes)


def study_of(plan: SearchPlan, **data: str) -> Study:
    return Study(plan, plan.values | {"data, train": "a5", "board file": "b5"} | data)


class Known:
    """Workers that know what a candidate is worth: the wider the better and the larger, over 150 B too large."""

    size = 2
    died = (BrokenExecutor,)

    def __init__(self, *, dies_after: int = 10**9, fails_at: int = -1, killed_at: tuple[int, ...] = ()) -> None:
        self.asked: list[tuple[int, str]] = []
        self.dies_after, self.fails_at, self.killed_at = dies_after, fails_at, killed_at

    def submit(self, trial: int, candidate: Candidate) -> Future[dict[str, Any]]:
        if len(self.asked) >= self.dies_after:
            raise KeyboardInterrupt
        self.asked.append((trial, candidate.digest))
        future: Future[dict[str, Any]] = Future()
        if len(self.asked) - 1 == self.fails_at:
            future.set_exception(TrainingError("'train'", "the loss is nan in epoch 1 of 2"))
            return future
        if len(self.asked) - 1 in self.killed_at:
            future.set_exception(BrokenProcessPool("A process in the process pool was terminated abruptly"))
            return future
        flash = 10 * int(candidate.settings["width"]) + len(candidate.settings)
        over = (f"flash {flash} of 150 B",) if flash > 150 else ()
        future.set_result(
            {
                "trial": trial, "label": candidate.label, "digest": candidate.digest, "parameters": 1, "macs": 1,
                "score": None if over else 1 - 5 / flash - candidate.learning_rate, "flash_bytes": flash,
                "ram_bytes": 50, "instructions": 7 * flash, "latency_us": 1.0, "over": over, "model": "m.keras",
            }
        )  # fmt: skip
        return future


def test_a_plan(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert plan.output == tmp_path / "out"
    assert plan_of(tmp_path, trials=3).trials == 3
    assert plan.budget.flash_bytes is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["cnn", "resnet"]', '["perceptron"]', "there is no family 'perceptron'"),
        ('["cnn", "resnet"]', '["unet"]', "gives samples"),
        ("width = [8, 16]", "girth = [8]", "girth: unknown"),
        ("width = [8, 16]", "width = []", "no choices"),
        ("width = [8, 16]", "width = { low = 9, high = 8 }", "is above high"),
        ("epochs = [2, 4]", "learning_rate = { low = 0, high = 1 }", "0 < low <= high"),
        ("epochs = [2, 4]", "prune = [0.0]", r"space.prune\[0\]"),
        ("trials = 12", "trials = 0", "trials"),
        ("[dataset]", '[objective]\nscore = "sensitivity"\n[dataset]', "label: missing"),
        ("[dataset]", '[objective]\nlabel = "V"\n[dataset]', "no meaning"),
    ],
)
def test_a_mistake_in_a_plan(old: str, new: str, words: str, tmp_path: Path) -> None:
    assert old in PLAN
    with pytest.raises(ConfigError, match=words):
        plan_of(tmp_path, PLAN.replace(old, new, 1))


def test_a_study_ends_after_its_trials(tmp_path: Path) -> None:
    plan, workers, told = plan_of(tmp_path), Known(), []
    study = study_of(plan)
    study.run(workers, lambda done, total, sentence: told.append((done, total)))
    assert study.finished == len(study.judged) == len(workers.asked) == plan.trials
    assert told[-1] == (12, 12)
    assert any(one.over for one in study.judged)
    study_of(plan).run(Known(dies_after=0), lambda *_: None)  # nothing is left to ask for


def test_the_same_plan_asks_for_the_same_candidates(tmp_path: Path) -> None:
    asked = []
    for name in "ab":
        (tmp_path / name).mkdir()
        workers = Known()
        workers.size = 1
        study_of(plan_of(tmp_path / name)).run(workers, lambda *_: None)
        asked.append(workers.asked)
    assert asked[0] == asked[1]


def test_a_study_that_was_killed_judges_what_was_begun_again(tmp_path: Path) -> None:
    plan, workers = plan_of(tmp_path), Known(dies_after=5)
    with pytest.raises(KeyboardInterrupt):
        study_of(plan).run(workers, lambda *_: None)
    again = Known()
    study = study_of(plan)
    assert study.finished < 5
    lost = {digest for _, digest in workers.asked} - {one.digest for one in study.judged}
    study.run(again, lambda *_: None)
    assert study.finished == plan.trials
    assert lost <= {digest for _, digest in again.asked[: len(lost) + 1]}
    assert not set(again.asked[0]) & set(workers.asked[:1])


def test_a_candidate_that_cannot_be_judged_is_told(tmp_path: Path) -> None:
    study = study_of(plan_of(tmp_path))
    study.run(Known(fails_at=2), lambda *_: None)
    assert [reason for _, reason in study.failures] == ["training of 'train': the loss is nan in epoch 1 of 2"]
    assert study.finished == 12
    assert len(study.judged) == 11


@pytest.mark.parametrize("size", [1, 2])
def test_a_candidate_whose_process_is_killed_is_judged_again(size: int, tmp_path: Path) -> None:
    study, workers, told = study_of(plan_of(tmp_path)), Known(killed_at=(2,)), []
    workers.size = size
    study.run(workers, lambda done, total, sentence: told.append(sentence))
    assert study.finished == len(study.judged) == 12
    assert not study.failures
    assert "trial 2: its process was killed, the candidate is judged again" in told
    digests = [digest for _, digest in workers.asked]
    assert digests[2] in digests[3:5]


def test_a_candidate_whose_process_is_killed_twice_is_told(tmp_path: Path) -> None:
    study, workers = study_of(plan_of(tmp_path)), Known(killed_at=(2, 3))
    workers.size = 1
    study.run(workers, lambda *_: None)
    assert study.failures == ((3, "its process was killed twice, as is one that takes too much memory"),)
    assert study.finished == len(study.judged) + 1 == 12


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epochs = [2, 4]", "epochs = [2, 5]", r"space.epochs: \[2, 4\], now \[2, 5\]"),
        ("[dataset]", '[target]\nboard = "virtual-stm32f405-mcuboot"\n[dataset]',
         "target.board: virtual-stm32f405, now virtual-stm32f405-mcuboot"),
        ("[dataset]", "[budget]\nflash_bytes = 5000\n[dataset]", "budget.flash_bytes: nothing, now 5000"),
        ("[dataset]", "[training]\nclass_factors = { F = 1 }\n[dataset]", "training.class_factors.F: nothing, now 1"),
        ("[dataset]", '[quantization]\nmode = "int16x8"\n[dataset]', "quantization.mode: int8, now int16x8"),
        ("[dataset]", '[objective]\nresources = ["ram_bytes", "flash_bytes", "instructions"]\n[dataset]', "objective"),
        ('"synthetic-ecg"', '"synthetic-ecg"\ntune_patients = ["p1"]', "dataset.tune_patients"),
        ("seed = 3", "seed = 4", "seed: 3, now 4"),
    ],
)  # fmt: skip
def test_a_study_of_another_plan_is_refused(old: str, new: str, words: str, tmp_path: Path) -> None:
    study_of(plan_of(tmp_path, trials=1)).run(Known(), lambda *_: None)
    assert old in PLAN
    with pytest.raises(BadInputError, match=words) as refused:
        study_of(plan_of(tmp_path, PLAN.replace(old, new, 1)))
    assert "--output" in refused.value.hint


def test_a_study_of_other_data_or_another_board_file_is_refused(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, trials=1)
    study_of(plan).run(Known(), lambda *_: None)
    for name in ("data, train", "board file"):
        with pytest.raises(BadInputError, match=f"made from something else:\n  {name}: .5, now c5"):
            study_of(plan, **{name: "c5"})


def test_a_study_goes_on_with_more_trials_and_another_floor_from_another_folder(tmp_path: Path) -> None:
    study_of(plan_of(tmp_path, trials=1)).run(Known(), lambda *_: None)
    (tmp_path / "moved").mkdir()
    (tmp_path / "out").rename(tmp_path / "moved" / "out")
    study = study_of(plan_of(tmp_path / "moved", PLAN.replace("trials = 12", "trials = 3\nscore_floor = 0.5", 1)))
    assert study.finished == 1
    study.run(Known(), lambda *_: None)
    assert study.finished == 3


def test_a_file_that_is_no_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "study.log").write_text("nonsense\n")
    with pytest.raises(BadInputError, match="is not the study of 'small'"):
        study_of(plan_of(tmp_path))


CANDIDATE = Candidate(
    family="cnn", settings={"width": 8}, learning_rate=1e-3, epochs=1, prune=1.0, quantization_aware=False
)


def given_of(plan: SearchPlan, digest: str = "made from this") -> search.Given:
    return search.Given(plan=plan, data=dict.fromkeys(("train", "tune", "calibration"), "nowhere.npz"), digest=digest)


def test_what_was_judged_is_kept_for_the_same_plan_data_and_board_alone(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    note = plan.output / "candidates" / CANDIDATE.digest[:16] / "judged.json"
    note.parent.mkdir(parents=True)
    figures = TypeAdapter(Judged).dump_python(judged(0, 0.8, 100, 100, ("flash",)), mode="json")
    note.write_text(json.dumps({"made_from": "made from this", "judged": figures}))
    assert search.judge_candidate(given_of(plan), 7, CANDIDATE) == replace(
        judged(0, 0.8, 100, 100, ("flash",)), trial=7
    )
    with pytest.raises(FileNotFoundError):  # the data of this plan: it is judged anew
        search.judge_candidate(given_of(plan, "made from that"), 7, CANDIDATE)
    note.write_text("nonsense")
    with pytest.raises(FileNotFoundError):
        search.judge_candidate(given_of(plan), 7, CANDIDATE)


@pytest.mark.parametrize(
    ("prune", "aware", "limit", "flash", "trained"),
    [
        (1.0, False, 150, 100, True),  # training alone changes no size
        (1.0, True, 150, 110, True),
        (1.0, True, 105, 110, True),  # within budget before
        (1.0, True, 90, 100, False),
        (0.5, False, 90, 60, True),  # over budget before
        (0.5, False, 50, 60, True),
    ],
)
def test_costs_are_those_of_the_network_that_is_left(
    prune: float, aware: bool, limit: int, flash: int, trained: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PLAN.replace("[dataset]", f"[budget]\nflash_bytes = {limit}\n[dataset]")
    plan = plan_of(tmp_path, text)
    after = 60 if prune < 1 else 110 if aware else 100
    options = search.emulated_target(plan.target)

    def measured(source: Path, *_: Any) -> Measured:
        found = 100 if source.stem == "untrained" else after
        figures: Any = SimpleNamespace(flash_bytes=found, ram_bytes=10, parameters=1, macs=1)
        return Measured(quantized=quantized, figures=figures, instructions=1, cycles=1.0)

    quantized: Any = SimpleNamespace(path=Path("model.tflite"))
    made: list[str] = []
    monkeypatch.setattr(search, "measure_keras", measured)
    monkeypatch.setattr(search, "quantize_keras", lambda *_: quantized)
    monkeypatch.setattr(search, "restore_dataset", lambda path: None)
    monkeypatch.setattr(search, "emulated_target", lambda target: options)
    monkeypatch.setattr(search, "decided_by_integers", lambda *_: None)
    monkeypatch.setattr(search, "_score", lambda *_: 0.75)
    monkeypatch.setattr(
        search,
        "_make",
        lambda plan, one, folder, name, data: made.append(name) or [SimpleNamespace(model=folder / f"{name}.keras")],
    )
    found = search.judge_candidate(given_of(plan), 0, replace(CANDIDATE, prune=prune, quantization_aware=aware))
    assert found.flash_bytes == flash
    assert bool(found.over) == (flash > limit)
    assert (made[1:] == ["recipe"]) == (found.score == 0.75) == trained


def test_the_view_tells_how_many_were_not_trained(capsys: pytest.CaptureFixture[str]) -> None:
    all_of_them = (judged(0, None, 9, 9, ("RAM",)), judged(1, 0.5, 9, 9, ("flash",)), judged(2, 0.5, 5, 5))
    views.search(
        search.SearchResult(
            name="small", score="macro_f1", board="b", trials=3, over=2, failures=(), tune_patients=("p1",),
            front=all_of_them[2:], judged=all_of_them,
        )
    )  # fmt: skip
    assert "2 of 3, 1 of them not trained" in capsys.readouterr().out


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> Any:
        return os._exit, (9,)


def test_a_process_that_is_killed_takes_no_other_candidate_with_it(tmp_path: Path) -> None:
    with search._workers(given_of(plan_of(tmp_path)), 2, None) as workers:
        killed: Any = Deadly()
        dead, other = workers.submit(0, killed), workers.submit(1, CANDIDATE)
        assert isinstance(dead.exception(), workers.died)
        assert isinstance(other.exception(), FileNotFoundError)
        assert isinstance(workers.submit(2, CANDIDATE).exception(), FileNotFoundError)


def judged(number: int, score: float | None, flash: int, instructions: int, over: tuple[str, ...] = ()) -> Judged:
    return Judged(
        trial=number, label=f"net {number}", digest=f"{number}", score=score, parameters=1, macs=1, flash_bytes=flash,
        ram_bytes=10, instructions=instructions, latency_us=1.0, over=over, model="m",
    )  # fmt: skip


def test_the_front_by_hand(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    all_of_them = [
        judged(0, 0.8, 100, 100),
        judged(1, 0.9, 200, 200),
        judged(2, 0.7, 100, 100),  # as large as 0 and worse
        judged(3, 0.95, 900, 900, over=("flash",)),
        judged(4, None, 10, 10, over=("RAM",)),
        judged(5, 0.8, 100, 100),  # the same as 0
        judged(6, 0.75, 150, 50),  # slower in nothing but flash
    ]
    assert [one.trial for one in pareto_front(plan, all_of_them)] == [1, 0, 6]
    assert values_of(plan, all_of_them[4])[0] == 0
    assert dominates((1, 2, 3), (1, 2, 4)) and not dominates((1, 2, 3), (1, 2, 3))
    picture = plot_front(plan, all_of_them, pareto_front(plan, all_of_them))
    assert picture == plot_front(plan, all_of_them, pareto_front(plan, all_of_them))
    assert picture.startswith(b"<?xml") and b"front" in picture
    assert plot_front(plan, [], ())


def test_a_search_without_its_libraries_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "find_spec", lambda name: None if name == "optuna" else True)
    with pytest.raises(BadInputError, match="a search needs optuna, not installed"):
        search.require_libraries()
