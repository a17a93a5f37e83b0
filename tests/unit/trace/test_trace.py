"""hazard → requirement → section → test → result → digest: every broken link is found, every form says the same."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from evidence_example import FIRMWARE, example_evidence
from leadwire.artifacts import sha256_hex
from leadwire.errors import BadInputError, ConfigError, EvidenceError, FileMissingError
from leadwire.evidence.bundle import verify_bundle, write_bundle
from leadwire.evidence.keys import generate_key
from leadwire.report.sections import load_sections
from leadwire.trace.export import TEMPLATE, trace, traced_files, write_template
from leadwire.trace.matrix import Matrix, make_matrix
from leadwire.trace.requirements import Requirements, load_requirements
from leadwire.trace.results import read_results

pytestmark = pytest.mark.requirement("LW-TRC-001")
IDS = ("DEV-VAL-001", "DEV-VAL-002", "DEV-ID-001", "DEV-CAL-001", "DEV-TIM-001")
CLAIMS = [(section.anchor, section.requirements) for section in load_sections()]
SECTIONS = [(name, ()) for name in ("accuracy", "divergence", "identity", "quantization", "speed")]


def junit(tmp_path: Path, links: dict[str, str], *, name: str = "results.xml", firmware: str = "") -> Path:
    """A JUnit file with a test for each requirement: 'passed', 'failure', 'error' or 'skipped'."""
    root = Xml.Element("testsuites")
    suite = Xml.SubElement(root, "testsuite", name="device")
    if firmware:
        Xml.SubElement(Xml.SubElement(suite, "properties"), "property", name="firmware", value=firmware)
    for link, state in links.items():
        case = Xml.SubElement(suite, "testcase", classname="bench", name=f"test of {link} <&\"'>")
        Xml.SubElement(Xml.SubElement(case, "properties"), "property", name="requirement", value=link)
        if state != "passed":
            Xml.SubElement(case, state, message="because")
    path = tmp_path / name
    Xml.ElementTree(root).write(path)
    return path


@pytest.fixture(scope="module")
def device() -> Requirements:
    return load_requirements(TEMPLATE)


def findings(matrix: Matrix) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in matrix.findings]


def test_a_whole_chain_has_no_finding(device: Requirements, tmp_path: Path) -> None:
    fresh = {f"{one.id}#{one.fingerprint}": "passed" for one in device.requirement}
    matrix = make_matrix(device, SECTIONS, read_results(junit(tmp_path, fresh)))
    assert matrix.findings == ()
    assert {row.state for row in matrix.rows} == {"passed"}


def test_each_broken_link_is_found(device: Requirements, tmp_path: Path) -> None:
    passed = dict.fromkeys(IDS, "passed")

    def found(links: dict[str, str], **change: object) -> list[tuple[str, str]]:
        source = replace(device, **change)  # type: ignore[arg-type]
        return findings(make_matrix(source, SECTIONS, read_results(junit(tmp_path, links))))

    assert found({name: state for name, state in passed.items() if name != "DEV-ID-001"}) == [("orphan", "DEV-ID-001")]
    assert found({**passed, "DEV-ID-001": "skipped"}) == [("unverified", "DEV-ID-001")]
    assert found({**passed, "DEV-ID-001": "failure"}) == [("failed", "DEV-ID-001")]
    assert found({**passed, "DEV-ID-001": "error"}) == [("failed", "DEV-ID-001")]
    assert found({**passed, "DEV-GONE-001": "passed"}) == [("unknown", "DEV-GONE-001")]
    assert found({**passed, "DEV-ID-001#000000000000": "passed"}) == [("stale", "DEV-ID-001")]
    extra = replace(device.hazard[0], id="HZ-NEW")
    assert found(passed, hazard=(*device.hazard, extra)) == [("orphan", "HZ-NEW")]
    worse = replace(device.hazard[0], residual_probability="probable")
    assert found(passed, hazard=(worse, *device.hazard[1:])) == [("risk", worse.id)]
    first, *others = device.requirement
    assert found(passed, requirement=(replace(first, sections=()), *others)) == [("orphan", "DEV-VAL-001")]
    assert found(passed, requirement=(replace(first, sections=("gone",)), *others)) == [("unknown", "DEV-VAL-001")]
    assert found(passed, requirement=(replace(first, text="changed"), *others)) == []
    claims = [*SECTIONS, ("limits", ("DEV-OLD-001",))]
    assert findings(make_matrix(device, claims, read_results(junit(tmp_path, passed)))) == [("unknown", "DEV-OLD-001")]


def test_a_changed_text_makes_its_results_stale(device: Requirements, tmp_path: Path) -> None:
    fresh = {f"{one.id}#{one.fingerprint}": "passed" for one in device.requirement}
    first, *others = device.requirement
    changed = replace(device, requirement=(replace(first, text=first.text + " Always."), *others))
    matrix = make_matrix(changed, SECTIONS, read_results(junit(tmp_path, fresh)))
    assert findings(matrix) == [("stale", "DEV-VAL-001")]


def test_all_forms_of_the_matrix(tmp_path: Path, device: Requirements) -> None:
    """With the evidence that the tests are about; read back by the csv module, ElementTree and the package reqif."""
    evidence, attachments = example_evidence(tmp_path)
    generate_key(tmp_path / "key.pem")
    made = write_bundle(evidence, attachments, b"", printed=b"", out=tmp_path, key=tmp_path / "key.pem")
    write_template(tmp_path / "requirements.toml")
    results = junit(tmp_path, {**dict.fromkeys(IDS, "passed"), "DEV-ID-001": "failure"}, firmware=sha256_hex(FIRMWARE))
    traced = trace(tmp_path / "requirements.toml", [results], CLAIMS, out=tmp_path / "out", evidence=made.path)
    assert (traced.hazards, traced.requirements, traced.verified, traced.tests) == (6, 5, 4, 5)
    assert [one.kind for one in traced.findings] == ["failed"]

    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "trace.csv").read_text(encoding="utf-8"), newline="")))
    assert {(row["hazard"], row["requirement"]) for row in rows} == {
        (hazard, one.id) for one in device.requirement for hazard in one.hazards
    }
    assert {row["results sha256"] for row in rows} == {sha256_hex(results.read_bytes())}
    assert {row["firmware sha256"] for row in rows} == {sha256_hex(FIRMWARE)}
    assert {row["evidence sha256"] for row in rows} == {made.digest}

    suite = Xml.parse(tmp_path / "out" / "trace.junit.xml").getroot().find("testsuite")
    assert suite is not None and (suite.get("tests"), suite.get("failures")) == ("5", "1")
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == ["DEV-ID-001"]
    again = read_results(tmp_path / "out" / "trace.junit.xml")
    assert {link for one in again for link in one.links} == {(one.id, one.fingerprint) for one in device.requirement}

    from reqif.parser import ReqIFParser

    tool = Path(sys.executable).parent / "reqif"
    file = tmp_path / "out" / "trace.reqif"
    done = subprocess.run([tool, "validate", "--use-reqif-schema", file], capture_output=True, text=True, check=False)
    assert "0 errors, 0 schema issues found, 0 semantic issues" in done.stdout, done.stdout
    parsed = ReqIFParser.parse(str(tmp_path / "out" / "trace.reqif"))
    assert parsed.exceptions == []
    content = parsed.core_content.req_if_content
    objects = {one.identifier: one for one in content.spec_objects}
    assert {one.id for one in (*device.hazard, *device.requirement)} <= set(objects)
    text = objects["DEV-VAL-001"].attribute_map["Requirement-text"].value
    assert text == device.requirement[0].text
    names = [one.attribute_map["Test-id"].value for one in content.spec_objects if one.spec_object_type == "type-Test"]
    assert "bench::test of DEV-ID-001 <&\"'>" in names
    relations = {(one.relation_type_ref, one.source, one.target) for one in content.spec_relations}
    assert ("type-controls", "DEV-CAL-001", "HZ-CALIBRATION") in relations
    assert len(relations) == sum(len(one.hazards) for one in device.requirement) + len(IDS)

    page = (tmp_path / "out" / "trace.html").read_text(encoding="utf-8")
    assert "<script" not in page and "test of DEV-ID-001 &lt;&amp;" in page
    before = {path.name: path.read_bytes() for path in traced.files}
    trace(tmp_path / "requirements.toml", [results], CLAIMS, out=tmp_path / "again", evidence=made.path)
    assert {name: (tmp_path / "again" / name).read_bytes() for name in before} == before

    other = junit(tmp_path, dict.fromkeys(IDS, "passed"), name="other.xml", firmware="0" * 64)
    traced = trace(tmp_path / "requirements.toml", [other], CLAIMS, out=None, evidence=made.path)
    assert {one.kind for one in traced.findings} == {"stale"}
    data = bytearray(made.path.read_bytes())
    data[500] ^= 1
    made.path.write_bytes(data)
    with pytest.raises(EvidenceError):
        trace(tmp_path / "requirements.toml", [results], CLAIMS, out=None, evidence=made.path)


def test_a_bundle_carries_the_matrix_of_the_device(tmp_path: Path, device: Requirements) -> None:
    """One file for a reviewer: which requirements were verified by which tests on which firmware."""
    write_template(tmp_path / "mine.toml")
    own, other = sha256_hex(FIRMWARE), "0" * 64
    results = [
        junit(tmp_path, dict.fromkeys(IDS[:3], "passed"), name="a.xml", firmware=own),
        junit(tmp_path, dict.fromkeys(IDS[3:], "passed"), name="b.xml", firmware=other),
    ]
    files = traced_files(tmp_path / "mine.toml", results, CLAIMS, firmware=own, created=None)
    evidence, attachments = example_evidence(tmp_path)
    generate_key(tmp_path / "key.pem")
    made = write_bundle(
        evidence, replace(attachments, files=files), b"", printed=b"", out=tmp_path, key=tmp_path / "key.pem"
    )
    assert {name for name, _ in verify_bundle(made.path).files if name.startswith("trace/")} == {
        "trace/requirements.toml", "trace/results-1.xml", "trace/results-2.xml",
        "trace/trace.html", "trace/trace.csv", "trace/trace.reqif", "trace/trace.junit.xml",
    }  # fmt: skip
    page = dict(files)["trace/trace.html"].decode()
    assert "<strong>stale</strong> DEV-CAL-001" in page and "<strong>stale</strong> DEV-ID-001" not in page
    assert dict(files)["trace/results-2.xml"] == results[1].read_bytes()


def test_a_spreadsheet_gets_no_formula(tmp_path: Path) -> None:
    text = TEMPLATE.read_text(encoding="utf-8").replace('text = "Device and host', 'text = "=cmd()')
    (tmp_path / "r.toml").write_text(text, encoding="utf-8")
    trace(tmp_path / "r.toml", [], CLAIMS, out=tmp_path)
    assert "'=cmd()" in (tmp_path / "trace.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('id = "HZ-MISSED"', 'id = "HZ-DEADLINE"', "id 'HZ-DEADLINE' appears 2 times"),
        ('hazards = ["HZ-DEADLINE"]', 'hazards = ["HZ-NONE"]', "there is no hazard 'HZ-NONE'"),
        ('hazards = ["HZ-DEADLINE"]', "hazards = []", "hazards"),
        ('severity = "serious"', 'severity = "bad"', "severity"),
        ('title = "my device"', "", "title: missing"),
        ('id = "DEV-ID-001"', 'id = "dev 1"', "id"),
        ("[policy]", "[policy]\nother = 1", "policy.other: unknown key"),
    ],
)
def test_mistakes_in_a_requirements_file(tmp_path: Path, old: str, new: str, reason: str) -> None:
    (tmp_path / "r.toml").write_text(TEMPLATE.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=reason):
        load_requirements(tmp_path / "r.toml")


@pytest.mark.parametrize(
    "text",
    [
        "", "no xml", "<html/>", "<testsuite", "<!DOCTYPE x [<!ENTITY a 'b'>]><testsuite/>", "\x00",
        "<?xml version='1.0' encoding='nope'?><testsuite/>",
    ],
)  # fmt: skip
def test_results_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.xml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError):
        read_results(tmp_path / "r.xml")
    with pytest.raises(FileMissingError, match="test results"):
        read_results(tmp_path / "none.xml")
    deep = "<testsuite>" * 3000 + "<testcase name='x'/>" + "</testsuite>" * 3000
    (tmp_path / "deep.xml").write_text(deep, encoding="utf-8")
    assert [one.test for one in read_results(tmp_path / "deep.xml")] == ["x"]


def test_the_pytest_plugin_tags_its_junit_file(tmp_path: Path, device: Requirements) -> None:
    """A user's own tests: the marker, the fingerprint in the file, and an id that is not there."""
    write_template(tmp_path / "requirements.toml")
    (tmp_path / "test_device.py").write_text(
        'import pytest\n@pytest.mark.requirement("DEV-ID-001")\ndef test_identity(): ...\ndef test_other(): ...\n'
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers", "--rootdir", "."]
    command += ["-o", "leadwire_requirements=requirements.toml", "--junitxml", "out.xml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    print_ = next(one.fingerprint for one in device.requirement if one.id == "DEV-ID-001")
    assert {one.test: one.links for one in read_results(tmp_path / "out.xml")} == {
        "test_device::test_identity": (("DEV-ID-001", print_),),
        "test_device::test_other": (),
    }
    (tmp_path / "test_device.py").write_text(
        'import pytest\n@pytest.mark.requirement("DEV-NO-001")\ndef test_identity(): ...\n'
    )
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 4 and "has no requirement 'DEV-NO-001'" in done.stdout + done.stderr


def test_the_verb(tmp_path: Path) -> None:
    """Exit 7 for gaps; the template is written once and not twice."""
    verb = [sys.executable, "-m", "leadwire", "trace"]
    assert subprocess.run([*verb, "--template", "r.toml"], cwd=tmp_path, capture_output=True).returncode == 0
    assert subprocess.run([*verb, "--template", "r.toml"], cwd=tmp_path, capture_output=True).returncode == 2
    done = subprocess.run([*verb, "r.toml", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert "orphan DEV-VAL-001: no test names it" in done.stderr and '"findings"' in done.stdout
