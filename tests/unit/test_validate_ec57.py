"""EC57's figures, endpoints by EC57, declared multiplicity and equivalence in a validation: by plain counting, judged a
second time from predictions.csv alike, and false ones found.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy.stats import t as student

from evidence_example import BEATS, FIRMWARE, LABELS, MODEL, example_dataset, example_protocol, simulate
from leadwire.artifacts import Ec57Result, EquivalenceResult, ValidationResult, sha256_hex
from leadwire.datasets.dataset import Dataset
from leadwire.errors import ConfigError
from leadwire.evidence.derived import derive
from leadwire.evidence.judgement import disagreements
from leadwire.evidence.predictions import Table, read_predictions, write_predictions
from leadwire.evidence.record import Attachments, Beat
from leadwire.evidence.recount import false_ec57
from leadwire.evidence.scope import false_equivalences
from leadwire.protocols import Protocol, load_protocol
from leadwire.resources import VALIDATION
from leadwire.validate import run_validation

pytestmark = [pytest.mark.requirement("LW-VAL-008"), pytest.mark.requirement("LW-VAL-007")]
MORE = """
[[endpoints]]
name = "VEB sensitivity by EC57"
measure = "ec57_sensitivity"
label = "V"
margin = 0.06
rationale = "an example"

[[endpoints]]
name = "SVEB positive predictivity by EC57"
measure = "ec57_positive_predictivity"
label = "S"
margin = 0.08
rationale = "an example"

[[equivalences]]
name = "probability of V"
label = "V"
margin = 0.01
rationale = "an example"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ec57")


def times_s() -> np.ndarray:
    """Each record begins at 270 s: its first beats are in the learning period."""
    _, patient, _ = simulate()
    return 270.0 + 0.8 * np.array([np.count_nonzero(patient[:beat] == one) for beat, one in enumerate(patient)])


_FILES: dict[tuple[str, int], tuple[Path, bytes]] = {}


@cache
def _run(folder: Path, statistics: str, more: str, sent: int) -> tuple[ValidationResult, Protocol, Table, Dataset]:
    path = folder / f"{abs(hash((statistics, more, sent)))}.toml"
    rules = example_protocol().replace(b"[statistics]\n", f"[statistics]\nresamples = 1000\n{statistics}\n".encode())
    path.write_bytes(rules + more.encode())
    protocol = load_protocol(path)
    reference, patient, predictions = simulate()
    dataset = dataclasses.replace(example_dataset(reference, patient), times_s=times_s())
    runs = [dataclasses.replace(one, dataset_digest=dataset.digest) for one in predictions]
    if sent < BEATS:
        assert runs[3].raw is not None
        part = {"outputs": runs[3].outputs[:sent], "raw": runs[3].raw[:sent], "indices": np.arange(sent)}
        runs[3] = dataclasses.replace(runs[3], **part)  # type: ignore[arg-type]
    validation = run_validation(
        dataset,
        protocol,
        runs,
        model_digest=sha256_hex(MODEL),
        image_digest=sha256_hex(FIRMWARE),
        io_digest="",
        lost_samples=0,
        calibration_patients=(),
    )
    beats = zip(dataset.records, dataset.patients, reference.tolist(), dataset.times_s.tolist(), strict=True)
    attachments = Attachments(
        protocol=path,
        beats=tuple(
            Beat(record=record, patient=who, reference=label, time_s=time) for record, who, label, time in beats
        ),
        predictions=tuple(runs),
    )
    data = write_predictions(attachments, LABELS)
    _FILES[protocol.digest, sent] = path, data
    return validation, protocol, read_predictions(data, LABELS, source="x"), dataset


Run = tuple[ValidationResult, Protocol, Table, Dataset]


