"""The bundle: written once, verified by us, and verified again by tools that share no code with us."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_example import LABELS, example_evidence
from leadwire.errors import BadInputError, EvidenceError, FileMissingError
from leadwire.evidence.archive import pack, unpack
from leadwire.evidence.bundle import Bundle, verify_bundle, write_bundle
from leadwire.evidence.contents import CONTENT, content_of
from leadwire.evidence.keys import generate_key
from leadwire.evidence.predictions import read_predictions
from leadwire.evidence.record import Attachments, Evidence

REPORT = b"<!DOCTYPE html><title>a page</title>\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evidence, Attachments, Bundle, Path]:
    folder = tmp_path_factory.mktemp("bundle")
    evidence, attachments = example_evidence(folder)
    generate_key(folder / "key.pem")
    bundle = write_bundle(evidence, attachments, REPORT, printed=b"%PDF", out=folder / "out", key=folder / "key.pem")
    return evidence, attachments, bundle, folder


def test_a_fresh_bundle_verifies(made: tuple[Evidence, Attachments, Bundle, Path]) -> None:
    evidence, _, bundle, folder = made
    verified = verify_bundle(bundle.path, folder / "key.pem")
    assert verified.authenticated
    assert verified.verdict == evidence.verdict == "pass"
    assert verified.signer == bundle.signer
    assert verified.digest == bundle.digest == hashlib.sha256(bundle.path.read_bytes()).hexdigest()
    assert {name for name, _ in verified.files} >= set(CONTENT)
    assert verified.stamps == ("EMULATED", "DEMO KEY")


@pytest.mark.requirement("LW-EVD-002")
def test_without_a_trusted_key_the_signer_is_not_authenticated(
    made: tuple[Evidence, Attachments, Bundle, Path],
) -> None:
    _, _, bundle, _ = made
    verified = verify_bundle(bundle.path)
    assert not verified.authenticated
    assert "NOT authenticated" in verified.trust
    assert bundle.signer in verified.trust


@pytest.mark.requirement("LW-EVD-002")
def test_another_key_than_the_trusted_one_is_an_error(
    made: tuple[Evidence, Attachments, Bundle, Path], tmp_path: Path
) -> None:
    """Somebody alters nothing and signs again: only the fingerprint tells."""
    evidence, attachments, bundle, folder = made
    generate_key(tmp_path / "other.pem")
    forged = write_bundle(
        evidence, attachments, REPORT, printed=b"%PDF", out=tmp_path / "out", key=tmp_path / "other.pem"
    )
    assert verify_bundle(forged.path).authenticated is False
    with pytest.raises(EvidenceError, match=f"signed by key {forged.signer}, not by the trusted key {bundle.signer}"):
        verify_bundle(forged.path, folder / "key.pem")


@pytest.mark.requirement("LW-EVD-005")
def test_the_same_run_gives_the_same_bytes(made: tuple[Evidence, Attachments, Bundle, Path], tmp_path: Path) -> None:
    """From another folder, with the same key; neither folder is named anywhere."""
    _, _, bundle, folder = made
    evidence, attachments = example_evidence(tmp_path)
    again = write_bundle(
        evidence, attachments, REPORT, printed=b"%PDF", out=tmp_path / "elsewhere", key=folder / "key.pem"
    )
    assert again.path.read_bytes() == bundle.path.read_bytes()
    for place in (tmp_path, folder):
        assert str(place).encode() not in again.path.read_bytes()


def test_any_zip_tool_reads_it(made: tuple[Evidence, Attachments, Bundle, Path], tmp_path: Path) -> None:
    _, _, bundle, _ = made
    files = unpack(bundle.path.read_bytes(), source=bundle.path)
    with zipfile.ZipFile(bundle.path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    if shutil.which("unzip"):
        subprocess.run(["unzip", "-tq", bundle.path], check=True, capture_output=True)


@pytest.mark.requirement("LW-EVD-001")
def test_manifest_and_statement_by_the_standard_library_alone(
    made: tuple[Evidence, Attachments, Bundle, Path],
) -> None:
    _, _, bundle, _ = made
    with zipfile.ZipFile(bundle.path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    listed = dict(reversed(line.split("  ")) for line in files["manifest.sha256"].decode().splitlines())
    assert listed == {name: hashlib.sha256(files[name]).hexdigest() for name in content_of(files)}
    statement = json.loads(base64.b64decode(json.loads(files["statement.dsse.json"])["payload"]))
    assert {item["name"]: item["digest"]["sha256"] for item in statement["subject"]} == {
        name: hashlib.sha256(data).hexdigest()
        for name, data in files.items()
        if name not in ("statement.dsse.json", "provenance.dsse.json")
    }
    assert statement["predicate"]["result"] == "PASSED"


def test_the_envelope_by_an_independent_implementation(made: tuple[Evidence, Attachments, Bundle, Path]) -> None:
    """securesystemslib checks DSSE and Ed25519, in_toto_attestation the statement's form."""
    from google.protobuf import json_format
    from in_toto_attestation.v1.statement import Statement
    from in_toto_attestation.v1.statement_pb2 import Statement as Message
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey

    _, _, bundle, _ = made
    files = unpack(bundle.path.read_bytes(), source=bundle.path)
    envelope = Envelope.from_dict(json.loads(files["statement.dsse.json"]))
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = SSlibKey.from_crypto(load_pem_public_key(files["signer.pem"]), keyid=bundle.signer)
    assert envelope.verify([key], 1)
    statement = Statement.copy_from_pb(json_format.Parse(envelope.payload, Message()))
    statement.validate()
    assert statement.pb.predicate_type == "https://in-toto.io/attestation/test-result/v0.1"
    envelope.payload = envelope.payload.replace(b"PASSED", b"FAILED")
    with pytest.raises(Exception, match="signatures do not match"):
        envelope.verify([key], 1)


