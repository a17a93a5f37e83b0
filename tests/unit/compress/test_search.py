"""The search without training: plans, candidates, the study that is killed and goes on, the front."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from leadwire.compress.search import Candidate, Judged, SearchPlan, dominates, load_search, pareto_front
from leadwire.compress.search.front import values_of
from leadwire.compress.search.plot import plot_front
from leadwire.compress.search.study import Study
from leadwire.errors import BadInputError, ConfigError, TrainingError

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


class Known:
    """Workers that know what a candidate is worth: the wider the better and the larger, over 150 B too large."""

    size = 2

    def __init__(self, *, dies_after: int = 10**9, fails_at: int = -1) -> None:
        self.asked: list[tuple[int, str]] = []
        self.dies_after, self.fails_at = dies_after, fails_at

    def submit(self, trial: int, candidate: Candidate) -> Future[dict[str, Any]]:
        if len(self.asked) >= self.dies_after:
            raise KeyboardInterrupt
        self.asked.append((trial, candidate.digest))
        future: Future[dict[str, Any]] = Future()
        if len(self.asked) - 1 == self.fails_at:
            future.set_exception(TrainingError("'train'", "the loss is nan in epoch 1 of 2"))
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
    study = Study(plan)
    study.run(workers, lambda done, total, sentence: told.append((done, total)))
    assert study.finished == len(study.judged) == len(workers.asked) == plan.trials
    assert told[-1] == (12, 12)
    assert any(one.over for one in study.judged)
    Study(plan).run(Known(dies_after=0), lambda *_: None)  # nothing is left to ask for


def test_the_same_plan_asks_for_the_same_candidates(tmp_path: Path) -> None:
    asked = []
    for name in "ab":
        (tmp_path / name).mkdir()
        workers = Known()
        workers.size = 1
        Study(plan_of(tmp_path / name)).run(workers, lambda *_: None)
        asked.append(workers.asked)
    assert asked[0] == asked[1]


def test_a_study_that_was_killed_judges_what_was_begun_again(tmp_path: Path) -> None:
    plan, workers = plan_of(tmp_path), Known(dies_after=5)
    with pytest.raises(KeyboardInterrupt):
        Study(plan).run(workers, lambda *_: None)
    again = Known()
    study = Study(plan)
    assert study.finished < 5
    lost = {digest for _, digest in workers.asked} - {one.digest for one in study.judged}
    study.run(again, lambda *_: None)
    assert study.finished == plan.trials
    assert lost <= {digest for _, digest in again.asked[: len(lost) + 1]}
    assert not set(again.asked[0]) & set(workers.asked[:1])


def test_a_candidate_that_cannot_be_judged_is_told(tmp_path: Path) -> None:
    study = Study(plan_of(tmp_path))
    study.run(Known(fails_at=2), lambda *_: None)
    assert [reason for _, reason in study.failures] == ["training of 'train': the loss is nan in epoch 1 of 2"]
    assert study.finished == 12
    assert len(study.judged) == 11


def test_the_file_of_another_study_is_refused(tmp_path: Path) -> None:
    Study(plan_of(tmp_path)).run(Known(), lambda *_: None)
    with pytest.raises(BadInputError, match="another space"):
        Study(plan_of(tmp_path, PLAN.replace("[2, 4]", "[2, 5]")))
    (tmp_path / "out" / "study.log").write_text("nonsense\n")
    with pytest.raises(BadInputError, match="is not the study of 'small'"):
        Study(plan_of(tmp_path))


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
    from leadwire.pipeline import search

    monkeypatch.setattr(search, "find_spec", lambda name: None if name == "optuna" else True)
    with pytest.raises(BadInputError, match="a search needs optuna, not installed"):
        search.require_libraries()
