"""The audit log: what was edited, removed, moved or put in is found, and a crash or many writers break nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evidence_example import example_evidence
from leadwire.artifacts import sha256_hex
from leadwire.cli import app
from leadwire.errors import BadInputError, EvidenceError, FileMissingError, LeadwireError
from leadwire.evidence.audit import VARIABLE, append, log_path, read_log, verify_log
from leadwire.evidence.bundle import write_bundle
from leadwire.evidence.keys import generate_key
from leadwire.pipeline.audit import audited_run
from leadwire.project import LoadedProject, load_project
from rig_example import emulated, rig_text

pytestmark = pytest.mark.requirement("LW-AUD-001")


def said(*words: object) -> int:
    """The exit code of a command."""
    found = CliRunner().invoke(app, [str(word) for word in words])
    return found.exception.exit_code if isinstance(found.exception, LeadwireError) else found.exit_code


def test_a_signature_is_in_the_log_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given, refused, and in a folder that leadwire does not work in, where nothing is written."""
    monkeypatch.delenv(VARIABLE, raising=False)
    evidence, attachments = example_evidence(tmp_path)
    for name in ("key", "ana"):
        generate_key(tmp_path / f"{name}.pem")
    made = write_bundle(evidence, attachments, b"<p>", printed=b"%PDF", out=tmp_path, key=tmp_path / "key.pem")
    sign = ("sign", made.path, "--as", "Ana", "--meaning", "review", "--signing-key")
    copy = tmp_path / "sent" / made.path.name
    copy.parent.mkdir()
    copy.write_bytes(made.path.read_bytes())
    log = log_path(tmp_path)
    append(log, "begin", {"project": "p"})
    assert said(*sign, tmp_path / "key.pem") == 2, "the issuer's own key"
    assert said(*sign, tmp_path / "ana.pem") == 0
    assert said("sign", copy, *sign[2:], tmp_path / "ana.pem") == 0
    assert [one.name for one in copy.parent.iterdir()] == [copy.name]
    _, tried, refused, began, ended = read_log(log)
    assert (tried.facts["verb"], refused.event, refused.run) == ("sign", "fail", tried.digest)
    assert (began.facts["name"], began.facts["meaning"]) == ("Ana", "review")
    assert (began.facts["bundle_sha256"], ended.event, ended.run) == (made.digest, "end", began.digest)
    assert ended.facts["bundle_sha256"] == sha256_hex(made.path.read_bytes()) != made.digest
    assert (verify_log(log).runs, verify_log(log).failed) == (3, 1)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "all.jsonl"))
    assert said("sign", tmp_path / "none.zip", *sign[2:], tmp_path / "ana.pem") == 2
    assert [one.event for one in read_log(tmp_path / "all.jsonl")] == ["begin", "fail"]
    (tmp_path / "all.jsonl").write_bytes((tmp_path / "all.jsonl").read_bytes().replace(b"Ana", b"Eva"))
    assert said("audit", "verify", tmp_path / "all.jsonl") == 8
    assert said("audit", "verify", log) == 0


