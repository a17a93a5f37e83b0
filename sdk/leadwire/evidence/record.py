"""`Evidence`: everything a run found out, joined by digests.

Only records and what follows from them: `verdict`, `reasons`, `stamps` and `chain_breaks` are derived, never stored, so
that a document cannot contradict itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leadwire.artifacts import (
    BackendComparison,
    BenchmarkResult,
    BudgetLine,
    BudgetReport,
    CompressionResult,
    EnergyResult,
    FirmwareImage,
    FirmwareProject,
    MemoryPlan,
    Predictions,
    QuantizedModel,
    StressResult,
    ValidationResult,
    Verdict,
    sha256_hex,
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
class InstalledPackage:
    """A Python package that leadwire runs on. `digest` is over the names and digests of its own files, empty where it
    does not list them; `maker` and `anomalies` (the address of its list of issues) are its metadata's word."""

    name: str
    version: str
    digest: str
    maker: str = ""
    anomalies: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One test input: where it comes from, its reference class (an index into the dataset's labels) and when it was,
    in seconds from the start of its record; 0 where the dataset has no times."""

    record: str
    patient: str
    reference: int
    time_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """What travels beside evidence.json so that its figures can be derived again.

    `protocol` is the file that fixed endpoints and margins before the run. `predictions` are the outputs of each
    runtime on `beats`, or on those that `Predictions.indices` names. The model, the sources, the ELF and its logs are
    found through the records that made them. `files` are any further ones, by their names in the bundle.
    """

    protocol: Path
    beats: tuple[Beat, ...]
    predictions: tuple[Predictions, ...]
    files: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A word that stands on every page, and the sentence that explains it."""

    word: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One model on one board, from the trained network to the verdict.

    `budgets` are the checkpoints in order (planned, linked, then measured or emulated). `also_benchmarked` are further
    boards, benchmarked and not validated; `comparison` is this board with further backends, `energy` what a meter gave,
    `compression` what a recipe did to the network before. `created` is an ISO 8601 time only where the caller fixed one
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
    comparison: BackendComparison | None = None
    energy: EnergyResult | None = None
    compression: CompressionResult | None = None
    stress: StressResult | None = None
    created: str | None = None
    packages: tuple[InstalledPackage, ...] = ()

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
        if self.energy is not None and self.energy.basis == "simulated":
            what = " and ".join(self.energy.simulated)
            stamps.append(Stamp(word="SIMULATED", sentence=f"no power figure here was measured: simulated {what}"))
        if self.validation.dataset_basis == "synthetic":
            stamps.append(Stamp(word="SYNTHETIC", sentence="the signals are computed, no patient was recorded"))
        if self.demo_key:
            stamps.append(Stamp(word="DEMO KEY", sentence="signed with a demonstration key, which is not an identity"))
        return tuple(stamps)

    @property
    def verdict(self) -> Verdict:
        """The worst of the parts: budget, endpoints, samples, validation. Inconclusive never passes."""
        parts = (self.validation.verdict, self._budget_verdict, *(item.verdict for item in self.validation.endpoints))
        differs = self.stress is not None and (self.stress.device_differs or self.stress.host_differs)
        if "fail" in parts or self.validation.lost_samples or differs:
            return "fail"
        return "inconclusive" if "inconclusive" in parts else "pass"

    @property
    def reasons(self) -> tuple[str, ...]:
        """What keeps the verdict from 'pass', one sentence each; empty for a pass."""
        lines = [line for budget in self.budgets for line in budget.lines]
        found = [f"{o.resource} is {o.over:,.0f} {o.unit} over the budget ({o.basis})" for o in lines if o.over > 0]
        found += [
            f"{line.resource} is {line.basis} where the budget asks for a {line.required_basis} figure"
            for line in self._last_lines
            if not line.proven
        ]
        if not self._was_run:
            found.append("the budget was not checked against a run on the board")
        validation = self.validation
        endpoints = (f"{item.endpoint}: {item.reason}" for item in validation.endpoints if item.verdict != "pass")
        found += validation.reasons or endpoints
        if validation.lost_samples and not validation.reasons:
            found.append(f"{validation.lost_samples} sample(s) lost on the link: the run is invalid")
        if self.stress is not None:
            found += [
                f"under stress ({one.title} {one.level:g}) device and host differ in "
                f"{one.device_beats - one.device_identical} of {one.device_beats} beats"
                if one.level is not None
                else f"in the stress set device and host differ in {one.device_beats - one.device_identical} beats"
                for one in self.stress.device_differs
            ]
            found += [
                f"under stress ({one.title}{'' if one.level is None else f' {one.level:g}'}) the generated C gives "
                "other bytes than TFLite Micro"
                for one in self.stress.host_differs
            ]
        if not found and self.verdict != "pass":
            found.append(f"the validation against protocol '{validation.protocol_name}' is {validation.verdict}")
        return tuple(found)

    @property
    def _last_lines(self) -> tuple[BudgetLine, ...]:
        return self.budgets[-1].lines if self.budgets else ()

    @property
    def _was_run(self) -> bool:
        return any(budget.basis in ("measured", "emulated") for budget in self.budgets)

    @property
    def _budget_verdict(self) -> Verdict:
        if any(line.over > 0 for budget in self.budgets for line in budget.lines):
            return "fail"
        return "pass" if self._was_run and all(line.proven for line in self._last_lines) else "inconclusive"


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
                name=tensor.label,
                shape=tensor.shape,
                dtype=tensor.dtype.value,
                size_bytes=tensor.size_bytes,
            )
            for tensor in model.tensors
            if not tensor.is_constant
        ),
        operators=tuple(
            OperatorSummary(index=operator.index, kind=operator.kind, tensor=model.output(operator).label)
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
        ("the benchmark", "basis", bench.basis, evidence.board.basis),
        *(("the budget", "board", budget.board_id, board) for budget in evidence.budgets),
        *(
            (
                f"the {budget.basis} budget",
                "subject",
                budget.subject_digest,
                model if budget.basis == "planned" else image,
            )
            for budget in evidence.budgets
        ),
        *_comparison_links(evidence),
        *_energy_links(evidence),
        *_compression_links(evidence),
        *_stress_links(evidence),
    )
    return tuple(
        f"{who} names {what} {found}, not {expected}" for who, what, found, expected in links if found != expected
    )


