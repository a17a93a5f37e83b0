"""validate on a small cohort made here, its figures counted a second time in plain Python."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leadwire.artifacts import Predictions, ValidationResult
from leadwire.datasets.dataset import Dataset
from leadwire.datasets.recording import Recording
from leadwire.errors import BadInputError, DatasetError, LeakError
from leadwire.protocols import ClassRule, Endpoint, HostDeviceRule, Protocol, RecordRule, StatisticsRule
from leadwire.validate import OperatorOutput, run_validation

LABELS = ("N", "S", "V", "F", "Q")
MODEL = "a" * 64
PATIENTS, BEATS_EACH = 24, 100


def endpoint(name: str, measure: Any, label: str = "", margin: float = 0.05) -> Endpoint:
    return Endpoint(name=name, measure=measure, label=label, margin=margin, rationale="test")


PROTOCOL = Protocol(
    name="test",
    title="t",
    intended_population="p",
    labels=LABELS,
    minimum_patients=20,
    classes=(
        ClassRule(label="V", name="VEB", minimum_beats=50, minimum_patients=10, not_false_positive=("F", "Q")),
        ClassRule(label="S", name="SVEB", not_false_positive=("Q",)),
    ),
    endpoints=(
        endpoint("accuracy", "accuracy"),
        endpoint("V Se", "sensitivity", "V"),
        endpoint("V +P", "positive_predictivity", "V"),
        endpoint("V F1", "f1", "V"),
    ),
    statistics=StatisticsRule(resamples=1000, method="bca", seed=7),
    digest="f" * 64,
)


@pytest.fixture(scope="module")
def cohort() -> Dataset:
    """24 patients of 100 beats, all five classes, with recordings at 250 Hz."""
    draw = np.random.default_rng(1)
    beats = PATIENTS * BEATS_EACH
    patients = tuple(f"p{beat // BEATS_EACH:02d}" for beat in range(beats))
    times = np.tile(np.arange(BEATS_EACH) * 0.8 + 1.0, PATIENTS)
    recordings = tuple(
        Recording(
            record=f"r{patient:02d}",
            patient=f"p{patient:02d}",
            sample_rate_hz=250.0,
            signal_mv=np.full(250 * 90, patient / 10, dtype=np.float32),
            beats=np.rint(times[:BEATS_EACH] * 250).astype(np.int64),
            labels=np.zeros(BEATS_EACH, dtype=np.int64),
        )
        for patient in range(PATIENTS)
    )
    return Dataset(
        name="cohort",
        split="test",
        inputs=(draw.normal(size=(beats, 4)).astype(np.float32),),
        input_names=("beat",),
        labels=draw.choice(5, beats, p=[0.7, 0.1, 0.12, 0.05, 0.03]).astype(np.int64),
        label_names=LABELS,
        patients=patients,
        records=tuple(f"r{name[1:]}" for name in patients),
        times_s=times,
        basis="real",
        licence="none",
        recordings=recordings,
    )


def decisions(dataset: Dataset, wrong: float, seed: int) -> np.ndarray:
    """The reference, replaced by a class drawn at random for a share `wrong` of the beats."""
    draw = np.random.default_rng(seed)
    decided = dataset.labels.copy()
    change = draw.random(len(decided)) < wrong
    decided[change] = draw.integers(0, 5, int(change.sum()))
    return decided


def floats(dataset: Dataset, decided: np.ndarray) -> Predictions:
    outputs = np.full((len(decided), 5), 0.05)
    outputs[np.arange(len(decided)), decided] = 0.8
    return Predictions(runtime="float", model_digest="b" * 64, dataset_digest=dataset.digest, outputs=outputs)


def int8(dataset: Dataset, runtime: Any, decided: np.ndarray, beats: np.ndarray | None = None) -> Predictions:
    raw = np.full((len(decided), 5), -110, dtype=np.int8)
    raw[np.arange(len(decided)), decided] = 90
    return requantized(
        Predictions(
            runtime=runtime, model_digest=MODEL, dataset_digest=dataset.digest, outputs=np.zeros((0, 0)), raw=raw
        ),
        raw,
        beats,
    )


def requantized(one: Predictions, raw: np.ndarray, beats: np.ndarray | None = None) -> Predictions:
    raw = raw if beats is None else raw[beats]
    return replace(one, raw=raw, outputs=(raw.astype(np.float64) + 128) / 256, indices=beats)


def all_runtimes(dataset: Dataset, float_decided: np.ndarray, int8_decided: np.ndarray) -> dict[str, Predictions]:
    found = {runtime: int8(dataset, runtime, int8_decided) for runtime in ("tflite", "tflm", "host_c", "device")}
    return {"float": floats(dataset, float_decided), **found}


def validated(
    dataset: Dataset, predictions: dict[str, Predictions], protocol: Protocol = PROTOCOL, **changes: Any
) -> ValidationResult:
    settings: dict[str, Any] = {
        "model_digest": MODEL,
        "image_digest": "c" * 64,
        "io_digest": "d" * 64,
        "lost_samples": 0,
        "calibration_patients": ("elsewhere",),
    }
    return run_validation(dataset, protocol, predictions, **(settings | changes))


# ---------------------------------------------------------------------------------------------- figures


def test_figures_equal_those_of_a_plain_count(cohort: Dataset) -> None:
    float_decided, int8_decided = decisions(cohort, 0.10, 2), decisions(cohort, 0.12, 3)
    result = validated(cohort, all_runtimes(cohort, float_decided, int8_decided))
    assert [metrics.runtime for metrics in result.metrics] == ["float", "tflite", "tflm", "host_c", "device"]
    for metrics, decided in ((result.metrics[0], float_decided), (result.metrics[4], int8_decided)):
        pairs = [(LABELS[r], LABELS[d]) for r, d in zip(cohort.labels, decided, strict=True)]
        assert metrics.confusion == tuple(tuple(pairs.count((r, d)) for d in LABELS) for r in LABELS)
        assert metrics.beats == len(pairs)
        assert metrics.accuracy.estimate == sum(r == d for r, d in pairs) / len(pairs)
        for index, label in enumerate(LABELS):
            hits = pairs.count((label, label))
            excused = {"V": "FQ", "S": "Q"}.get(label, "")
            false_positives = sum(d == label != r and r not in excused for r, d in pairs)
            missed = sum(r == label != d for r, d in pairs)
            assert metrics.sensitivity[index].estimate == hits / (hits + missed)
            assert metrics.positive_predictivity[index].estimate == hits / (hits + false_positives)
            assert metrics.positive_predictivity[index].denominator == hits + false_positives
            for statistic in (metrics.sensitivity[index], metrics.positive_predictivity[index]):
                assert statistic.interval is not None
                assert statistic.interval.low < statistic.estimate < statistic.interval.high
    agreeing = int((float_decided == int8_decided).sum())
    assert (result.agreement_float_int8.numerator, result.changed_total) == (agreeing, len(cohort) - agreeing)
    by_endpoint = {one.endpoint: one for one in result.endpoints}
    v = LABELS.index("V")
    for name, pick in (("V Se", "sensitivity"), ("V +P", "positive_predictivity")):
        one = by_endpoint[name]
        before, after = (getattr(result.metrics[i], pick)[v].estimate for i in (0, 4))
        assert (one.float_value, one.int8_value) == (before, after)
        assert one.loss.estimate == pytest.approx(before - after, abs=1e-15)
    for one in result.endpoints:  # the wider limit counts on each side
        assert one.judged is not None
        assert one.loss.interval is not None
        assert one.loss.interval.low != one.beat_level[0].low
        assert one.judged.low == min(one.loss.interval.low, one.beat_level[0].low)
        assert one.judged.high == max(one.loss.interval.high, one.beat_level[0].high)
    f1 = by_endpoint["V F1"]
    se, predictive = by_endpoint["V Se"].float_value, by_endpoint["V +P"].float_value
    assert f1.float_value == pytest.approx(2 * se * predictive / (se + predictive), abs=1e-12)


def test_a_mean_over_classes_is_that_of_its_figures(cohort: Dataset) -> None:
    """macro F1 of three classes: the mean of theirs, counted in plain Python; its minimum of beats is each class's."""
    float_decided, int8_decided = decisions(cohort, 0.10, 2), decisions(cohort, 0.12, 3)
    macro = Endpoint(name="macro", measure="macro_f1", labels=("N", "S", "V"), margin=0.1, rationale="r")
    alone = [endpoint(f"{label} F1", "f1", label) for label in macro.labels]
    result = validated(
        cohort, all_runtimes(cohort, float_decided, int8_decided), replace(PROTOCOL, endpoints=(macro, *alone))
    )
    one, *others = result.endpoints
    for side in ("float_value", "int8_value"):
        assert getattr(one, side) == pytest.approx(sum(getattr(of, side) for of in others) / 3, abs=1e-15)
    excused = {"V": "FQ", "S": "Q"}
    pairs = [(LABELS[r], LABELS[d]) for r, d in zip(cohort.labels, int8_decided, strict=True)]
    plain = 0.0
    for label in macro.labels:
        false = sum(d == label != r and r not in excused.get(label, "") for r, d in pairs)
        hits, missed = pairs.count((label, label)), sum(r == label != d for r, d in pairs)
        plain += 2 * hits / (2 * hits + false + missed) / 3
    assert one.int8_value == pytest.approx(plain, abs=1e-14)
    assert one.loss.interval is not None and one.judged is not None and one.mcnemar_mid_p is None
    assert one.loss.interval.low < one.loss.estimate < one.loss.interval.high
    assert one.verdict == "pass" and len(one.beat_level) == 1
    halves = [of.beat_level[0].high - of.loss.estimate for of in others]
    assert max(halves) / 3 < one.beat_level[0].high - one.loss.estimate < sum(halves) / 3, "they are correlated"
    rule = ClassRule(label="S", name="SVEB", minimum_beats=10_000)
    rare = replace(PROTOCOL, endpoints=(macro,), classes=(rule,))
    refused = validated(cohort, all_runtimes(cohort, float_decided, int8_decided), rare).endpoints[0]
    assert refused.verdict == "inconclusive" and "S beats of at least 10000" in refused.reason


