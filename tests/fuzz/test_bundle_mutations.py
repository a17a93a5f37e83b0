"""Both verifiers, leadwire's and the one file inside the bundle, on bundles from hostile senders: a clear error, and
nothing is written but below the folder that was named. LEADWIRE_BUNDLE_MUTATIONS sets how many (make fuzz: 1,000)."""

from __future__ import annotations

import importlib.util
import os
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from evidence_example import example_evidence
from leadwire.errors import EvidenceError
from leadwire.evidence.archive import unpack
from leadwire.evidence.bundle import verify_bundle, write_bundle
from leadwire.evidence.keys import generate_key, load_private_key
from mutated_bundles import KINDS, mutated

MUTATIONS = int(os.environ.get("LEADWIRE_BUNDLE_MUTATIONS", 3 * len(KINDS)))
pytestmark = pytest.mark.requirement("LW-EVD-006")


@pytest.fixture(scope="module")
def verifier(root: Path) -> ModuleType:
    """validation/verify.py as a module."""
    path = root / "validation" / "verify.py"
    spec = importlib.util.spec_from_file_location("bundle_verifier", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], Any, bytes]:
    """The files of a bundle, an attacker's key, and the bundle."""
    folder = tmp_path_factory.mktemp("mutations")
    evidence, attachments = example_evidence(folder)
    generate_key(folder / "key.pem")
    generate_key(folder / "attacker.pem")
    made = write_bundle(evidence, attachments, b"<p>page</p>", printed=b"%PDF", out=folder, key=folder / "key.pem")
    data = made.path.read_bytes()
    return unpack(data, source=made.path), load_private_key(folder / "attacker.pem"), data


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_mutated_bundles_are_refused_in_words(
    genuine: tuple[dict[str, bytes], Any, bytes],
    verifier: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files, attacker, _ = genuine
    path = tmp_path / "inside" / "deep" / "hostile.zip"
    path.parent.mkdir(parents=True)
    monkeypatch.chdir(path.parent)
    for seed in range(MUTATIONS):
        what, data = mutated(files, attacker, seed)
        path.write_bytes(data)
        before = everything(tmp_path)
        with pytest.raises(EvidenceError) as caught:
            pytest.fail(f"{what}: accepted, {verify_bundle(path)}")
        assert len(caught.value.message) > 20, what
        code = verifier.main([str(path), "--extract", str(tmp_path / "target")])
        said = capsys.readouterr()
        assert (code, said.out) == (8, ""), (what, said)
        assert said.err.startswith("error: evidence ") and len(said.err.splitlines()) == 1, (what, said.err)
        assert everything(tmp_path) == before, what


def test_what_verifies_is_written_below_the_folder_alone(
    genuine: tuple[dict[str, bytes], Any, bytes], verifier: ModuleType, tmp_path: Path
) -> None:
    files, _, data = genuine
    path = tmp_path / "b.zip"
    path.write_bytes(data)
    assert verifier.main([str(path), "--extract", str(tmp_path / "out")]) == 0
    written = {
        p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()
    }
    assert written == files
    assert verifier.main([str(path), "--extract", str(tmp_path / "out")]) == 2, (
        "a folder that exists is not written into"
    )


@pytest.mark.requirement("LW-EVD-001")
def test_two_hundred_random_bytes(
    genuine: tuple[dict[str, bytes], Any, bytes], verifier: ModuleType, tmp_path: Path
) -> None:
    """Anywhere in the bundle, any other value: both verifiers see each."""
    _, _, data = genuine
    draw = random.Random(2026)
    path = tmp_path / "altered.zip"
    for _ in range(200):
        altered = bytearray(data)
        position = draw.randrange(len(data))
        altered[position] ^= draw.randrange(1, 256)
        path.write_bytes(altered)
        with pytest.raises(EvidenceError):
            verify_bundle(path)
        with pytest.raises(verifier.RefusedError):
            verifier.verify(bytes(altered), None, [])
