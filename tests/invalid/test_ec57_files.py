"""Files and folders that cannot be scored: an error that says what and where, no traceback, no figure."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import wfdb
from typer.testing import CliRunner

from leadwire.cli import app
from leadwire.ec57 import score_paths
from leadwire.errors import BadInputError, LeadwireError

HEADER = "r1 1 360 216000\nr1.dat 212 200\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Record r1 with reference and test, and its header."""
    (tmp_path / "r1.hea").write_text(HEADER)
    beats = np.arange(100_000, 200_000, 300)
    for extension in ("atr", "tst"):
        wfdb.wrann("r1", extension, beats, symbol=["N"] * len(beats), write_dir=str(tmp_path))
    return tmp_path


def leadwire(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "leadwire", "ec57", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_each_way_to_name_them_gives_the_same(folder: Path) -> None:
    (folder / "RECORDS").write_text("# both\nr1\n")
    expected = score_paths(folder, folder)
    assert len(expected.records) == 1 and expected.gross[0].denominator == 307
    for path in (folder / "RECORDS", folder / "r1"):
        assert score_paths(path, path) == expected
    assert score_paths(folder / "r1.atr", folder / "r1.tst") == expected


def test_the_verb_prints_tables_and_json(folder: Path) -> None:
    shown = leadwire(folder, folder, "--matrices")
    assert shown.returncode == 0 and "NON-STANDARD: the records are of no one database" in shown.stdout
    assert "Record r1" in shown.stdout and "Runs of ventricular ectopic beats" in shown.stdout
    as_json = json.loads(leadwire(folder, folder, "--json").stdout)
    assert as_json["records"][0]["matrix"][0][0] == 307 and as_json["deviations"]
    assert [name for name, _ in as_json["files"]] == ["r1.atr", "r1.tst"]


def test_the_verb_ends_with_2_and_a_remedy(folder: Path) -> None:
    missing = leadwire(folder, folder, "--test-extension", "qrs")
    assert missing.returncode == 2 and missing.stdout == ""
    assert "holds no *.qrs" in missing.stderr and ".atr" in missing.stderr
    problem = json.loads(leadwire(folder, folder / "none", "--json").stdout)["error"]
    assert problem["kind"] == "FileMissingError" and problem["exit_code"] == 2
    assert leadwire(folder, folder, "--window", "nan").returncode == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("RECORDS", b"", "empty"),
        ("RECORDS", b"../../etc/passwd\n", "no list of records"),
        ("RECORDS", b"/etc/passwd\n", "no list of records"),
        ("RECORDS", b"r1\nr1\n", "twice"),
        ("RECORDS", b"r9\n", "does not exist"),
        ("RECORDS", b"\xff\xfe\x00r1", "no list of records"),
        ("r1.tst", b"", "cannot be read|no record|nothing|annotat"),
        ("r1.tst", b"x", "cannot be read"),
        ("r1.hea", b"r1 1 0 216000\nr1.dat 212 200\n", "cannot be read|sampling rate"),
        ("r1.hea", b"\x00\x01", "cannot be read"),
        ("r1.hea", b"r1 1 -5 216000\nr1.dat 212 200\n", "cannot be read|sampling rate"),
        ("r1.hea", b"r1 1 0.001 216000\nr1.dat 212 200\n", "the sampling rate is 0.001 Hz"),
    ],
)
def test_broken_files(folder: Path, name: str, content: bytes, said: str) -> None:
    (folder / name).write_bytes(content)
    path = folder / "RECORDS" if name == "RECORDS" else folder
    try:
        result = score_paths(path, path)
    except LeadwireError as error:
        text = f"{error.message} {error.hint}"
        assert any(part in text for part in said.split("|")), text
    else:  # an empty file has no annotations: all beats are missed
        assert (name, content) == ("r1.tst", b"") and result.gross[0].numerator == 0


def test_a_record_without_a_known_rate(folder: Path) -> None:
    (folder / "r1.hea").unlink()
    with pytest.raises(LeadwireError, match="sampling rate is not known"):
        score_paths(folder, folder)
    assert score_paths(folder, folder, sample_rate_hz=360.0).gross[0].denominator == 307


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.99, -360.0, 2e6, float("nan"), float("inf")])
@pytest.mark.parametrize("header", [True, False])
def test_a_rate_that_is_none_is_refused(folder: Path, rate: float, header: bool) -> None:
    if not header:
        (folder / "r1.hea").unlink()
    with pytest.raises(BadInputError, match=re.escape(f"a sampling rate of {rate:g} Hz")):
        score_paths(folder, folder, sample_rate_hz=rate)
    with pytest.raises(BadInputError, match="a sampling rate of"):
        CliRunner().invoke(app, ["ec57", str(folder), str(folder), "--rate", str(rate)], catch_exceptions=False)


def test_the_least_rate_is_scored(folder: Path) -> None:
    (folder / "r1.hea").unlink()
    assert score_paths(folder, folder, sample_rate_hz=1.0).gross[0].denominator == 334


def test_a_test_without_a_reference_is_refused(folder: Path) -> None:
    (folder / "r2.tst").write_bytes((folder / "r1.tst").read_bytes())
    with pytest.raises(LeadwireError, match="without a reference: r2"):
        score_paths(folder, folder)


def test_annotations_that_were_cut_or_changed_are_scored_or_refused(folder: Path) -> None:
    """150 files with random bytes changed, cut off or inserted: a result or an error of leadwire's, nothing else."""
    whole = (folder / "r1.tst").read_bytes()
    draw = random.Random(57)
    outcomes = set()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        if draw.random() < 0.5:
            del data[draw.randrange(len(data)) :]
        (folder / "r1.tst").write_bytes(data)
        try:
            score_paths(folder, folder)
            outcomes.add("scored")
        except LeadwireError:
            outcomes.add("refused")
    assert outcomes == {"scored", "refused"}
