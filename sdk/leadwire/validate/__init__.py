"""validate: float, INT8 on the host and INT8 on the device on the same beats, judged by a protocol fixed beforehand.

Predictions come from the other stages; this one only counts. docs/manual/statistics.md says how, in words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from itertools import combinations

import numpy as np

from leadwire.artifacts import (
    Divergence,
    EndpointResult,
    EquivalenceResult,
    ExclusionResult,
    OperatingPointResult,
    Predictions,
    ProtocolState,
    ValidationResult,
    Verdict,
)
from leadwire.datasets.dataset import Dataset
from leadwire.errors import BadInputError
from leadwire.protocols import EC57_START_S, Endpoint, Protocol
from leadwire.stats import Bootstrap, Floats

from .by_ec57 import by_ec57, can_be_scored
from .divergence import FloatLayers, LayerPair, changed_decisions, explained, float_divergence
from .endpoints import Beats, judge
from .equivalences import equivalence
from .identity import OperatorOutput, OperatorOutputs, broken_rule, compare, must_agree, not_compared
from .inputs import Integers, Run, check_dataset, check_predictions
from .multiplicity import adjusted
from .operating_points import Outputs, grid, operating_point
from .records import record_failures, records_of, subgroup_failures
from .reliability import reliability
from .scope import check_excluded, exclude, in_population, known_attributes, subgroup_results
from .scores import proportions, runtime_metrics
from .stress import StressRun, judge_stress

__all__ = [
    "FloatLayers",
    "LayerPair",
    "OperatorOutput",
    "OperatorOutputs",
    "StressRun",
    "exclude",
    "judge_stress",
    "run_validation",
]

_FEW_PATIENTS = 20
_FEW_OF_UNEVEN_LENGTH = 200
"""Up to so many patients bootstrap-t may cover less than it says where the longer recordings change more:
`make coverage`."""


def run_validation(
    dataset: Dataset,
    protocol: Protocol,
    predictions: Iterable[Predictions] | Mapping[str, Predictions],
    *,
    model_digest: str,
    image_digest: str,
    io_digest: str,
    lost_samples: int,
    calibration_patients: Collection[str] | None,
    operator_outputs: OperatorOutputs | None = None,
    float_layers: FloatLayers | None = None,
    changed_limit: int = 40,
    also_noted: tuple[str, ...] = (),
    training_patients: Collection[str] | None = None,
    protocol_state: ProtocolState | None = None,
    excluded: tuple[ExclusionResult, ...] = (),
) -> ValidationResult:
    """Judge INT8 on the device against float.

    `predictions`: float, tflite and device are needed, tflm and host_c wanted; float and tflite cover the dataset, the
    others may carry `indices`. `lost_samples` counts beats sent without a valid answer: one is enough to fail.
    `calibration_patients` and `training_patients` must not occur in the dataset (LeakError); None where nobody knows
    them, which is noted. `protocol_state` says whether the protocol is the one that was frozen; None: nobody froze it.
    `excluded` is what `exclude` took away.
    `operator_outputs` explains differing bytes, `float_layers` changed decisions. Of these `changed_limit` are listed,
    first those that INT8 got wrong. `also_noted` is what the caller knows of the run.

    Raises DatasetError, LeakError or BadInputError for input that cannot be judged; a bad figure is a result.
    """
    if lost_samples < 0:
        raise BadInputError(f"{lost_samples} lost samples")
    check_dataset(dataset, protocol, calibration_patients, training_patients)
    check_excluded(dataset, protocol)
    state = protocol_state or ProtocolState(state="unfrozen")
    given = list(predictions.values() if isinstance(predictions, Mapping) else predictions)
    runs = check_predictions(given, dataset, model_digest)
    outputs = {one.runtime: one for one in given}
    curves = (reliability(run, outputs[runtime], dataset) for runtime, run in runs.items())
    rule = protocol.statistics
    bootstrap = Bootstrap(resamples=rule.resamples, seed=rule.seed, method=rule.method)

    identities = _identities(dataset, runs, None if operator_outputs is None else cache(operator_outputs))
    broken, unchecked = _identity_reasons(protocol, runs, identities)
    judged = _judged_run(protocol, runs, identities)
    scope = judged.beats
    patients = [dataset.patients[beat] for beat in scope]
    float_decided = runs["float"].decided[scope]
    beats = Beats(
        reference=dataset.labels[scope].astype(np.int64),
        float_decided=float_decided,
        int8_decided=judged.decided,
        patients=patients,
        records=[dataset.records[beat] for beat in scope],
        after_learning=dataset.times_s[scope] >= EC57_START_S,
    )
    members = {
        name: in_population(protocol.population(name), dataset, scope)
        for name in {endpoint.population for endpoint in protocol.endpoints}
    }

    def judge_part(endpoint: Endpoint, places: Integers) -> EndpointResult:
        return judge(endpoint, protocol, beats.part(np.intersect1d(places, members[endpoint.population])), bootstrap)

    everything = np.arange(len(scope), dtype=np.int64)
    endpoints = adjusted(
        [judge_part(endpoint, everything) for endpoint in protocol.endpoints],
        rule,
        [beats.part(members[endpoint.population]).patients_of(endpoint) for endpoint in protocol.endpoints],
    )
    equivalences = _equivalences(protocol, dataset, runs, judged)
    attributes = known_attributes(dataset, scope)
    subgroups = subgroup_results(protocol, dataset, scope, attributes, judge_part)
    records = records_of(dataset, runs, judged)
    failures = [*broken, *record_failures(protocol, records), *subgroup_failures(protocol, subgroups)]
    if state.state == "changed":
        unchecked.append(
            f"protocol '{protocol.name}' was changed after it was frozen: digest {protocol.digest[:16]}, "
            f"frozen was {state.frozen_digest[:16]}"
        )
    if lost_samples:
        failures.append(f"{lost_samples} sample(s) were lost on the way to the device and back: the run is invalid")
    changed = scope[float_decided != judged.decided]
    same = np.stack([float_decided == judged.decided, np.ones(len(scope))], axis=1).astype(np.float64)
    failures += [f"{one.name}: {one.reason}" for one in equivalences if one.verdict == "fail"]
    unchecked += [f"{one.name}: {one.reason}" for one in equivalences if one.verdict == "inconclusive"]
    missing = [one.name for one in protocol.equivalences][len(equivalences) :]
    unchecked += [f"{name}: the INT8 outputs are not the classes' own, so nothing can be said" for name in missing]
    on_grid = None if judged.raw is None else grid(judged.raw, judged.outputs)
    step = None if on_grid is None else on_grid[0]
    listed = explained(
        changed_decisions(dataset, runs["float"], judged, changed, changed_limit, step), float_layers, step
    )
    verdict, reasons = _overall(failures, unchecked, endpoints)
    return ValidationResult(
        protocol_name=protocol.name,
        protocol_digest=protocol.digest,
        dataset_name=dataset.name,
        dataset_digest=dataset.digest,
        dataset_basis=dataset.basis,
        model_digest=model_digest,
        image_digest=image_digest,
        labels=protocol.labels,
        beats=len(dataset.labels),
        patients=len(set(dataset.patients)),
        metrics=tuple(runtime_metrics(run, dataset, protocol, bootstrap) for run in runs.values()),
        agreement_float_int8=proportions(["same decision, float and INT8"], same, patients, bootstrap, rule.level)[0],
        host_device=_pair(identities, protocol.host_device.witness, "device"),
        tflite_device=_pair(identities, "tflite", "device"),
        endpoints=endpoints,
        records=records,
        changed=listed,
        changed_total=len(changed),
        lost_samples=lost_samples,
        io_digest=io_digest,
        notes=(
            *_notes(dataset, runs, judged, calibration_patients, training_patients),
            *_protocol_notes(state, excluded),
            *also_noted,
        ),
        verdict=verdict,
        device_beats=len(runs["device"].beats),
        judged_runtime=judged.runtime,
        identities=identities,
        reasons=reasons,
        protocol_state=state,
        excluded=excluded,
        attributes=attributes,
        subgroups=subgroups,
        operating_points=_operating_points(protocol, dataset, runs, judged, on_grid, bootstrap),
        float_int8=None if step is None else float_divergence(listed, runs["float"], judged, step),
        reliability=tuple(curve for curve in curves if curve is not None),
        ec57=by_ec57(runs, judged, dataset),
        equivalences=equivalences,
    )


def _equivalences(
    protocol: Protocol, dataset: Dataset, runs: dict[str, Run], judged: Run
) -> tuple[EquivalenceResult, ...]:
    """Those of the protocol; none where INT8's outputs are not the classes' own grid."""
    scope = judged.beats
    on_grid = None if judged.raw is None or not protocol.equivalences else grid(judged.raw, judged.outputs)
    if on_grid is None or judged.raw is None:
        return ()
    patients = [dataset.patients[beat] for beat in scope]
    real = on_grid[0] * (judged.raw.astype(np.int64) - on_grid[1])
    differences = runs["float"].outputs[scope] - real
    return tuple(
        equivalence(one, protocol, differences[:, protocol.labels.index(one.label)], patients, on_grid)
        for one in protocol.equivalences
    )


def _operating_points(
    protocol: Protocol,
    dataset: Dataset,
    runs: dict[str, Run],
    judged: Run,
    on_grid: tuple[float, int] | None,
    bootstrap: Bootstrap,
) -> tuple[OperatingPointResult, ...]:
    """Those of the protocol whose class has beats; none where INT8's outputs are not the classes' own grid."""
    scope = judged.beats
    if on_grid is None:
        return ()
    found = []
    for point in protocol.operating_points:
        place = protocol.labels.index(point.label)
        outputs = Outputs(
            is_class=dataset.labels[scope] == place,
            float_output=runs["float"].outputs[scope, place],
            int8_output=judged.outputs[:, place],
            patients=[dataset.patients[beat] for beat in scope],
        )
        found.append(operating_point(point, protocol, outputs, on_grid, bootstrap))
    return tuple(one for one in found if one is not None)


# ---------------------------------------------------------------------------------------------- identity, scope


def _identities(
    dataset: Dataset, runs: dict[str, Run], operator_outputs: OperatorOutputs | None
) -> tuple[Divergence, ...]:
    """Every two INT8 runtimes, the specification first: tflm, host_c, tflite, device."""
    present = [runs[runtime] for runtime in ("tflm", "host_c", "tflite", "device") if runtime in runs]
    return tuple(compare(first, second, dataset, runs, operator_outputs) for first, second in combinations(present, 2))


def _pair(identities: tuple[Divergence, ...], first: str, second: str) -> Divergence:
    return next((one for one in identities if one.runtimes == (first, second)), not_compared((first, second)))


def _identity_reasons(
    protocol: Protocol, runs: dict[str, Run], identities: tuple[Divergence, ...]
) -> tuple[list[str], list[str]]:
    """Demands of the protocol on host and device that are broken, and those that could not be checked."""
    rule = protocol.host_device
    broken = [broken_rule(one, rule) for one in identities if must_agree(*one.runtimes)]
    unchecked = []
    sent = len(runs["device"].beats)
    checked = _pair(identities, rule.witness, "device").compared
    if checked < sent:
        unchecked.append(f"only {checked} of {sent} beats of the device could be compared with {rule.witness}")
    demanded = min(rule.minimum_device_beats, len(runs["float"].beats))
    if sent < demanded:
        unchecked.append(f"the device was sent {sent} beats of at least {demanded}")
    return [reason for reason in broken if reason], unchecked


def _judged_run(protocol: Protocol, runs: dict[str, Run], identities: tuple[Divergence, ...]) -> Run:
    """The device, or the generated C where it covers more and equalled the device on every beat sent."""
    device, host_c, rule = runs["device"], runs.get("host_c"), protocol.host_device
    if host_c is None or not rule.extend_with_host_c or len(host_c.beats) <= len(device.beats):
        return device
    proof = _pair(identities, "host_c", "device")
    proven = proof.identical == len(device.beats) >= rule.minimum_device_beats
    return host_c if proven else device


# ---------------------------------------------------------------------------------------------- verdict


def _overall(
    failures: list[str], unchecked: list[str], endpoints: tuple[EndpointResult, ...]
) -> tuple[Verdict, tuple[str, ...]]:
    """One failure fails; else one doubt leaves it inconclusive; the reasons are those that count."""

    def said(verdict: Verdict) -> list[str]:
        return [f"{one.endpoint}: {one.reason}{_patients(one)}" for one in endpoints if one.verdict == verdict]

    failed, doubts = [*failures, *said("fail")], [*unchecked, *said("inconclusive")]
    if failed:
        return "fail", (*failed, *doubts)
    return ("inconclusive", tuple(doubts)) if doubts else ("pass", ())


def _patients(endpoint: EndpointResult) -> str:
    needed = endpoint.patients_needed
    return f" (about {needed} patients like these would be needed)" if needed else ""


def _protocol_notes(state: ProtocolState, excluded: tuple[ExclusionResult, ...]) -> list[str]:
    notes = [f"{one.beats} beats were left out before anything was judged: {one.reason}" for one in excluded]
    if state.state == "unfrozen":
        notes.append(
            "the protocol was not frozen before the run ('leadwire protocol freeze'): only its digest is known"
        )
    notes += [
        f"the protocol was amended after it had been frozen as {x.digest[:16]}: {x.reason}" for x in state.amendments
    ]
    return notes


def _notes(
    dataset: Dataset,
    runs: dict[str, Run],
    judged: Run,
    calibration_patients: Collection[str] | None,
    training_patients: Collection[str] | None,
) -> tuple[str, ...]:
    """What a reader must know to read the figures rightly."""
    total, sent = len(dataset.labels), len(runs["device"].beats)
    of_beats = np.array([dataset.patients[beat] for beat in judged.beats])
    names, patient, lengths = np.unique(of_beats, return_inverse=True, return_counts=True)
    patients = len(names)
    notes = ["the decision is the class with the largest output; of equal outputs the first class"]
    if dataset.basis == "synthetic":
        notes.append("synthetic ECG: the figures say nothing of any patient")
    if reason := can_be_scored(dataset):
        notes.append(f"not scored by EC57: {reason}")
    if sent < total and judged.runtime == "device":
        notes.append(
            f"the device was sent {sent} of {total} beats; its metrics, the endpoints, records and changed decisions "
            "are over these beats, the metrics of the other runtimes over theirs"
        )
    elif sent < total:
        notes.append(
            f"the device was sent {sent} of {total} beats and answered each with the bytes of the generated C run on "
            f"the host; endpoints, records and changed decisions are from that C over {len(judged.beats)} beats"
        )
    if patients < _FEW_PATIENTS:
        notes.append(f"{patients} patients: a bootstrap over fewer than about {_FEW_PATIENTS} patients is too narrow")
    elif patients < _FEW_OF_UNEVEN_LENGTH:
        changed = judged.decided != runs["float"].decided[runs["float"].at(judged.beats)]
        changed_of = np.bincount(patient, weights=changed).astype(np.float64)
        if note := _longer_change_more(lengths.astype(np.float64), changed_of):
            notes.append(note)
    for of, known in (("calibration", calibration_patients), ("training", training_patients)):
        if known is None:
            notes.append(f"the {of} patients are unknown: that none of them is in the test set was not checked")
    return tuple(notes)


def _longer_change_more(lengths: Floats, changed: Floats) -> str | None:
    """What to know where patients with more beats have a larger share of changed decisions: Spearman's rank
    correlation, one-sided at 5 %."""
    from scipy.stats import spearmanr

    shares = changed / lengths
    if len(set(lengths)) == 1 or len(set(shares)) == 1:
        return None
    found = spearmanr(lengths, shares, alternative="greater")
    if found.pvalue > 0.05:
        return None
    return (
        f"patients with more beats have more of their decisions changed (Spearman's rank correlation "
        f"{found.statistic:.2f}, p {found.pvalue:.3f}): with fewer than about {_FEW_OF_UNEVEN_LENGTH} patients an "
        "interval may cover less than it says"
    )
