"""What a project is judged on: the beats of its test set, whom the model knows, and the protocol as it stood."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from leadwire.artifacts import ExclusionResult, ProtocolState
from leadwire.datasets import Dataset, load_dataset, read_source
from leadwire.datasets.source import NpzSource, dataset_path, patients_of
from leadwire.errors import BadInputError
from leadwire.model.graph import Model
from leadwire.project import LoadedProject
from leadwire.protocols import Protocol, load_protocol, protocol_path
from leadwire.validate import exclude
from leadwire.validate.inputs import check_dataset
from leadwire.workspace import file_digest

from .freeze import state_before_run
from .stress import check_recordings
from .watcher import Watcher


class JudgedData:
    """The data and the protocol of `project`; whatever is a property is read when first needed, and once."""

    def __init__(self, project: LoadedProject, watcher: Watcher) -> None:
        self._project = project
        self._settings = project.settings
        self._watcher = watcher
        self._source = read_source(project.dataset)

    def load(self, split: str) -> Dataset:
        self._watcher.note(f"reading dataset '{self._source.name}', split '{split}'")
        folder = Path(self._project.dataset_folder) if self._project.dataset_folder else None
        return load_dataset(self._source, split, folder=folder)

    @property
    def test(self) -> Dataset:
        """The beats that the verdict is about, without those that the protocol excludes."""
        return self._test[0]

    @property
    def excluded(self) -> tuple[ExclusionResult, ...]:
        return self._test[1]

    @cached_property
    def _test(self) -> tuple[Dataset, tuple[ExclusionResult, ...]]:
        return exclude(self.load(self._settings.dataset.test_split), self.protocol)

    @cached_property
    def training_patients(self) -> tuple[str, ...] | None:
        """Whom the float model was trained on, as far as the project says; None where it does not."""
        given = self._settings.training
        if not given.splits and not given.patients:
            return None
        reference = given.source or self._settings.dataset.source
        base = self._project.path.parent
        source = read_source(base / reference if reference.endswith(".toml") else reference)
        found = set(given.patients)
        for split in given.splits:
            patients = patients_of(source, split)
            found |= set(load_dataset(source, split).patients if patients is None else patients)
        return tuple(sorted(found))

    @cached_property
    def protocol(self) -> Protocol:
        return load_protocol(self._project.protocol)

    @property
    def protocol_path(self) -> Path:
        return protocol_path(self._project.protocol)

    @cached_property
    def protocol_state(self) -> ProtocolState:
        return state_before_run(self.protocol_path, self._project.output)

    @property
    def stressing(self) -> bool:
        """Whether the protocol has a stress matrix that the project does not leave out."""
        return self._settings.validation.stress and self.protocol.stress is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the protocol is left out."""
        left_out = self.protocol.stress is not None and not self.stressing
        return ("the protocol's stress conditions were not run (validation.stress = false)",) if left_out else ()

    @cached_property
    def key(self) -> list[Any]:
        """What the test set follows from."""
        files = [dataset_path(self._project.dataset)]
        if isinstance(self._source, NpzSource):
            files += [self._source.base / split.path for split in self._source.splits.values()]
        digests = [file_digest(path) for path in files if path.exists()]
        return [
            digests,
            self._project.dataset_folder,
            os.environ.get("LEADWIRE_DATA", ""),
            self._settings.dataset.test_split,
        ]

    def check(self) -> None:
        """BadInputError where these beats cannot be judged by this protocol, or patients were trained on."""
        check_dataset(self.test, self.protocol, None, self.training_patients)
        if self.stressing:
            check_recordings(self.test)
        self._watcher.note(f"protocol '{self.protocol.name}': {self.protocol_state.state}")

    def check_classes(self, model: Model) -> None:
        """The model must have one output, with one value per label of the protocol."""
        labels, outputs = self.protocol.labels, model.output_tensors
        if len(outputs) != 1 or outputs[0].elements != len(labels):
            found = " and ".join(str(tensor.elements) for tensor in outputs)
            raise BadInputError(
                f"model '{model.name}' gives {found} values, the protocol has the labels {' '.join(labels)}",
                hint="name a protocol with the model's classes (validation.protocol)",
            )