@pytest.mark.requirement("LW-EVD-001")
def test_the_manuals_commands_verify_it(
    made: tuple[Evidence, Attachments, Bundle, Path], root: Path, tmp_path: Path
) -> None:
    """The blocks of docs/manual/evidence.md, executed as they stand; then again on an altered copy."""
    for tool in ("unzip", "openssl", "sha256sum"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    _, _, bundle, _ = made
    text = (root / "docs" / "manual" / "evidence.md").read_text(encoding="utf-8")
    first, python, last = re.findall(r"```(?:sh|python)\n(.*?)```", text, re.DOTALL)
    shutil.copy(bundle.path, tmp_path / "NAME.leadwire-evidence.zip")
    subprocess.run(["sh", "-ec", first], cwd=tmp_path, check=True)
    inside = tmp_path / "evidence"
    subprocess.run([sys.executable, "-I", "-c", python], cwd=inside, check=True)
    done = subprocess.run(["sh", "-ec", last], cwd=inside, check=True, capture_output=True, text=True)
    assert "Verified Successfully" in done.stdout
    (inside / "signed.bin").write_bytes((inside / "signed.bin").read_bytes().replace(b"PASSED", b"FAILED"))
    assert subprocess.run(["sh", "-ec", last], cwd=inside, capture_output=True).returncode != 0


@pytest.mark.requirement("LW-EVD-004")
def test_figures_follow_from_predictions_by_counting(made: tuple[Evidence, Attachments, Bundle, Path]) -> None:
    evidence, _, bundle, _ = made
    files = unpack(bundle.path.read_bytes(), source=bundle.path)
    rows = list(csv.DictReader(io.StringIO(files["predictions.csv"].decode())))
    for metrics in evidence.validation.metrics:
        right = 0
        for row in rows:
            outputs = {label: float(row[f"{metrics.runtime}:{label}"]) for label in LABELS}
            right += max(outputs, key=lambda label: outputs[label]) == row["reference"]
        assert metrics.accuracy.numerator == right


@pytest.mark.requirement("LW-EVD-004")
def test_a_figure_that_does_not_follow_is_refused(
    made: tuple[Evidence, Attachments, Bundle, Path], tmp_path: Path
) -> None:
    """One beat moved to the diagonal, everything signed properly."""
    evidence, attachments, _, folder = made
    first, *others = evidence.validation.metrics
    row = list(first.confusion[0])
    row[0], row[1] = row[0] + 1, row[1] - 1
    better = dataclasses.replace(first, confusion=(tuple(row), *first.confusion[1:]))
    validation = dataclasses.replace(evidence.validation, metrics=(better, *others))
    with pytest.raises(EvidenceError, match="confusion matrix of 'float' does not follow"):
        write_bundle(
            dataclasses.replace(evidence, validation=validation),
            attachments, REPORT, printed=b"%PDF", out=tmp_path, key=folder / "key.pem",
        )  # fmt: skip


def other_digests(evidence: Evidence) -> Iterator[tuple[str, Evidence]]:
    """The evidence with one link of the chain replaced."""
    other = "0" * 64
    yield "memory plan", dataclasses.replace(evidence, plan=dataclasses.replace(evidence.plan, model_digest=other))
    yield "project", dataclasses.replace(evidence, project=dataclasses.replace(evidence.project, digest=other))
    yield "image", dataclasses.replace(evidence, image=dataclasses.replace(evidence.image, digest=other))
    yield "benchmark", dataclasses.replace(evidence, bench=dataclasses.replace(evidence.bench, image_digest=other))
    device = dataclasses.replace(evidence.bench.device, build_id=other)
    yield "device", dataclasses.replace(evidence, bench=dataclasses.replace(evidence.bench, device=device))
    validation = dataclasses.replace(evidence.validation, protocol_digest=other)
    yield "protocol", dataclasses.replace(evidence, validation=validation)
    yield "board", dataclasses.replace(evidence, board=dataclasses.replace(evidence.board, id="another-board"))
    calibration = dataclasses.replace(evidence.quantized.calibration, indices=())
    yield (
        "memory plan",
        dataclasses.replace(
            evidence, quantized=dataclasses.replace(evidence.quantized, digest=other, calibration=calibration)
        ),
    )


@pytest.mark.requirement("LW-EVD-003")
@pytest.mark.parametrize("number", range(8))
def test_records_that_do_not_join_are_refused(
    made: tuple[Evidence, Attachments, Bundle, Path], tmp_path: Path, number: int
) -> None:
    evidence, attachments, _, folder = made
    what, broken = list(other_digests(evidence))[number]
    with pytest.raises(EvidenceError, match=what):
        write_bundle(broken, attachments, REPORT, printed=b"%PDF", out=tmp_path, key=folder / "key.pem")


def test_bad_names_keys_and_files_are_named(made: tuple[Evidence, Attachments, Bundle, Path], tmp_path: Path) -> None:
    evidence, attachments, _, folder = made
    with pytest.raises(BadInputError, match="cannot be part of a file name"):
        write_bundle(
            dataclasses.replace(evidence, name="../up"),
            attachments,
            REPORT,
            printed=b"%PDF",
            out=tmp_path,
            key=folder / "key.pem",
        )
    with pytest.raises(FileMissingError, match="signing key"):
        write_bundle(evidence, attachments, REPORT, printed=b"%PDF", out=tmp_path, key=tmp_path / "none.pem")
    lost = dataclasses.replace(attachments, protocol=tmp_path / "none.toml")
    with pytest.raises(FileMissingError, match="protocol"):
        write_bundle(evidence, lost, REPORT, printed=b"%PDF", out=tmp_path, key=folder / "key.pem")
    short = dataclasses.replace(attachments, beats=attachments.beats[:-1])
    with pytest.raises(BadInputError, match=r"predictions of 'float' have shape \(4400, 5\), expected \(4399, 5\)"):
        write_bundle(evidence, short, REPORT, printed=b"%PDF", out=tmp_path, key=folder / "key.pem")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadInputError, match="cannot be written"):
        write_bundle(
            evidence, attachments, REPORT, printed=b"%PDF", out=tmp_path / "file" / "under", key=folder / "key.pem"
        )


