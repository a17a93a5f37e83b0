"""Protocols: what is to be shown, on whom and by how much, fixed in a TOML file before the run.

The digest of the file's bytes goes into the evidence, so that margins cannot move after the figures are known.
Built-in protocols are validation/protocols/<id>.toml; how verdicts are made from one: docs/manual/statistics.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import floor
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from leadwire import resources
from leadwire.artifacts import sha256_hex
from leadwire.errors import ConfigError, FileMissingError
from leadwire.strict import parse_table, read_toml

from . import scope, stress
from .scope import Exclusion, OperatingPoint, Population, Subgroup, Text
from .stress import Condition, StressRule

__all__ = [
    "EC57_EXCUSED",
    "EC57_START_S",
    "ClassRule",
    "Condition",
    "Endpoint",
    "Equivalence",
    "Exclusion",
    "HostDeviceRule",
    "Measure",
    "OperatingPoint",
    "Population",
    "Protocol",
    "RecordRule",
    "StatisticsRule",
    "StressRule",
    "Subgroup",
    "beyond_ec57",
    "builtin_protocols",
    "load_protocol",
    "protocol_path",
]

Measure = Literal[
    "accuracy",
    "sensitivity",
    "positive_predictivity",
    "f1",
    "macro_f1",
    "ec57_sensitivity",
    "ec57_positive_predictivity",
]
"""Those of EC57 leave out the first five minutes of each record and take the standard's own rule for false
positives.
"""
EC57_EXCUSED = {"V": ("F", "Q"), "S": ("Q",)}
"""Beats that EC57 counts as no false positive of a class: fusion and unknown ones called V, unknown ones called S."""
EC57_START_S = 300.0
MOST_RESAMPLES = 100_000
Count = Annotated[int, Field(ge=0, le=10**9)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRule:
    """How one class is scored, and how much of it must be there before a verdict on it means anything.

    A beat whose reference class is in `not_false_positive` and that is called `label` counts neither for nor against
    positive predictivity and F1 (ANSI/AAMI EC57: fusion and unknown beats called V, unknown beats called S).
    """

    label: Text
    name: Text
    minimum_beats: Count = 0
    minimum_patients: Count = 0
    not_false_positive: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The loss (float - INT8) of one figure and the `margin` below which it is acceptable, as a fraction.

    `label` is the class a figure belongs to, empty for accuracy and macro_f1; `labels` are the classes that macro_f1 is
    the mean over, for no other measure. `rationale` says why this margin. `population` is the one that it is judged on,
    empty for the whole test set.
    """

    name: Text
    measure: Measure
    margin: Share
    rationale: Text
    label: str = ""
    labels: Annotated[tuple[Text, ...], Field(max_length=256)] = ()
    population: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the figure is about; none for accuracy."""
        return (self.label,) if self.label else self.labels

    @property
    def is_ec57(self) -> bool:
        return self.measure.startswith("ec57_")

    @property
    def share(self) -> str:
        """The measure without the standard that it follows: 'sensitivity' of 'ec57_sensitivity'."""
        return self.measure.removeprefix("ec57_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """The mean difference (float - INT8) of the output for `label` over all judged beats must be shown to lie within
    +- `margin`, both one-sided tests at `one_sided_alpha`. Outputs are what the network gives, probabilities after a
    softmax.
    """

    name: Text
    label: Text
    margin: Annotated[float, Field(gt=0.0, le=1e6)]
    rationale: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRule:
    """`one_sided_alpha` 0.025 judges by the upper limit of the two-sided 95 % interval. `power` is for planning only:
    the probability with which the stated number of patients would end an inconclusive result. `method` makes the
    intervals over resampled patients; percentile and bca are known to be too narrow for fewer than some hundred.

    `multiplicity` says how several endpoints share alpha. 'all': all must pass, each at alpha (intersection-union: no
    correction is needed for the run's verdict, but no single pass is a claim). 'holm': each pass is a claim of its own.
    'hierarchical': endpoints are tested in the order of the file, and after one that is not shown none passes.
    """

    one_sided_alpha: Annotated[float, Field(ge=0.0005, le=0.2)] = 0.025
    resamples: Annotated[int, Field(ge=1000, le=MOST_RESAMPLES)] = 2000
    method: Literal["percentile", "bca", "bootstrap-t"] = "bootstrap-t"
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 1
    power: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.8
    multiplicity: Literal["all", "holm", "hierarchical"] = "all"

    @property
    def level(self) -> float:
        """Two-sided confidence level of all intervals."""
        return 1.0 - 2.0 * self.one_sided_alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDeviceRule:
    """When host and device count as the same.

    `witness` computes on the host what the device must compute: 'tflm' (TensorFlow Lite Micro's interpreter) or
    'host_c' (the generated C). Where the device was sent only part of the beats, and `extend_with_host_c` holds, the
    endpoints are taken from the generated C on the host over all beats, provided its bytes equal the device's on every
    beat sent and these were at least `minimum_device_beats`.
    """

    witness: Literal["tflm", "host_c"] = "tflm"
    max_abs_lsb: Annotated[int, Field(ge=0, le=255)] = 0
    max_differing_ppm: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    max_decisions_changed: Count = 0
    minimum_device_beats: Annotated[int, Field(ge=1, le=10**9)] = 1
    extend_with_host_c: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRule:
    """No record of at least `minimum_beats` beats may lose more accuracy than this, interval or not, and no class that
    an endpoint is about more than `max_sensitivity_loss` of its sensitivity in a record with `minimum_class_beats`.
    """

    max_accuracy_loss: Share
    minimum_beats: Annotated[int, Field(ge=1, le=10**9)] = 100
    max_sensitivity_loss: Share | None = None
    minimum_class_beats: Annotated[int, Field(ge=1, le=10**9)] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One protocol file. `digest` is the SHA-256 of its bytes, never a key of the file."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
    title: Text
    intended_population: Text
    labels: Annotated[tuple[Text, ...], Field(min_length=2, max_length=256)]
    minimum_patients: Annotated[int, Field(ge=2, le=10**9)]
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1, max_length=100)]
    classes: tuple[ClassRule, ...] = ()
    statistics: StatisticsRule = field(default_factory=StatisticsRule)
    host_device: HostDeviceRule = field(default_factory=HostDeviceRule)
    record_limit: RecordRule | None = None
    exclusions: Annotated[tuple[Exclusion, ...], Field(max_length=100)] = ()
    populations: Annotated[tuple[Population, ...], Field(max_length=100)] = ()
    subgroups: Annotated[tuple[Subgroup, ...], Field(max_length=20)] = ()
    operating_points: Annotated[tuple[OperatingPoint, ...], Field(max_length=20)] = ()
    stress: StressRule | None = None
    equivalences: Annotated[tuple[Equivalence, ...], Field(max_length=100)] = ()
    digest: str = ""

    def population(self, name: str) -> Population | None:
        """The population of a name; None for '', the whole test set."""
        return next((one for one in self.populations if one.name == name), None)

    def class_rule(self, label: str) -> ClassRule:
        """The rule of a class; one without demands where the file says nothing of it."""
        return next((rule for rule in self.classes if rule.label == label), ClassRule(label=label, name=label))

    def excused(self, endpoint: Endpoint, label: str) -> tuple[str, ...]:
        """Reference classes whose beats are no false positives when they are called `label`, one of the endpoint's."""
        return EC57_EXCUSED[label] if endpoint.is_ec57 else self.class_rule(label).not_false_positive


def load_protocol(reference: str | Path) -> Protocol:
    """A protocol by file ('my/protocol.toml') or by the id of a built-in one ('arrhythmia-mitdb').

    Raises FileMissingError, or ConfigError with all mistakes of the file.
    """
    path = protocol_path(reference)
    table = read_toml(path, "protocol")
    digest = sha256_hex(path.read_bytes())
    mistakes = list(_contradictions(table))
    if "digest" in table:
        mistakes.append("digest: unknown key; it is computed from the file")
    try:
        protocol = parse_table(Protocol, {**table, "digest": digest}, path)
    except ConfigError as error:
        raise ConfigError(path, [*error.mistakes, *mistakes]) from error
    mistakes += scope.contradictions(protocol.exclusions, protocol.populations, protocol.subgroups)
    mistakes += stress.contradictions(protocol.stress)
    mistakes += _too_few_resamples(protocol.statistics, len(protocol.endpoints))
    if mistakes:
        raise ConfigError(path, mistakes)
    return protocol


def builtin_protocols() -> tuple[str, ...]:
    """Ids of the protocols that come with leadwire."""
    return tuple(sorted(path.stem for path in (resources.VALIDATION / "protocols").glob("*.toml")))


def protocol_path(reference: str | Path) -> Path:
    if isinstance(reference, Path) or reference.endswith(".toml"):
        return Path(reference)
    path = resources.VALIDATION / "protocols" / f"{reference}.toml"
    if not re.fullmatch(r"[a-z][a-z0-9-]*", reference) or not path.is_file():
        raise FileMissingError(
            Path(reference), role="protocol", hint=f"give a .toml file, or one of: {', '.join(builtin_protocols())}"
        )
    return path


def _contradictions(table: Mapping[str, Any]) -> Iterator[str]:
    """What the types cannot say, read from the raw table so that it is reported together with wrong types."""
    labels = _texts(table.get("labels"))
    yield from _repeated("labels", labels)
    classes, endpoints = _tables(table.get("classes")), _tables(table.get("endpoints"))
    yield from _repeated("classes.label", _texts([rule.get("label") for rule in classes]))
    yield from _repeated("endpoints.name", _texts([endpoint.get("name") for endpoint in endpoints]))
    for i, rule in enumerate(classes):
        for label in _texts([rule.get("label")]):
            yield from _unknown(f"classes[{i}].label", label, labels)
        for label in _texts(rule.get("not_false_positive")):
            yield from _unknown(f"classes[{i}].not_false_positive", label, labels)
            if label == rule.get("label"):
                yield f"classes[{i}].not_false_positive: '{label}' cannot be excused from itself"
    populations = _texts([one.get("name") for one in _tables(table.get("populations"))])
    yield from _repeated("populations.name", populations)
    for key in ("subgroups", "operating_points", "equivalences"):
        yield from _repeated(f"{key}.name", _texts([one.get("name") for one in _tables(table.get(key))]))
    for i, point in enumerate(_tables(table.get("operating_points"))):
        for label in _texts([point.get("label")]):
            yield from _unknown(f"operating_points[{i}].label", label, labels)
    for i, rule in enumerate(_tables(table.get("equivalences"))):
        for label in _texts([rule.get("label")]):
            yield from _unknown(f"equivalences[{i}].label", label, labels)
    for i, rule in enumerate(_tables(table.get("exclusions"))):
        for label in _texts(rule.get("labels")):
            yield from _unknown(f"exclusions[{i}].labels", label, labels)
    for i, endpoint in enumerate(endpoints):
        population = endpoint.get("population", "")
        if isinstance(population, str) and population and population not in populations:
            yield f"endpoints[{i}].population: '{population}' is none of the populations {', '.join(populations)}"
        label = endpoint.get("label", "")
        if endpoint.get("measure") == "macro_f1":
            yield from _macro(f"endpoints[{i}]", endpoint, labels)
            continue
        if endpoint.get("labels"):
            yield f"endpoints[{i}].labels: is for macro_f1 alone"
        if endpoint.get("measure") == "accuracy":
            if label:
                yield f"endpoints[{i}].label: accuracy is over all classes and takes no label"
        elif label == "":
            yield f"endpoints[{i}].label: missing; {endpoint.get('measure', 'this measure')} belongs to a class"
        elif isinstance(label, str):
            yield from _unknown(f"endpoints[{i}].label", label, labels)
            yield from beyond_ec57(f"endpoints[{i}]", endpoint)


def beyond_ec57(key: str, rule: Mapping[str, Any]) -> Iterator[str]:
    """The standard has its figures for two classes alone; `rule` is the raw table of an endpoint or of a bound."""
    label = rule.get("label")
    if str(rule.get("measure")).startswith("ec57_") and isinstance(label, str) and label and label not in EC57_EXCUSED:
        yield f"{key}.label: EC57 has this figure for {' and '.join(EC57_EXCUSED)}, not for '{label}'"


def _too_few_resamples(rule: StatisticsRule, endpoints: int) -> Iterator[str]:
    """With D resamples no p is below 1 / (D + 1), and Holm multiplies the least by the number of endpoints. An interval
    is given where the figure is defined in D of 1 - alpha of the resamples or more.
    """
    alpha, share = rule.one_sided_alpha, 1 - rule.one_sided_alpha
    times = endpoints if rule.multiplicity == "holm" else 1
    if times < alpha * (share * rule.resamples + 1):
        return
    needed = floor((times / alpha - 1) / share) + 1
    of = f" of {endpoints} endpoints by Holm" if rule.multiplicity == "holm" else ""
    remedy = f"set {needed} or more" if needed <= MOST_RESAMPLES else "take fewer endpoints"
    shown = f"{rule.resamples} cannot show a p{of} below {alpha:g}"
    yield f"statistics.resamples: {shown}; {remedy}, or a larger one_sided_alpha"


def _macro(key: str, endpoint: Mapping[str, Any], labels: list[str]) -> Iterator[str]:
    """A mean over classes names them, two or more."""
    if endpoint.get("label"):
        yield f"{key}.label: macro_f1 is over several classes; name them in labels"
    named = _texts(endpoint.get("labels"))
    if len(named) < 2:
        yield f"{key}.labels: missing; macro_f1 is the mean over two classes or more"
    yield from _repeated(f"{key}.labels", named)
    for label in named:
        yield from _unknown(f"{key}.labels", label, labels)


def _repeated(key: str, values: list[str]) -> Iterator[str]:
    for value in dict.fromkeys(values):
        if values.count(value) > 1:
            yield f"{key}: '{value}' appears {values.count(value)} times"


def _unknown(key: str, label: str, labels: list[str]) -> Iterator[str]:
    if label not in labels:
        yield f"{key}: '{label}' is none of the labels {', '.join(labels)}"


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _tables(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