def test_a_mean_over_classes_is_undefined_where_one_of_them_is(cohort: Dataset) -> None:
    decided = np.where(cohort.labels == LABELS.index("Q"), 0, cohort.labels)
    macro = Endpoint(name="macro", measure="macro_f1", labels=("N", "Q"), margin=0.1, rationale="r")
    without = replace(cohort, labels=decided, recordings=())
    one = validated(without, all_runtimes(without, decided, decided), replace(PROTOCOL, endpoints=(macro,)))
    assert np.isnan(one.endpoints[0].float_value) and one.endpoints[0].verdict == "inconclusive"


def test_beat_level_intervals_come_from_the_paired_table(cohort: Dataset) -> None:
    """Tango and Newcombe of counts made here: 8 V beats lost, 3 gained."""
    v = np.flatnonzero(cohort.labels == 2)
    float_decided, int8_decided = cohort.labels.copy(), cohort.labels.copy()
    float_decided[v[:3]] = 0
    int8_decided[v[3:11]] = 0
    one = validated(cohort, all_runtimes(cohort, float_decided, int8_decided)).endpoints[1]
    z2, n = 1.959963984540054**2, len(v)
    assert one.loss.estimate == pytest.approx(5 / n)
    assert [interval.method for interval in one.beat_level] == ["Tango score", "Newcombe method 10"]
    for limit in (one.beat_level[0].low, one.beat_level[0].high):  # the score equation with q found by bisection
        low, high = max(0.0, -limit), (1 - limit) / 2
        for _ in range(200):
            q = (low + high) / 2
            slope = 8 / (q + limit) + 3 / q - 2 * (n - 11) / (1 - 2 * q - limit)
            low, high = (q, high) if slope > 0 else (low, q)
        assert (5 - n * limit) ** 2 / (n * (2 * q + limit * (1 - limit))) == pytest.approx(z2, rel=1e-6)
    assert one.mcnemar_mid_p == pytest.approx(2 * (sum([1, 11, 55]) + 165 / 2) / 2**11)


