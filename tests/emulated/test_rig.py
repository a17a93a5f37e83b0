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
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from fake_device import FakeDevice, model_output

from leadwire.artifacts import FirmwareImage
from leadwire.board import load_board, with_unique_id
from leadwire.build.bootloader import build_bootloader
from leadwire.emulator import Chip, EmulatedBoard, QemuBoard
from leadwire.errors import EvidenceError
from leadwire.evidence.audit import read_log, verify_log
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
    log = tmp_path / "out" / ".leadwire" / "audit.jsonl"
    assert verify_log(log).unfinished == () and verify_log(log).runs == 1
    began, ended = read_log(log)
    assert (began.facts["rig"], len(began.facts["boards"]), ended.event) == ("ten", 10, "end")
    assert {name for name, state in ended.facts["states"].items() if state != "passed"} == lost
    log.write_bytes(log.read_bytes().replace(b"passed", b"Passed", 1))
    with pytest.raises(EvidenceError):
        verify_log(log)
    assert processes_of(mark, "RIG_TEST", "leadwire") == []


def test_a_rig_run_that_is_told_to_end_leaves_no_process_and_keeps_what_finished(model: Path, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    top = 'output = "out"\n[run]\nemulated_at_once = 1\ninputs = 40\n'
    rig = start_rig(model, tmp_path, rig_text(*emulated(2), top=top), mark)
    said = in_bench(rig, {"emu-1"})
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
        rig.send_signal(number)
        time.sleep(0.1)
    assert rig.wait(30) == 128 + signal.SIGTERM, said
    wait_for(lambda: processes_of(mark, "RIG_TEST", "leadwire") == [], 5, "all processes ended")
    report = json.loads((tmp_path / "out" / "rig.json").read_text())
    assert [board["state"] for board in report["boards"]] == ["passed", "interrupted"]
    assert report["complete"] is False
    events = [one.event for one in read_log(tmp_path / "out" / ".leadwire" / "audit.jsonl")]
    assert events == ["begin", "interrupted"]


def forked(path: Path, load: Workload, mark: str, name: str) -> int:
    """The id of a process of its own that runs the rig, when the board `name` has begun its benchmark there."""
    begun, rig = path.with_suffix(".begun"), load_rig(path)
    process = os.fork()
    if process == 0:
        try:
            os.environ["RIG_TEST"] = mark

            def watch(rows: tuple[Row, ...]) -> None:
                if any(row.name == name and row.done for row in rows):
                    begun.touch()

            with Ledger(rig) as ledger:
                ledger.begin(load)
                Crew(rig, rig.boards, load, ledger, watch).run()
        finally:
            os._exit(0)
    wait_for(begun.exists, 120, f"{name} has begun")
    return process


def kill_and_see_all_gone(process: int, mark: str) -> None:
    assert processes_of(mark, "RIG_TEST", "leadwire")
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    wait_for(lambda: processes_of(mark, "RIG_TEST", "") == [], 20, "all processes ended")


def test_a_rig_run_that_is_killed_leaves_no_process_and_keeps_what_finished(
    workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(locks.VARIABLE, str(tmp_path / "locks"))
    mark, path = uuid.uuid4().hex, tmp_path / "rig.toml"
    path.write_text(rig_text(*emulated(2), top='output = "out"\n[run]\nemulated_at_once = 1\n'))
    process = forked(path, many(workload, tmp_path), mark, "emu-1")
    kill_and_see_all_gone(process, mark)
    assert json.loads((tmp_path / "out" / "boards" / "emu-0.json").read_text())["state"] == "passed"
    assert json.loads((tmp_path / "out" / "rig.json").read_text())["complete"] is False


def many(load: Workload, folder: Path, times: int = 12) -> Workload:
    """The same samples many times over: a run that is still going when it is killed."""
    for name in ("inputs", "expected"):
        (folder / name).write_bytes(getattr(load, name).read_bytes() * times)
    return replace(load, inputs=folder / "inputs", expected=folder / "expected", samples=load.samples * times)


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


@pytest.mark.requirement("LW-FLA-001")
def test_boards_are_written_over_their_boot_loader_and_only_the_right_ones(
    run, workload: Workload, tmp_path: Path
) -> None:
    """Two chips with nothing but a boot loader (ST AN3155). One is not the chip of the rig file: its flash stays."""
    board = load_board("virtual-stm32f405")
    loader = build_bootloader("an3155", replace(board, link=replace(board.link, baud=921_600)), tmp_path / "loader")
    ids = {"right": "0a" * 12, "wrong": "0b" * 12}
    with ExitStack() as on:
        ports, blank = {}, {}
        for name, unique_id in ids.items():
            state = Chip(flash=tmp_path / f"{name}.flash", boot0=True)
            chip = on.enter_context(EmulatedBoard(loader, with_unique_id(board, unique_id), state))
            ports[name], blank[name] = chip.port, state.flash.read_bytes() if state.flash else b""
        expected = {"right": ids["right"], "wrong": "0c" * 12}
        text = [entry(n, ports[n], 'flash_tool = "stm32loader"', f'unique_id = "{expected[n]}"') for n in ids]
        boards = by_name(run(rig_text(*text, top="[retry]\nattempts = 1\n")))
        held = {name: (tmp_path / f"{name}.flash").read_bytes() for name in ids}
    assert boards["right"].state == "passed", boards["right"]
    measured = boards["right"].measured
    assert measured is not None
    assert measured.flashed is not None
    assert (measured.flashed.known_by, measured.flashed.unique_id) == ("tool", ids["right"])
    assert measured.flashed.read_back_digest == measured.flashed.contents_digest != ""
    assert held["right"] != blank["right"]
    assert boards["wrong"].problem is not None
    assert boards["wrong"].problem.kind == "WrongBoardError"
    assert f"found {ids['wrong']}, expected {'0c' * 12}; nothing was written" in boards["wrong"].problem.message
    assert held["wrong"] == blank["wrong"]


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
    path.write_text(rig_text(started_here))
    process = forked(path, many(load, tmp_path, 300), mark, "here")
    assert processes_of(mark, "RIG_TEST", "qemu-system-arm")
    kill_and_see_all_gone(process, mark)


def test_a_board_that_another_run_holds_is_busy_and_says_who(run, plugged) -> None:
    port = plugged("0a" * 12)
    (held,) = locks.take([f"port {port}"], "the night run")
    (board,) = run(rig_text(entry("desk", port, "timeouts = {lock_s = 0.3}"))).boards
    assert board.problem is not None
    assert board.problem.kind == "BusyBoardError"
    assert "held by the night run (process" in board.problem.message
    threading.Timer(1.0, lambda: locks.release([held])).start()
    (waited,) = run(rig_text(entry("desk", port))).boards
    assert waited.state == "passed"
    assert waited.seconds > 1.0


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
    [("echo outlet gone >&2; exit 3", "failed with exit code 3"), ("sleep 60", "did not end within 3 s")],
)
def test_a_hook_that_fails_is_told(run, tmp_path: Path, script: str, told: str) -> None:
    hook = tmp_path / "cycle.sh"
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)
    text = entry("gone", "/dev/ttyNONE", 'power_cycle = ["./cycle.sh"]', "timeouts = {power_s = 3.0}")
    (board,) = run(rig_text(text, top="[retry]\nwait_s = 0.0\n")).boards
    assert board.state == "error"
    assert told in board.attempts[1].problem.message  # type: ignore[union-attr]
    assert board.attempts[1].stage == "power"


def test_a_process_that_is_killed_is_tried_again(run, tmp_path: Path) -> None:
    """The process of a board dies in its first attempt and not in its second."""
    killed: list[int] = []

    def killer() -> None:
        until = time.monotonic() + 120
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
    path.write_text(rig_text(*emulated(2), top="[run]\nemulated_at_once = 1\n"))
    rig, most = load_rig(path), 0

    def count(rows: tuple[Row, ...]) -> None:
        nonlocal most
        most = max(most, sum(row.state in ("locking", "running") for row in rows))

    with Ledger(rig) as ledger:
        ledger.begin(workload)
        report = Crew(rig, rig.boards, workload, ledger, count).run()
    assert {board.state for board in report.boards} == {"passed"}
    assert most == 1


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path, workload: Workload, monkeypatch) -> None:
    from leadwire.errors import BusyBoardError

    monkeypatch.setenv(locks.VARIABLE, str(tmp_path / "locks"))
    path = tmp_path / "rig.toml"
    path.write_text(rig_text(*emulated(1)))
    rig = load_rig(path)
    with Ledger(rig), pytest.raises(BusyBoardError, match="output folder"), Ledger(replace(rig, name="second")):
        pass