def test_a_device_that_was_sent_a_part(made: tuple[Evidence, Attachments, Bundle, Path], tmp_path: Path) -> None:
    """Every third beat went over the link: its cells alone are filled, and its figures still follow."""
    evidence, attachments = example_evidence(tmp_path, device_beats=range(0, 4400, 3))
    assert evidence.validation.device_beats == 1467
    key = made[3] / "key.pem"
    bundle = write_bundle(evidence, attachments, REPORT, printed=b"%PDF", out=tmp_path / "out", key=key)
    assert verify_bundle(bundle.path, key).authenticated


@pytest.mark.requirement("LW-REP-002")
@pytest.mark.parametrize(("verdict", "noise", "margin"), [("inconclusive", 0.03, 0.002), ("fail", 0.1, 0.001)])
def test_a_bundle_of_bad_news_verifies_and_says_so(
    made: tuple[Evidence, Attachments, Bundle, Path], tmp_path: Path, verdict: str, noise: float, margin: float
) -> None:
    """in-toto's test-result knows no 'inconclusive': FAILED, because it never passes."""
    bad_news, attachments = example_evidence(tmp_path, noise=noise, accuracy_margin=margin)
    key = made[3] / "key.pem"
    bundle = write_bundle(bad_news, attachments, REPORT, printed=b"%PDF", out=tmp_path / "out", key=key)
    verified = verify_bundle(bundle.path, key)
    assert verified.verdict == verdict
    assert verified.reasons[0].startswith("accuracy: ")
    files = unpack(bundle.path.read_bytes(), source=bundle.path)
    predicate = json.loads(base64.b64decode(json.loads(files["statement.dsse.json"])["payload"]))["predicate"]
    assert predicate["result"] == "FAILED"
    assert predicate["failedTests"] == ["endpoint/accuracy", "validation"]