@cache
def verifier() -> ModuleType:
    """The verifier that travels in the bundle; it shares no code with leadwire."""
    spec = importlib.util.spec_from_file_location("bundle_verifier", VALIDATION / "verify.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def of_verifier(run: Run) -> Any:
    """The verifier's figures of a run."""
    validation, _, _, dataset = run
    path, data = _FILES[validation.protocol_digest, validation.device_beats]
    beats = verifier().Beats(data, list(LABELS))
    stated = TypeAdapter(ValidationResult).dump_python(validation, mode="json")
    assert len(beats.times) == len(dataset.labels)
    return verifier().Figures(stated, tomllib.loads(path.read_text()), beats)


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return _run(folder, "", MORE, BEATS)


def counts(dataset: Dataset, decided: np.ndarray, record: str | None = None) -> np.ndarray:
    matrix = np.zeros((5, 5), dtype=int)
    for beat, decision in enumerate(decided):
        if dataset.times_s[beat] >= 300 and record in (None, dataset.records[beat]):
            matrix[int(dataset.labels[beat]), int(decision)] += 1
    return matrix


# ---------------------------------------------------------------------------------------------- the figures


def test_the_matrix_is_of_the_beats_after_five_minutes(run: Run) -> None:
    validation, _, table, dataset = run
    assert [one.test for one in validation.ec57] == ["float", "tflite", "device"]
    for one in validation.ec57:
        decided = np.array([table.answers[one.test].decided[beat] for beat in range(BEATS)])
        expected = counts(dataset, decided)
        assert [row[:5] for row in one.matrix[:5]] == [tuple(row) for row in expected.tolist()]
        assert expected.sum() == np.count_nonzero(dataset.times_s >= 300) < BEATS
        assert sum(row[5] + row[6] for row in one.matrix) == sum(map(sum, one.matrix[5:])) == 0
        n, s, v, f, q = range(5)
        figures = {figure.name: (figure.numerator, figure.denominator) for figure in one.gross}
        assert figures["QRS sensitivity"] == (expected.sum(), expected.sum())
        assert figures["VEB sensitivity"] == (expected[v, v], expected[v].sum())
        assert figures["VEB positive predictivity"] == (expected[v, v], expected[[n, s, v], v].sum())
        assert figures["SVEB positive predictivity"] == (expected[s, s], expected[[n, s, v, f], s].sum())
        per_record = [counts(dataset, decided, record.record) for record in one.records]
        shares = [matrix[v, v] / matrix[v].sum() for matrix in per_record if matrix[v].sum()]
        average = next(figure for figure in one.average if figure.name == "VEB sensitivity")
        assert average.estimate == pytest.approx(np.mean(shares))
        assert one.rr_error_ms == 0.0
        assert q < 5 and f < 5


def test_runs_are_those_of_the_decisions(run: Run) -> None:
    validation, _, table, dataset = run
    one = validation.ec57[0]
    couplets = 0
    for record in one.records:
        beats = [b for b in range(BEATS) if dataset.records[b] == record.record and dataset.times_s[b] >= 300]
        line = "".join("x" if LABELS[int(dataset.labels[beat])] in "VF" else "." for beat in beats)
        couplets += sum(len(part) == 2 for part in line.split("."))
    assert sum(one.runs[0].couplets[:2]) == couplets > 0
    assert table.times_s == tuple(dataset.times_s.tolist())


def test_it_is_never_called_standard(run: Run) -> None:
    for one in run[0].ec57:
        assert not one.standard
        assert "classified where the reference has them" in one.deviations[0]


def test_a_device_that_was_sent_a_part_is_scored_on_that_part(folder: Path) -> None:
    validation, protocol, table, dataset = _run(folder, "", MORE, 3000)
    assert all(sum(map(sum, one.matrix)) == np.count_nonzero(dataset.times_s[:3000] >= 300) for one in validation.ec57)
    assert any("3000 of 4400 beats" in one for one in validation.ec57[0].deviations)
    assert disagreements(validation, protocol, table) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: {"times_s": np.minimum(d.times_s, 290.0) - np.arange(BEATS)[::-1] * 1e-3}, "first five minutes"),
        (lambda d: {"times_s": np.zeros(BEATS)}, "do not rise"),
        (lambda d: {"label_names": ("N", "S", "V", "F", "other")}, "its classes are"),
    ],
)
def test_what_cannot_be_scored_says_why(change: Callable[[Dataset], dict[str, Any]], said: str) -> None:
    from leadwire.validate.by_ec57 import can_be_scored

    reference, patient, _ = simulate()
    dataset = dataclasses.replace(example_dataset(reference, patient), times_s=times_s())
    assert can_be_scored(dataset) == ""
    assert said in can_be_scored(dataclasses.replace(dataset, **change(dataset)))


# ---------------------------------------------------------------------------------------------- endpoints


