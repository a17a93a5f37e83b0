"""The other statements: SLSA provenance, a second person's signature, and a key from the environment."""

from __future__ import annotations

import base64
import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from evidence_example import example_evidence
from leadwire.errors import BadInputError, EvidenceError
from leadwire.evidence.archive import pack, unpack
from leadwire.evidence.bundle import Bundle, sign_bundle, verify_bundle, write_bundle
from leadwire.evidence.envelope import sign_statement
from leadwire.evidence.keys import generate_key, load_private_key

pytestmark = pytest.mark.requirement("LW-EVD-008")
WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
RUN = "ab" * 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signatures")
    for name in ("issuer", "reviewer", "approver"):
        generate_key(folder / f"{name}.pem")
    return folder


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    evidence, attachments = example_evidence(folder)
    return write_bundle(
        evidence, attachments, b"<p>page</p>", printed=b"%PDF", out=folder, key=folder / "issuer.pem", invocation=RUN
    )


@pytest.fixture(scope="module")
def verifier(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundle_verifier", root / "validation" / "verify.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_provenance_is_slsas(bundle: Bundle) -> None:
    from google.protobuf import json_format
    from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
    from in_toto_attestation.v1.statement import Statement
    from in_toto_attestation.v1.statement_pb2 import Statement as Message

    files = unpack(bundle.path.read_bytes(), source=bundle.path)
    payload = base64.b64decode(json.loads(files["provenance.dsse.json"])["payload"])
    statement = Statement.copy_from_pb(json_format.Parse(payload, Message()))
    statement.validate()
    assert statement.pb.predicate_type == "https://slsa.dev/provenance/v1"
    predicate = json_format.ParseDict(json.loads(payload)["predicate"], provenance_pb2.Provenance())
    assert predicate.build_definition.build_type == "urn:leadwire:build:1"
    assert predicate.run_details.metadata.invocation_id == RUN
    assert {item.name for item in predicate.run_details.byproducts} == {"logs/build.log", "logs/firmware.map"}
    assert {item["name"] for item in json.loads(payload)["subject"]} == {"firmware.elf", "model.tflite"}
    assert verify_bundle(bundle.path).invocation == RUN


def test_a_second_and_a_third_person_sign(bundle: Bundle, folder: Path, tmp_path: Path, verifier: ModuleType) -> None:
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    sign_bundle(bundle.path, folder / "reviewer.pem", name="R. Viewer", meaning="review", signed_on=WHEN, out=first)
    sign_bundle(first, folder / "approver.pem", name="Ana Prover", meaning="approval", signed_on=WHEN, out=second)
    verified = verify_bundle(second, folder / "issuer.pem", reviewers=(folder / "reviewer.pem",))
    assert [(one.name, one.meaning, one.signed_on, one.authenticated) for one in verified.reviews] == [
        ("R. Viewer", "review", "2026-03-04T05:06:07Z", True),
        ("Ana Prover", "approval", "2026-03-04T05:06:07Z", False),
    ]
    found, _ = verifier.verify(second.read_bytes(), None, [])
    assert [one["name"] for one in found["reviews"]] == ["R. Viewer", "Ana Prover"]
    with pytest.raises(EvidenceError, match="no review by the trusted key"):
        verify_bundle(first, reviewers=(folder / "approver.pem",))


@pytest.mark.parametrize(
    ("key", "name", "meaning", "reason"),
    [
        ("issuer", "I", "review", "signed the bundle already"),
        ("reviewer", " ", "review", "name is empty"),
        ("reviewer", "a\nb", "review", "without print"),
        ("reviewer", "R", "blessing", "none of 21 CFR 11.50"),
    ],
)
def test_signatures_that_are_none(
    bundle: Bundle, folder: Path, tmp_path: Path, key: str, name: str, meaning: str, reason: str
) -> None:
    out = tmp_path / "out.zip"
    with pytest.raises(BadInputError, match=reason):
        sign_bundle(bundle.path, folder / f"{key}.pem", name=name, meaning=meaning, signed_on=WHEN, out=out)
    assert not out.exists()


def test_a_signature_cannot_be_moved(bundle: Bundle, folder: Path, tmp_path: Path, verifier: ModuleType) -> None:
    """Onto another bundle, or kept when a file below it is exchanged by the issuer; nor altered, nor numbered anew."""
    signed = tmp_path / "signed.zip"
    sign_bundle(bundle.path, folder / "reviewer.pem", name="R", meaning="review", signed_on=WHEN, out=signed)
    files = unpack(signed.read_bytes(), source=signed)
    evidence, attachments = example_evidence(tmp_path, noise=0.02)
    other = write_bundle(
        evidence, attachments, b"<p>", printed=b"%PDF", out=tmp_path / "other", key=folder / "issuer.pem"
    )
    reviews = {name: data for name, data in files.items() if name.startswith("reviews/")}
    statement = json.loads(base64.b64decode(json.loads(files["reviews/1.dsse.json"])["payload"]))
    key = load_private_key(folder / "reviewer.pem")
    unsaid = {**statement, "predicate": {"name": "R", "meaning": "review"}}
    for forged, reason in (
        ({**unpack(other.path.read_bytes(), source="o"), **reviews}, "over other files"),
        ({**files, "reviews/1.dsse.json": sign_statement(unsaid, key)}, "does not say who signed|incomplete"),
        ({**files, "reviews/2.pem": files["reviews/1.pem"]}, "belongs to no review|not numbered"),
        ({name: data for name, data in files.items() if name != "reviews/1.pem"}, "belongs to no review|not numbered"),
    ):
        path = tmp_path / "forged.zip"
        path.write_bytes(pack(forged))
        with pytest.raises(EvidenceError, match=reason):
            verify_bundle(path)
        with pytest.raises(verifier.RefusedError, match=reason):
            verifier.verify(path.read_bytes(), None, [])


def test_the_key_in_the_environment(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, attachments = example_evidence(tmp_path)
    monkeypatch.delenv("LEADWIRE_SIGNING_KEY", raising=False)
    with pytest.raises(BadInputError, match="LEADWIRE_SIGNING_KEY is not set"):
        write_bundle(evidence, attachments, b"", printed=b"", out=tmp_path, key=None)
    monkeypatch.setenv("LEADWIRE_SIGNING_KEY", (folder / "issuer.pem").read_text())
    made = write_bundle(evidence, attachments, b"", printed=b"", out=tmp_path, key=None)
    assert verify_bundle(made.path, folder / "issuer.pem").authenticated
    monkeypatch.setenv("LEADWIRE_SIGNING_KEY", "no key")
    with pytest.raises(BadInputError, match="in LEADWIRE_SIGNING_KEY is not an unencrypted private key"):
        load_private_key(None)
