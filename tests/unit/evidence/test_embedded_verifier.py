"""validation/verify.py, the verifier that travels inside each bundle: alone on a clean Python, and against others."""

from __future__ import annotations

import ast
import base64
import dataclasses
import hashlib
import importlib.util
import json
import subprocess
import sys
import time
import venv
import zipfile
from itertools import islice
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import t as student

import evidence_example
from evidence_example import example_evidence
from leadwire.evidence.bundle import Bundle, verify_bundle, write_bundle
from leadwire.evidence.keys import generate_key
from leadwire.stats import (
    Bootstrap,
    PairedTable,
    bootstrap_interval,
    bootstrap_p_value,
    excess_loss,
    newcombe_paired,
    ratio,
    ratio_loss,
    tango,
    wilson,
)

pytestmark = pytest.mark.requirement("LW-EVD-007")


@pytest.fixture(scope="module")
def verifier(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundle_verifier", root / "validation" / "verify.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("embedded")
    evidence, attachments = example_evidence(folder)
    generate_key(folder / "key.pem")
    return write_bundle(evidence, attachments, b"<p>page</p>", printed=b"%PDF", out=folder, key=folder / "key.pem")


def test_it_imports_the_standard_library_alone(root: Path) -> None:
    tree = ast.parse((root / "validation" / "verify.py").read_text(encoding="utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {name.split(".")[0] for name in named} - sys.stdlib_module_names
    assert outside == {"cryptography"}, "which it does without where it is not installed"


def test_on_a_clean_environment(bundle: Bundle, tmp_path: Path) -> None:
    """As a reviewer has it: an empty environment, the file out of the bundle, the bundle; then one altered byte."""
    venv.create(tmp_path / "clean", with_pip=False)
    python = next(path for path in (tmp_path / "clean").glob("*/python*") if path.name in ("python", "python.exe"))
    with zipfile.ZipFile(bundle.path) as archive:
        (tmp_path / "verify.py").write_bytes(archive.read("verify.py"))
        (tmp_path / "signer.pem").write_bytes(archive.read("signer.pem"))
    absent = subprocess.run([python, "-I", "-c", "import leadwire"], capture_output=True, text=True, check=False)
    assert "No module named 'leadwire'" in absent.stderr
    command = [python, "-I", str(tmp_path / "verify.py")]
    done = subprocess.run(
        [*command, str(bundle.path), "--key", str(tmp_path / "signer.pem"), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] == "pass" and found["result"] == "PASSED"
    assert found["signer"] == bundle.signer and found["signer_authenticated"] is True
    assert found["bundle_sha256"] == bundle.digest
    assert found["signature_checked_by"] == ["this file"]
    assert found["figures_compared"] > 500
    data = bytearray(bundle.path.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "altered.zip").write_bytes(data)
    done = subprocess.run([*command, str(tmp_path / "altered.zip")], capture_output=True, text=True, check=False)
    assert done.returncode == 8 and "does not verify" in done.stderr and "Traceback" not in done.stderr


def test_another_key_is_refused(bundle: Bundle, tmp_path: Path, verifier: ModuleType) -> None:
    with pytest.raises(verifier.RefusedError, match="not by the key given"):
        verifier.verify(bundle.path.read_bytes(), bytes(range(32)), [])
    generate_key(tmp_path / "private.pem")
    assert verifier.main([str(bundle.path), "--key", str(tmp_path / "private.pem")]) == 2
    assert verifier.main([str(tmp_path / "none.zip")]) == 2


@pytest.mark.parametrize("seed", [0, 1, 20040719, 2**32, 2**63 - 1, 2**200 + 5])
def test_its_generator_is_numpys(verifier: ModuleType, seed: int) -> None:
    assert list(islice(verifier.pcg64(seed), 1000)) == np.random.PCG64(seed).random_raw(1000).tolist()


def test_its_signature_arithmetic(verifier: ModuleType) -> None:
    """RFC 8032, 7.1, tests 1 to 3; and `cryptography` on each bit of one of them."""
    for key, message, signature in (
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ):
        key_, message_, signature_ = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
        assert verifier.ed25519(key_, signature_, message_)
        assert not verifier.ed25519(key_, signature_, message_ + b"x")
    for bit in range(0, 512, 17):
        altered = bytearray(signature_)
        altered[bit // 8] ^= 1 << bit % 8
        assert verifier.ed25519(key_, bytes(altered), message_) is False
        assert verifier.by_cryptography(key_, bytes(altered), message_) is False
    assert verifier.by_cryptography(key_, signature_, message_) is True
    assert not verifier.ed25519(key_, signature_[:32] + (2**252 + 2**253).to_bytes(32, "little"), message_)
    assert not verifier.ed25519(b"\xff" * 32, signature_, message_)
    assert not verifier.ed25519(key_, signature_[:63], message_)


def test_its_closed_forms_are_those_of_the_literature(verifier: ModuleType) -> None:
    """Published values (see docs/manual/statistics.md), then leadwire's own over many tables."""
    z = verifier.NORMAL.inv_cdf(0.975)
    assert verifier.tango(6, 16, 161, z) == pytest.approx((-0.124, -0.0054), abs=5e-5)
    assert verifier.newcombe(59, 6, 16, 80, z) == pytest.approx((-0.1186, -0.0046), abs=5e-5)
    assert verifier.mcnemar(6, 16) == pytest.approx((0.034690, 0.052479), abs=5e-7)
    assert verifier.tango(0, 0, 100, z) == pytest.approx((-0.03699, 0.03699), abs=5e-6)
    random = np.random.default_rng(3)
    for a, b, c, d in [
        (0, 0, 0, 0),
        (1, 0, 0, 0),
        (0, 3, 0, 0),
        (0, 0, 2, 0),
        *random.integers(0, 60, (80, 4)).tolist(),
    ]:
        table = PairedTable(both=a, first_only=b, second_only=c, neither=d)
        one = tango(table)
        assert verifier.tango(b, c, table.n, z) == pytest.approx((one.low, one.high), abs=1e-10)
        one = newcombe_paired(table)
        assert verifier.newcombe(a, b, c, d, z) == pytest.approx((one.low, one.high), abs=1e-10)
        one = wilson(a, a + b)
        assert verifier.wilson(a, a + b, z) == pytest.approx((one.low, one.high), abs=1e-12)


@pytest.mark.parametrize("degrees", [1, 2.0, 2.37, 5.7, 19, 47.3, 400])
def test_its_students_t_is_scipys(verifier: ModuleType, degrees: float) -> None:
    for tail in (0.0005, 0.0137, 0.025, 0.1):
        assert verifier.student_quantile(tail, degrees) == pytest.approx(student.isf(tail, degrees), rel=1e-10)
    for t in (-3.0, -0.2, 0.0, 0.01, 0.7, 5.0, 40.0):
        assert verifier.student_above(t, degrees) == pytest.approx(student.sf(t, degrees), abs=1e-12)


@pytest.mark.parametrize("patients", [2, 3, 9, 22])
def test_its_bootstrap_t_is_leadwires(verifier: ModuleType, patients: int) -> None:
    """Limits and p of one ratio, of a loss, of a mean of losses and of an excess; most patients change nothing, and
    some have no beat."""
    figures = object.__new__(verifier.Figures)
    figures.level, figures.method, figures.resamples, figures.seed, figures.drawn = 0.95, "bootstrap-t", 1000, 5, {}
    bootstrap = Bootstrap(resamples=1000, seed=5, method="bootstrap-t")
    compared = 0
    for seed in range(6):
        random = np.random.default_rng(seed)
        beats = random.integers(1, 300, (patients, 4)) * (random.random((patients, 1)) < 0.8)
        right = random.binomial(beats, 0.9)
        now = right - random.binomial(right, 0.1) * (random.random((patients, 4)) < 0.5)
        rows = np.stack([right, beats, now, beats], axis=2).reshape(patients, 16)
        for statistic, own, columns in (
            (ratio, verifier.share_of, 2),
            (ratio_loss, verifier.loss_of, 4),
            (ratio_loss, verifier.loss_of, 16),
            (excess_loss, verifier.excess_of, 8),
            (excess_loss, verifier.excess_of, 16),
        ):
            part = rows[:, :columns].astype(np.float64)
            interval = bootstrap_interval(part, statistic, bootstrap)
            _, found = figures.judged_over_patients(part.astype(int).tolist(), own, None, 0.05)
            assert (interval is None) == (found is None)
            if interval is not None:
                compared += 1
                assert found[0] == pytest.approx((interval.low, interval.high), abs=1e-11)
                p_value = bootstrap_p_value(part, statistic, bootstrap, 0.05)
                assert found[1] == pytest.approx(p_value, abs=1e-11)
    assert compared > (10 if patients > 3 else 0)


@pytest.mark.requirement("LW-EVD-004")
def test_fifty_thousand_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verifier: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every statistic of 50,000 beats again, by leadwire and by the one file: within a minute each, and the same."""
    monkeypatch.setattr(evidence_example, "BEATS", 50_000)
    evidence, attachments = example_evidence(tmp_path)
    generate_key(tmp_path / "key.pem")
    made = write_bundle(evidence, attachments, b"<p>page</p>", printed=b"%PDF", out=tmp_path, key=tmp_path / "key.pem")
    start = time.process_time()
    derived = verify_bundle(made.path, recompute=True).derived
    middle = time.process_time()
    assert len(derived) > 150 and all(one.agrees for one in derived)
    assert verifier.main([str(made.path)]) == 0
    end = time.process_time()
    assert "figures and verdicts derived again" in capsys.readouterr().out
    assert middle - start < 60 and end - middle < 60


@pytest.mark.requirement("LW-EVD-004")
def test_recompute_finds_what_verify_takes_as_stated(tmp_path: Path, verifier: ModuleType) -> None:
    """The interval around one runtime's sensitivity, narrower than the data allow, signed by its issuer."""
    from leadwire.errors import EvidenceError

    evidence, attachments = example_evidence(tmp_path)
    first, *others = evidence.validation.metrics
    good = first.sensitivity[2]
    assert good.interval is not None
    better = dataclasses.replace(good, interval=dataclasses.replace(good.interval, low=good.interval.low + 0.01))
    metrics = dataclasses.replace(first, sensitivity=(*first.sensitivity[:2], better, *first.sensitivity[3:]))
    forged = dataclasses.replace(
        evidence, validation=dataclasses.replace(evidence.validation, metrics=(metrics, *others))
    )
    generate_key(tmp_path / "key.pem")
    made = write_bundle(forged, attachments, b"<p>page</p>", printed=b"%PDF", out=tmp_path, key=tmp_path / "key.pem")
    verify_bundle(made.path)
    with pytest.raises(EvidenceError, match=r"1 of \d+ statistics do not follow: V sensitivity of 'float', low is"):
        verify_bundle(made.path, recompute=True)
    with pytest.raises(verifier.RefusedError, match="the lower limit of the interval of the sensitivity V of float"):
        verifier.verify(made.path.read_bytes(), None, [])


def test_its_schema_is_the_published_one(root: Path, verifier: ModuleType, bundle: Bundle) -> None:
    """The digest in the file is that of validation/evidence.schema.json (`make golden` writes it); a schema that asks
    for less is refused, though it has the right name."""
    published = (root / "validation" / "evidence.schema.json").read_bytes()
    assert hashlib.sha256(published).hexdigest() == verifier.SCHEMA_SHA256
    with zipfile.ZipFile(bundle.path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    verifier.read_evidence(files)
    lax = json.dumps({"$id": verifier.SCHEMA}).encode()
    for other in (lax, published.replace(b"\n", b"\n ", 1)):
        with pytest.raises(verifier.RefusedError, match="not the schema that this verifier was published with"):
            verifier.read_evidence({**files, "evidence.schema.json": other})
    document = json.loads(files["evidence.json"])
    for change in ({"beats": "many"}, {"judged_runtime": 3}, {"unheard_of": 1}, {"verdict": "perhaps"}):
        altered = {**document, "evidence": {**document["evidence"]}}
        altered["evidence"]["validation"] = {**document["evidence"]["validation"], **change}
        with pytest.raises(verifier.RefusedError, match="does not follow its schema"):
            verifier.read_evidence({**files, "evidence.json": json.dumps(altered).encode()})
    with pytest.raises(verifier.RefusedError, match="asks for"):
        verifier.mistakes(1, {"type": "integer", "maximum": 3}, {}, "")
    assert verifier.mistakes("x1", {"type": "string", "pattern": "^[a-z]$"}, {}, "/a") == [
        "/a is not of the form ^[a-z]$"
    ]


def test_the_manual_names_its_digest_rule(root: Path, bundle: Bundle) -> None:
    """What is in the bundle is the file of this repository, byte for byte, and its statement names it."""
    own = (root / "validation" / "verify.py").read_bytes()
    with zipfile.ZipFile(bundle.path) as archive:
        assert archive.read("verify.py") == own
        statement = json.loads(base64.b64decode(json.loads(archive.read("statement.dsse.json"))["payload"]))
    named = {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}
    assert named["verify.py"] == hashlib.sha256(own).hexdigest()
