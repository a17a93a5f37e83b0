"""Bundles from a hostile sender: every altered byte, and every trick a ZIP file knows, ends in EvidenceError (8)."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence_example import example_evidence
from leadwire.artifacts import Interval, ValidationResult
from leadwire.errors import BadInputError, EvidenceError, FileMissingError
from leadwire.evidence.archive import MAX_BUNDLE_BYTES, pack, unpack
from leadwire.evidence.bundle import Bundle, verify_bundle, write_bundle
from leadwire.evidence.contents import digests_of, manifest_of
from leadwire.evidence.document import read_document, write_document
from leadwire.evidence.envelope import sign_statement
from leadwire.evidence.keys import generate_key, load_private_key
from leadwire.evidence.provenance import make_provenance
from leadwire.evidence.statement import make_statement

pytestmark = pytest.mark.requirement("LW-EVD-001")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("tampered")
    evidence, attachments = example_evidence(folder)
    generate_key(folder / "key.pem")
    return write_bundle(
        evidence, attachments, b"<p>page</p>", printed=b"%PDF", out=folder / "out", key=folder / "key.pem"
    )


@pytest.fixture(scope="module")
def files(bundle: Bundle) -> dict[str, bytes]:
    return unpack(bundle.path.read_bytes(), source=bundle.path)


def refused(path: Path, data: bytes, reason: str = "") -> None:
    path.write_bytes(data)
    with pytest.raises(EvidenceError, match=reason) as caught:
        verify_bundle(path)
    assert caught.value.exit_code == 8


def test_every_flipped_byte_is_found(bundle: Bundle, files: dict[str, bytes], tmp_path: Path) -> None:
    """All bytes of headers, directory and envelope near the edges, and 400 drawn over the whole file."""
    data = bundle.path.read_bytes()
    directory = data.index(b"PK\1\2")
    positions = {*range(60), *range(len(data) - 30, len(data))}
    positions |= set(random.Random(8).sample(range(len(data)), 120))
    positions |= set(random.Random(9).sample(range(directory, len(data)), 100))
    for name in files:
        start = data.index(name.encode() + files[name][:16])
        positions |= set(random.Random(name).sample(range(start - 30, start + len(name)), 8))
    envelope = data.index(files["statement.dsse.json"])
    positions |= set(random.Random(10).sample(range(envelope, envelope + len(files["statement.dsse.json"])), 80))
    path = tmp_path / "altered.zip"
    for position in sorted(positions):
        altered = bytearray(data)
        altered[position] ^= 1 << (position % 8)
        path.write_bytes(altered)
        with pytest.raises(EvidenceError):
            verify_bundle(path)


def test_every_bit_of_key_and_signature(files: dict[str, bytes], tmp_path: Path) -> None:
    """Properly packed again, so that only the cryptography can notice."""
    envelope = json.loads(files["statement.dsse.json"])
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    for position in range(0, 512, 7):
        altered = bytearray(signature)
        altered[position // 8] ^= 1 << (position % 8)
        envelope["signatures"][0]["sig"] = base64.b64encode(altered).decode()
        text = (json.dumps(envelope, sort_keys=True, separators=(",", ":")) + "\n").encode()
        refused(tmp_path / "s.zip", pack({**files, "statement.dsse.json": text}), "signature does not match")


@pytest.mark.parametrize("name", ["model.tflite", "report.html", "evidence.json", "manifest.sha256", "predictions.csv"])
def test_a_file_packed_again_after_a_change(files: dict[str, bytes], tmp_path: Path, name: str) -> None:
    altered = files[name][:-2] + b"?\n"
    refused(tmp_path / "f.zip", pack({**files, name: altered}), f"'{name}' was changed")


def test_missing_and_added_files(files: dict[str, bytes], tmp_path: Path) -> None:
    for name in files:
        less = {key: data for key, data in files.items() if key != name}
        refused(
            tmp_path / "less.zip",
            pack(less),
            rf"{name}'? (is signed for and )?missing|source '{name[8:]}' is not the one",
        )
    refused(tmp_path / "more.zip", pack({**files, "more.txt": b""}), "'more.txt' is not signed for")


def rewritten(files: dict[str, bytes], change: str) -> bytes:
    envelope = json.loads(files["statement.dsse.json"])
    if change == "unsigned":
        envelope["signatures"] = []
    if change == "twice":
        envelope["signatures"] *= 2
    if change == "keyid":
        envelope["signatures"][0]["keyid"] = "0" * 64
    if change == "type":
        envelope["payloadType"] = "text/plain"
    if change == "list":
        return b"[]\n"
    if change == "base64":
        envelope["payload"] = "*" + envelope["payload"]
    if change == "extra":
        envelope["extra"] = 1
    return (json.dumps(envelope, sort_keys=True, separators=(",", ":")) + "\n").encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("unsigned", "not signed"),
        ("twice", "another number of signatures"),
        ("keyid", "signed by key 0000"),
        ("type", "written again"),
        ("list", "not a DSSE envelope"),
        ("base64", "not a DSSE envelope"),
        ("extra", "written again"),
    ],
)
def test_envelopes(files: dict[str, bytes], tmp_path: Path, change: str, reason: str) -> None:
    refused(tmp_path / "e.zip", pack({**files, "statement.dsse.json": rewritten(files, change)}), reason)


def test_another_signers_key_beside_the_old_envelope(files: dict[str, bytes], tmp_path: Path) -> None:
    from leadwire.evidence.keys import load_public_key

    generate_key(tmp_path / "other.pem")
    refused(tmp_path / "k.zip", pack({**files, "signer.pem": load_public_key(tmp_path / "other.pem")}), "signed by key")
    refused(tmp_path / "k.zip", pack({**files, "signer.pem": b"no key"}), "not a public key")


def test_signed_nonsense_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    """The attacker signs with a key of their own; without a trusted key the content must still make sense."""
    from leadwire.evidence.envelope import sign_statement
    from leadwire.evidence.keys import load_private_key, public_pem

    generate_key(tmp_path / "key.pem")
    key = load_private_key(tmp_path / "key.pem")
    mine = {**files, "signer.pem": public_pem(key)}
    made = json.loads(base64.b64decode(json.loads(files["provenance.dsse.json"])["payload"]))
    mine["provenance.dsse.json"] = sign_statement(made, key)
    statement = json.loads(base64.b64decode(json.loads(files["statement.dsse.json"])["payload"]))
    for change, reason in (
        ({"_type": "other"}, "not an in-toto v1 statement"),
        ({"predicateType": "https://example.org/x"}, "of another kind"),
        ({"subject": []}, "is not signed for"),
        ({"subject": [1, None]}, "is not signed for"),
        ({"subject": [{"name": "x", "digest": {"sha256": "00"}}]}, "'calibration.csv' is not signed for"),
    ):
        signed = sign_statement({**statement, **change}, key)
        refused(tmp_path / "n.zip", pack({**mine, "statement.dsse.json": signed}), reason)
    import hashlib

    for item in statement["subject"]:
        item["digest"]["sha256"] = hashlib.sha256(mine[item["name"]]).hexdigest()
    statement["predicate"]["passedTests"].append("endpoint/invented")
    signed = sign_statement(statement, key)
    refused(tmp_path / "n.zip", pack({**mine, "statement.dsse.json": signed}), "says something else")


Forgery = Callable[[ValidationResult], ValidationResult]


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], Path]:
    """The files of a genuine bundle whose accuracy endpoint is inconclusive, and the key that its issuer signs with."""
    folder = tmp_path_factory.mktemp("doubtful")
    evidence, attachments = example_evidence(folder, accuracy_margin=0.002)
    assert evidence.verdict == "inconclusive"
    generate_key(folder / "key.pem")
    bundle = write_bundle(
        evidence, attachments, b"<p>page</p>", printed=b"%PDF", out=folder / "out", key=folder / "key.pem"
    )
    return unpack(bundle.path.read_bytes(), source=bundle.path), folder / "key.pem"


def signed_again(files: dict[str, bytes], key: Path, forgery: Forgery) -> bytes:
    """What the issuer's own key can make of the bundle: another validation, everything else consistent with it."""
    evidence = read_document(files["evidence.json"])
    changed = forgery(evidence.validation)
    assert changed != evidence.validation
    document = write_document(dataclasses.replace(evidence, validation=changed))
    seals = ("statement.dsse.json", "provenance.dsse.json")
    forged = {name: data for name, data in files.items() if name not in seals} | {"evidence.json": document}
    forged["manifest.sha256"] = manifest_of(forged)
    digests, evidence, private = digests_of(forged), read_document(document), load_private_key(key)
    for name, statement in zip(
        seals, (make_statement(evidence, digests), make_provenance(evidence, digests, "")), strict=True
    ):
        forged[name] = sign_statement(statement, private)
    return pack(forged)