@pytest.mark.requirement("LW-EVD-004")
def test_of_equal_outputs_the_first_class_is_the_decision() -> None:
    """By hand: three beats, two classes, a tie, an empty cell; bytes are told from decimals."""
    table = b"index,record,patient,time_s,reference,float:N,float:V,device:N,device:V\n"
    table += b"0,100,p1,1.5,N,0.5,0.5,7,7\n1,100,p1,2.25,V,0.25,0.75,,\n2,101,p2,0.5,V,1e-3,-2.0,-128,127\n"
    read = read_predictions(table, ("N", "V"), source="x")
    assert (read.records, read.patients, read.reference) == (("100", "100", "101"), ("p1", "p1", "p2"), (0, 1, 1))
    assert read.times_s == (1.5, 2.25, 0.5)
    assert read.answers["float"].decided == {0: 0, 1: 1, 2: 0}
    assert read.answers["float"].raw == {}
    assert read.answers["device"].decided == {0: 0, 2: 1}
    assert read.answers["device"].raw == {0: (7, 7), 2: (-128, 127)}


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"\xff",
        b"index,record,patient,time_s,reference,float:V,float:N\n",
        b"index,record,patient,time_s,reference,float:N,float:V,float:N,float:V\n",
        b"index,record,patient,time_s,reference,float:N,float:V\n0,1,p,0.5,X,1,2\n",
        b"index,record,patient,time_s,reference,float:N,float:V\n0,1,p,0.5,N,1\n",
        b"index,record,patient,time_s,reference,float:N,float:V\n0,1,p,0.5,N,1,two\n",
        b'index,record,patient,time_s,reference,float:N,float:V\n0,"1,p,0.5,N,1,2\n',
        b"index,record,patient,time_s,reference,float:N,float:V\n0,1,p,0.5,N,1,nan\n",
        b"index,record,patient,time_s,reference,float:N,float:V\n0,1,p,0.5,N,1,\n",
        b"index,record,patient,time_s,reference,float:N,float:V\n1,1,p,0.5,N,1,2\n",
        b"index,record,patient,time_s,reference,float:N,float:V\n0,1,p,0.5,N,1,2,3\n",
        b"index,record,patient,time_s,reference,float:N,float:V\n0,1,p,inf,N,1,2\n",
        b"index,record,patient,time_s,reference,float:N,float:V\n" + b"x" * 200_000,
    ],
)
def test_tables_that_are_no_predictions(table: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"predictions\.csv cannot be read"):
        read_predictions(table, ("N", "V"), source="x")


def test_pack_refuses_names_outside_the_grammar() -> None:
    for name in ("../x", "/x", "a/../b", "", "x\\y", "a//b", ".hidden", "x" * 101, "a/" * 8 + "b", "end.", "logs/NUL"):
        with pytest.raises(ValueError, match="cannot be the name"):
            pack({name: b""})
