"""Locks: one holder, told by name, gone with its processes however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadwire.errors import BadInputError
from leadwire.rig import locks

HOLD = "import sys, time; from leadwire.rig import locks; h = locks.take(sys.argv[1:], 'the other'); print(flush=True); time.sleep(60)"  # noqa: E501


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(locks.VARIABLE, str(tmp_path / "locks"))
    return tmp_path / "locks"


@pytest.fixture
def hold() -> Iterator:
    """`hold(keys)`: another process that holds these locks; ended at the end of the test."""
    started: list[subprocess.Popen[bytes]] = []

    def hold(*keys: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", HOLD, *keys], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == b"\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_another_holder_is_named(hold) -> None:
    process = hold("port /dev/ttyACM0")
    with pytest.raises(locks.TakenError, match=rf"the other \(process {process.pid}, since \d\d:") as caught:
        locks.take(["port /dev/ttyACM0"], "me")
    assert caught.value.key == "port /dev/ttyACM0"
    assert "the other" in locks.holder("port /dev/ttyACM0")
    assert locks.holder("port /dev/ttyACM1") == ""


def test_killed_is_released(hold) -> None:
    process = hold("port a")
    process.send_signal(signal.SIGKILL)
    process.wait()
    locks.release(locks.take(["port a"], "me"))


def test_all_or_none(hold) -> None:
    hold("b")
    with pytest.raises(locks.TakenError):
        locks.take(["a", "b", "c"], "me")
    locks.release(locks.take(["a", "c"], "me"))


def test_it_stays_with_the_process_it_was_handed_to() -> None:
    (held,) = locks.take(["port a"], "me")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=[held.descriptor])
    locks.release([held])
    assert locks.holder("port a").startswith("me (")
    child.kill()
    child.wait()
    deadline = time.monotonic() + 5
    while locks.holder("port a"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_keys_that_look_alike_are_apart() -> None:
    held = locks.take(["port /dev/a", "port -dev_a", "port " + "x" * 300], "me")
    assert len({os.fstat(one.descriptor).st_ino for one in held}) == 3
    locks.release(held)


def test_a_link_in_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    locks.release(locks.take(["port a"], "me"))
    (file,) = folder.iterdir()
    file.unlink()
    (tmp_path / "precious").write_text("text")
    file.symlink_to(tmp_path / "precious")
    with pytest.raises(BadInputError, match="cannot be opened"):
        locks.take(["port a"], "me")
    assert (tmp_path / "precious").read_text() == "text"


@pytest.mark.parametrize(
    "note", [b"", b"{", b"[]", b'{"owner": 1}', b"\xff" * 100, b'{"owner":"x","pid":"y","since":1e99}']
)
def test_what_a_lock_file_says_is_not_trusted(folder: Path, hold, note: bytes) -> None:
    hold("port a")
    (file,) = folder.iterdir()
    file.write_bytes(note)
    assert locks.holder("port a") == "another program"


def test_a_folder_that_cannot_be_used(folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(BadInputError, match="folder of locks"):
        locks.take(["port a"], "me")
