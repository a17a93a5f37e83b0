"""Two bundles compared: what they were made from, their figures on the same beats, their resources, and the verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leadwire.artifacts import Interval
from leadwire.evidence.judgement import expected
from leadwire.protocols import Endpoint

from .opened import Opened, open_bundle
from .plan import Bound, ChangePlan, Resource, ResourceBound, Subject

Verdict = Literal["inside", "outside", "inconclusive"]
_VERDICTS: dict[str, Verdict] = {"pass": "inside", "fail": "outside", "inconclusive": "inconclusive"}
_NO_BOUND = 0.5  # where no plan is given an interval is shown and nothing is judged by it


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectChange:
    """`governs` is the word of a plan's may_change, empty for what follows from other subjects. `verdict` is outside
    where a plan does not let it change, empty without a plan."""

    what: str
    governs: Subject | Literal[""]
    old: str
    new: str
    verdict: Verdict | Literal[""] = ""

    @property
    def changed(self) -> bool:
        return self.old != self.new


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureChange:
    """A figure of INT8 in both bundles over the same beats. `loss` is old - new, `interval` from the lowest to the
    highest limit of patient bootstrap and beat-level interval; None where beats are not paired."""

    name: str
    old: float
    new: float
    loss: float | None
    interval: Interval | None
    max_loss: float | None
    verdict: Verdict | Literal[""]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """None where a bundle does not know the figure. `unit` B, instructions or us; `basis` of old and new."""

    resource: Resource
    unit: str
    old: float | None
    new: float | None
    basis: tuple[str, str]
    max_increase: float | None
    verdict: Verdict | Literal[""]
    reason: str

    @property
    def increase(self) -> float | None:
        """As a fraction of the old figure."""
        return None if self.old is None or self.new is None or not self.old else self.new / self.old - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAssessment:
    """`old_digest` and `new_digest` are the SHA-256 of the bundles; `old_trust` and `new_trust` say who signed.
    `verdict` is the worst of all: outside, inconclusive, inside; `reasons` what keeps it from inside. Without a plan
    `plan` and `verdict` are empty and nothing is judged."""

    old: str
    new: str
    old_digest: str
    new_digest: str
    old_trust: str
    new_trust: str
    old_verdict: str
    new_verdict: str
    plan: str
    plan_digest: str
    beats: int
    patients: int
    subjects: tuple[SubjectChange, ...]
    figures: tuple[FigureChange, ...]
    resources: tuple[ResourceChange, ...]
    notes: tuple[str, ...]
    verdict: Verdict | Literal[""]
    reasons: tuple[str, ...]


def compare_bundles(
    old: Path, new: Path, plan: ChangePlan | None = None, public_key: Path | None = None
) -> ChangeAssessment:
    """Verify both, then compare. `public_key` is the issuer's of both. EvidenceError (8) where one does not verify."""
    before, after = open_bundle(old, public_key), open_bundle(new, public_key)
    unpaired = _unpaired(before, after)
    figures = [_figure(before, after, bound, unpaired) for bound in (plan.bounds if plan else ())]
    if plan is None:
        figures = [_figure(before, after, endpoint, unpaired) for endpoint in after.protocol.endpoints]
    subjects = (*_reference(before, plan), *_subjects(before, after, plan))
    resources = tuple(_resources(before, after, plan))
    judged: tuple[FigureChange | ResourceChange, ...] = (*figures, *resources)
    return ChangeAssessment(
        old=before.evidence.name,
        new=after.evidence.name,
        old_digest=before.verified.digest,
        new_digest=after.verified.digest,
        old_trust=before.verified.trust,
        new_trust=after.verified.trust,
        old_verdict=before.evidence.verdict,
        new_verdict=after.evidence.verdict,
        plan=plan.name if plan else "",
        plan_digest=plan.digest if plan else "",
        beats=len(before.decided.keys() & after.decided.keys()) if not unpaired else 0,
        patients=len(set(after.table.patients)) if not unpaired else 0,
        subjects=subjects,
        figures=tuple(figures),
        resources=resources,
        notes=tuple(_notes(before, after, unpaired)),
        verdict=_worst(*(one.verdict for one in subjects), *(one.verdict for one in judged)) if plan else "",
        reasons=tuple(_reasons(subjects, judged)),
    )


