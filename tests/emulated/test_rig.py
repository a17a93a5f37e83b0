"""Rigs of emulated boards: what dies is named, what lives finishes, nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from fake_device import FakeDevice, model_output

from leadwire.artifacts import FirmwareImage
from leadwire.board import load_board, with_unique_id
from leadwire.emulator import EmulatedBoard, QemuBoard
from leadwire.rig import locks
from leadwire.rig.crew import Crew, Row
from leadwire.rig.file import load_rig
from leadwire.rig.ledger import Ledger
from leadwire.rig.records import BOARD_VARIABLE, BoardResult, RigReport
from leadwire.rig.workload import Workload, prepare
from rig_example import INPUT_BYTES, Quiet, emulated, kill, processes_of, rig_text, wait_for, write_model

SAMPLES = 8


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "small.tflite")


@pytest.fixture(scope="module")
def workload(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Workload:
    """The small network built for the virtual board; built once."""
    path = tmp_path_factory.mktemp("workload") / "rig.toml"
    path.write_text(rig_text(*emulated(1), top=f"[run]\ninputs = {SAMPLES}\n"))
    rig = load_rig(path)
    return prepare(model, rig, rig.boards, Quiet())


@pytest.fixture
def run(tmp_path: Path, workload: Workload, monkeypatch: pytest.MonkeyPatch):
    """`run(text)`: the report of a rig run of the small network in this process."""
    monkeypatch.setenv(locks.VARIABLE, str(tmp_path / "locks"))

    def run(text: str, load: Workload = workload) -> RigReport:
        path = tmp_path / "rig.toml"
        path.write_text(text)
        rig = load_rig(path)
        with Ledger(rig) as ledger:
            ledger.begin(load)
            return Crew(rig, rig.boards, load, ledger, lambda rows: None).run()

    return run


@pytest.fixture
def plugged(workload: Workload) -> Iterator:
    """`plugged(unique id)`: the port of a board that runs the image already, as if it stood on the desk."""
    started: list[EmulatedBoard] = []

    def plugged(unique_id: str) -> str:
        board = with_unique_id(load_board("virtual-stm32f405"), unique_id)
        started.append(EmulatedBoard(workload.images[board.id].elf, board))
        return started[-1].port

    yield plugged
    for board in started:
        board.stop()


def entry(name: str, port: str, *lines: str) -> str:
    return "\n".join((f'name = "{name}"', 'board = "virtual-stm32f405"', f'port = "{port}"', *lines))


def by_name(report: RigReport) -> dict[str, BoardResult]:
    return {board.name: board for board in report.boards}


def start_rig(model: Path, folder: Path, text: str, mark: str) -> subprocess.Popen[str]:
    (folder / "rig.toml").write_text(text)
    return subprocess.Popen(
        [sys.executable, "-m", "leadwire", "rig", "run", str(folder / "rig.toml"), str(model), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LEADWIRE_LOCKS": str(folder / "locks"), "RIG_TEST": mark},
    )


def in_bench(rig: subprocess.Popen[str], names: set[str]) -> list[str]:
    """Waits until each of these boards has begun its benchmark; what the rig said, also from then on."""
    assert rig.stderr is not None
    begun: set[str] = set()
    said: list[str] = []
    ready = threading.Event()

    def read() -> None:
        for line in rig.stderr or ():
            said.append(line)
            name, _, rest = line.strip().partition(": ")
            if rest.startswith("bench"):
                begun.add(name)
            if names <= begun:
                ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    assert ready.wait(120), "".join(said)
    assert names <= begun, "".join(said)
    return said


@pytest.mark.requirement("LW-RIG-001")
def test_ten_boards_of_which_two_die_in_the_middle(model: Path, tmp_path: Path) -> None:
    """The emulators of two boards are killed while all ten run: the other eight finish with right bytes."""
    mark, lost = uuid.uuid4().hex, {"emu-3", "emu-7"}
    top = 'name = "ten"\noutput = "out"\n[run]\nemulated_at_once = 10\ninputs = 60\n[retry]\nattempts = 1\n'
    rig = start_rig(model, tmp_path, rig_text(*emulated(10), top=top), mark)
    in_bench(rig, lost)
    for name in lost:
        victims = processes_of(name, BOARD_VARIABLE, "leadwire.emulator")
        mine = set(processes_of(mark, "RIG_TEST", "leadwire.emulator"))
        assert mine & set(victims)
        kill([one for one in victims if one in mine])
    assert rig.stdout is not None
    report = json.loads(rig.stdout.read())
    assert rig.wait(60) == 6
    boards = {board["name"]: board for board in report["boards"]}
    assert {name for name, board in boards.items() if board["state"] != "passed"} == lost
    for number, name in enumerate(boards):
        if name in lost:
            assert boards[name]["attempts"][0]["stage"] == "bench"
            assert boards[name]["problem"]["kind"] in ("PortError", "DeviceError", "DeviceSilentError")
            continue
        measured = boards[name]["measured"]
        assert measured["compared"] == {"samples": 60, "identical": 60, "first_difference": None}
        assert measured["after"]["unique_id"] == f"{number + 1:024x}"
        assert json.loads((tmp_path / "out" / "boards" / f"{name}.json").read_text()) == boards[name]
    suites = Xml.fromstring((tmp_path / "out" / "junit.xml").read_bytes()).findall("testsuite")
    assert {suite.get("name") for suite in suites if suite.get("errors") != "0"} == {f"ten.{name}" for name in lost}
    assert processes_of(mark, "RIG_TEST", "leadwire") == []


def test_a_rig_run_that_is_told_to_end_leaves_no_process_and_keeps_what_finished(model: Path, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    top = 'output = "out"\n[run]\nemulated_at_once = 1\ninputs = 80\n'
    rig = start_rig(model, tmp_path, rig_text(*emulated(2), top=top), mark)
    said = in_bench(rig, {"emu-1"})
    rig.send_signal(signal.SIGTERM)
    assert rig.wait(30) == 128 + signal.SIGTERM, said
    wait_for(lambda: processes_of(mark, "RIG_TEST", "leadwire") == [], 5, "all processes ended")
    report = json.loads((tmp_path / "out" / "rig.json").read_text())
    assert [board["state"] for board in report["boards"]] == ["passed", "interrupted"]
    assert report["complete"] is False


def test_a_rig_run_that_is_killed_leaves_no_process_and_keeps_what_finished(model: Path, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    top = 'output = "out"\n[run]\nemulated_at_once = 1\ninputs = 80\n'
    rig = start_rig(model, tmp_path, rig_text(*emulated(2), top=top), mark)
    in_bench(rig, {"emu-1"})
    rig.send_signal(signal.SIGKILL)
    rig.wait(10)
    wait_for(lambda: processes_of(mark, "RIG_TEST", "leadwire") == [], 15, "all processes ended")
    assert json.loads((tmp_path / "out" / "boards" / "emu-0.json").read_text())["state"] == "passed"
    assert json.loads((tmp_path / "out" / "rig.json").read_text())["complete"] is False


@pytest.mark.requirement("LW-FLA-001")
def test_the_wrong_board_is_refused_and_the_others_run(run, plugged) -> None:
    right, wrong = plugged("0a" * 12), plugged("0b" * 12)
    report = run(
        rig_text(
            entry("right", right, f'unique_id = "{"0a" * 12}"'), entry("wrong", wrong, f'unique_id = "{"0c" * 12}"')
        )
    )
    boards = by_name(report)
    assert boards["right"].state == "passed"
    assert boards["right"].measured is not None
    assert boards["right"].measured.before.unique_id == boards["right"].measured.after.unique_id == "0a" * 12
    problem = boards["wrong"].problem
    assert problem is not None
    assert problem.kind == "WrongBoardError"
    assert f"another unique id: found {'0b' * 12}, expected {'0c' * 12}; nothing was written" in problem.message
    assert "leadwire rig enroll" in problem.hint
    (attempt,) = boards["wrong"].attempts
    assert attempt.stage == "identify"
    assert attempt.policy.startswith("never tried again")


TOOL = """#!{python}
# stm32flash for tests: reads the chip's number, and keeps a record of what it is asked to do.
import sys
arguments = sys.argv[1:]
what = next(word for word in ("-r", "-w", "-g") if word in arguments)
with open({record!r}, "a") as record:
    record.write(what + "\\n")