def _energy_links(evidence: Evidence) -> tuple[tuple[str, str, str, str], ...]:
    """The image may be another: MLPerf Tiny's energy mode is a firmware of its own around the same model."""
    energy = evidence.energy
    if energy is None:
        return ()
    who = "the energy"
    basis = "simulated" if energy.simulated or evidence.board.basis == "emulated" else "measured"
    return (
        (who, "model", energy.model_digest, evidence.quantized.digest),
        (who, "board", energy.board_id, evidence.board.id),
        (who, "basis", energy.basis, basis),
    )


def _compression_links(evidence: Evidence) -> tuple[tuple[str, str, str, str], ...]:
    """The recipe's table must hold the very network that was quantized, and the text of the recipe it names."""
    compression = evidence.compression
    if compression is None:
        return ()
    who, source = "the compression", evidence.quantized.source_digest
    made = {row.model_digest for row in compression.rows}
    last = compression.rows[-1].model_digest if compression.rows else "none"
    return (
        (who, "network", source if source in made else last, source),
        (who, "recipe", sha256_hex(compression.recipe_text.encode()), compression.recipe_digest),
    )


def _stress_links(evidence: Evidence) -> tuple[tuple[str, str, str, str], ...]:
    stress = evidence.stress
    if stress is None:
        return ()
    who = "the stress matrix"
    return (
        (who, "model", stress.model_digest, evidence.quantized.digest),
        (who, "protocol", stress.protocol_digest, evidence.validation.protocol_digest),
    )


def _comparison_links(evidence: Evidence) -> tuple[tuple[str, str, str, str], ...]:
    comparison = evidence.comparison
    if comparison is None:
        return ()
    who = "the comparison of backends"
    return (
        (who, "model", comparison.model_digest, evidence.quantized.digest),
        (who, "board", comparison.board_id, evidence.board.id),
        (who, "image", comparison.results[0].image_digest, evidence.image.digest),
        (who, "bytes", comparison.results[0].io_digest, evidence.bench.io_digest),
        *((who, "model", one.model_digest, comparison.model_digest) for one in comparison.results),
    )
