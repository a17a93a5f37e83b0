"""`Evidence`: everything a run found out, joined by digests.

Only records and what follows from them: `verdict`, `reasons`, `stamps` and `chain_breaks` are derived, never stored, so
that a document cannot contradict itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leadwire.artifacts import (
    BenchmarkResult,
    BudgetReport,
    FirmwareImage,
    FirmwareProject,
    MemoryPlan,
    Predictions,
    QuantizedModel,
    ValidationResult,
    Verdict,
)
from leadwire.board import Board
from leadwire.model.graph import Model

FORMAT: Literal["leadwire-evidence/1"] = "leadwire-evidence/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSummary:
    """An activation: what the arena map and the layer table need to name it."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSummary:
    index: int
    kind: str
    tensor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """The model as the device runs it. `parameters` counts the elements of all constant tensors."""

    name: str
    digest: str
    size_bytes: int
    parameters: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    activations: tuple[TensorSummary, ...]
    operators: tuple[OperatorSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolVersion:
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One test input: where it comes from and its reference class, an index into the dataset's labels."""

    record: str
    patient: str
    reference: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """What travels beside evidence.json so that its figures can be derived again.

    `protocol` is the file that fixed endpoints and margins before the run. `predictions` are the outputs of each
    runtime on `beats`, or on those that `Predictions.indices` names. The model and the ELF are found through the
    records that made them.
    """

    protocol: Path
    beats: tuple[Beat, ...]
    predictions: tuple[Predictions, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A word that stands on every page, and the sentence that explains it."""

    word: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One model on one board, from the trained network to the verdict.

    `budgets` are the checkpoints in order (planned, linked, then measured or emulated). `also_benchmarked` are further
    boards, benchmarked and not validated. `created` is an ISO 8601 time only where the caller fixed one
    (SOURCE_DATE_EPOCH): evidence of the same run has the same bytes.
    """

    format: Literal["leadwire-evidence/1"] = FORMAT
    name: str
    leadwire_version: str
    model: ModelSummary
    quantized: QuantizedModel
    plan: MemoryPlan
    board: Board
    project: FirmwareProject
    image: FirmwareImage
    budgets: tuple[BudgetReport, ...]
    bench: BenchmarkResult
    validation: ValidationResult
    tools: tuple[ToolVersion, ...]
    environment: tuple[tuple[str, str], ...]
    demo_key: bool
    also_benchmarked: tuple[BenchmarkResult, ...] = ()
    created: str | None = None

    @property
    def emulated(self) -> bool:
        return "emulated" in (self.bench.basis, self.board.basis)

    @property
    def stamps(self) -> tuple[Stamp, ...]:
        """What a reader must not overlook, in order of weight."""
        stamps = []
        if self.emulated:
            sentence = f"no figure here was taken on silicon: '{self.board.id}' is an emulator"
            stamps.append(Stamp(word="EMULATED", sentence=sentence))
        if self.validation.dataset_basis == "synthetic":
            stamps.append(Stamp(word="SYNTHETIC", sentence="the signals are computed, no patient was recorded"))
        if self.demo_key:
            stamps.append(Stamp(word="DEMO KEY", sentence="signed with a demonstration key, which is not an identity"))
        return tuple(stamps)

    @property
    def reasons(self) -> tuple[tuple[Verdict, str], ...]:
        """Every finding that keeps the verdict from 'pass', the most serious first."""
        found: list[tuple[Verdict, str]] = []
        for budget in self.budgets:
            found += [
                ("fail", f"{line.resource} is {line.over:,.0f} {line.unit} over the budget ({line.basis})")
                for line in budget.lines
                if line.over > 0
            ]
        if not any(budget.basis in ("measured", "emulated") for budget in self.budgets):
            found.append(("inconclusive", "the budget was not checked against a run on the board"))
        found += [
            (endpoint.verdict, f"endpoint {endpoint.endpoint}: {endpoint.reason}")
            for endpoint in self.validation.endpoints
            if endpoint.verdict != "pass"
        ]
        if self.validation.lost_samples:
            found.append(("fail", f"{self.validation.lost_samples} sample(s) lost on the link: the run is invalid"))
        if self.validation.verdict != "pass" and not any(verdict == self.validation.verdict for verdict, _ in found):
            found.append((self.validation.verdict, f"validation against protocol '{self.validation.protocol_name}'"))
        return tuple(sorted(found, key=lambda item: item[0] != "fail"))

    @property
    def verdict(self) -> Verdict:
        """'pass' only where nothing is over budget and the validation passed; inconclusive never passes."""
        return self.reasons[0][0] if self.reasons else "pass"


def summarize_model(model: Model) -> ModelSummary:
    """The part of a model that a report needs: no weights, no options."""
    return ModelSummary(
        name=model.name,
        digest=model.digest,
        size_bytes=model.size_bytes,
        parameters=sum(tensor.elements for tensor in model.tensors if tensor.is_constant),
        inputs=model.inputs,
        outputs=model.outputs,
        activations=tuple(
            TensorSummary(
                index=tensor.index,
                name=tensor.name,
                shape=tensor.shape,
                dtype=tensor.dtype.value,
                size_bytes=tensor.size_bytes,
            )
            for tensor in model.tensors
            if not tensor.is_constant
        ),
        operators=tuple(
            OperatorSummary(index=operator.index, kind=operator.kind, tensor=model.output(operator).name)
            for operator in model.operators
        ),
    )


def chain_breaks(evidence: Evidence) -> tuple[str, ...]:
    """Links of the evidence chain that do not join, one sentence each; empty for sound evidence."""
    model, image, board = evidence.quantized.digest, evidence.image.digest, evidence.board.id
    bench, validation = evidence.bench, evidence.validation
    links = (
        ("the model summary", "model", evidence.model.digest, model),
        ("the memory plan", "model", evidence.plan.model_digest, model),
        ("the firmware project", "model", evidence.project.model_digest, model),
        ("the firmware image", "model", evidence.image.model_digest, model),
        ("the benchmark", "model", bench.model_digest, model),
        ("the device", "model", bench.device.model_digest, model),
        ("the validation", "model", validation.model_digest, model),
        ("the firmware image", "project", evidence.image.project_digest, evidence.project.digest),
        ("the benchmark", "image", bench.image_digest, image),
        ("the validation", "image", validation.image_digest, image),
        ("the device", "build", bench.device.build_id, evidence.image.build_id),
        ("the firmware project", "board", evidence.project.board_id, board),
        ("the firmware image", "board", evidence.image.board_id, board),
        ("the benchmark", "board", bench.board_id, board),
        ("the device", "board", bench.device.board_id, board),
        *(("the budget", "board", budget.board_id, board) for budget in evidence.budgets),
    )
    return tuple(
        f"{who} names {what} {found}, not {expected}" for who, what, found, expected in links if found != expected
    )