if what == "-r":
    with open(arguments[arguments.index("-r") + 1], "wb") as dump:
        dump.write(bytes.fromhex({unique_id!r}))
sys.exit(what == "-w")
"""


@pytest.mark.requirement("LW-FLA-001")
@pytest.mark.parametrize(("expected", "calls"), [("0a" * 12, "-r\n"), ("0b" * 12, "-r\n-w\n")])
def test_the_tool_never_writes_to_another_chip(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: str, calls: str
) -> None:
    """A chip without firmware: the flash tool reads who it is. Only the chip that is meant is written to."""
    record, tool = tmp_path / "record", tmp_path / "bin" / "stm32flash"
    tool.parent.mkdir()
    tool.write_text(TOOL.format(python=sys.executable, record=str(record), unique_id="0b" * 12))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    board = 'inherits = "stm32f405"\nid = "virtual-stm32f405"\nname = "On the desk"\nflash_tool = "stm32flash"\n'
    (tmp_path / "desk.toml").write_text(board)
    with FakeDevice(deaf=True) as device:
        text = f'name = "desk"\nboard = "desk.toml"\nport = "{device.port}"\nunique_id = "{expected}"'
        (result,) = run(rig_text(text, top="[retry]\nattempts = 1\n")).boards
    assert record.read_text() == calls
    assert result.problem is not None
    assert result.attempts[0].stage == "flash"
    if "-w" in calls:
        assert "flash tool 'stm32flash' failed" in result.problem.message
    else:
        assert result.problem.kind == "WrongBoardError"
        assert f"found {'0b' * 12}, expected {'0a' * 12}; nothing was written" in result.problem.message


def test_two_entries_that_turn_out_to_be_one_board(run, plugged, tmp_path: Path) -> None:
    """Two ports whose boards give the same number: one of the two names is wrong, so neither stands for two."""
    report = run(rig_text(entry("one", plugged("0a" * 12)), entry("other", plugged("0a" * 12))))
    assert sorted(board.state for board in report.boards) == ["error", "passed"]
    (bad,) = [board for board in report.boards if board.state == "error"]
    assert bad.problem is not None
    assert bad.problem.kind == "SameBoard"
    assert "'one'" in bad.problem.message
    assert "'other'" in bad.problem.message


@pytest.mark.qemu
def test_qemu_boards_and_a_board_on_a_socket(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """QEMU started by the rig beside QEMU behind TCP, as a terminal server gives it; killed, the rig leaves no QEMU."""
    monkeypatch.setenv(locks.VARIABLE, str(tmp_path / "locks"))
    started_here = 'name = "here"\nboard = "qemu-stm32f405"'
    path = tmp_path / "rig.toml"
    path.write_text(rig_text(started_here, top=f"[run]\ninputs = {SAMPLES}\n"))
    rig = load_rig(path)
    load = prepare(model, rig, rig.boards, Quiet())
    (image,) = load.images.values()
    with QemuBoard(image.elf, load_board("qemu-stm32f405"), transport="tcp") as far:
        there = f'name = "there"\nboard = "qemu-stm32f405"\nport = "{far.port}"\nretry = {{attempts = 1}}'
        path.write_text(rig_text(started_here, there))
        rig = load_rig(path)
        with Ledger(rig) as ledger:
            ledger.begin(load)
            report = Crew(rig, rig.boards, load, ledger, lambda rows: None).run()
    assert [board.state for board in report.boards] == ["passed", "passed"], report

    mark = uuid.uuid4().hex
    killed = start_rig(model, tmp_path, rig_text(started_here, top="[run]\ninputs = 2000\n"), mark)
    in_bench(killed, {"here"})
    assert processes_of(mark, "RIG_TEST", "qemu-system-arm")
    killed.kill()
    killed.wait(10)
    wait_for(lambda: processes_of(mark, "RIG_TEST", "qemu") == [], 15, "QEMU ended")


def test_a_board_that_another_run_holds_is_busy_and_says_who(run, plugged) -> None:
    port = plugged("0a" * 12)
    text = rig_text(entry("desk", port, "timeouts = {lock_s = 0.3}"))
    (held,) = locks.take([f"port {port}"], "the night run")
    try:
        (board,) = run(text).boards
    finally:
        locks.release([held])
    assert board.problem is not None
    assert board.problem.kind == "BusyBoardError"
    assert "held by the night run (process" in board.problem.message
    assert run(text).boards[0].state == "passed"


@pytest.mark.requirement("LW-RIG-001")
def test_a_slow_stage_is_ended_and_tried_again_after_a_power_cycle(run, tmp_path: Path) -> None:
    """No emulator starts within 50 ms: both attempts time out, and between them the hook is run once."""
    hook = tmp_path / "cycle.sh"
    hook.write_text(f'#!/bin/sh\necho "$1 $LEADWIRE_RIG_BOARD" >> {tmp_path}/cycled\n')
    hook.chmod(0o755)
    slow = (
        'name = "slow"\nboard = "virtual-stm32f405"\npower_cycle = ["./cycle.sh", "outlet 3"]\n'
        "timeouts = {flash_s = 0.05}\nretry = {attempts = 2, wait_s = 0.1}"
    )
    boards = by_name(run(rig_text(slow, *emulated(1))))
    assert boards["emu-0"].state == "passed"
    assert [one.problem.kind for one in boards["slow"].attempts if one.problem] == ["StageTimeout"] * 2
    assert "stage 'flash' of 'slow' did not end within 0.05 s" in boards["slow"].attempts[0].problem.message  # type: ignore[union-attr]
    assert [one.policy.partition(":")[0] for one in boards["slow"].attempts] == ["tried again", "not tried again"]
    assert (tmp_path / "cycled").read_text() == "outlet 3 slow\n"


@pytest.mark.parametrize(
    ("script", "told"),
    [("exit 3", "failed with exit code 3"), ("sleep 60", "did not end within 0.3 s"), ("echo no >&2; exit 1", "no")],
)
def test_a_hook_that_fails_is_told(run, tmp_path: Path, script: str, told: str) -> None:
    hook = tmp_path / "cycle.sh"
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)
    text = entry("gone", "/dev/ttyNONE", 'power_cycle = ["./cycle.sh"]', "timeouts = {power_s = 0.3}")
    (board,) = run(rig_text(text, top="[retry]\nwait_s = 0.0\n")).boards
    assert board.state == "error"
    assert told in board.attempts[1].problem.message  # type: ignore[union-attr]
    assert board.attempts[1].stage == "power"


def test_a_process_that_is_killed_is_tried_again(run, tmp_path: Path) -> None:
    """The process of a board dies in its first attempt and not in its second."""
    killed: list[int] = []

    def killer() -> None:
        until = time.monotonic() + 30
        while not killed and time.monotonic() < until:
            victims = processes_of("emu-0", BOARD_VARIABLE, "leadwire.emulator")
            mine = [pid for pid in victims if f"{os.getpid()}" in ancestors(pid)]
            for pid in mine:
                parent = int(ancestors(pid)[0])
                os.kill(parent, signal.SIGKILL)
                killed.append(parent)
            time.sleep(0.02)

    thread = threading.Thread(target=killer)
    thread.start()
    (board,) = run(rig_text(*emulated(1), top="[retry]\nwait_s = 0.0\n")).boards
    thread.join()
    assert killed
    assert board.state == "passed"
    assert board.attempts[0].problem is not None
    assert board.attempts[0].problem.kind == "ProcessDied"
    assert "signal 9 (SIGKILL)" in board.attempts[0].problem.message
    assert len(board.attempts) == 2


def ancestors(process: int) -> list[str]:
    """Parent, its parent and so on."""
    found: list[str] = []
    while process > 1:
        try:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
        found.append(str(process))
    return found


def answering_as(image: FirmwareImage, arena_bytes: int) -> dict[str, object]:
    """How a device describes itself that runs `image`, or says so."""
    return {
        "digest": bytes.fromhex(image.model_digest),
        "build": bytes.fromhex(image.build_id),
        "board": image.board_id,
        "arena": arena_bytes,
    }


@pytest.mark.requirement("LW-RIG-001")
def test_wrong_bytes_are_a_result_and_never_tried_again(run, workload: Workload) -> None:
    """A device that says it runs the image and computes something else."""
    (image,) = workload.images.values()
    answer = answering_as(image, workload.plans[image.board_id].arena_bytes)
    with FakeDevice(input_bytes=INPUT_BYTES, output_bytes=4, operators=2, describe=answer) as device:
        report = run(rig_text(entry("liar", device.port)))
    (board,) = report.boards
    assert (board.state, report.exit_code, len(board.attempts)) == ("failed", 7, 1)
    assert board.problem is not None
    assert board.problem.kind == "WrongBytes"
    inputs = workload.inputs.read_bytes()
    expected = workload.expected.read_bytes()
    wrong = sum(
        model_output(inputs[i * INPUT_BYTES : (i + 1) * INPUT_BYTES], 4) != expected[i * 4 : i * 4 + 4]
        for i in range(SAMPLES)
    )
    assert f"{wrong} of {SAMPLES} outputs" in board.problem.message


def test_a_board_that_vanishes_and_one_with_another_model_are_told_apart(run, workload: Workload) -> None:
    (image,) = workload.images.values()
    answer = answering_as(image, workload.plans[image.board_id].arena_bytes)
    with (
        FakeDevice(input_bytes=INPUT_BYTES, output_bytes=4, operators=2, describe=answer, vanish_after=9) as gone,
        FakeDevice(describe={"board": image.board_id}) as other,
    ):
        report = run(
            rig_text(entry("gone", gone.port), entry("other", other.port), top="[retry]\nattempts = 2\nwait_s = 0.0\n")
        )
    boards = by_name(report)
    assert [one.problem.kind for one in boards["gone"].attempts if one.problem] == ["PortError", "PortError"]
    assert [one.problem.kind for one in boards["other"].attempts if one.problem] == ["WrongDeviceError"]
    assert "carries another model" in boards["other"].problem.message  # type: ignore[union-attr]


def test_no_more_than_the_bound_run_at_once(tmp_path: Path, workload: Workload, monkeypatch) -> None:
    monkeypatch.setenv(locks.VARIABLE, str(tmp_path / "locks"))
    path = tmp_path / "rig.toml"
    path.write_text(rig_text(*emulated(4), top="[run]\nemulated_at_once = 2\n"))
    rig, most = load_rig(path), 0

    def count(rows: tuple[Row, ...]) -> None:
        nonlocal most
        most = max(most, sum(row.state in ("locking", "running") for row in rows))

    with Ledger(rig) as ledger:
        ledger.begin(workload)
        report = Crew(rig, rig.boards, workload, ledger, count).run()
    assert {board.state for board in report.boards} == {"passed"}
    assert most == 2


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path, workload: Workload, monkeypatch) -> None:
    from leadwire.errors import BusyBoardError

    monkeypatch.setenv(locks.VARIABLE, str(tmp_path / "locks"))
    path = tmp_path / "rig.toml"
    path.write_text(rig_text(*emulated(1)))
    rig = load_rig(path)
    with Ledger(rig), pytest.raises(BusyBoardError, match="output folder"), Ledger(replace(rig, name="second")):
        pass
