"""The one door to Optuna: a study that is kept in a file, asked for candidates and told what they are worth.

Candidates are judged by others, several at a time. A study that was killed goes on: what was finished is in its file,
and candidates that were being judged are put in line again, so that each of the plan's trials ends.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from pydantic import TypeAdapter

from leadwire.errors import BadInputError, LeadwireError

from .front import Judged, values_of
from .plan import SearchPlan
from .space import Candidate, suggest

_POLL_S: Final = 1.0


class Workers(Protocol):
    """Where candidates are judged: `size` at a time."""

    size: int

    def submit(self, trial: int, candidate: Candidate) -> Future[dict[str, Any]]: ...


class Study:
    """Optuna's study of a plan, in `<output>/study.log`. BadInputError (2) for the file of another plan."""

    def __init__(self, plan: SearchPlan) -> None:
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
        self._check_plan(path)
        self._line_up_again()

    def _check_plan(self, path: Path) -> None:
        space = json.dumps([asdict(self._plan.space), asdict(self._plan.objective)], sort_keys=True, default=str)
        known = self._study.user_attrs.get("space")
        if known is None:
            self._study.set_user_attr("space", space)
        elif known != space:
            raise BadInputError(
                f"'{path}' is a study over another space or other objectives",
                hint="give another output folder, or the plan as it was",
            )

    def _line_up_again(self) -> None:
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self._study.tell(trial.number, state=states.FAIL)
            self._study.enqueue_trial(trial.params, user_attrs={"again": trial.number})

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
                sentence = self._tell(running.pop(future), future)
                told(self.finished, self._plan.trials, sentence)

    def _tell(self, trial: Any, future: Future[dict[str, Any]]) -> str:
        states = self._optuna.trial.TrialState
        try:
            judged = TypeAdapter(Judged).validate_python(future.result())
        except LeadwireError as error:
            return self._failed(trial, error.message, states)
        trial.set_user_attr("judged", TypeAdapter(Judged).dump_python(judged, mode="json"))
        trial.set_constraint("limits passed", float(len(judged.over)))
        self._study.tell(trial, values_of(self._plan, judged))
        return f"{judged.label}: " + ("; ".join(judged.over) if judged.over else f"score {judged.score:.4f}")

    def _failed(self, trial: Any, reason: str, states: Any) -> str:
        trial.set_user_attr("reason", reason)
        self._study.tell(trial, state=states.FAIL)
        return reason