def endpoint(validation: ValidationResult, **change: Any) -> ValidationResult:
    first, *others = validation.endpoints
    return dataclasses.replace(validation, endpoints=(dataclasses.replace(first, **change), *others))


def figures(validation: ValidationResult, **change: Any) -> ValidationResult:
    first, *others = validation.metrics
    return dataclasses.replace(validation, metrics=(dataclasses.replace(first, **change), *others))


def better(statistics: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dataclasses.replace(one, estimate=0.99) for one in statistics)


def all_good_news(validation: ValidationResult) -> ValidationResult:
    """Every endpoint passes with room to spare, every class is found, no reason is left."""
    gain = Interval(low=-0.6, high=-0.4, level=0.95, method="invented")
    return dataclasses.replace(
        validation,
        verdict="pass",
        reasons=(),
        endpoints=tuple(
            dataclasses.replace(
                one,
                verdict="pass",
                float_value=0.1,
                int8_value=0.6,
                judged=gain,
                loss=dataclasses.replace(one.loss, estimate=-0.5, interval=gain),
            )
            for one in validation.endpoints
        ),
        metrics=tuple(dataclasses.replace(one, sensitivity=better(one.sensitivity)) for one in validation.metrics),
    )


def renamed(validation: ValidationResult, name: str) -> ValidationResult:
    """One class's sensitivity under another's name."""
    first, *others = validation.metrics[0].sensitivity
    return figures(validation, sensitivity=(dataclasses.replace(first, name=name), *others))


