"""Float and INT8 on the same beats, and the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from .divergence import ChangedDecision, Divergence, FloatDivergence
from .ec57 import Ec57Result
from .statistic import Interval, Statistic
from .words import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeMetrics:
    """Figures of one runtime. `confusion[reference][predicted]` in the order of the dataset's labels."""

    runtime: str
    confusion: tuple[tuple[int, ...], ...]
    accuracy: Statistic
    sensitivity: tuple[Statistic, ...]
    positive_predictivity: tuple[Statistic, ...]

    @property
    def beats(self) -> int:
        return sum(map(sum, self.confusion))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Beats whose largest probability lies from `low` to `high` (the last bin includes its upper end): how many, how
    many of them were decided rightly, and the mean of that probability."""

    low: float
    high: float
    beats: int
    right: int
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Calibration curve of one runtime: is a decision right as often as its probability says? Bins in rising order,
    empty ones left out. Guo et al., On Calibration of Modern Neural Networks, ICML 2017."""

    runtime: str
    bins: tuple[ReliabilityBin, ...]

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of confidence and share of right decisions over the beats, 0 to 1."""
        beats = sum(one.beats for one in self.bins)
        return sum(abs(one.confidence * one.beats - one.right) for one in self.bins) / beats if beats else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointResult:
    """loss = float - INT8 on the device, in percentage points / 100, judged against the protocol's margin.

    `judged` is the interval the verdict was made by: from the lowest to the highest limit of the patient bootstrap and
    the first beat-level interval. `p_value` is the one-sided p of that judgement: of a loss of `margin` or more;
    `adjusted_p_value` the same where the protocol corrects for several endpoints. `mcnemar_exact` and `mcnemar_mid_p`
    test equality with beats for independent, `clustered_p` (Obuchowski) with patients; they are for information.
    `patients_needed` is how many patients like these would end an inconclusive result, None where no number would or
    none is needed. `worst_records` are those without which the loss would be smaller by a tenth of it or more, with by
    how much.
    """

    endpoint: str
    float_value: float
    int8_value: float
    loss: Statistic
    beat_level: tuple[Interval, ...]
    margin: float
    verdict: Verdict
    reason: str
    judged: Interval | None = None
    mcnemar_mid_p: float | None = None
    mcnemar_exact: float | None = None
    clustered_p: float | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    patients_needed: int | None = None
    worst_records: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivalenceResult:
    """Whether the mean difference of two runtimes' outputs for a class was shown to lie within +- `margin` (TOST).

    `p_value` is the larger one of the two one-sided tests; the interval of `difference` has level 1 - 2 alpha. The INT8
    output is `scale` (raw - `zero_point`).
    """

    name: str
    label: str
    difference: Statistic
    margin: float
    p_value: float
    scale: float
    zero_point: int
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """A protocol that was frozen once and replaced, and why."""

    digest: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolState:
    """Whether the protocol of a run is the one that was frozen before it.

    'changed': another digest (`frozen_digest`) was frozen, and then the run cannot pass. 'unfrozen': nobody froze it,
    so nothing but its digest says when it was written.
    """

    state: Literal["frozen", "changed", "unfrozen"]
    frozen_digest: str = ""
    amendments: tuple[Amendment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAttributes:
    """What is known of a recording for subgroups: age in years, sex ('F', 'M'), lead, and the signal-to-noise ratio
    that `datasets.noise` estimates. None or '' where it is not known.
    """

    record: str
    patient: str
    age: float | None = None
    sex: str = ""
    lead: str = ""
    snr_db: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgroupResult:
    """Every endpoint over the beats of one group of a subgroup. Its verdicts say whether harm is shown, not safety."""

    subgroup: str
    group: str
    beats: int
    patients: int
    endpoints: tuple[EndpointResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusionResult:
    """How many beats an exclusion of the protocol took away; a beat counts for the first that holds."""

    reason: str
    beats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPointResult:
    """What an operating point fixed on the float model becomes on INT8, over the judged beats.

    `threshold` is the float output from which on a beat is called `label`; INT8 is asked with the same one, which on
    its grid (`scale`, `zero_point`) means raw values from `int8_step` up. `sensitivity_loss` and `specificity_loss` are
    float - INT8 over the same beats, intervals from resampled patients with the threshold held. `drift` is the INT8
    threshold that would meet the same target less `threshold`, both fixed anew in each resample.
    """

    name: str
    label: str
    target: float
    threshold: float
    scale: float
    zero_point: int
    int8_step: int
    float_sensitivity: Statistic
    float_specificity: Statistic
    int8_sensitivity: Statistic
    int8_specificity: Statistic
    sensitivity_loss: Statistic
    specificity_loss: Statistic
    drift: Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordClass:
    """Beats of one reference class in a recording, and how many of them float and the judged INT8 got right."""

    label: str
    beats: int
    float_right: int
    int8_right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """One recording: beats and accuracy of float, host INT8 and device INT8, and the classes it has."""

    record: str
    patient: str
    beats: int
    float_accuracy: float
    host_accuracy: float
    device_accuracy: float
    classes: tuple[RecordClass, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationResult:
    """`judged_runtime` is the INT8 runtime of the endpoints, records and changed decisions: the device, or the
    generated C on the host where the protocol lets it stand in for a device that was sent `device_beats` of `beats`.
    `identities` compares every two INT8 runtimes; `host_device` is the one that the verdict depends on.
    `reasons` says what kept the verdict from being a pass.
    """

    protocol_name: str
    protocol_digest: str
    dataset_name: str
    dataset_digest: str
    dataset_basis: Literal["real", "synthetic"]
    model_digest: str
    image_digest: str
    labels: tuple[str, ...]
    beats: int
    patients: int
    metrics: tuple[RuntimeMetrics, ...]
    agreement_float_int8: Statistic
    host_device: Divergence
    tflite_device: Divergence
    endpoints: tuple[EndpointResult, ...]
    records: tuple[RecordResult, ...]
    changed: tuple[ChangedDecision, ...]
    changed_total: int
    lost_samples: int
    io_digest: str
    notes: tuple[str, ...]
    verdict: Verdict
    device_beats: int = 0
    judged_runtime: str = "device"
    identities: tuple[Divergence, ...] = ()
    reasons: tuple[str, ...] = ()
    ec57: tuple[Ec57Result, ...] = ()
    equivalences: tuple[EquivalenceResult, ...] = ()
    protocol_state: ProtocolState = field(default_factory=lambda: ProtocolState(state="unfrozen"))
    excluded: tuple[ExclusionResult, ...] = ()
    attributes: tuple[RecordAttributes, ...] = ()
    subgroups: tuple[SubgroupResult, ...] = ()
    operating_points: tuple[OperatingPointResult, ...] = ()
    float_int8: FloatDivergence | None = None
    reliability: tuple[Reliability, ...] = ()