def test_a_rig_run_that_fails_is_in_the_log_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("LEADWIRE_LOCKS", str(tmp_path / "locks"))
    (tmp_path / "rig.toml").write_text(rig_text(*emulated(2), top='name = "two"\noutput = "out"\n'))
    (tmp_path / "model.tflite").write_bytes(b"no model")
    assert said("rig", "run", tmp_path / "rig.toml", tmp_path / "model.tflite") in (2, 3)
    began, failed = read_log(log_path(tmp_path / "out"))
    assert (began.facts["rig"], began.facts["boards"], failed.event) == ("two", ["emu-0", "emu-1"], "fail")
    assert began.facts["source_sha256"] == sha256_hex(b"no model")
    assert said("audit", "verify", tmp_path / "out") == 0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three runs: one whole, one that failed, one whole."""
    path = tmp_path / "audit.jsonl"
    for number in range(3):
        run = append(path, "begin", {"project": f"p{number}"})
        append(path, "stage", {"run": run, "stage": "quantize"})
        append(path, "fail" if number == 1 else "end", {"run": run})
    return path


def test_a_whole_log(log: Path) -> None:
    report = verify_log(log)
    assert (report.entries, report.runs, report.failed, report.unfinished, report.torn) == (9, 3, 1, (), 0)
    lines = log.read_bytes().splitlines()
    assert report.head == sha256_hex(lines[-1])
    for before, line in zip([b"", *lines], lines, strict=False):
        assert json.loads(line)["previous"] == (sha256_hex(before) if before else "0" * 64)


def test_every_removed_edited_moved_and_added_line_is_found(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    for place in range(len(lines)):
        edited = lines[place].replace(b'"user":"', b'"user":"x')
        forged = [
            [*lines[:place], *lines[place + 1 :]],
            [*lines[:place], edited, *lines[place + 1 :]],
            [*lines[:place], lines[place], lines[place], *lines[place + 1 :]],
            [*lines[:place], lines[place][:-10] + b"\n", *lines[place + 1 :]],
            [*lines[:place], b"\n", *lines[place:]],
            lines[:place],
            [*lines[:place], lines[place][:-20]],
        ]
        if place:
            forged.append([*lines[: place - 1], lines[place], lines[place - 1], *lines[place + 1 :]])
        for number, attempt in enumerate(forged):
            log.write_bytes(b"".join(attempt))
            with pytest.raises(EvidenceError):
                pytest.fail(f"forgery {number} of line {place + 1}: {verify_log(log)}")


def test_every_byte_counts(log: Path) -> None:
    data = log.read_bytes()
    for position in range(0, len(data), 7):
        altered = bytearray(data)
        altered[position] ^= 1
        log.write_bytes(altered)
        with pytest.raises(EvidenceError):
            verify_log(log)


def test_an_end_that_was_altered_with_its_head_file_is_missed_by_the_bundle(log: Path) -> None:
    """The chain itself cannot tell; the line that a bundle names, or a head that somebody kept, can."""
    lines = log.read_bytes().splitlines(keepends=True)
    run, head = sha256_hex(lines[6].rstrip(b"\n")), verify_log(log).head
    verify_log(log, (("b.zip", run),), head)
    log.write_bytes(b"".join(lines[:6]))
    log.with_name("audit.jsonl.head").write_text(sha256_hex(lines[5].rstrip(b"\n")) + "\n")
    assert verify_log(log).runs == 2
    with pytest.raises(EvidenceError, match=r"the run that made 'b\.zip' is not in it") as caught:
        verify_log(log, (("b.zip", run),))
    assert "give the log of that folder" in caught.value.hint
    with pytest.raises(EvidenceError, match="it holds no line") as caught:
        verify_log(log, (), head)
    assert "the run of a bundle that it still holds" in caught.value.hint
    with pytest.raises(EvidenceError, match="is not in it"):
        verify_log(log, (("no run named", ""),))


def test_what_a_crash_left_stays_and_is_recorded(log: Path) -> None:
    torn = b'{"event":"begin","fac'
    with log.open("ab") as file:
        file.write(torn)
    with pytest.raises(EvidenceError, match="was cut or altered"):
        verify_log(log)
    append(log, "begin", {"project": "after"})
    report = verify_log(log)
    assert (report.torn, report.runs) == (1, 4)
    assert torn in log.read_bytes()
    assert report.unfinished and "after" in report.unfinished[0]
    log.write_bytes(log.read_bytes().replace(torn, torn[:-1]))
    with pytest.raises(EvidenceError, match="was altered"):
        verify_log(log)


def test_a_head_that_lags_by_one_line_is_a_crash_and_by_more_is_not(log: Path) -> None:
    head, digests = log.with_name("audit.jsonl.head"), [entry.digest for entry in read_log(log)]
    head.write_text(digests[-2])
    assert verify_log(log).entries == 9
    head.write_text(digests[-3])
    with pytest.raises(EvidenceError, match="without leadwire") as caught:
        verify_log(log)
    assert "lines up to the head" in caught.value.hint
    head.unlink()
    with pytest.raises(EvidenceError, match=r"'audit\.jsonl\.head' is missing") as caught:
        verify_log(log)
    assert "from a copy of the log's folder" in caught.value.hint


def test_many_processes_write_one_chain(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from leadwire.evidence.audit import append\n"
        "for n in range(20): append(Path(sys.argv[1]), 'begin', {'writer': sys.argv[2], 'n': n})"
    )
    path = tmp_path / "audit.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), str(number)]) for number in range(4)]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 4
    assert verify_log(path).entries == 80
    facts = [(one.facts["writer"], one.facts["n"]) for one in read_log(path)]
    assert [n for writer, n in facts if writer == "2"] == list(range(20))


@pytest.mark.parametrize("data", [b"\x00\xff", b"[]\n", b"{}\n{}\n", b"[" * 50_000 + b"\n", b"another log\n"])
def test_files_that_are_no_logs(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(data)
    with pytest.raises(EvidenceError):
        verify_log(path)
    if data.endswith(b"\n"):
        with pytest.raises(BadInputError, match="is no audit log"):
            append(path, "begin", {})
        assert path.read_bytes() == data
    with pytest.raises(FileMissingError):
        verify_log(tmp_path / "none")
    with pytest.raises(BadInputError, match="cannot be written"):
        append(path / "under", "begin", {})


@pytest.fixture
def project(root: Path, tmp_path: Path) -> LoadedProject:
    return load_project(root / "examples" / "arrhythmia" / "leadwire.toml", output=tmp_path)


def test_a_run_that_fails_or_is_stopped_is_in_the_log(project: LoadedProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADWIRE_AUDIT_LOG", raising=False)
    for error in (BadInputError("no such thing"), ZeroDivisionError("a bug"), KeyboardInterrupt(), SystemExit(143)):
        with pytest.raises(type(error)), audited_run(project, "report", ("b",)):
            raise error
    path = log_path(project.output)
    entries = list(read_log(path))
    assert [one.event for one in entries] == ["begin", "fail"] * 2 + ["begin", "interrupted"] * 2
    assert entries[1].facts["message"] == "no such thing" and entries[1].facts["exit_code"] == 2
    assert entries[1].run == entries[0].digest
    assert verify_log(path).failed == 4
    elsewhere = project.output / "kept" / "log.jsonl"
    monkeypatch.setenv("LEADWIRE_AUDIT_LOG", str(elsewhere))
    with audited_run(project, "build", ()):
        pass
    assert elsewhere.is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_run_has_no_end(tmp_path: Path, root: Path) -> None:
    """SIGKILL in mid-run: the log is whole, and says that the run has no end."""
    example = root / "examples" / "arrhythmia" / "leadwire.toml"
    environment = {name: value for name, value in os.environ.items() if name != "LEADWIRE_DATA"}
    running = subprocess.Popen(
        [sys.executable, "-m", "leadwire", "run", example, "--output", tmp_path],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    path = tmp_path / ".leadwire" / "audit.jsonl"
    limit = time.monotonic() + 120
    while not path.is_file() and time.monotonic() < limit:
        time.sleep(0.05)
    time.sleep(0.3)
    running.send_signal(signal.SIGKILL)
    running.wait(timeout=60)
    report = verify_log(path)
    assert report.runs == 1 and len(report.unfinished) == 1
