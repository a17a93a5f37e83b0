"""The second judgement agrees with `run_validation` where the device stands alone, where the generated C speaks for it,
and where host and device differ; and it does not take one for the other.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from evidence_example import (
    FIRMWARE,
    LABELS,
    MODEL,
    example_dataset,
    example_protocol,
    simulate,
)
from leadwire.artifacts import Predictions, ValidationResult, sha256_hex
from leadwire.evidence.derived import derive
from leadwire.evidence.judgement import disagreements
from leadwire.evidence.predictions import Table, read_predictions, write_predictions
from leadwire.evidence.recompute import false_figures
from leadwire.evidence.record import Attachments, Beat
from leadwire.evidence.scope import false_operating_points
from leadwire.protocols import Protocol, load_protocol
from leadwire.validate import run_validation

pytestmark = pytest.mark.requirement("LW-EVD-004")
RULES = """[host_device]
minimum_device_beats = 1000
extend_with_host_c = true
"""
F1 = """[[endpoints]]
name = "VEB F1"
measure = "f1"
label = "V"
margin = 0.05
rationale = "an example"
"""
MACRO = """[[endpoints]]
name = "macro F1"
measure = "macro_f1"
labels = ["N", "V", "S"]
margin = 0.05
rationale = "an example"
"""


def judged(
    folder: Path,
    *,
    sent: int = 1467,
    flipped: int = 0,
    twin: bool = True,
    rules: str = RULES,
    lost: int = 0,
    multiplicity: str = "all",
    wide: bool = False,
) -> tuple[ValidationResult, Protocol, Table]:
    """A run in which the device was sent the first `sent` beats and `flipped` of its answers are one LSB apart. `wide`:
    outputs are the same probabilities as int16."""
    path = folder / "protocol.toml"
    text = example_protocol().decode().replace("[statistics]", f'[statistics]\nmultiplicity = "{multiplicity}"', 1)
    path.write_text(text + F1 + MACRO + rules)
    protocol = load_protocol(path)
    reference, patient, (floating, desktop, tflm, device) = simulate()
    dataset = example_dataset(reference, patient)
    assert device.raw is not None
    raw = device.raw[:sent].copy()
    raw[:flipped, 4] = np.where(raw[:flipped, 4] == -128, -127, raw[:flipped, 4] - 1)
    part = dataclasses.replace(device, raw=raw, outputs=(raw + 128.0) / 256, indices=np.arange(sent))
    runs: list[Predictions] = [floating, desktop, tflm, part]
    if twin:
        runs.insert(3, dataclasses.replace(tflm, runtime="host_c"))
    if wide:
        runs = [run if run.raw is None else widened(run) for run in runs]
    runs = [dataclasses.replace(run, dataset_digest=dataset.digest) for run in runs]
    validation = run_validation(
        dataset,
        protocol,
        runs,
        model_digest=sha256_hex(MODEL),
        image_digest=sha256_hex(FIRMWARE),
        io_digest="",
        lost_samples=lost,
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
    (folder / "predictions.csv").write_bytes(write_predictions(attachments, LABELS))
    table = read_predictions((folder / "predictions.csv").read_bytes(), LABELS, source="x")
    return validation, protocol, table


def widened(run: Predictions) -> Predictions:
    assert run.raw is not None
    raw = ((run.raw.astype(np.int32) + 128) * 128).astype(np.int16)
    return dataclasses.replace(run, raw=raw, outputs=raw / 32768.0)


@pytest.mark.parametrize(
    ("change", "runtime", "verdict"),
    [
        ({"wide": True}, "host_c", "pass"),
        ({}, "host_c", "pass"),
        ({"twin": False, "sent": 4400}, "device", "pass"),
        ({"sent": 900}, "device", "inconclusive"),
        ({"flipped": 1}, "device", "fail"),
        ({"lost": 1}, "host_c", "fail"),
        ({"rules": RULES.replace("true", "false")}, "device", "inconclusive"),
        ({"rules": RULES + "max_abs_lsb = 1\nmax_differing_ppm = 1000.0\n", "flipped": 1}, "device", "inconclusive"),
        ({"rules": '[[classes]]\nlabel = "Q"\nname = "q"\nminimum_beats = 10\n'}, "device", "inconclusive"),
    ],
)
def test_both_judge_alike(tmp_path: Path, change: dict[str, object], runtime: str, verdict: str) -> None:
    validation, protocol, table = judged(tmp_path, **change)  # type: ignore[arg-type]
    assert (validation.judged_runtime, validation.verdict) == (runtime, verdict)
    assert disagreements(validation, protocol, table) == ()


def travelling(root: Path) -> ModuleType:
    """validation/verify.py, which shares no code with leadwire."""
    spec = importlib.util.spec_from_file_location("judging_verifier", root / "validation" / "verify.py")
    assert spec is not None and spec.loader is not None
    verifier = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(verifier)
    return verifier


POINT = """
[[operating_points]]
name = "VEB at 95 %"
label = "V"
sensitivity = 0.95
"""


@pytest.mark.parametrize("wide", [False, True])
def test_the_verifier_that_travels_reads_int8_and_int16(tmp_path: Path, root: Path, wide: bool) -> None:
    """Runtime judged, calibration curves and threshold of a device that was sent a part of the beats."""
    verifier = travelling(root)
    validation, _, _ = judged(tmp_path, wide=wide, rules=RULES + POINT)
    assert validation.judged_runtime == "host_c" and len(validation.operating_points) == 1
    stated = json.loads(json.dumps(dataclasses.asdict(validation)))
    rules = tomllib.loads((tmp_path / "protocol.toml").read_text())
    del rules["endpoints"][0]["label"]  # accuracy has none, and a protocol need not say so
    beats = verifier.Beats((tmp_path / "predictions.csv").read_bytes(), list(LABELS))
    assert verifier.Figures(stated, rules, beats).check() == validation.verdict
    stated["operating_points"][0]["int8_step"] += 1
    with pytest.raises(verifier.RefusedError, match="INT8 step"):
        verifier.Figures(stated, rules, beats).check()


def with_value(record: Any, path: str, value: object) -> Any:
    """The record, or the dictionary that stands for it, with `value` where `path` leads."""
    key, _, rest = path.partition("/")
    if isinstance(record, (list, tuple)):
        return type(record)(
            with_value(one, rest, value) if place == int(key) else one for place, one in enumerate(record)
        )
    was = record[key] if isinstance(record, dict) else getattr(record, key)
    change = {key: with_value(was, rest, value) if rest else value}
    return {**record, **change} if isinstance(record, dict) else dataclasses.replace(record, **change)


OTHER = "patient bootstrap BCa, B=100000, seed 7"


def test_both_derive_the_intervals_of_an_operating_point(tmp_path: Path, root: Path) -> None:
    """Limits, level and method of each of its figures."""
    verifier = travelling(root)
    validation, protocol, table = judged(tmp_path, rules=RULES + POINT)
    assert not list(false_operating_points(validation, protocol, table))
    stated = json.loads(json.dumps(dataclasses.asdict(validation)))
    rules = tomllib.loads((tmp_path / "protocol.toml").read_text())
    beats = verifier.Beats((tmp_path / "predictions.csv").read_bytes(), list(LABELS))
    verifier.Figures(stated, rules, beats).operating_points("host_c")
    for figure, side, value, named in (
        ("float_sensitivity", "low", 0.999, "float sensitivity"),
        ("float_specificity", "high", 0.5, "float specificity"),
        ("int8_sensitivity", "low", 0.999, "INT8 sensitivity"),
        ("int8_sensitivity", "method", OTHER, "INT8 sensitivity"),
        ("int8_specificity", "level", 0.999, "INT8 specificity"),
        ("sensitivity_loss", "level", 0.999, "loss of sensitivity"),
        ("specificity_loss", "method", OTHER, "loss of specificity"),
        ("drift", "level", 0.999, "drift"),
        ("drift", "method", OTHER, "drift"),
    ):
        path = f"operating_points/0/{figure}/interval/{side}"
        found = list(false_operating_points(with_value(validation, path, value), protocol, table))
        assert found == [f"the interval of the {named} of operating point 'VEB at 95 %' does not follow"]
        with pytest.raises(verifier.RefusedError, match=named):
            verifier.Figures(with_value(stated, path, value), rules, beats).operating_points("host_c")


def test_both_derive_levels_methods_and_names(tmp_path: Path, root: Path) -> None:
    """A 99.9 % interval that is one of 95 %, another way of drawing, one class's sensitivity called another's."""
    verifier = travelling(root)
    validation, protocol, table = judged(tmp_path, rules=RULES + POINT)
    stated = json.loads(json.dumps(dataclasses.asdict(validation)))
    rules = tomllib.loads((tmp_path / "protocol.toml").read_text())
    beats = verifier.Beats((tmp_path / "predictions.csv").read_bytes(), list(LABELS))
    assert all(figure.agrees for figure in derive(validation, protocol, table))
    for path, value in (
        ("metrics/0/accuracy/interval/level", 0.999),
        ("metrics/1/sensitivity/2/interval/method", OTHER),
        ("metrics/0/positive_predictivity/1/interval/level", 0.999),
        ("agreement_float_int8/interval/level", 0.999),
    ):
        forged = with_value(validation, path, value)
        (wrong,) = [figure for figure in derive(forged, protocol, table) if not figure.agrees]
        assert wrong.what.endswith("interval") and str(value).removeprefix("0.")[:2] in wrong.texts[0]
        again = with_value(stated, path, value)
        with pytest.raises(verifier.RefusedError, match=path.rpartition("/")[2]):
            for one in again["metrics"]:
                verifier.Figures(again, rules, beats).metrics(one)
    for path in ("loss/interval/method", "judged/method", "beat_level/0/method", "beat_level/1/level", "loss/name"):
        value = 0.5 if path.endswith("level") else OTHER
        assert disagreements(with_value(validation, f"endpoints/0/{path}", value), protocol, table)
        with pytest.raises(verifier.RefusedError, match=r"accuracy is "):
            again = with_value(stated, f"endpoints/0/{path}", value)
            verifier.Figures(again, rules, beats).endpoints(beats.decided["host_c"])
    for path in (
        "metrics/0/accuracy",
        "metrics/1/sensitivity/2",
        "metrics/1/positive_predictivity/0",
        "agreement_float_int8",
        "operating_points/0/int8_specificity",
        "operating_points/0/sensitivity_loss",
        "operating_points/0/drift",
    ):
        (found,) = false_figures(with_value(validation, f"{path}/name", "S sensitivity"), protocol, table)
        assert found.startswith("a statistic is named 'S sensitivity' in the place of '")
        again = with_value(stated, f"{path}/name", "S sensitivity")
        with pytest.raises(verifier.RefusedError, match="the name of the"):
            for one in again["metrics"]:
                verifier.Figures(again, rules, beats).metrics(one)
            verifier.Figures(again, rules, beats).operating_points("host_c")


def test_the_verifier_that_travels_judges_alike(tmp_path: Path, root: Path) -> None:
    """A class that some resamples have no beat of is among those judged."""
    verifier = travelling(root)
    rare = MACRO.replace('"macro F1"', '"of all classes"').replace('["N", "V", "S"]', '["N", "S", "V", "F", "Q"]')
    validation, protocol, table = judged(tmp_path, rules=RULES + rare)
    macro = validation.endpoints[-2]
    assert macro.endpoint == "macro F1" and macro.judged is not None and macro.p_value is not None
    assert disagreements(validation, protocol, table) == ()
    text = (tmp_path / "predictions.csv").read_bytes()
    stated = json.loads(json.dumps(dataclasses.asdict(validation)))
    rules = tomllib.loads((tmp_path / "protocol.toml").read_text())

    def check() -> str:
        return str(verifier.Figures(stated, rules, verifier.Beats(text, list(LABELS))).check())

    assert check() == validation.verdict
    for change in (("int8_value",), ("judged", "high"), ("p_value",)):
        place = stated["endpoints"][-2]
        for key in change[:-1]:
            place = place[key]
        place[change[-1]] += 1e-6
        with pytest.raises(verifier.RefusedError, match="macro F1"):
            check()
        place[change[-1]] -= 1e-6
    assert check() == validation.verdict


@pytest.mark.parametrize("multiplicity", ["all", "holm", "hierarchical"])
def test_the_verifier_that_travels_derives_patients_needed(tmp_path: Path, root: Path, multiplicity: str) -> None:
    """Of endpoints that are too wide, of which the protocol wants more beats, and that a correction took back."""
    spec = importlib.util.spec_from_file_location("planning_verifier", root / "validation" / "verify.py")
    assert spec is not None and spec.loader is not None
    verifier = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(verifier)
    tight = F1.replace('"VEB F1"', '"VEB F1, tightly"').replace("0.05", "0.025")
    rare = '[[classes]]\nlabel = "Q"\nname = "q"\nminimum_beats = 100\nminimum_patients = 44\n'
    few = F1.replace("VEB", "Q").replace('"V"', '"Q"').replace("0.05", "0.5")
    validation, *_ = judged(tmp_path, rules=RULES + tight + few + rare, multiplicity=multiplicity)
    assert {one.patients_needed for one in validation.endpoints if one.verdict == "pass"} == {None}
    needed = [one.patients_needed for one in validation.endpoints if one.verdict != "pass"]
    assert any(needed)
    rules = tomllib.loads((tmp_path / "protocol.toml").read_text())
    stated = json.loads(json.dumps(dataclasses.asdict(validation)))
    beats = verifier.Beats((tmp_path / "predictions.csv").read_bytes(), list(LABELS))
    assert verifier.Figures(stated, rules, beats).check() == validation.verdict
    wanting = next(one for one in stated["endpoints"] if one["patients_needed"])
    passing = next(one for one in stated["endpoints"] if one["verdict"] == "pass")
    for one in (wanting, passing):
        right = one["patients_needed"]
        one["patients_needed"] = None if right else 7
        with pytest.raises(verifier.RefusedError, match="the patients needed for"):
            verifier.Figures(stated, rules, beats).check()
        one["patients_needed"] = right


def test_bytes_that_differ_cannot_be_called_equal(tmp_path: Path) -> None:
    """The comparison of a run with equal bytes over the predictions of a run in which one value is off."""
    clean, protocol, _ = judged(tmp_path)
    _, _, table = judged(tmp_path, flipped=1)
    found = disagreements(clean, protocol, table)
    assert "tflm and device: 1466 of 1467 beats are equal in predictions.csv, with other differences" in found


def test_predictions_without_a_runtime_are_none(tmp_path: Path) -> None:
    validation, protocol, table = judged(tmp_path)
    less = {name: answers for name, answers in table.answers.items() if name != "device"}
    without = dataclasses.replace(table, answers=less)
    assert disagreements(validation, protocol, without) == ("predictions.csv holds 0 of 4400 beats of 'device'",)