def redrawn(validation: ValidationResult, **change: Any) -> ValidationResult:
    """The judged interval with its limits, and another level or method."""
    judged = validation.endpoints[0].judged
    assert judged is not None
    return endpoint(validation, judged=dataclasses.replace(judged, **change))


NARROW = Interval(low=-0.001, high=0.0015, level=0.95, method="narrower than the data allow")
FORGERIES: dict[str, tuple[Forgery, str]] = {
    "all good news": (all_good_news, "N sensitivity of 'float' is not"),
    "sensitivity": (lambda v: figures(v, sensitivity=better(v.metrics[0].sensitivity)), "S sensitivity of 'float' is"),
    "positive predictivity": (
        lambda v: figures(v, positive_predictivity=better(v.metrics[0].positive_predictivity)),
        "V positive predictivity of 'float' is not",
    ),
    "accuracy": (
        lambda v: figures(v, accuracy=dataclasses.replace(v.metrics[0].accuracy, estimate=0.99)),
        "accuracy of 'float' is not",
    ),
    "float value": (lambda v: endpoint(v, float_value=0.5), "float value of endpoint 'accuracy' is"),
    "INT8 value": (lambda v: endpoint(v, int8_value=0.999), "INT8 value of endpoint 'accuracy' is"),
    "loss": (
        lambda v: endpoint(v, loss=dataclasses.replace(v.endpoints[0].loss, estimate=0.0)),
        "loss of endpoint 'accuracy' is",
    ),
    "patient interval": (
        lambda v: endpoint(v, loss=dataclasses.replace(v.endpoints[0].loss, interval=NARROW)),
        "patient interval of endpoint 'accuracy' does not follow",
    ),
    "beat-level interval": (
        lambda v: endpoint(v, beat_level=(NARROW, v.endpoints[0].beat_level[1])),
        "beat-level interval 1 of endpoint 'accuracy' does not follow",
    ),
    "one interval less": (lambda v: endpoint(v, beat_level=v.endpoints[0].beat_level[:1]), "has not 2 beat-level"),
    "judged interval": (lambda v: endpoint(v, judged=NARROW), "judged interval of endpoint 'accuracy' does not follow"),
    "judged interval's level": (
        lambda v: redrawn(v, level=0.999),
        "judged interval of endpoint 'accuracy' does not follow",
    ),
    "judged interval's method": (
        lambda v: redrawn(v, method="hull of patient bootstrap BCa, B=100000, seed 7 and Tango score"),
        "judged interval of endpoint 'accuracy' does not follow",
    ),
    "a figure's name": (lambda v: renamed(v, "V sensitivity"), "named 'V sensitivity' in the place of 'N sensitivity'"),
    "no judged interval": (
        lambda v: endpoint(v, judged=None),
        "judged interval of endpoint 'accuracy' does not follow",
    ),
    "mid-p": (lambda v: endpoint(v, mcnemar_mid_p=0.9), "McNemar's mid-p of endpoint 'accuracy' does not follow"),
    "margin": (lambda v: endpoint(v, margin=0.02), "margin of endpoint 'accuracy' is 0.002, not 0.02"),
    "endpoint's verdict": (
        lambda v: endpoint(v, verdict="pass"),
        "verdict of endpoint 'accuracy' is 'pass' where its figures say 'inconclusive'",
    ),
    "an endpoint left out": (
        lambda v: dataclasses.replace(v, endpoints=v.endpoints[1:], verdict="pass", reasons=()),
        "endpoints are not those of protocol.toml",
    ),
    "verdict": (
        lambda v: dataclasses.replace(v, verdict="pass", reasons=()),
        "the verdict is 'pass' where the figures say 'inconclusive'",
    ),
    "a pass with reasons": (lambda v: dataclasses.replace(v, verdict="pass"), "the verdict is 'pass' where"),
    "no reasons": (lambda v: dataclasses.replace(v, reasons=()), "the verdict 'inconclusive' has 0 reason"),
    "lost samples": (
        lambda v: dataclasses.replace(v, lost_samples=1),
        "the verdict is 'inconclusive' where the figures say 'fail'",
    ),
    "protocol's name": (lambda v: dataclasses.replace(v, protocol_name="other"), "not of protocol 'arrhythmia-mitdb'"),
    "judged runtime": (
        lambda v: dataclasses.replace(v, judged_runtime="tflite"),
        "the judged runtime is 'tflite' where the protocol takes 'device'",
    ),
    "desktop's bytes": (
        lambda v: dataclasses.replace(
            v, tflite_device=dataclasses.replace(v.tflite_device, identical=4400, max_abs_lsb=0)
        ),
        "tflite and device: 4290 of 4400 beats are equal",
    ),
    "changed decisions": (
        lambda v: dataclasses.replace(
            v, host_device=dataclasses.replace(v.host_device, decisions_changed=3, compared=10)
        ),
        "tflm and device: 0 of 4400 decisions differ",
    ),
    "another pair": (
        lambda v: dataclasses.replace(v, host_device=v.tflite_device),
        "the comparison of tflm and device is one of tflite and device",
    ),
    "no comparison": (lambda v: dataclasses.replace(v, identities=()), "device and tflm are not compared once"),
    "a record": (
        lambda v: dataclasses.replace(
            v, records=(dataclasses.replace(v.records[0], device_accuracy=1.0), *v.records[1:])
        ),
        "figures of record '200' do not follow",
    ),
    "records left out": (lambda v: dataclasses.replace(v, records=v.records[1:]), "records of the validation are not"),
    "changed in all": (
        lambda v: dataclasses.replace(v, changed_total=0),
        "decisions changed in predictions.csv, not 0",
    ),
    "a changed decision": (
        lambda v: dataclasses.replace(
            v, changed=(dataclasses.replace(v.changed[0], float_class="Q", int8_class="Q"), *v.changed[1:])
        ),
        "the changed decision of beat",
    ),
    "agreement": (
        lambda v: dataclasses.replace(
            v, agreement_float_int8=dataclasses.replace(v.agreement_float_int8, estimate=1.0)
        ),
        "agreement of 'device' is not",
    ),
    "beats": (lambda v: dataclasses.replace(v, beats=9000), "number of beats is 4400 in predictions.csv, not 9000"),
    "patients": (lambda v: dataclasses.replace(v, patients=400), "number of patients is 44 in predictions.csv"),
    "beats of the device": (lambda v: dataclasses.replace(v, device_beats=9), "sent to the device is 4400"),
}