def test_delta_limits_without_a_change_equal_those_worked_out_by_hand(cohort: Dataset) -> None:
    """Half a beat added to each way a call can change; the beats themselves, all unchanged, contribute nothing."""
    decided = decisions(cohort, 0.2, 4)
    one, other = validated(cohort, all_runtimes(cohort, decided, decided)).endpoints[2:]
    z, v = 1.959963984540054, LABELS.index("V")
    hits = int(((cohort.labels == v) & (decided == v)).sum())
    false = int((np.isin(cohort.labels, [0, 1]) & (decided == v)).sum())
    missed = int(((cohort.labels == v) & (decided != v)).sum())
    called = hits + false + 1
    share = (hits + 0.5) / called
    assert one.beat_level[0].high == pytest.approx(z * np.hypot(1 - share, share) / called, rel=1e-9)
    divisor = 2 * hits + false + missed + 2
    share = (2 * hits + 1) / divisor
    assert other.beat_level[0].high == pytest.approx(z * np.hypot(2 - share, share) / divisor, rel=1e-9)
    assert other.beat_level[0].low == -other.beat_level[0].high


def test_records_and_changed_decisions(cohort: Dataset) -> None:
    float_decided, int8_decided = cohort.labels.copy(), cohort.labels.copy()
    float_decided[5] = (cohort.labels[5] + 1) % 5  # INT8 repairs beat 5
    int8_decided[[150, 160, 2350]] = (cohort.labels[[150, 160, 2350]] + 1) % 5  # and breaks three
    predictions = all_runtimes(cohort, float_decided, int8_decided)
    result = validated(cohort, predictions, changed_limit=3)
    assert result.changed_total == 4
    assert [one.index for one in result.changed] == [150, 160, 2350]
    assert [one.index for one in validated(cohort, predictions).changed] == [150, 160, 2350, 5]
    beat = result.changed[0]
    assert (beat.record, beat.time_s) == ("r01", pytest.approx(50 * 0.8 + 1.0))
    assert beat.reference == beat.float_class == LABELS[cohort.labels[150]] != beat.int8_class
    assert beat.float_margin == pytest.approx(0.75)
    assert beat.strip_hz > 0
    assert set(beat.strip_mv) == {0.1}
    by_record = {one.record: one for one in result.records}
    assert len(by_record) == PATIENTS
    assert (by_record["r00"].float_accuracy, by_record["r00"].device_accuracy) == (0.99, 1.0)
    assert (by_record["r01"].float_accuracy, by_record["r01"].device_accuracy) == (1.0, 0.98)
    assert by_record["r01"].patient == "p01"
    assert sum(one.beats for one in result.records) == len(cohort)


# ---------------------------------------------------------------------------------------------- verdicts


@pytest.mark.requirement("LW-VAL-001")
def test_a_harmless_conversion_passes(cohort: Dataset) -> None:
    result = validated(cohort, all_runtimes(cohort, cohort.labels, cohort.labels))
    assert (result.verdict, result.reasons) == ("pass", ())
    for one in result.endpoints:
        assert one.loss.interval is not None
        assert one.judged is not None
        assert one.loss.interval.low == one.loss.interval.high == 0.0
        assert one.judged.high > 0.0  # no flip in n beats does not prove that none can flip
        assert one.patients_needed is None


