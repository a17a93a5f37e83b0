"""Stages are skipped when, and only when, nothing they depend on changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from leadwire.artifacts import StackBound
from leadwire.workspace import Workspace, file_digest, write_atomically


class Counter:
    """Produces a record, a file, and counts how often it was asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs = 0

    def __call__(self) -> StackBound:
        self.runs += 1
        self.path.write_text("made")
        return StackBound(bytes=self.runs, path=("main", "infer"))


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    return Counter(tmp_path / "made.txt")


def run(tmp_path: Path, counter: Counter, inputs: dict[str, object], *, fresh: bool = False) -> StackBound:
    return Workspace(tmp_path, fresh).stage("build", StackBound, inputs, counter, lambda record: [counter.path])


def test_unchanged_inputs_are_not_run_again(tmp_path: Path, counter: Counter) -> None:
    first = run(tmp_path, counter, {"digest": "a"})
    again = run(tmp_path, counter, {"digest": "a"})
    assert first == again
    assert counter.runs == 1


def test_a_changed_input_a_changed_file_or_fresh_run_again(tmp_path: Path, counter: Counter) -> None:
    run(tmp_path, counter, {"digest": "a"})
    run(tmp_path, counter, {"digest": "b"})
    assert counter.runs == 2
    counter.path.write_text("tampered")
    run(tmp_path, counter, {"digest": "b"})
    assert counter.runs == 3
    counter.path.unlink()
    run(tmp_path, counter, {"digest": "b"})
    assert counter.runs == 4
    run(tmp_path, counter, {"digest": "b"}, fresh=True)
    assert counter.runs == 5


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b'{"key": 1}', b"\xff\xfe", b"null"])
def test_a_damaged_note_means_run_again(tmp_path: Path, counter: Counter, damage: bytes) -> None:
    run(tmp_path, counter, {"digest": "a"})
    (tmp_path / ".leadwire" / "build.json").write_bytes(damage)
    run(tmp_path, counter, {"digest": "a"})
    assert counter.runs == 2


def test_a_stage_that_fails_leaves_no_note(tmp_path: Path, counter: Counter) -> None:
    run(tmp_path, counter, {"digest": "a"})
    with pytest.raises(ZeroDivisionError):
        Workspace(tmp_path).stage("build", StackBound, {"digest": "b"}, lambda: StackBound(bytes=1 // 0, path=()))
    assert not (tmp_path / ".leadwire" / "build.json").exists()


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.bin"
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]


def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_atomically(tmp_path / "taken", b"new")
    assert caught.value.filename == str(tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_the_digest_of_a_folder_covers_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"1")
    (tmp_path / "y").write_bytes(b"2")
    first = file_digest(tmp_path)
    listed = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in (("a/x", b"1"), ("y", b"2")))
    assert first == hashlib.sha256(listed.encode()).hexdigest()
    (tmp_path / "y").rename(tmp_path / "z")
    assert file_digest(tmp_path) != first
