"""The qualification record: signed, readable, and no friend of a check that fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from leadwire.cli import app
from leadwire.errors import BadInputError, EvidenceError, FileMissingError, LeadwireError
from leadwire.evidence.keys import generate_key
from leadwire.pipeline.watcher import Quiet
from leadwire.qualify import QualificationRecord, checks, chosen, qualify_installation, read_record, run, run_checks
from leadwire.qualify import record as record_module
from leadwire.qualify.check import CheckResult, Context, Finding, equal, note, within
from leadwire.qualify.record import make_record, write_record

pytestmark = pytest.mark.requirement("LW-QUA-001")
FILES = ("qualification.json", "qualification.html", "qualification.pem", "qualification.dsse.json")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    generate_key(tmp_path / "key.pem")
    return tmp_path / "key.pem"


def result(*findings: Finding) -> CheckResult:
    return CheckResult(id="OQ-X", kind="OQ", title="x", requirements=("LW-QUA-001",), findings=findings)


def test_the_worst_finding_counts() -> None:
    assert result(equal("a", 1, 1), note("b", "c")).result == "pass"
    assert result(equal("a", 1, 1), equal("a", 1, 2)).result == "fail"
    assert result(note("b", "c")).result == "note"
    assert result().result == "fail"
    assert within("x", 1.0, float("nan"), 1.0).result == "fail"
    assert within("x", 1.0, 1.1, 0.2).result == "pass"


def test_a_record_of_nothing_is_no_pass() -> None:
    assert make_record((), by="", performed="").verdict == "fail"


def test_every_check_has_title_and_known_requirements(root: Path) -> None:
    known = re.findall(r'^id = "(.*)"', (root / "validation" / "requirements.toml").read_text(), re.MULTILINE)
    found = checks()
    assert len(found) >= 10 and [check.kind for check in found] == sorted(check.kind for check in found)
    for check in found:
        assert check.title and set(check.module.REQUIREMENTS) <= set(known), check.id


def test_the_quick_checks_pass_and_the_record_verifies(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767323045")
    only = ("IQ-PACKAGES", "IQ-FILES", "OQ-6-STATISTICS")
    written = qualify_installation(tmp_path / "out", key, by="A. Tester", only=only, watcher=Quiet())
    assert [check.id for check in written.record.checks] == ["IQ-FILES", "IQ-PACKAGES", "OQ-6-STATISTICS"]
    assert written.record.verdict == "partial"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    read = read_record(tmp_path / "out", key)
    assert (read.verdict, read.authenticated, read.by) == ("partial", True, "A. Tester")
    assert read.ran == ("IQ-FILES", "IQ-PACKAGES", "OQ-6-STATISTICS") and read.failed == ()
    assert read.not_run == written.record.not_run
    assert sorted((*read.ran, *read.not_run)) == sorted(check.id for check in checks())
    assert read.performed == "2026-01-02T03:04:05+00:00"
    assert not read_record(tmp_path / "out").authenticated
    page = written.page.read_text()
    assert "A. Tester" in page and "Tango" in page and "<script" not in page
    assert f"3 of {len(checks())} checks ran" in page and "OQ-8-EC57" in page


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_found(tmp_path: Path, key: Path, name: str) -> None:
    write_record(make_record((result(equal("a", 1, 1)),), by="", performed="2026-01-01"), tmp_path / "out", key)
    path = tmp_path / "out" / name
    data = path.read_bytes()
    for position in range(3, len(data), max(1, len(data) // 40)):
        changed = bytearray(data)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(LeadwireError) as refused:
            read_record(tmp_path / "out", key)
        assert refused.value.exit_code in (2, 8)
    path.write_bytes(data)
    assert read_record(tmp_path / "out", key).verdict == "pass"
    path.unlink()
    with pytest.raises(FileMissingError):
        read_record(tmp_path / "out", key)


def test_another_key_is_refused(tmp_path: Path, key: Path) -> None:
    write_record(make_record((result(equal("a", 1, 1)),), by="", performed=""), tmp_path / "out", key)
    generate_key(tmp_path / "other.pem")
    with pytest.raises(EvidenceError, match="not by the trusted key"):
        read_record(tmp_path / "out", tmp_path / "other.pem")


def test_what_files_and_people_are_called_is_text(tmp_path: Path, key: Path) -> None:
    hostile = "<script>alert(1)</script>"
    record = make_record((result(equal(hostile, hostile, "x")),), by=hostile, performed="")
    written = write_record(record, tmp_path / "out", key)
    assert hostile not in written.page.read_text()
    assert read_record(tmp_path / "out", key).verdict == "fail"


def test_a_check_that_breaks_has_failed_and_the_next_one_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(context: Context) -> Iterator[Finding]:
        yield equal("before", 1, 1)
        raise RuntimeError("no such luck")

    def works(context: Context) -> Iterator[Finding]:
        assert list(context.folder.iterdir()) == []
        yield equal("x", 1, 1)

    made = tuple(
        run.Check(id=name, kind="OQ", module=SimpleNamespace(TITLE="t", REQUIREMENTS=(), look=look))  # type: ignore[arg-type]
        for name, look in (("OQ-A", breaks), ("OQ-B", works))
    )
    monkeypatch.setattr(run, "checks", lambda: made)
    first, second = run_checks(Quiet(), chosen())
    assert (first.result, second.result) == ("fail", "pass")
    assert "no such luck" in first.findings[-1].found


def test_bad_requests_say_what_there_is(tmp_path: Path, key: Path) -> None:
    with pytest.raises(BadInputError, match="no check 'OQ-9'"):
        chosen(("OQ-9",))
    with pytest.raises(BadInputError, match="no check is named"):
        chosen(())
    missing = tmp_path / "none.pem"
    with pytest.raises(FileMissingError):
        qualify_installation(tmp_path / "out", missing, by="b", watcher=Quiet())
    for name in ("", " "):
        with pytest.raises(BadInputError, match="who performed it"):
            qualify_installation(tmp_path / "out", key, by=name, watcher=Quiet())
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    record = make_record((result(equal("a", 1, 1)),), by="", performed="")
    with pytest.raises(BadInputError, match="cannot be written"):
        write_record(record, tmp_path / "file", key)


def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs(*_: object) -> None:
        raise AssertionError("a check ran")

    monkeypatch.setattr(run, "run_checks", runs)
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/q")):
        with pytest.raises(BadInputError, match="cannot be written"):
            qualify_installation(out, key, by="b", watcher=Quiet())


def test_a_record_without_what_was_not_run_is_none(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can tell whether it was all."""
    whole = record_module._document
    monkeypatch.setattr(record_module, "_document", lambda one: whole(one).replace(b'"not_run"', b'"left"'))
    write_record(make_record((result(equal("a", 1, 1)),), by="b", performed=""), tmp_path / "out", key)
    with pytest.raises(EvidenceError, match="is no qualification record"):
        read_record(tmp_path / "out", key)


