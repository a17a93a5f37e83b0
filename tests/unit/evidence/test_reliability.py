"""Calibration curves: by hand, where they do not apply, and derived again by verification."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from evidence_example import example_evidence
from leadwire.artifacts import Predictions, Reliability, ReliabilityBin
from leadwire.errors import EvidenceError
from leadwire.evidence.bundle import write_bundle
from leadwire.evidence.keys import generate_key
from leadwire.validate.reliability import _are_probabilities


def test_the_expected_calibration_error_by_hand() -> None:
    """Guo et al. 2017, equation 3: 0.5 |0.55 - 0.5| + 0.5 |0.9 - 1|."""
    bins = (
        ReliabilityBin(low=0.5, high=0.6, beats=4, right=2, confidence=0.55),
        ReliabilityBin(low=0.9, high=1.0, beats=4, right=4, confidence=0.9),
    )
    assert Reliability(runtime="float", bins=bins).expected_calibration_error == pytest.approx(0.075)


def test_curves_count_every_beat_of_their_runtime(tmp_path: Path) -> None:
    evidence, attachments = example_evidence(tmp_path)
    given = {one.runtime: one.outputs for one in attachments.predictions}
    reference = np.array([beat.reference for beat in attachments.beats])
    assert [curve.runtime for curve in evidence.validation.reliability] == list(given)
    for curve in evidence.validation.reliability:
        outputs = given[curve.runtime]
        assert sum(one.beats for one in curve.bins) == len(reference)
        assert sum(one.right for one in curve.bins) == int((outputs.argmax(axis=1) == reference).sum())
        mean = sum(one.beats * one.confidence for one in curve.bins) / len(reference)
        assert mean == pytest.approx(float(np.mean(outputs.max(axis=1))), abs=1e-12)
        assert all(one.low <= one.confidence <= one.high for one in curve.bins)


@pytest.mark.parametrize("what", ["logits", "other scale"])
def test_outputs_that_are_no_probabilities_have_no_curve(tmp_path: Path, what: str) -> None:
    raw = np.array([[-128, 127]], dtype=np.int8)
    given = {
        "logits": Predictions(runtime="float", model_digest="", dataset_digest="", outputs=np.array([[-1.0, 2.0]])),
        "other scale": Predictions(
            runtime="device", model_digest="", dataset_digest="", outputs=raw.astype(np.float64), raw=raw
        ),
    }
    assert not _are_probabilities(given[what])
    assert _are_probabilities(dataclasses.replace(given[what], outputs=np.array([[0.0, 255 / 256]]), raw=raw))


@pytest.mark.parametrize("field", ["beats", "right", "confidence"])
def test_a_forged_curve_is_refused(tmp_path: Path, field: str) -> None:
    evidence, attachments = example_evidence(tmp_path)
    generate_key(tmp_path / "key.pem")
    curve = evidence.validation.reliability[0]
    first = curve.bins[0]
    forged = dataclasses.replace(first, **{field: getattr(first, field) + (0.01 if field == "confidence" else 1)})
    curves = (dataclasses.replace(curve, bins=(forged, *curve.bins[1:])), *evidence.validation.reliability[1:])
    bad = dataclasses.replace(evidence, validation=dataclasses.replace(evidence.validation, reliability=curves))
    with pytest.raises(EvidenceError, match="calibration curve of 'float'"):
        write_bundle(bad, attachments, b"<p>", printed=b"%PDF", out=tmp_path / "out", key=tmp_path / "key.pem")