def _worst(*found: Verdict | Literal[""]) -> Verdict:
    return "outside" if "outside" in found else "inconclusive" if "inconclusive" in found else "inside"


def _reasons(subjects: tuple[SubjectChange, ...], judged: tuple[FigureChange | ResourceChange, ...]) -> Iterator[str]:
    for one in subjects:
        if one.verdict == "outside":
            yield f"{one.what} changed, which the plan does not provide for"
    yield from (one.reason for one in judged if one.verdict in ("outside", "inconclusive"))


# ---------------------------------------------------------------------------------------------- subjects


def _reference(before: Opened, plan: ChangePlan | None) -> Iterator[SubjectChange]:
    """The plan is about one version: another one in its place is no comparison under the plan."""
    if plan and plan.reference:
        same = plan.reference == before.verified.digest
        yield SubjectChange(
            what="the version that the plan is about",
            governs="",
            old=plan.reference,
            new=before.verified.digest,
            verdict="inside" if same else "outside",
        )


def _subjects(before: Opened, after: Opened, plan: ChangePlan | None) -> Iterator[SubjectChange]:
    allowed = set(plan.may_change) if plan else set()
    for (what, governs, one), (_, _, other) in zip(_made_from(before), _made_from(after), strict=True):
        changed = SubjectChange(what=what, governs=governs, old=one, new=other)
        verdict: Verdict | Literal[""] = ""
        if plan and governs:
            verdict = "outside" if changed.changed and governs not in allowed else "inside"
        yield dataclasses.replace(changed, verdict=verdict)


def _made_from(opened: Opened) -> Iterator[tuple[str, Subject | Literal[""], str]]:
    evidence = opened.evidence
    calibration = evidence.quantized.calibration
    yield "float model", "model", evidence.quantized.source_digest
    yield "INT8 model", "model", evidence.model.digest
    yield "calibration inputs", "calibration", calibration.digest
    yield "calibration rule", "calibration", f"{calibration.dataset}: {calibration.policy}"
    yield (
        "quantization settings",
        "calibration",
        ", ".join(f"{name} {value}" for name, value in evidence.quantized.pinned),
    )
    yield "test data set", "dataset", evidence.validation.dataset_digest
    yield "protocol", "protocol", evidence.validation.protocol_digest
    yield "board", "board", evidence.board.id
    yield "backend", "backend", evidence.project.backend
    yield "compiler", "toolchain", evidence.image.toolchain
    yield "tools", "toolchain", ", ".join(f"{tool.name} {tool.version}" for tool in evidence.tools)
    yield "environment", "environment", ", ".join(f"{name} {value}" for name, value in evidence.environment)
    yield "generated sources", "", evidence.project.digest
    yield "firmware", "", evidence.image.digest


# ---------------------------------------------------------------------------------------------- figures


def _unpaired(before: Opened, after: Opened) -> str:
    """Why beats cannot be paired; empty where they can."""
    if before.table.labels != after.table.labels:
        return f"the classes are {' '.join(before.table.labels)} and {' '.join(after.table.labels)}"
    if before.beats != after.beats:
        return (
            f"the test sets differ: {len(before.table.reference)} and {len(after.table.reference)} beats, not the same"
        )
    if not before.decided.keys() & after.decided.keys():
        return "no beat was judged in both"
    return ""


def _figure(before: Opened, after: Opened, wanted: Bound | Endpoint, unpaired: str) -> FigureChange:
    """Judged as an endpoint of the new bundle's protocol is, the old INT8 model in the place of the float model."""
    max_loss = wanted.max_loss if isinstance(wanted, Bound) else None
    absent = [label for label in wanted.classes if label not in after.table.labels]
    if unpaired or absent:
        reason = unpaired or f"there is no class '{absent[0]}'"
        return FigureChange(
            name=wanted.name,
            old=_alone(before, wanted),
            new=_alone(after, wanted),
            loss=None,
            interval=None,
            max_loss=max_loss,
            verdict="" if max_loss is None else "inconclusive",
            reason=f"{wanted.name}: {reason}",
        )
    both = before.decided.keys() & after.decided.keys()
    answers = dataclasses.replace(
        after.table.answers["float"], decided={beat: before.decided[beat] for beat in sorted(both)}
    )
    table = dataclasses.replace(after.table, answers={"float": answers})
    decided = {beat: after.decided[beat] for beat in sorted(both)}
    found = expected(_endpoint(wanted, max_loss or _NO_BOUND), after.protocol, table, decided)
    limits = "no interval" if found.judged is None else f"{100 * found.judged.low:.2f} to {100 * found.judged.high:.2f}"
    verdict = _VERDICTS[found.verdict]
    judged = "inconclusive about" if verdict == "inconclusive" else verdict
    bound = "" if max_loss is None else f", {judged} the bound of {100 * max_loss:g}"
    return FigureChange(
        name=wanted.name,
        old=found.float_value,
        new=found.int8_value,
        loss=found.loss,
        interval=found.judged,
        max_loss=max_loss,
        verdict="" if max_loss is None else verdict,
        reason=f"{wanted.name}: a loss of {100 * found.loss:.2f} points [{limits}]{bound}",
    )


