"""SBOM, ML-BOM, SOUP list and VEX: what was linked alone, by CycloneDX's own schema; always the same bytes."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from evidence_example import FIRMWARE, LABELS, MODEL, SOURCES, example_evidence
from leadwire.artifacts import sha256_hex
from leadwire.errors import BadInputError
from leadwire.evidence.archive import unpack
from leadwire.evidence.bom import bom_mistakes, make_bom, make_vex, schema_mistakes
from leadwire.evidence.bundle import verify_bundle, write_bundle
from leadwire.evidence.keys import generate_key
from leadwire.evidence.record import Evidence
from leadwire.evidence.soup import COLUMNS, make_soup

pytestmark = pytest.mark.requirement("LW-SBM-001")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return example_evidence(tmp_path_factory.mktemp("bom"))[0]


def parts(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    top = [document["metadata"]["component"], *document["components"]]
    return {one["bom-ref"]: one for part in top for one in (part, *part.get("components", []))}


def test_the_schema_is_cyclonedx_own(evidence: Evidence) -> None:
    """And the check is checked: a misspelt key is found."""
    for data in (make_bom(evidence), make_vex(evidence)):
        assert schema_mistakes(data) == ""
        assert json.loads(data)["specVersion"] == "1.6"
    assert "modelCards" in schema_mistakes(make_bom(evidence).replace(b'"modelCard"', b'"modelCards"'))


def test_components_are_the_linked_objects(evidence: Evidence) -> None:
    found = parts(json.loads(make_bom(evidence)))
    assert found["firmware"]["hashes"] == [{"alg": "SHA-256", "content": sha256_hex(FIRMWARE)}]
    objects = {ref: one for ref, one in found.items() if ref.startswith("object/")}
    assert len(objects) == len(evidence.image.linked) == 4
    for place, (name, data) in enumerate(SOURCES):
        one = objects[f"object/leadwire/00{place}.o"]
        assert one["hashes"][0]["content"] == sha256_hex(data)
        assert {"name": "leadwire:source", "value": name} in one["properties"]
    assert found["part/libcompiler_rt.a"]["properties"] == [
        {"name": "leadwire:flash_bytes", "value": "700"}, {"name": "leadwire:ram_bytes", "value": "0"},
    ]  # fmt: skip
    assert found["toolchain"]["name"] == "zig" and found["pypi/wfdb"]["purl"] == "pkg:pypi/wfdb@4.3.1"
    dependencies = {one["ref"]: one.get("dependsOn", []) for one in json.loads(make_bom(evidence))["dependencies"]}
    assert "part/libcompiler_rt.a" in dependencies["firmware"] and "float-model" in dependencies["model"]


def test_the_models_card(evidence: Evidence) -> None:
    model = parts(json.loads(make_bom(evidence)))["model"]
    assert model["type"] == "machine-learning-model" and model["hashes"][0]["content"] == sha256_hex(MODEL)
    card = model["modelCard"]
    figures = {(one["type"], one["slice"]): one for one in card["quantitativeAnalysis"]["performanceMetrics"]}
    device = next(one for one in evidence.validation.metrics if one.runtime == "device")
    for place, label in enumerate(LABELS):
        one, statistic = figures["sensitivity", f"runtime device, class {label}"], device.sensitivity[place]
        assert float(one["value"]) == pytest.approx(statistic.estimate, rel=1e-5)
        assert statistic.interval is not None
        assert float(one["confidenceInterval"]["lowerBound"]) == pytest.approx(statistic.interval.low, rel=1e-5)
    assert ("loss of accuracy, float less INT8", "all") in figures
    said = " ".join(card["considerations"]["technicalLimitations"])
    assert "EMULATED" in said and "NON-STANDARD" in said
    assert {one["ref"] for one in card["modelParameters"]["datasets"]} == {"test-data", "calibration-data"}
    assert parts(json.loads(make_bom(evidence)))["test-data"]["data"][0]["type"] == "dataset"


def test_the_soup_list(evidence: Evidence) -> None:
    rows = list(csv.DictReader(io.StringIO(make_soup(evidence).decode(), newline="")))
    assert tuple(rows[0]) == COLUMNS
    by_name = {row["name"]: row for row in rows}
    assert by_name["libcompiler_rt.a"]["where"] == "device"
    assert by_name["zig"]["version"].startswith("0.17.0")
    assert by_name["wfdb"]["maker"] == "The wfdb authors" and by_name["wfdb"]["sha256"] == sha256_hex(b"wfdb")
    assert by_name["wfdb"]["list of known anomalies"] == "https://example.org/wfdb/issues"
    assert by_name["numpy"]["maker"] == "The NumPy developers", "what soup.toml says goes before the package's own word"
    empty = [(row["name"], column) for row in rows for column in COLUMNS if not row[column] and column != "sha256"]
    assert empty == []


def test_the_same_evidence_gives_the_same_bytes(evidence: Evidence, tmp_path: Path) -> None:
    again = example_evidence(tmp_path)[0]
    for make in (make_bom, make_vex, make_soup):
        assert make(again) == make(evidence)
        assert str(tmp_path).encode() not in make(again)
    dated = json.loads(make_bom(dataclasses.replace(evidence, created="2026-01-02T03:04:05+00:00")))
    assert dated["metadata"]["timestamp"] == "2026-01-02T03:04:05+00:00"
    assert "timestamp" not in json.loads(make_bom(evidence))["metadata"]


def test_a_bill_of_other_firmware_is_refused(evidence: Evidence, tmp_path: Path) -> None:
    less = dataclasses.replace(evidence, image=dataclasses.replace(evidence.image, linked=evidence.image.linked[1:]))
    assert list(bom_mistakes(make_bom(less), evidence)) == [
        "'sbom.cdx.json' does not list the objects that were linked"
    ]
    other = dataclasses.replace(evidence, image=dataclasses.replace(evidence.image, digest="0" * 64))
    assert list(bom_mistakes(make_bom(other), evidence)) == ["'sbom.cdx.json' is of another firmware"]
    for nonsense in (b"", b"[]", b'{"metadata": 1}', b"[" * 100_000):
        assert list(bom_mistakes(nonsense, evidence)) == ["'sbom.cdx.json' is no bill of materials"]
    _, attachments = example_evidence(tmp_path)
    generate_key(tmp_path / "key.pem")
    made = write_bundle(evidence, attachments, b"", printed=b"", out=tmp_path, key=tmp_path / "key.pem")
    assert unpack(made.path.read_bytes(), source="x")["sbom.cdx.json"] == make_bom(evidence)
    verify_bundle(made.path)
    for name, reason in (("../x", "cannot be bundled"), ("model.tflite", "is a file of every bundle")):
        named = dataclasses.replace(attachments, files=((name, b"x"),))
        with pytest.raises(BadInputError, match=reason):
            write_bundle(evidence, named, b"", printed=b"", out=tmp_path, key=tmp_path / "key.pem")


def test_the_python_environment_is_what_leadwire_requires() -> None:
    """Against importlib.metadata: numpy with its version, pytest (a test's tool) not; digests of packages' files."""
    from leadwire.pipeline.environment import installed_packages

    found = {one.name: one for one in installed_packages()}
    assert found["numpy"].version == version("numpy")
    assert {"pydantic", "cryptography", "scipy", "pydantic-core"} <= set(found)
    assert not {"pytest", "leadwire", "hypothesis"} & set(found)
    assert all(len(one.digest) in (0, 64) for one in found.values())
    assert len({one.digest for one in found.values() if one.digest}) > 20