@pytest.mark.requirement("LW-VAL-001")
def test_a_harmful_conversion_fails(cohort: Dataset) -> None:
    broken = np.where((cohort.labels == 2) & (np.arange(len(cohort)) % 3 == 0), 0, cohort.labels)
    result = validated(cohort, all_runtimes(cohort, cohort.labels, broken))
    verdicts = {one.endpoint: one.verdict for one in result.endpoints}
    assert verdicts == {"accuracy": "pass", "V Se": "fail", "V +P": "pass", "V F1": "fail"}
    assert result.verdict == "fail"
    assert any(reason.startswith("V Se: lower limit") for reason in result.reasons)


def test_too_little_precision_is_inconclusive_and_says_how_many_patients(cohort: Dataset) -> None:
    lost = np.flatnonzero(cohort.labels == 2)[::40]
    broken = cohort.labels.copy()
    broken[lost] = 0
    protocol = replace(PROTOCOL, endpoints=(endpoint("V Se", "sensitivity", "V", margin=0.045),))
    result = validated(cohort, all_runtimes(cohort, cohort.labels, broken), protocol)
    one = result.endpoints[0]
    assert result.verdict == one.verdict == "inconclusive"
    assert one.patients_needed is not None
    assert one.patients_needed > PATIENTS
    assert f"about {one.patients_needed} patients" in result.reasons[0]
    at_margin = replace(protocol, endpoints=(endpoint("V Se", "sensitivity", "V", margin=one.loss.estimate),))
    more = replace(protocol, minimum_patients=10 * one.patients_needed)
    wanting = validated(cohort, all_runtimes(cohort, cohort.labels, broken), more).endpoints[0]
    assert wanting.patients_needed == 10 * one.patients_needed
    hopeless = validated(cohort, all_runtimes(cohort, cohort.labels, broken), at_margin).endpoints[0]
    assert (hopeless.verdict, hopeless.patients_needed) == ("inconclusive", None)


@pytest.mark.requirement("LW-VAL-002")
@pytest.mark.parametrize(
    ("protocol", "reason", "needed"),
    [
        (replace(PROTOCOL, minimum_patients=30), "24 patients of at least 30", 30),
        (
            replace(PROTOCOL, classes=(ClassRule(label="V", name="VEB", minimum_beats=100_000),)),
            "V beats of at least 100000",
            None,
        ),
        (
            replace(PROTOCOL, classes=(ClassRule(label="V", name="VEB", minimum_patients=48),)),
            "24 patients with V beats of at least 48",
            48,
        ),
    ],
)
def test_less_than_the_minimum_never_passes(
    cohort: Dataset, protocol: Protocol, reason: str, needed: int | None
) -> None:
    result = validated(cohort, all_runtimes(cohort, cohort.labels, cohort.labels), protocol)
    assert result.verdict == "inconclusive"
    short = [one for one in result.endpoints if reason in one.reason]
    assert short
    if needed is not None:
        assert {one.patients_needed for one in short} == {needed}


def test_exactly_the_minimum_is_enough(cohort: Dataset) -> None:
    v_beats = int((cohort.labels == 2).sum())
    rule = ClassRule(label="V", name="VEB", minimum_beats=v_beats, minimum_patients=PATIENTS)
    protocol = replace(PROTOCOL, minimum_patients=PATIENTS, classes=(rule,))
    assert validated(cohort, all_runtimes(cohort, cohort.labels, cohort.labels), protocol).verdict == "pass"


def test_an_absent_class_is_inconclusive(cohort: Dataset) -> None:
    labels = np.where(cohort.labels == 2, 0, cohort.labels)
    without = replace_labels(cohort, labels)
    result = validated(without, all_runtimes(without, labels, labels))
    verdicts = {one.endpoint: one.verdict for one in result.endpoints}
    assert verdicts == {"accuracy": "pass", "V Se": "inconclusive", "V +P": "inconclusive", "V F1": "inconclusive"}
    assert result.endpoints[1].reason.startswith("undefined: no beat enters the figure; 0 V beats")
    assert np.isnan(result.metrics[0].sensitivity[2].estimate)
    assert result.metrics[0].sensitivity[2].interval is None


def replace_labels(dataset: Dataset, labels: np.ndarray, patients: Sequence[str] | None = None) -> Dataset:
    return Dataset(
        name=dataset.name,
        split=dataset.split,
        inputs=dataset.inputs,
        input_names=dataset.input_names,
        labels=labels,
        label_names=dataset.label_names,
        patients=dataset.patients if patients is None else tuple(patients),
        records=dataset.records,
        times_s=dataset.times_s,
        basis="synthetic",
        licence="none",
    )