def _endpoint(wanted: Bound | Endpoint, margin: float) -> Endpoint:
    population = wanted.population if isinstance(wanted, Endpoint) else ""
    return Endpoint(
        name=wanted.name,
        measure=wanted.measure,
        label=wanted.label,
        labels=wanted.labels,
        margin=margin,
        rationale=wanted.rationale,
        population=population,
    )


def _alone(opened: Opened, wanted: Bound | Endpoint) -> float:
    """The figure in one bundle, over the beats that were judged there; NaN where it has no such class."""
    if not set(wanted.classes) <= set(opened.table.labels):
        return float("nan")
    return expected(_endpoint(wanted, _NO_BOUND), opened.protocol, opened.table, opened.decided).int8_value


# ---------------------------------------------------------------------------------------------- resources


def _resources(before: Opened, after: Opened, plan: ChangePlan | None) -> Iterator[ResourceChange]:
    bounds = {bound.resource: bound for bound in (plan.resources if plan else ())}
    for (resource, unit, old), (_, _, new) in zip(_figures_of(before), _figures_of(after), strict=True):
        yield _resource(resource, unit, old, new, (before, after), bounds.get(resource))


def _figures_of(opened: Opened) -> Iterator[tuple[Resource, str, float | None]]:
    bench = opened.evidence.bench
    yield "flash", "B", bench.flash_bytes
    yield "ram", "B", bench.ram_bytes
    yield "arena", "B", bench.arena_bytes
    yield "instructions", "instructions", bench.instructions_per_inference
    yield "latency_p99", "us", bench.latency_us.p99


def _resource(
    resource: Resource,
    unit: str,
    old: float | None,
    new: float | None,
    bundles: tuple[Opened, Opened],
    bound: ResourceBound | None,
) -> ResourceChange:
    verdict: Verdict | Literal[""] = ""
    reason = ""
    boards = {one.evidence.board.id for one in bundles}
    basis = (bundles[0].evidence.bench.basis, bundles[1].evidence.bench.basis)
    if bound is not None:
        if old is None or new is None:
            verdict, reason = "inconclusive", f"{resource}: not known in both bundles"
        elif len(boards) > 1 or basis[0] != basis[1]:
            verdict, reason = "inconclusive", f"{resource}: of different boards or basis ({', '.join(basis)})"
        elif new > old * (1 + bound.max_increase):
            verdict, reason = (
                "outside",
                (f"{resource}: {new:,.0f} {unit} after {old:,.0f} {unit}, more than {100 * bound.max_increase:g} % up"),
            )
        else:
            verdict = "inside"
    return ResourceChange(
        resource=resource,
        unit=unit,
        old=old,
        new=new,
        basis=basis,
        max_increase=bound.max_increase if bound else None,
        verdict=verdict,
        reason=reason,
    )


def _notes(before: Opened, after: Opened, unpaired: str) -> Iterator[str]:
    if unpaired:
        yield f"figures are not compared beat by beat: {unpaired}"
    if before.verified.signer != after.verified.signer:
        yield "the bundles were signed by different keys"
    if not (before.verified.authenticated and after.verified.authenticated):
        yield "no trusted key was given: the signers are not authenticated"
    for opened, which in ((before, "old"), (after, "new")):
        if opened.evidence.stamps:
            yield f"the {which} bundle is stamped {', '.join(stamp.word for stamp in opened.evidence.stamps)}"
        if opened.evidence.verdict != "pass":
            yield f"the {which} bundle's own verdict is {opened.evidence.verdict}"
