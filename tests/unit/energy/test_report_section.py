"""An energy in the evidence: it joins, it is stamped, and the page shows it with its uncertainty."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from evidence_example import example_evidence
from leadwire.artifacts import EnergyResult
from leadwire.energy.estimate import estimate_energy
from leadwire.energy.trace import Accuracy, MeterIdentity, Trace
from leadwire.energy.windows import windows_by_level
from leadwire.errors import BadInputError
from leadwire.evidence.document import read_document, write_document
from leadwire.evidence.record import Evidence, chain_breaks
from leadwire.pipeline.energy import read_energy
from leadwire.report.page import render_page

SIGNER = "ab" * 32


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return example_evidence(tmp_path_factory.mktemp("energy"))[0]


@pytest.fixture(scope="module")
def energy(evidence: Evidence) -> EnergyResult:
    flags = np.tile(np.concatenate((np.zeros(50, bool), np.ones(50, bool))), 5)
    flags = np.concatenate((flags, np.zeros(50, bool)))
    meter = MeterIdentity(
        kind="Nordic <PPK2>", serial="", simulated=True, accuracy=Accuracy(gain=0.02, source="its data sheet")
    )
    trace = Trace(
        sample_hz=1000.0, current_a=np.where(flags, 9e-3, 1e-3), voltage_v=np.array([3.0]), meter=meter, marker=flags
    )
    return EnergyResult(
        basis="simulated", simulated=("meter", "board"), board_id=evidence.board.id,
        model_digest=evidence.quantized.digest, image_digest="7" * 64, build_id="", meter=meter.kind, meter_serial="",
        meter_accuracy=meter.accuracy.source, trace_source="", trace_digest=trace.digest(), sample_hz=1000.0,
        samples=len(flags), sync="marker level", clock_drift=None, clock_residual_s=None,
        estimate=estimate_energy(trace, windows_by_level(trace)),
    )  # fmt: skip


@pytest.mark.requirement("LW-PWR-001")
def test_the_page_shows_energy_and_stamp(evidence: Evidence, energy: EnergyResult) -> None:
    with_it = dataclasses.replace(evidence, energy=energy)
    page = render_page(with_it, SIGNER).decode()
    assert "SIMULATED" in [stamp.word for stamp in with_it.stamps]
    assert "SIMULATED METER AND BOARD" in page
    assert "1.35\u202fmJ ± " in page and "current gain" in page and "its data sheet" in page
    assert "Nordic &lt;PPK2&gt;" in page and "which is not the image of this report" in page
    assert "No energy was measured." in render_page(evidence, SIGNER).decode()


def test_the_record_survives_the_evidence_and_its_own_file(
    evidence: Evidence, energy: EnergyResult, tmp_path: Path
) -> None:
    with_it = dataclasses.replace(evidence, energy=energy)
    assert chain_breaks(with_it) == ()
    assert read_document(write_document(with_it)).energy == energy
    path = tmp_path / "energy.json"
    path.write_bytes(TypeAdapter(EnergyResult).dump_json(energy))
    assert read_energy(path) == energy


@pytest.mark.requirement("LW-PWR-001")
@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("model", {"model_digest": "0" * 64}),
        ("board", {"board_id": "other"}),
        ("basis", {"basis": "measured"}),
        ("basis", {"basis": "measured", "simulated": ()}),
    ],
)
def test_an_energy_that_does_not_join_is_refused(
    evidence: Evidence, energy: EnergyResult, what: str, changed: dict[str, object]
) -> None:
    """An emulated board cannot have been measured, whatever the record says of itself."""
    broken = dataclasses.replace(evidence, energy=dataclasses.replace(energy, **changed))  # type: ignore[arg-type]
    (found,) = chain_breaks(broken)
    assert found.startswith(f"the energy names {what}")


def test_records_that_are_none_are_refused(energy: EnergyResult, tmp_path: Path) -> None:
    whole = json.loads(TypeAdapter(EnergyResult).dump_json(energy))
    path = tmp_path / "energy.json"
    for text in ("", "[]", "{}", "[" * 5000, json.dumps({**whole, "more": 1}), json.dumps({**whole, "basis": "real"})):
        path.write_text(text)
        with pytest.raises(BadInputError):
            read_energy(path)
    with pytest.raises(BadInputError, match="does not exist"):
        read_energy(tmp_path / "none.json")