def test_one_patient_is_inconclusive_and_few_are_noted(cohort: Dataset) -> None:
    alone = replace_labels(cohort, cohort.labels, ["one"] * len(cohort))
    result = validated(alone, all_runtimes(alone, alone.labels, alone.labels))
    assert {one.verdict for one in result.endpoints} == {"inconclusive"}
    assert any("1 patients" in note and "too narrow" in note for note in result.notes)
    assert any("synthetic" in note for note in result.notes)
    assert result.metrics[0].accuracy.interval is not None
    assert result.metrics[0].accuracy.interval.method == "Wilson score over beats"


@pytest.mark.parametrize(("longer", "noted"), [(True, True), (False, False)])
def test_longer_recordings_that_change_more_are_noted(cohort: Dataset, longer: bool, noted: bool) -> None:
    """24 patients of 1 to 24 shares of the beats; in one run the later, longer half of them has all the changes."""
    ends = np.cumsum(np.arange(1, 25)) * len(cohort) // 300
    patient = np.searchsorted(ends, np.arange(len(cohort)), side="right")
    dataset = replace_labels(cohort, cohort.labels, [f"patient {one:02}" for one in patient])
    changed = cohort.labels.copy()
    hit = (patient >= 12) & (np.arange(len(cohort)) % 5 == 0) if longer else np.arange(len(cohort)) % 7 == 0
    changed[hit] = (changed[hit] + 1) % 5
    result = validated(dataset, all_runtimes(dataset, cohort.labels, changed))
    assert any("patients with more beats" in note for note in result.notes) == noted


def test_a_lost_sample_makes_the_run_invalid(cohort: Dataset) -> None:
    result = validated(cohort, all_runtimes(cohort, cohort.labels, cohort.labels), lost_samples=1)
    assert result.verdict == "fail"
    assert "1 sample(s) were lost" in result.reasons[0]


def test_a_record_that_loses_too_much_fails(cohort: Dataset) -> None:
    broken = cohort.labels.copy()
    broken[300:310] = (broken[300:310] + 1) % 5
    predictions = all_runtimes(cohort, cohort.labels, broken)
    protocol = replace(PROTOCOL, endpoints=PROTOCOL.endpoints[:1])
    limit = RecordRule(max_accuracy_loss=0.1, minimum_beats=100)
    assert validated(cohort, predictions, replace(protocol, record_limit=limit)).verdict == "pass"
    limit = replace(limit, max_accuracy_loss=0.099)
    assert validated(cohort, predictions, protocol).verdict == "pass"
    result = validated(cohort, predictions, replace(protocol, record_limit=limit))
    assert (result.verdict, len(result.reasons)) == ("fail", 1)
    assert "record r03 loses 10.00 points" in result.reasons[0]
    small = replace(limit, minimum_beats=101)
    assert validated(cohort, predictions, replace(protocol, record_limit=small)).verdict == "pass"


# ---------------------------------------------------------------------------------------------- host and device


@pytest.mark.requirement("LW-VAL-003")
def test_one_differing_byte_fails_and_is_located(cohort: Dataset) -> None:
    predictions = all_runtimes(cohort, cohort.labels, cohort.labels)
    raw = predictions["device"].raw.copy()  # type: ignore[union-attr]
    raw[77, (int(cohort.labels[77]) + 1) % 5] += 2
    predictions["device"] = requantized(predictions["device"], raw)
    asked: list[tuple[str, int]] = []

    def outputs_of(runtime: str, beat: int) -> Sequence[OperatorOutput]:
        asked.append((runtime, beat))
        return () if runtime == "device" else operators(0, 0)

    result = validated(cohort, predictions, operator_outputs=outputs_of)
    found = result.host_device
    assert found.runtimes == ("tflm", "device")
    assert (found.compared, found.identical, found.max_abs_lsb) == (len(cohort), len(cohort) - 1, 2)
    assert (found.values, found.differing_values, found.lsb_histogram) == (5 * len(cohort), 1, ((2, 1),))
    assert (found.decisions_changed, found.first_operator) == (0, None)
    assert found.cause == "not examined: this runtime does not give operator outputs"
    assert result.verdict == "fail"
    assert "tflm and device: 2 LSB apart, at most 0 allowed" in result.reasons[0]
    assert len(asked) == len(set(asked))  # each runtime is asked once for each beat


def operators(dense: int, softmax: int) -> Sequence[OperatorOutput]:
    return (
        OperatorOutput(description="op 0 CONV_2D 'c'", kind="CONV_2D", values=np.zeros(4, np.int8)),
        OperatorOutput(
            description="op 1 FULLY_CONNECTED 'd'", kind="FULLY_CONNECTED", values=np.array([dense], np.int8)
        ),
        OperatorOutput(description="op 2 SOFTMAX 's'", kind="SOFTMAX", values=np.array([softmax], np.int8)),
    )