def test_a_statement_that_says_pass_of_a_partial_record_is_refused(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicate = record_module._predicate
    with monkeypatch.context() as patched:
        patched.setattr(record_module, "_predicate", lambda results, verdict: predicate(results, "pass"))
        made = make_record((result(equal("a", 1, 1)),), by="b", performed="", not_run=["OQ-Y"])
        write_record(made, tmp_path / "out", key)
    with pytest.raises(EvidenceError, match="says something else than the record"):
        read_record(tmp_path / "out", key)


def test_the_verb_ends_with_the_result(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CliRunner()
    arguments = ["qualify", "--key", str(key), "--by", "b", "--only", "oq-6-statistics", "-o", str(tmp_path / "out")]
    done = runner.invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["record"]["checks"][0]["id"] == "OQ-6-STATISTICS"
    verify = ["qualify", "--verify", str(tmp_path / "out"), "--key", str(key)]
    told = runner.invoke(app, verify).stdout
    assert f"partial: 1 of {len(checks())} checks ran" in told and "OQ-8-EC57" in told
    read = json.loads(runner.invoke(app, [*verify, "--json"]).stdout)
    assert (read["verdict"], read["ran"]) == ("partial", ["OQ-6-STATISTICS"]) and "OQ-8-EC57" in read["not_run"]
    for text in ("", " , "):
        done = runner.invoke(app, [*arguments, "--only", text])
        assert isinstance(done.exception, BadInputError) and "no check is named" in str(done.exception)
    monkeypatch.setattr("leadwire.qualify.run.run_checks", lambda watcher, wanted: (result(equal("a", 1, 2)),))
    done = runner.invoke(app, arguments)
    assert done.exit_code == 7
    done = runner.invoke(app, [*verify, "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout)["verdict"] == "fail"


def test_the_record_says_which_machine(tmp_path: Path) -> None:
    record: QualificationRecord = make_record((), by="b", performed="p")
    assert record.host and "Python" in record.platform
