"""The one door to Optuna: a study that is kept in a file, asked for candidates and told what they are worth.

Candidates are judged by others, several at a time. A study that was killed goes on: what was finished is in its file,
and candidates that were being judged are put in line again, so that each of the plan's trials ends.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from pydantic import TypeAdapter

from leadwire.errors import BadInputError, LeadwireError

from .front import Judged, values_of
from .plan import SearchPlan
from .space import Candidate, suggest

_POLL_S: Final = 1.0
_SHOWN: Final = 12


class Workers(Protocol):
    """Where candidates are judged: `size` at a time. A future's error of a class in `died` says that its process ended
    without an answer."""

    size: int
    died: tuple[type[BaseException], ...]

    def submit(self, trial: int, candidate: Candidate) -> Future[dict[str, Any]]: ...


class Study:
    """Optuna's study of a plan, in `<output>/study.log`. `made_from` is all that its figures depend on, by name: a
    study that was made from something else is refused, since its figures would stand beside others. BadInputError (2).
    """

    def __init__(self, plan: SearchPlan, made_from: Mapping[str, str]) -> None:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)  # of `group`
        self._optuna, self._plan = optuna, plan
        plan.output.mkdir(parents=True, exist_ok=True)
        path = plan.output / "study.log"
        try:
            storage = JournalStorage(JournalFileBackend(str(path)))
            done = len(optuna.get_all_study_names(storage)) and len(
                optuna.load_study(study_name=plan.name, storage=storage).trials
            )
            sampler = optuna.samplers.TPESampler(
                seed=plan.seed + done,
                n_startup_trials=plan.startup_trials,
                multivariate=True,
                group=True,
            )
            directions: list[Literal["minimize", "maximize"]] = ["maximize"]
            directions += ["minimize"] * len(plan.objective.resources)
            self._study = optuna.create_study(
                storage=storage,
                study_name=plan.name,
                sampler=sampler,
                directions=directions,
                load_if_exists=True,
            )
        except (ValueError, KeyError, json.JSONDecodeError) as error:
            raise BadInputError(
                f"'{path}' is not the study of '{plan.name}': {error}", hint="give another output folder, or remove it"
            ) from error
        self._check_origin(path, made_from)
        self._line_up_again()

    def _check_origin(self, path: Path, made_from: Mapping[str, str]) -> None:
        if not self._study.get_trials(deepcopy=False):
            self._study.set_user_attr("made_from", dict(made_from))
        known: Mapping[str, str] = self._study.user_attrs.get("made_from", {})
        other = [
            f"{name}: {known.get(name, 'nothing')}, now {made_from.get(name, 'nothing')}"
            for name in sorted({*known, *made_from})
            if known.get(name) != made_from.get(name)
        ]
        if other:
            listed = "".join(f"\n  {line}" for line in other[:_SHOWN])
            more = f"\n  and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
            raise BadInputError(
                f"'{path}' is a study made from something else:{listed}{more}",
                hint="give another output folder (--output), or the plan, data and board as they were",
            )

    def _line_up_again(self) -> None:
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self._again(trial, {"again": trial.number})

    def _again(self, trial: Any, about: dict[str, int]) -> None:
        """End a trial without a reason, and put its candidate in line."""
        self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
        self._study.enqueue_trial(trial.params, user_attrs=about)

    @property
    def finished(self) -> int:
        """Trials that have an end of their own: judged, or failed for a reason."""
        return sum(1 for _ in self._ended())

    def _ended(self) -> Iterator[Any]:
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(states.COMPLETE, states.FAIL)):
            if trial.state == states.COMPLETE or "reason" in trial.user_attrs:
                yield trial

    @property
    def judged(self) -> tuple[Judged, ...]:
        adapter = TypeAdapter(Judged)
        return tuple(
            adapter.validate_python(one.user_attrs["judged"]) for one in self._ended() if "judged" in one.user_attrs
        )

    @property
    def failures(self) -> tuple[tuple[int, str], ...]:
        """(trial, why) of candidates that could not be judged."""
        return tuple((one.number, str(one.user_attrs["reason"])) for one in self._ended() if "reason" in one.user_attrs)

    def run(self, workers: Workers, told: Callable[[int, int, str], None]) -> None:
        """Judge candidates until the plan's trials have ended; `told(done, trials, sentence)` of each."""
        running: dict[Future[dict[str, Any]], Any] = {}
        while self.finished < self._plan.trials:
            while len(running) < workers.size and self.finished + len(running) < self._plan.trials:
                trial = self._study.ask()
                running[workers.submit(trial.number, suggest(self._plan, trial))] = trial
            ended, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            for future in ended:
                sentence = self._tell(running.pop(future), future, workers)
                told(self.finished, self._plan.trials, sentence)

    def _tell(self, trial: Any, future: Future[dict[str, Any]], workers: Workers) -> str:
        try:
            judged = TypeAdapter(Judged).validate_python(future.result())
        except LeadwireError as error:
            return self._failed(trial, error.message)
        except workers.died:
            if "died" in trial.user_attrs:
                return self._failed(trial, "its process was killed twice, as is one that takes too much memory")
            self._again(trial, {"died": trial.number})
            return f"trial {trial.number}: its process was killed, the candidate is judged again"
        trial.set_user_attr("judged", TypeAdapter(Judged).dump_python(judged, mode="json"))
        trial.set_constraint("limits passed", float(len(judged.over)))
        self._study.tell(trial, values_of(self._plan, judged))
        return f"{judged.label}: " + ("; ".join(judged.over) if judged.over else f"score {judged.score:.4f}")

    def _failed(self, trial: Any, reason: str) -> str:
        trial.set_user_attr("reason", reason)
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        return reason