def test_desktop_tflite_may_differ_and_the_cause_is_named(cohort: Dataset) -> None:
    predictions = all_runtimes(cohort, cohort.labels, cohort.labels)
    raw = predictions["tflite"].raw.copy()  # type: ignore[union-attr]
    raw[::100, 0] += 1
    predictions["tflite"] = requantized(predictions["tflite"], raw)

    def outputs_of(runtime: str, beat: int) -> Sequence[OperatorOutput]:
        assert runtime != "device"  # its bytes equal TFLM's, whose operators can be read
        return operators(1, 1) if runtime == "tflite" else operators(0, 0)

    result = validated(cohort, predictions, operator_outputs=outputs_of)
    assert result.verdict == "pass"
    assert result.tflite_device.runtimes == ("tflite", "device")
    assert result.tflite_device.identical == len(cohort) - 24
    assert result.tflite_device.first_operator == "op 1 FULLY_CONNECTED 'd'"
    assert "rounds twice" in result.tflite_device.cause
    assert result.host_device.identical == len(cohort)
    assert len(result.identities) == 6


def test_the_earliest_operator_of_several_beats_is_named(cohort: Dataset) -> None:
    predictions = all_runtimes(cohort, cohort.labels, cohort.labels)
    raw = predictions["tflite"].raw.copy()  # type: ignore[union-attr]
    raw[[10, 20, 30], 0] += 1
    predictions["tflite"] = requantized(predictions["tflite"], raw)

    def outputs_of(runtime: str, beat: int) -> Sequence[OperatorOutput]:
        return operators(int(beat == 20), 1) if runtime == "tflite" else operators(0, 0)

    result = validated(cohort, predictions, operator_outputs=outputs_of)
    assert result.tflite_device.first_operator == "op 1 FULLY_CONNECTED 'd'"


def test_generated_c_that_departs_from_tflm_is_a_fault(cohort: Dataset) -> None:
    predictions = all_runtimes(cohort, cohort.labels, cohort.labels)
    raw = predictions["host_c"].raw.copy()  # type: ignore[union-attr]
    raw[9] -= 1
    predictions["host_c"] = requantized(predictions["host_c"], raw)
    outputs = {"host_c": operators(0, 1), "tflm": operators(0, 0), "tflite": operators(0, 0)}
    result = validated(cohort, predictions, operator_outputs=lambda runtime, beat: outputs[runtime])
    assert result.verdict == "fail"
    assert any(
        reason.startswith("tflm and host_c: 1 LSB apart") and "op 2 SOFTMAX" in reason for reason in result.reasons
    )
    pair = next(one for one in result.identities if one.runtimes == ("tflm", "host_c"))
    assert pair.cause.startswith("unknown: these runtimes share one arithmetic")


def test_what_tflm_leaves_undefined_is_named(cohort: Dataset) -> None:
    """It is a known cause where TFLite Micro is one of the two, not between desktop TFLite and generated C."""
    predictions = all_runtimes(cohort, cohort.labels, cohort.labels)
    raw = predictions["tflm"].raw.copy()  # type: ignore[union-attr]
    raw[9] -= 1
    predictions["tflm"] = requantized(predictions["tflm"], raw)

    def outputs_of(runtime: str, beat: int) -> Sequence[OperatorOutput]:
        value = np.array([runtime == "tflm"], np.int8)
        return (OperatorOutput(description="op 0 SPACE_TO_BATCH_ND 's'", kind="SPACE_TO_BATCH_ND", values=value),)

    found = {one.runtimes: one.cause for one in validated(cohort, predictions, operator_outputs=outputs_of).identities}
    assert "a byte that it never sets" in found["tflm", "host_c"]


@pytest.mark.parametrize("kind", ["RELU", "LEAKY_RELU", "ABS"])
def test_a_quotient_of_scales_is_a_known_cause_for_desktop_tflite_alone(cohort: Dataset, kind: str) -> None:
    predictions = all_runtimes(cohort, cohort.labels, cohort.labels)
    raw = predictions["tflite"].raw.copy()  # type: ignore[union-attr]
    raw[9] -= 1
    predictions["tflite"] = requantized(predictions["tflite"], raw)

    def outputs_of(runtime: str, beat: int) -> Sequence[OperatorOutput]:
        value = np.array([runtime == "tflite"], np.int8)
        return (OperatorOutput(description=f"op 0 {kind} 'r'", kind=kind, values=value),)

    result = validated(cohort, predictions, operator_outputs=outputs_of)
    assert "in float32" in next(one.cause for one in result.identities if one.runtimes[0] == "tflite")


def test_a_protocol_may_grant_one_lsb(cohort: Dataset) -> None:
    predictions = all_runtimes(cohort, cohort.labels, cohort.labels)
    raw = predictions["device"].raw.copy()  # type: ignore[union-attr]
    raw[:3] += 1
    predictions["device"] = requantized(predictions["device"], raw)
    granted = HostDeviceRule(max_abs_lsb=1, max_differing_ppm=1e6 * 15 / (5 * len(cohort)))
    assert validated(cohort, predictions, replace(PROTOCOL, host_device=granted)).verdict == "pass"
    stricter = replace(granted, max_differing_ppm=granted.max_differing_ppm - 1)
    assert validated(cohort, predictions, replace(PROTOCOL, host_device=stricter)).verdict == "fail"