def test_an_endpoint_by_ec57_has_the_gross_figures(run: Run) -> None:
    validation, _, _, _ = run
    by_name = {one.endpoint: one for one in validation.endpoints}
    floats, _, device = validation.ec57
    for endpoint, figure in (
        ("VEB sensitivity by EC57", "VEB sensitivity"),
        ("SVEB positive predictivity by EC57", "SVEB positive predictivity"),
    ):
        result = by_name[endpoint]
        gross = [next(one.estimate for one in of.gross if one.name == figure) for of in (floats, device)]
        assert (result.float_value, result.int8_value) == pytest.approx(gross)
        assert result.loss.estimate == pytest.approx(gross[0] - gross[1])
    assert by_name["VEB sensitivity by EC57"].float_value != by_name["VEB sensitivity"].float_value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('measure = "ec57_sensitivity"\nlabel = "N"', "EC57 has this figure for V and S, not for 'N'"),
        ('measure = "ec57_sensitivity"', "label: missing"),
        ('measure = "ec57_f1"\nlabel = "V"', "measure"),
    ],
)
def test_endpoints_that_ec57_has_not(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(
        example_protocol() + f'[[endpoints]]\nname = "x"\n{text}\nmargin = 0.1\nrationale = "r"\n'.encode()
    )
    with pytest.raises(ConfigError, match=said):
        load_protocol(path)


def test_p_values_follow_the_judged_interval(run: Run) -> None:
    validation, protocol, _, _ = run
    alpha = protocol.statistics.one_sided_alpha
    for one in validation.endpoints:
        assert one.p_value is not None and one.judged is not None
        assert (one.p_value < alpha) == (one.judged.high < one.margin)
        assert one.adjusted_p_value is None
        paired = one.mcnemar_mid_p is not None
        assert paired == (one.clustered_p is not None) == (one.mcnemar_exact is not None)
        if one.mcnemar_exact is not None and one.mcnemar_mid_p is not None:
            assert one.mcnemar_exact >= one.mcnemar_mid_p


# ---------------------------------------------------------------------------------------------- several endpoints

CLOSE = MORE.replace("margin = 0.06", "margin = 0.0153").replace("margin = 0.08", "margin = 0.0125")


def test_holm_takes_back_what_only_passes_alone(folder: Path) -> None:
    """Two endpoints' margins lie so close that both pass at alpha, but neither does at alpha / 2."""
    alone, _, _, _ = _run(folder, "", CLOSE, BEATS)
    validation, protocol, table, _ = _run(folder, 'multiplicity = "holm"', CLOSE, BEATS)
    p = [one.p_value for one in alone.endpoints]
    assert all(value is not None for value in p)
    order = sorted(range(len(p)), key=lambda i: p[i] or 0)
    running = 0.0
    for rank, place in enumerate(order):
        running = max(running, min(1.0, (len(p) - rank) * (p[place] or 0)))
        one = validation.endpoints[place]
        assert one.adjusted_p_value == pytest.approx(running)
        if alone.endpoints[place].verdict == "pass":
            assert one.verdict == ("pass" if running <= 0.025 else "inconclusive")
            assert one.verdict == "pass" or "after Holm's correction for 7 endpoints" in one.reason
    changed = [a.verdict != b.verdict for a, b in zip(alone.endpoints, validation.endpoints, strict=True)]
    assert any(changed), "the example no longer has an endpoint between the two"
    assert all(
        one.patients_needed is not None and one.patients_needed > 44
        for one, other in zip(validation.endpoints, changed, strict=True)
        if other
    )
    assert all(figure.agrees for figure in derive(validation, protocol, table))
    assert validation.verdict == "inconclusive"
    assert disagreements(validation, protocol, table) == ()


def test_a_hierarchy_ends_at_the_first_that_is_not_shown(folder: Path) -> None:
    first_fails = example_protocol().decode().replace('label = ""\nmargin = 0.01', 'label = ""\nmargin = 0.0001')
    assert first_fails != example_protocol().decode()
    validation, protocol, table, _ = _run(folder, 'multiplicity = "hierarchical"', MORE, BEATS)
    assert validation.verdict == "pass"
    assert disagreements(validation, protocol, table) == ()
    path = folder / "hierarchy.toml"
    path.write_text(first_fails.replace("[statistics]\n", '[statistics]\nmultiplicity = "hierarchical"\n'))
    from leadwire.validate.multiplicity import adjusted

    harder = load_protocol(path)
    endpoints = [dataclasses.replace(validation.endpoints[0], verdict="inconclusive"), *validation.endpoints[1:5]]
    after = adjusted(endpoints, harder.statistics, [44] * 5)
    assert [one.verdict for one in after] == ["inconclusive"] * 5
    assert all("not tested: 'accuracy' comes before it" in one.reason for one in after[1:])


def test_an_unknown_rule_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(example_protocol().replace(b"[statistics]\n", b'[statistics]\nmultiplicity = "none"\n'))
    with pytest.raises(ConfigError, match="multiplicity"):
        load_protocol(path)


# ---------------------------------------------------------------------------------------------- equivalence


def test_equivalence_of_probabilities(run: Run, folder: Path) -> None:
    validation, _, table, dataset = run
    (one,) = validation.equivalences
    float_v = np.array([table.answers["float"].outputs[beat][2] for beat in range(BEATS)])
    int8_v = (np.array([table.answers["device"].raw[beat][2] for beat in range(BEATS)]) + 128) / 256
    assert one.difference.estimate == pytest.approx((float_v - int8_v).mean())
    assert one.verdict == "pass" and one.p_value < 0.025
    narrow, protocol, narrow_table, _ = _run(folder, "", MORE.replace("margin = 0.01\n", "margin = 0.0001\n"), BEATS)
    assert narrow.equivalences[0].verdict != "pass" and narrow.verdict != "pass"
    assert any("probability of V" in reason for reason in narrow.reasons)
    assert disagreements(narrow, protocol, narrow_table) == ()
    assert dataset.labels.shape == (BEATS,)


# ---------------------------------------------------------------------------------------------- verification


def test_the_second_judgement_agrees(run: Run) -> None:
    validation, protocol, table, _ = run
    assert disagreements(validation, protocol, table) == ()


def test_the_verifier_in_the_bundle_derives_the_same(run: Run, folder: Path) -> None:
    assert of_verifier(run).check() == run[0].verdict == "pass"
    for statistics, more, sent in (
        ('multiplicity = "holm"', CLOSE, BEATS),
        ('multiplicity = "hierarchical"', MORE, BEATS),
        ("", MORE.replace("margin = 0.01\n", "margin = 0.0001\n"), BEATS),
    ):
        other = _run(folder, statistics, more, sent)
        figures, judged = of_verifier(other), other[2].answers["device"].decided
        verdicts = {one.verdict for one in (*other[0].endpoints, *other[0].equivalences)}
        assert figures.endpoints(judged) | figures.equivalences("device") == verdicts


def test_students_t_of_the_verifier_is_scipys() -> None:
    for degrees in (1, 2, 5, 21, 43, 400):
        for t in (-3.0, 0.0, 1e-3, 0.4, 1.7, 2.5, 9.0, 60.0):
            assert verifier().student_above(t, degrees) == pytest.approx(student.sf(t, degrees), rel=1e-10, abs=1e-15)
        for alpha in (0.025, 0.05, 0.2):
            assert verifier().student_quantile(alpha, degrees) == pytest.approx(student.isf(alpha, degrees), rel=1e-10)


def first(validation: ValidationResult, **change: Any) -> tuple[Ec57Result, ...]:
    return (dataclasses.replace(validation.ec57[0], **change), *validation.ec57[1:])


def of_first_record(validation: ValidationResult, **change: Any) -> tuple[Ec57Result, ...]:
    one = validation.ec57[0]
    return first(validation, records=(dataclasses.replace(one.records[0], **change), *one.records[1:]))


def better(matrix: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    rows = [list(row) for row in matrix]
    rows[0][0], rows[0][1] = rows[0][0] + 1, rows[0][1] - 1
    return tuple(map(tuple, rows))


def with_interval(one: EquivalenceResult, **change: Any) -> EquivalenceResult:
    assert one.difference.interval is not None
    interval = dataclasses.replace(one.difference.interval, **change)
    return dataclasses.replace(one, difference=dataclasses.replace(one.difference, interval=interval))


FALSE: dict[str, tuple[Callable[[ValidationResult], dict[str, Any]], str]] = {
    "a missing runtime": (lambda v: {"ec57": v.ec57[1:]}, "are of 2 runtime"),
    "another order": (lambda v: {"ec57": v.ec57[::-1]}, "are of 3 runtime"),
    "called standard": (lambda v: {"ec57": first(v, deviations=())}, "not said to be NON-STANDARD"),
    "a beat moved": (lambda v: {"ec57": first(v, matrix=better(v.ec57[0].matrix))}, "gross, do not follow"),
    "a record left out": (lambda v: {"ec57": first(v, records=v.ec57[0].records[1:])}, "not of the records"),
    "a record's matrix": (
        lambda v: {"ec57": of_first_record(v, matrix=better(v.ec57[0].records[0].matrix))},
        "for record 200 do not follow",
    ),
    "a record's runs": (
        lambda v: {"ec57": of_first_record(v, runs=v.ec57[0].records[0].runs[::-1])},
        "for record 200 do not follow",
    ),
    "a record's RR error": (lambda v: {"ec57": of_first_record(v, rr_error_ms=3.0)}, "for record 200"),
    "a gross figure": (
        lambda v: {
            "ec57": first(
                v,
                gross=(
                    *v.ec57[0].gross[:2],
                    dataclasses.replace(v.ec57[0].gross[2], estimate=1.0),
                    *v.ec57[0].gross[3:],
                ),
            )
        },
        "gross, do not follow",
    ),
    "an average": (
        lambda v: {
            "ec57": first(
                v,
                average=(
                    *v.ec57[0].average[:2],
                    dataclasses.replace(v.ec57[0].average[2], estimate=1.0),
                    *v.ec57[0].average[3:],
                ),
            )
        },
        "the average VEB sensitivity is",
    ),
    "an average's name": (
        lambda v: {
            "ec57": first(v, average=(dataclasses.replace(v.ec57[0].average[0], name="V"), *v.ec57[0].average[1:]))
        },
        "other averages than EC57 asks for",
    ),
    "a p value": (
        lambda v: {"endpoints": (dataclasses.replace(v.endpoints[0], p_value=1e-6), *v.endpoints[1:])},
        "the p value of endpoint 'accuracy'",
    ),
    "McNemar's exact p": (
        lambda v: {"endpoints": (dataclasses.replace(v.endpoints[0], mcnemar_exact=0.9), *v.endpoints[1:])},
        "McNemar's exact p of endpoint 'accuracy'",
    ),
    "Obuchowski's p": (
        lambda v: {"endpoints": (dataclasses.replace(v.endpoints[0], clustered_p=None), *v.endpoints[1:])},
        "the Obuchowski's p of endpoint 'accuracy'",
    ),
    "an adjusted p": (
        lambda v: {"endpoints": (dataclasses.replace(v.endpoints[0], adjusted_p_value=0.01), *v.endpoints[1:])},
        "the adjusted p value of endpoint 'accuracy'",
    ),
    "no equivalence": (lambda v: {"equivalences": ()}, "the equivalences are not those"),
    "another difference": (
        lambda v: {
            "equivalences": (
                dataclasses.replace(
                    v.equivalences[0], difference=dataclasses.replace(v.equivalences[0].difference, estimate=0.0)
                ),
            )
        },
        "the figures of equivalence 'probability of V'",
    ),
    "another level": (
        lambda v: {"equivalences": (with_interval(v.equivalences[0], level=0.999),)},
        "the figures of equivalence 'probability of V'",
    ),
    "another method": (
        lambda v: {"equivalences": (with_interval(v.equivalences[0], method="t over beats"),)},
        "the figures of equivalence 'probability of V'",
    ),
    "another margin": (
        lambda v: {"equivalences": (dataclasses.replace(v.equivalences[0], margin=0.5),)},
        "the verdict of equivalence 'probability of V'",
    ),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_figures_are_found(run: Run, name: str) -> None:
    validation, protocol, table, dataset = run
    change, said = FALSE[name]
    changed = change(validation)
    false = dataclasses.replace(validation, **changed)
    figures = of_verifier((false, protocol, table, dataset))
    judged = table.answers["device"].decided
    alone, second = {
        "ec57": (lambda: figures.ec57("device"), lambda: false_ec57(false, table)),
        "endpoints": (lambda: figures.endpoints(judged), lambda: disagreements(false, protocol, table)),
        "equivalences": (
            lambda: figures.equivalences("device"),
            lambda: false_equivalences(false, protocol, table),
        ),
    }[next(iter(changed))]
    found = list(second())
    assert any(said in one for one in found), found
    with pytest.raises(verifier().RefusedError):
        alone()
