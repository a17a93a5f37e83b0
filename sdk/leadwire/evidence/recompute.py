"""The figures of a bundle derived a second time from its predictions, by counting, with the standard library alone.

None of the code that made the validation is used. Endpoints and verdicts: `judgement`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import isclose, isnan, nan

from leadwire.artifacts import Divergence, Interval, Reliability, RuntimeMetrics, Statistic, ValidationResult
from leadwire.protocols import Protocol

from .predictions import Table


def same(one: float, other: float) -> bool:
    """Equal to 1e-9, far below one beat; two undefined figures are equal."""
    return (isnan(one) and isnan(other)) or isclose(one, other, rel_tol=0.0, abs_tol=1e-9)


def same_interval(one: Interval | None, other: Interval | None) -> bool:
    """The same limits, at the same level, by the same method."""
    if one is None or other is None:
        return one is other
    numbers = ((one.low, other.low), (one.high, other.high), (one.level, other.level))
    return one.method == other.method and all(same(*pair) for pair in numbers)


def share(part: float, whole: float) -> float:
    return part / whole if whole else nan


def false_figures(validation: ValidationResult, protocol: Protocol, table: Table) -> Iterator[str]:
    """Counts and shares that predictions.csv does not bear out, one sentence each."""
    for what, stated, found in (
        ("number of beats", validation.beats, len(table.reference)),
        ("number of patients", validation.patients, len(set(table.patients))),
        ("number of beats sent to the device", validation.device_beats, len(table.answers["device"].decided)),
    ):
        if stated != found:
            yield f"the {what} is {found} in predictions.csv, not {stated}"
    for metrics in validation.metrics:
        yield from _metrics(metrics, protocol, table)
    for divergence in dict.fromkeys((validation.host_device, validation.tflite_device, *validation.identities)):
        yield from _divergence(divergence, table)
    for curve in validation.reliability:
        yield from _reliability(curve, table)
    yield from _records(validation, table)
    yield from _changed(validation, table)
    yield from _margins(validation, table)
    for statistic, name in _names(validation):
        if statistic.name != name:
            yield f"a statistic is named '{statistic.name}' in the place of '{name}'"


def _names(validation: ValidationResult) -> Iterator[tuple[Statistic, str]]:
    """The statistics with the name that each has by its place; those by EC57 are in `recount`."""
    yield validation.agreement_float_int8, "same decision, float and INT8"
    for metrics in validation.metrics:
        yield metrics.accuracy, "accuracy"
        for label, hits, calls in zip(
            validation.labels, metrics.sensitivity, metrics.positive_predictivity, strict=False
        ):
            yield hits, f"{label} sensitivity"
            yield calls, f"{label} positive predictivity"
    for endpoints in (validation.endpoints, *(part.endpoints for part in validation.subgroups)):
        yield from ((one.loss, f"loss of {one.endpoint}") for one in endpoints)
    yield from ((one.difference, f"difference of {one.name}") for one in validation.equivalences)
    for point in validation.operating_points:
        yield point.float_sensitivity, "float sensitivity"
        yield point.int8_sensitivity, "INT8 sensitivity"
        yield point.float_specificity, "float specificity"
        yield point.int8_specificity, "INT8 specificity"
        yield point.sensitivity_loss, "loss of sensitivity"
        yield point.specificity_loss, "loss of specificity"
        yield point.drift, "drift of the threshold"


def _metrics(metrics: RuntimeMetrics, protocol: Protocol, table: Table) -> Iterator[str]:
    who = metrics.runtime
    decided = table.answers[who].decided if who in table.answers else {}
    pairs = Counter((table.reference[beat], decision) for beat, decision in decided.items())
    classes = range(len(table.labels))
    if metrics.confusion != tuple(tuple(pairs[row, column] for column in classes) for row in classes):
        yield f"the confusion matrix of '{who}' does not follow from predictions.csv"
        return
    yield from _share(metrics.accuracy, sum(pairs[place, place] for place in classes), len(decided), who, "accuracy")
    if not len(metrics.sensitivity) == len(metrics.positive_predictivity) == len(classes):
        yield f"'{who}' has not one sensitivity and positive predictivity for each of {len(classes)} classes"
        return
    for place, label in enumerate(table.labels):
        excused = protocol.class_rule(label).not_false_positive
        hits = pairs[place, place]
        of_class = sum(pairs[place, column] for column in classes)
        called = sum(pairs[row, place] for row in classes if table.labels[row] not in excused)
        yield from _share(metrics.sensitivity[place], hits, of_class, who, f"{label} sensitivity")
        yield from _share(metrics.positive_predictivity[place], hits, called, who, f"{label} positive predictivity")


def _share(stated: Statistic, part: int, whole: int, who: str, what: str) -> Iterator[str]:
    if (stated.numerator, stated.denominator) != (part, whole) or not same(stated.estimate, share(part, whole)):
        yield f"the {what} of '{who}' is not {part} of {whole}"


def _divergence(stated: Divergence, table: Table) -> Iterator[str]:
    """Bytes are compared where the table holds bytes; of the decisions always."""
    one, other = (table.answers.get(runtime) for runtime in stated.runtimes)
    pair = " and ".join(stated.runtimes)
    common = sorted(one.decided.keys() & other.decided.keys()) if one and other else []
    if one is None or other is None or not common:
        if stated.compared or stated.identical or stated.values:
            yield f"{pair} have no beat in common in predictions.csv, and are said to have been compared"
        return
    changed = sum(one.decided[beat] != other.decided[beat] for beat in common)
    if (stated.compared, stated.decisions_changed) != (len(common), changed):
        yield f"{pair}: {changed} of {len(common)} decisions differ in predictions.csv"
    if one.raw and other.raw:
        apart = [(one.raw[beat], other.raw[beat]) for beat in common if one.raw[beat] != other.raw[beat]]
        sizes = Counter(abs(a - b) for left, right in apart for a, b in zip(left, right, strict=True) if a != b)
        identical, values = len(common) - len(apart), len(common) * len(table.labels)
        found = (identical, max(sizes, default=0), values, sizes.total(), tuple(sorted(sizes.items())))
        if found != (
            stated.identical, stated.max_abs_lsb, stated.values, stated.differing_values, stated.lsb_histogram
        ):  # fmt: skip
            yield f"{pair}: {identical} of {len(common)} beats are equal in predictions.csv, with other differences"


def _reliability(stated: Reliability, table: Table) -> Iterator[str]:
    """Beats by tenths of their largest probability. int8 values are those of scale 1/256 and zero point -128, int16
    values of 1/32768 and 0: the largest of a beat is beyond int8, unless there were 256 classes of one probability."""
    answers = table.answers.get(stated.runtime)
    wide = answers is not None and max(answers.largest.values(), default=0.0) > 127
    zero_point, steps = ((0, 32768) if wide else (-128, 256)) if answers and answers.raw else (0, 1)
    bins: dict[int, list[int]] = {}
    for beat, largest in answers.largest.items() if answers else ():
        probability = (largest - zero_point) / steps
        bins.setdefault(min(int(probability * 10), 9), []).append(beat)
    found = [
        (
            place / 10,
            (place + 1) / 10,
            len(beats),
            sum(answers.decided[beat] == table.reference[beat] for beat in beats),
        )
        for place, beats in sorted(bins.items())
        if answers
    ]
    means = [sum(answers.largest[beat] for beat in beats) / len(beats) for _, beats in sorted(bins.items()) if answers]
    means = [(mean - zero_point) / steps for mean in means]
    if [(one.low, one.high, one.beats, one.right) for one in stated.bins] != found or not _all_same(
        [one.confidence for one in stated.bins], means
    ):
        yield f"the calibration curve of '{stated.runtime}' does not follow from predictions.csv"


def _records(validation: ValidationResult, table: Table) -> Iterator[str]:
    """Accuracy of each record over the judged beats."""
    sides = [table.answers[name].decided for name in ("float", "tflite", validation.judged_runtime)]
    beats_of: dict[str, list[int]] = {}
    for beat in sides[2]:
        beats_of.setdefault(table.records[beat], []).append(beat)
    if [item.record for item in validation.records] != sorted(beats_of):
        yield "the records of the validation are not those of predictions.csv"
        return
    for item in validation.records:
        beats = beats_of[item.record]
        right = [share(sum(side[beat] == table.reference[beat] for beat in beats), len(beats)) for side in sides]
        stated = (item.float_accuracy, item.host_accuracy, item.device_accuracy)
        if tuple((part.label, part.beats, part.float_right, part.int8_right) for part in item.classes) != tuple(
            (
                label,
                len(of),
                sum(sides[0][beat] == place for beat in of),
                sum(sides[2][beat] == place for beat in of),
            )
            for place, label in enumerate(table.labels)
            if (of := [beat for beat in beats if table.reference[beat] == place])
        ):
            yield f"the classes of record '{item.record}' do not follow from predictions.csv"
        if item.beats != len(beats) or item.patient != table.patients[beats[0]] or not _all_same(stated, right):
            yield f"the figures of record '{item.record}' do not follow from predictions.csv"


def _margins(validation: ValidationResult, table: Table) -> Iterator[str]:
    """How close the decisions were, in steps of INT8's output, and how many of each closeness changed."""
    stated, floats = validation.float_int8, table.answers["float"].outputs
    if stated is None or not floats:
        return
    judged = table.answers[validation.judged_runtime].decided
    edges = sorted({edge for one in stated.margins for edge in (one.low, one.high) if edge is not None})
    counts: dict[tuple[float, float | None], list[int]] = {}
    for beat, decision in judged.items():
        first, second = sorted(floats[beat], reverse=True)[:2]
        margin = (first - second) / stated.step
        low = max((edge for edge in edges if edge <= margin), default=-1.0)
        high = min((edge for edge in edges if edge > margin), default=None)
        cell = counts.setdefault((low, high), [0, 0])
        cell[0] += 1
        cell[1] += decision != table.answers["float"].decided[beat]
    found = [(*span, *counts[span]) for span in sorted(counts, key=lambda span: span[0])]
    if [(one.low, one.high, one.beats, one.changed) for one in stated.margins] != found:
        yield "the margins of the decisions do not follow from predictions.csv"


def _all_same(stated: Sequence[float], found: Sequence[float]) -> bool:
    return all(same(one, other) for one, other in zip(stated, found, strict=True))


def _changed(validation: ValidationResult, table: Table) -> Iterator[str]:
    """Decisions that float and the judged runtime take differently, and those of them that are listed."""
    one, other = (table.answers[name].decided for name in ("float", validation.judged_runtime))
    changed = {beat for beat, decision in other.items() if one[beat] != decision}
    if validation.changed_total != len(changed):
        yield f"{len(changed)} decisions changed in predictions.csv, not {validation.changed_total}"
    yield from _share(
        validation.agreement_float_int8, len(other) - len(changed), len(other), validation.judged_runtime, "agreement"
    )
    for item in validation.changed:
        classes = (item.reference, item.float_class, item.int8_class)
        beat = item.index
        if beat not in changed or (item.record, classes) != (
            table.records[beat],
            tuple(table.labels[place] for place in (table.reference[beat], one[beat], other[beat])),
        ):
            yield f"the changed decision of beat {beat} is another in predictions.csv"