@pytest.mark.requirement("LW-EVD-004")
@pytest.mark.parametrize("name", FORGERIES)
def test_an_issuer_who_improves_a_figure_and_signs_again(
    doubtful: tuple[dict[str, bytes], Path], tmp_path: Path, name: str
) -> None:
    """Every digest and the signature are right; only the predictions and the protocol can tell."""
    forgery, reason = FORGERIES[name]
    refused(tmp_path / "f.zip", signed_again(*doubtful, forgery), reason)


def test_the_forger_changes_nothing_else(doubtful: tuple[dict[str, bytes], Path], tmp_path: Path) -> None:
    """What makes the forgeries fail is the forged figure: another note, signed again, verifies."""
    path = tmp_path / "f.zip"
    path.write_bytes(signed_again(*doubtful, lambda v: dataclasses.replace(v, notes=("another note",))))
    assert verify_bundle(path).verdict == "inconclusive"


def zipped(files: dict[str, bytes], method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return stream.getvalue()


def test_archives_of_other_tools(files: dict[str, bytes], tmp_path: Path) -> None:
    """The very same files packed by zipfile: nothing is lost, and still it is not the issuer's file."""
    refused(tmp_path / "z.zip", zipped(files, zipfile.ZIP_STORED), "structure")
    refused(tmp_path / "z.zip", zipped(files, zipfile.ZIP_DEFLATED), "packed again")
    data = pack(files)
    refused(tmp_path / "z.zip", data + b"\0", "structure")
    refused(tmp_path / "z.zip", data[:-2] + b"\1\0x", "structure")
    refused(tmp_path / "z.zip", b"#!/bin/sh\n" + data, "not a leadwire evidence bundle")


def member(name: bytes, data: bytes, *, size: int | None = None, flags: int = 0) -> bytes:
    length = len(data) if size is None else size
    return struct.pack("<4s5H3I2H", b"PK\3\4", 20, flags, 0, 0, 33, 0, length, length, len(name), 0) + name + data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a leadwire evidence bundle"),
        (b"PK\5\6" + bytes(18), "not a leadwire evidence bundle"),
        (b"PK\3\4", "truncated"),
        (member(b"../../etc/passwd", b"x"), "cannot be the name"),
        (member(b"/etc/passwd", b"x"), "cannot be the name"),
        (member(b"a\0b", b"x"), "cannot be the name"),
        (member(b"caf\xc3\xa9", b"x"), "cannot be the name"),
        (member(b"", b""), "cannot be the name"),
        (member(b"A", b"x") + member(b"a", b"y"), "one file on some systems"),
        (member(b"a", b"x") + member(b"a/b", b"y"), "a file and a folder"),
        (member(b"logs/nul.txt", b"x"), "cannot be the name"),
        (member(b"a", b"x") + member(b"a", b"y"), "two files are named 'a'"),
        (member(b"a", b"x", size=0xFFFFFFFF), "truncated inside 'a'"),
        (member(b"a", b"x", flags=8), "not stored as leadwire"),
        (b"".join(member(b"f%d" % i, b"") for i in range(4097)), "more than 4096 files"),
        (member(b"a", b"x"), "structure"),
    ],
)
def test_hostile_archives(tmp_path: Path, data: bytes, reason: str) -> None:
    refused(tmp_path / "h.zip", data, reason)


def test_every_truncation_of_a_small_archive_is_found() -> None:
    whole = pack({"a": b"alpha", "b": b"beta"})
    assert unpack(whole, source="whole") == {"a": b"alpha", "b": b"beta"}
    for length in range(len(whole)):
        with pytest.raises(EvidenceError):
            unpack(whole[:length], source="cut")


def test_files_that_are_no_bundles(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="evidence bundle"):
        verify_bundle(tmp_path / "none.zip")
    with pytest.raises(FileMissingError, match="evidence bundle"):
        verify_bundle(tmp_path)
    huge = tmp_path / "huge.zip"
    with huge.open("wb") as file:
        file.truncate(MAX_BUNDLE_BYTES + 1)
    with pytest.raises(BadInputError, match="larger than"):
        verify_bundle(huge)
