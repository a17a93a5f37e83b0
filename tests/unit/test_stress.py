"""The stress matrix: figures counted a second time in plain Python, the second judgement from stress.csv, and what it
refuses."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import struct
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence_example import example_evidence
from leadwire.artifacts import StressResult, StressWitness, sha256_hex
from leadwire.errors import EvidenceError
from leadwire.evidence.stress import StressAnswers, false_stress, write_stress
from leadwire.protocols import Protocol, load_protocol
from leadwire.report.page import render_page
from leadwire.report.plots import stress as plot
from leadwire.validate import StressRun, judge_stress

pytestmark = pytest.mark.requirement("LW-VAL-006")
LABELS = ("N", "S", "V")
BEATS, PATIENTS = 1200, 24
PROTOCOL = """
name = "stress"
title = "t"
intended_population = "p"
labels = ["N", "S", "V"]
minimum_patients = 20
[statistics]
resamples = 1000
method = "bca"
[stress]
seed = 3
seconds = 60
device_beats = 5
[[stress.conditions]]
kind = "muscle"
levels = [6, 0]
[[endpoints]]
name = "accuracy"
measure = "accuracy"
margin = 0.02
rationale = "r"
[[endpoints]]
name = "V sensitivity"
measure = "sensitivity"
label = "V"
margin = 0.02
rationale = "r"
[[endpoints]]
name = "V +P"
measure = "positive_predictivity"
label = "V"
margin = 0.02
rationale = "r"
[[endpoints]]
name = "macro F1"
measure = "macro_f1"
labels = ["N", "S", "V"]
margin = 0.02
rationale = "r"
[[endpoints]]
name = "S sensitivity by EC57"
measure = "ec57_sensitivity"
label = "S"
margin = 0.02
rationale = "r"
"""


@dataclasses.dataclass(frozen=True)
class Case:
    protocol: Protocol
    labels: np.ndarray
    patients: list[str]
    records: list[str]
    runs: list[StressRun]
    answers: list[StressAnswers]

    @property
    def data(self) -> bytes:
        return write_stress(self.records, self.patients, [LABELS[label] for label in self.labels], self.answers)

    @property
    def result(self) -> StressResult:
        conditions = judge_stress(self.protocol, self.labels, self.patients, self.records, self.runs)
        return StressResult(
            protocol_digest=self.protocol.digest, model_digest="m" * 64, seconds=60, seed=3,
            predictions_digest=sha256_hex(self.data), conditions=conditions,
        )  # fmt: skip


def case(folder: Path, wrong: tuple[tuple[float, float], ...], seed: int = 1) -> Case:
    """`wrong`: shares of wrong decisions of float and INT8, undisturbed and at each level."""
    path = folder / "stress.toml"
    path.write_text(PROTOCOL)
    random = np.random.default_rng(seed)
    labels = random.choice(3, BEATS, p=[0.7, 0.1, 0.2]).astype(np.int64)
    patients = [f"p{beat * PATIENTS // BEATS:02d}" for beat in range(BEATS)]
    runs, answers = [], []
    for number, (of_float, of_int8) in enumerate(wrong):
        beats = np.arange(BEATS) if number != 1 else np.delete(np.arange(BEATS), [7, 900])
        decided = [np.where(random.random(BEATS) < share, random.integers(0, 3, BEATS), labels)[beats]
                   for share in (of_float, of_int8)]  # fmt: skip
        sent = beats[::300]
        runs.append(
            StressRun(
                title="undisturbed" if not number else "muscle",
                level=None if not number else (6.0, 0.0)[number - 1],
                unit="" if not number else "dB SNR",
                beats=beats, float_decided=decided[0], int8_decided=decided[1],
                device_beats=len(sent), device_identical=len(sent),
                witnesses=(
                    StressWitness(runtime="tflm", beats=len(sent), identical=len(sent), decisions_changed=0),
                    StressWitness(runtime="tflite", beats=len(sent), identical=len(sent) - 1, decisions_changed=1),
                ),
            )
        )  # fmt: skip
        real = {int(b): struct.pack(">3f", *(0.9 if k == d else 0.05 for k in range(3)))
                for b, d in zip(beats, decided[0], strict=True)}  # fmt: skip
        raw = {int(b): struct.pack("3b", *(100 if k == d else -100 for k in range(3)))
               for b, d in zip(beats, decided[1], strict=True)}  # fmt: skip
        same = {int(b): raw[int(b)] for b in sent}
        other = {**same, int(sent[0]): struct.pack("3b", *np.roll(struct.unpack("3b", raw[int(sent[0])]), 1))}
        answers.append(StressAnswers(float_outputs=real, int8=raw, device=same, tflm=same, tflite=other))
    return Case(
        protocol=load_protocol(path), labels=labels, patients=patients,
        records=[f"r{name[1:]}" for name in patients], runs=runs, answers=answers,
    )  # fmt: skip


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """INT8 as good as float undisturbed and at 6 dB, 15 points worse at 0 dB."""
    return case(tmp_path_factory.mktemp("stress"), ((0.05, 0.05), (0.10, 0.10), (0.10, 0.32)))


def test_figures_are_those_of_a_plain_count(harmed: Case) -> None:
    for run, condition in zip(harmed.runs, harmed.result.conditions, strict=True):
        reference = [int(harmed.labels[beat]) for beat in run.beats]
        for side, decided in (("float_value", run.float_decided), ("int8_value", run.int8_decided)):
            pairs = list(zip(reference, decided.tolist(), strict=True))
            found = [getattr(figure, side) for figure in condition.figures]
            assert found[0] == sum(r == d for r, d in pairs) / len(pairs)
            assert found[1] == pairs.count((2, 2)) / reference.count(2)
            assert found[2] == pairs.count((2, 2)) / sum(d == 2 for _, d in pairs)
            f1 = [2 * pairs.count((k, k)) / (reference.count(k) + sum(d == k for _, d in pairs)) for k in range(3)]
            assert found[3] == pytest.approx(sum(f1) / 3, abs=1e-15)
            assert found[4] == pairs.count((1, 1)) / reference.count(1)
        assert condition.beats == len(run.beats)
    clean, _, worst = harmed.result.conditions
    for figure in clean.figures:
        assert figure.excess.estimate == 0
    excess = worst.figures[0].excess
    assert excess.estimate == pytest.approx(worst.figures[0].loss.estimate - clean.figures[0].loss.estimate)


def test_harm_by_quantization_in_noise_is_found_and_only_there(harmed: Case) -> None:
    result = harmed.result
    assert {(one.title, one.level) for one, _ in result.harmed} == {("muscle", 0.0)}
    assert "accuracy" in {figure.endpoint for _, figure in result.harmed}
    assert result.compared == 10
    assert result.device_differs == ()


def test_noise_that_hurts_both_alike_is_no_harm_of_quantization(tmp_path: Path) -> None:
    """Float itself falls by 20 points; the excess stays within chance in nearly all of 40 cohorts."""
    outside = 0
    for seed in range(40):
        one = case(tmp_path, ((0.02, 0.02), (0.3, 0.3), (0.3, 0.3)), seed)
        figures = [condition.figures[0] for condition in one.result.conditions[1:]]
        outside += sum(f.excess.interval is not None and f.excess.interval.low > 0 for f in figures)
    assert outside <= 8  # 80 intervals, 2.5 % each: 2 expected


def test_the_second_judgement_agrees(harmed: Case) -> None:
    assert list(false_stress(harmed.result, harmed.protocol, harmed.data, source="x")) == []


CHANGES = (
    "value",
    "loss",
    "excess",
    "interval",
    "method",
    "name",
    "device",
    "witness",
    "specification",
    "witness gone",
    "level",
    "endpoint",
)


def changed(result: StressResult, what: str) -> StressResult:
    change: Any = dataclasses.replace
    first, *rest = result.conditions
    last = rest[-1]
    figure = last.figures[1]
    interval = figure.excess.interval
    assert interval is not None
    moved = {
        "value": change(figure, int8_value=figure.int8_value + 0.01),
        "loss": change(figure, loss=change(figure.loss, estimate=figure.loss.estimate + 0.01)),
        "excess": change(figure, excess=change(figure.excess, estimate=0.0)),
        "interval": change(figure, excess=change(figure.excess, interval=change(interval, low=interval.low - 0.01))),
        "method": change(figure, excess=change(figure.excess, interval=change(interval, method="patient bootstrap"))),
        "name": change(figure, loss=change(figure.loss, name=figure.excess.name)),
    }
    if what in moved:
        last = change(last, figures=(last.figures[0], moved[what], *last.figures[2:]))
    else:
        last = {
            "witness": change(last, witnesses=(last.witnesses[0], change(last.witnesses[1], decisions_changed=0))),
            "specification": change(last, witnesses=(change(last.witnesses[0], identical=0), last.witnesses[1])),
            "witness gone": change(last, witnesses=last.witnesses[:1]),
            "device": change(last, device_identical=last.device_identical - 1),
            "level": change(last, level=12.0),
            "endpoint": change(last, figures=last.figures[1:]),
        }[what]
    return change(result, conditions=(first, *rest[:-1], last))


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_figure_is_found(harmed: Case, what: str) -> None:
    assert list(false_stress(changed(harmed.result, what), harmed.protocol, harmed.data, source="x"))


HEADER = b"record,patient,reference,0:float,0:int8,0:device,0:tflm,0:tflite\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff",
        b"record,patient,reference\n",
        HEADER + b"r,p,X,,,,,\n",
        HEADER + b"r,p,N,zz,000000,,,\n",
        HEADER + b"r,p,N,00,000000,,,\n",
        HEADER + b"r,p,N,,,000000,,\n",
        HEADER + b"r,p,N,,,,000000,\n",
        HEADER + b"r,p,N,,,,,000000\n",
        HEADER + b"r,p,N," + b"00000000" * 3 + b",000000,,,0000\n",
        HEADER + b"r,p,N," + b"7fc00000" * 3 + b",000000,,,\n",
    ],
)
def test_a_broken_file_of_answers_is_refused(harmed: Case, data: bytes) -> None:
    try:
        found = list(false_stress(harmed.result, harmed.protocol, data, source="x"))
    except EvidenceError:
        return
    assert found


def test_an_answer_of_the_device_that_differs_is_counted(harmed: Case) -> None:
    device = dict.fromkeys(harmed.answers[1].device, b"\x00" * 3)
    other = dataclasses.replace(harmed.answers[1], device=device)
    data = dataclasses.replace(harmed, answers=[harmed.answers[0], other, harmed.answers[2]]).data
    found = list(false_stress(harmed.result, harmed.protocol, data, source="x"))
    assert found == ["stress 'muscle 6': the numbers of beats do not follow from stress.csv"]


def test_the_plot_shows_each_condition_and_says_how_many_are_worse(harmed: Case) -> None:
    drawn = str(plot.draw(harmed.result.conditions))
    assert drawn.count("<circle") == 10
    assert f"{len(harmed.result.harmed)} of 10 intervals lie above zero" in drawn
    assert "muscle" in drawn


def test_the_verifier_that_travels_in_the_bundle_agrees_and_finds_changes(harmed: Case, root: Path) -> None:
    """It shares no code with leadwire: standard library, its own draws and intervals."""
    spec = importlib.util.spec_from_file_location("stress_verifier", root / "validation" / "verify.py")
    assert spec is not None
    assert spec.loader is not None
    verifier = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(verifier)
    figures = verifier.Figures({}, tomllib.loads(PROTOCOL), None)
    figures.stress(json.loads(json.dumps(dataclasses.asdict(harmed.result))), harmed.data)
    assert figures.compared > 50
    for what in CHANGES:
        with pytest.raises(verifier.RefusedError):
            figures.stress(json.loads(json.dumps(dataclasses.asdict(changed(harmed.result, what)))), harmed.data)
    with pytest.raises(verifier.RefusedError, match="go together"):
        figures.stress(None, harmed.data)
    with pytest.raises(verifier.RefusedError, match="not the file"):
        figures.stress(dataclasses.asdict(harmed.result), harmed.data + b"\n")


def test_the_report_shows_the_matrix_and_a_device_that_differs_fails(harmed: Case, tmp_path: Path) -> None:
    evidence, _ = example_evidence(tmp_path)
    evidence = dataclasses.replace(evidence, stress=harmed.result)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", render_page(evidence, "ab" * 32).decode()))
    assert "it answered each with the same bytes" in text
    assert f"Of 10 intervals, {len(harmed.result.harmed)} lie wholly above zero" in text
    assert "muscle 0 dB SNR V sensitivity" in text
    assert evidence.verdict == "pass"
    assert "3 of 12 answers are other bytes, and 3 of them another class" in text
    assert "all 12 answers are the same bytes" in text
    other = dataclasses.replace(evidence, stress=changed(harmed.result, "specification"))
    assert other.verdict == "fail"
    assert "under stress (muscle 0) the generated C gives other bytes than TFLite Micro" in other.reasons
    assert "differ under muscle , so that this run fails" in re.sub(
        r"\s+", " ", re.sub(r"<[^>]+>", " ", render_page(other, "ab" * 32).decode())
    )
    differs = dataclasses.replace(evidence, stress=changed(harmed.result, "device"))
    assert differs.verdict == "fail"
    assert "under stress (muscle 0) device and host differ in 1 of 4 beats" in differs.reasons
    assert "it answered with other bytes under muscle" in re.sub(
        r"\s+", " ", re.sub(r"<[^>]+>", " ", render_page(differs, "ab" * 32).decode())
    )