def test_without_the_witness_nothing_is_proven(cohort: Dataset) -> None:
    predictions = all_runtimes(cohort, cohort.labels, cohort.labels)
    del predictions["tflm"]
    result = validated(cohort, predictions)
    assert result.verdict == "inconclusive"
    assert result.reasons == (f"only 0 of {len(cohort)} beats of the device could be compared with tflm",)
    assert result.host_device.compared == 0
    by_c = replace(PROTOCOL, host_device=HostDeviceRule(witness="host_c"))
    assert validated(cohort, predictions, by_c).verdict == "pass"


# ---------------------------------------------------------------------------------------------- part of the beats


def test_a_device_that_was_sent_part_is_judged_on_that_part(cohort: Dataset) -> None:
    part = np.arange(0, len(cohort), 4)
    broken = cohort.labels.copy()
    broken[1] = (broken[1] + 1) % 5  # a beat the device never saw
    predictions = all_runtimes(cohort, cohort.labels, broken)
    predictions["device"] = int8(cohort, "device", broken, part)
    result = validated(cohort, predictions)
    assert (result.judged_runtime, result.device_beats, result.beats) == ("device", 600, 2400)
    assert result.changed_total == 0
    assert result.host_device.compared == result.host_device.identical == 600
    assert result.metrics[-1].beats == sum(one.beats for one in result.records) == 600
    assert result.metrics[0].beats == 2400
    assert any("was sent 600 of 2400 beats" in note for note in result.notes)


def test_equal_bytes_let_the_generated_c_speak_for_the_rest(cohort: Dataset) -> None:
    part = np.arange(0, len(cohort), 4)
    broken = cohort.labels.copy()
    broken[1] = (broken[1] + 1) % 5
    predictions = all_runtimes(cohort, cohort.labels, broken)
    predictions["device"] = int8(cohort, "device", broken, part)
    rule = HostDeviceRule(extend_with_host_c=True, minimum_device_beats=600)
    result = validated(cohort, predictions, replace(PROTOCOL, host_device=rule))
    assert (result.verdict, result.judged_runtime, result.device_beats) == ("pass", "host_c", 600)
    assert [one.index for one in result.changed] == [1]
    assert sum(one.beats for one in result.records) == 2400
    assert any("answered each with the bytes of the generated C" in note for note in result.notes)

    short = validated(cohort, predictions, replace(PROTOCOL, host_device=replace(rule, minimum_device_beats=601)))
    assert (short.verdict, short.judged_runtime) == ("inconclusive", "device")
    assert "the device was sent 600 beats of at least 601" in short.reasons

    raw = predictions["host_c"].raw.copy()  # type: ignore[union-attr]
    raw[4] += 1  # one beat of the 600 differs: the C proves nothing any more
    predictions["host_c"] = requantized(predictions["host_c"], raw)
    unproven = validated(cohort, predictions, replace(PROTOCOL, host_device=rule))
    assert (unproven.verdict, unproven.judged_runtime) == ("fail", "device")


# ---------------------------------------------------------------------------------------------- input that lies


def test_same_inputs_give_the_same_result_in_any_order(cohort: Dataset) -> None:
    predictions = all_runtimes(cohort, decisions(cohort, 0.1, 2), decisions(cohort, 0.1, 3))
    turned = dict(reversed(predictions.items()))
    assert validated(cohort, predictions) == validated(cohort, turned)
    assert validated(cohort, predictions) == run_validation(
        cohort,
        PROTOCOL,
        list(turned.values()),
        model_digest=MODEL,
        image_digest="c" * 64,
        io_digest="d" * 64,
        lost_samples=0,
        calibration_patients={"elsewhere"},
    )


def test_a_calibration_patient_in_the_test_set_is_a_leak(cohort: Dataset) -> None:
    predictions = all_runtimes(cohort, cohort.labels, cohort.labels)
    with pytest.raises(LeakError, match=r"1 patient.*p07"):
        validated(cohort, predictions, calibration_patients=("p07", "other"))
    unknown = validated(cohort, predictions, calibration_patients=None)
    assert any("calibration patients are unknown" in note for note in unknown.notes)


def test_labels_of_another_protocol_are_refused(cohort: Dataset) -> None:
    with pytest.raises(DatasetError, match="labels N S V F Q where protocol 'test' has N V S F Q"):
        validated(
            cohort,
            all_runtimes(cohort, cohort.labels, cohort.labels),
            replace(PROTOCOL, labels=("N", "V", "S", "F", "Q")),
        )


def nan_in(one: Predictions) -> Predictions:
    outputs = one.outputs.copy()
    outputs[41, 2] = np.nan
    return replace(one, outputs=outputs)


def flipped(one: Predictions) -> Predictions:
    return replace(one, outputs=one.outputs[:, ::-1])


REFUSED = [
    ("float", nan_in, BadInputError, "NaN or infinity for 1 beat.*beat 41"),
    ("device", lambda one: replace(one, dataset_digest="0" * 64), DatasetError, "'device' are of another dataset"),
    ("device", lambda one: replace(one, model_digest="0" * 64), BadInputError, "'device' are of another model"),
    ("tflite", lambda one: replace(one, raw=None), BadInputError, r"int16 \[2400, values\], found none"),
    ("tflite", lambda one: replace(one, raw=one.raw.astype(np.int32)), BadInputError, "found int32"),
    ("tflite", lambda one: replace(one, raw=one.raw.astype(np.int16)), BadInputError, "5 int16, 5 int8"),
    ("tflite", lambda one: replace(one, raw=one.raw[:-1]), BadInputError, "raw outputs"),
    ("tflm", lambda one: replace(one, raw=np.pad(one.raw, ((0, 0), (0, 1)))), BadInputError, "5 int8, 6 int8"),
    ("float", lambda one: replace(one, outputs=one.outputs[:-1]), BadInputError, r"expected \[2400, 5\]"),
    ("float", lambda one: replace(one, outputs=one.outputs[:, :4]), BadInputError, "classes"),
    ("float", lambda one: replace(one, outputs=one.outputs[:0]), BadInputError, "outputs"),
    ("float", lambda one: replace(one, outputs=one.outputs.ravel()), BadInputError, "outputs"),
    ("host_c", flipped, BadInputError, "decide differently"),
    ("host_c", lambda one: replace(one, runtime="device"), BadInputError, "two sets of predictions"),
    ("host_c", lambda one: replace(one, runtime="cloud"), BadInputError, "none of the runtimes"),
    ("device", lambda one: replace(one, indices=np.array([], dtype=np.int64)), BadInputError, "at least one beat"),
    ("device", lambda one: replace(one, indices=np.array([0.5])), BadInputError, "integers"),
    ("device", lambda one: replace(one, indices=np.array([-1, 3])), BadInputError, "rise strictly within 0..2399"),
    ("device", lambda one: replace(one, indices=np.array([5, 5])), BadInputError, "rise strictly"),
    ("device", lambda one: replace(one, indices=np.array([5, 2400])), BadInputError, "rise strictly"),
    ("float", lambda one: replace(one, outputs=one.outputs[:9], indices=np.arange(9)), BadInputError, "all beats"),
]


@pytest.mark.requirement("LW-VAL-004")
@pytest.mark.parametrize(
    ("runtime", "spoil", "error", "sentence"), REFUSED, ids=[f"{r}: {s}" for r, _, _, s in REFUSED]
)
def test_predictions_that_cannot_be_judged_are_refused(
    cohort: Dataset, runtime: str, spoil: Any, error: type[BadInputError], sentence: str
) -> None:
    predictions = all_runtimes(cohort, cohort.labels, cohort.labels)
    predictions[runtime] = spoil(predictions[runtime])
    with pytest.raises(error, match=sentence) as caught:
        validated(cohort, predictions)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("runtime", ["float", "tflite", "device"])
def test_a_runtime_that_is_missing_is_named(cohort: Dataset, runtime: str) -> None:
    predictions = all_runtimes(cohort, cohort.labels, cohort.labels)
    del predictions[runtime]
    with pytest.raises(BadInputError, match=f"no predictions of runtime '{runtime}'"):
        validated(cohort, predictions)


def test_a_negative_count_of_lost_samples_is_refused(cohort: Dataset) -> None:
    with pytest.raises(BadInputError, match="lost samples"):
        validated(cohort, all_runtimes(cohort, cohort.labels, cohort.labels), lost_samples=-1)


# ---------------------------------------------------------------------------------------------- size


def test_fifty_thousand_beats_take_seconds() -> None:
    draw = np.random.default_rng(1)
    beats = 49_659
    big = Dataset(
        name="big",
        split="test",
        inputs=(np.zeros((beats, 1), dtype=np.float32),),
        input_names=("beat",),
        labels=draw.choice(5, beats, p=[0.89, 0.04, 0.06, 0.009, 0.001]).astype(np.int64),
        label_names=LABELS,
        patients=tuple(f"p{patient}" for patient in np.sort(draw.integers(0, 22, beats))),
        records=("r",) * beats,
        times_s=np.arange(beats, dtype=np.float64),
        basis="synthetic",
        licence="none",
    )
    predictions = all_runtimes(big, decisions(big, 0.06, 1), decisions(big, 0.06, 2))
    protocol = replace(PROTOCOL, statistics=replace(PROTOCOL.statistics, resamples=2000))
    start = time.process_time()
    validated(big, predictions, protocol)
    assert time.process_time() - start < 10


def test_a_run_that_was_cut_is_noted(cohort: Dataset) -> None:
    from leadwire.pipeline.predict import PredictionSet, StoredPredictions

    cut = PredictionSet(stored=(), io_digest="", retries=3, library=Path(), starts=("watchdog", "unknown"))
    decided = decisions(cohort, 0.10, 2)
    result = validated(cohort, all_runtimes(cohort, decided, decided), also_noted=cut.notes)
    assert result.notes[-1].startswith("the run on the device was cut 2 time(s)")
    assert "watchdog, unknown" in result.notes[-1]
    assert PredictionSet(stored=(), io_digest="", retries=0, library=Path()).notes == ()
    generated = StoredPredictions(runtime="host_c", path=Path(), model_digest="", dataset_digest="")
    whole = PredictionSet(stored=(generated,), io_digest="", retries=0, library=Path())
    assert whole.notes == ("the generated C on the host ran its portable kernels",)
