"""The virtual STM32F405 runs small programs as the real chip would; QEMU's netduinoplus2 is the second opinion."""

from __future__ import annotations

import itertools
import json
import os
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from leadwire.board import load_board
from leadwire.emulator import EmulatedBoard, QemuBoard
from leadwire.emulator.elf import load_program
from leadwire.emulator.machine import Machine
from leadwire.emulator.usart import SerialLine
from leadwire.errors import BadInputError, DeviceError, FileMissingError

FRAME = bytes(65 + i % 26 for i in range(599)) + b"\n"


def echo(port, data: bytes) -> bytes:
    port.write(data)
    return port.read(len(data))


def until_booted(port) -> None:
    """QEMU drops what arrives before the receiver is enabled; the answer to an earlier byte may be late."""
    port.timeout = 0.5
    for asked in (bytes([first]) for first in range(ord("0"), ord("0") + 40)):
        port.write(asked)
        while answer := port.read(1):
            if answer == asked:
                port.timeout = 5
                return
    pytest.fail("no echo within 20 s")


def as_float32(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


# -------------------------------------------------------------------------------------------- serial, interrupts


@pytest.mark.parametrize("counting", [True, False])
def test_interrupt_driven_echo_loses_no_byte(firmware, start, open_port, counting):
    board = start(firmware("echo"))
    board.count_instructions(counting)
    port = open_port(board.port)
    for _ in range(10):
        assert echo(port, FRAME) == FRAME
    every_byte = bytes(range(256)) * 8
    assert echo(port, every_byte) == every_byte


def test_switching_counting_in_the_middle_loses_nothing(firmware, start, open_port):
    board = start(firmware("echo"))
    port = open_port(board.port)
    for round_ in range(20):
        port.write(FRAME)
        board.count_instructions(round_ % 2 == 0)
        assert port.read(len(FRAME)) == FRAME


@pytest.mark.qemu
@pytest.mark.parametrize("transport", ["pty", "tcp"])
def test_qemu_echoes_the_same_program(firmware, open_port, transport):
    elf = firmware("echo", 'BANNER="ready"') if transport == "tcp" else firmware("echo")
    with QemuBoard(elf, load_board("qemu-stm32f405"), transport=transport) as board:
        port = open_port(board.port)
        if transport == "tcp":
            assert port.readline() == b"ready\n"
        else:
            until_booted(port)
        assert echo(port, FRAME) == FRAME


def test_nested_and_masked_interrupts(firmware, start, listen):
    """Order by hand from ARM DDI 0403, B1.5.4: urgency preempts, PRIMASK and BASEPRI defer, PendSV comes last."""
    assert listen(start(firmware("nesting")).port, 1) == ["012bap|m2|2B12b. 0000102a"]


@pytest.mark.qemu
@pytest.mark.parametrize("name", ["nesting", "floats"])
def test_qemu_agrees(firmware, start, listen, open_port, name):
    ours = listen(start(firmware(name)).port, 1)
    with QemuBoard(firmware(name), load_board("qemu-stm32f405"), transport="tcp") as board:
        assert [open_port(board.port).readline().decode().rstrip("\n")] == ours


def test_floating_point_survives_preemption(firmware, start, listen):
    a, b, c = 1.0, 0.25, 3.0
    for _ in range(20000):
        a = as_float32(as_float32(a * as_float32(0.999)) + b)
        b = as_float32(as_float32(b * 0.5) + as_float32(c * 0.125))
        c = as_float32(c + as_float32(a * as_float32(0.001)))
        if c > 100.0:
            c = as_float32(c - 100.0)
    value, tail = listen(start(firmware("floats", "NO_CONTRACTION")).port, 1)[0].split(" ", 1)
    assert tail == "preempted"
    found = struct.unpack("<f", struct.pack("<I", int(value, 16)))[0]
    assert found == pytest.approx(as_float32(as_float32(a + b) + c), rel=1e-4)


def test_timers_reset_and_watchdog(firmware, start, listen):
    board = start(firmware("timers"))
    assert listen(board.port, 4) == [
        "flag cleared",
        "five ticks",
        "software reset, memory kept",
        "watchdog, memory kept",
    ]
    assert board.state()["resets"] == 3


# -------------------------------------------------------------------------------------------- counting


def test_counter_reads_are_exact(firmware, start, listen):
    """Between two reads: three NOPs and the second load; MOV, a loop of 2 x 100 and the third load."""
    board = start(firmware("counting", "ROUNDS=2"))
    cycles = [int(text, 16) for text in listen(board.port, 2)[0].split(" ")]
    reads = board.counter_reads()
    instructions = [later - earlier for (_, earlier), (_, later) in itertools.pairwise(reads)]
    assert instructions[:2] == [4, 202]
    assert [later - earlier for (earlier, _), (later, _) in itertools.pairwise(reads)][:2] == cycles
    assert cycles[0] == 5 and cycles[1] == 302  # LDR 2 + 3 NOP; LDR 2 + MOV + 100 (SUBS + BNE) + 99 refills
    assert board.counter_reads() == ()


def test_counts_equal_single_steps(firmware, start, listen):
    """The second witness executes `mixed` alone on a bare Unicorn, one instruction at a time."""
    import capstone
    import unicorn
    from unicorn import arm_const

    from leadwire.emulator.elf import load_program

    elf = firmware("counting", "ROUNDS=3")
    board = start(elf)
    said = int(listen(board.port, 2)[1], 16)
    before, after = board.counter_reads()[-2:]

    program = load_program(elf)
    core = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    core.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
    core.mem_map(0x08000000, 1 << 20)
    core.mem_map(0x20000000, 1 << 17)
    for segment in program.segments:
        core.mem_write(segment.address, segment.data)
    core.reg_write(arm_const.UC_ARM_REG_SP, 0x20010000)
    core.reg_write(arm_const.UC_ARM_REG_R0, 3)
    core.reg_write(arm_const.UC_ARM_REG_LR, 0x08080001)
    pc = next(symbol.address for symbol in program.symbols if symbol.name == "mixed")
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    steps = 0
    while pc != 0x08080000:
        core.emu_start(pc | 1, 0x08080000, count=1)
        stepped = core.reg_read(arm_const.UC_ARM_REG_PC)
        here, *following = decoder.disasm_lite(bytes(core.mem_read(pc, 20)), pc)
        skipped = [address for address, *_ in following if address < stepped]
        linear = any(address == stepped for address, *_ in following) and here[2][0] not in "bc"
        steps += 1 + (len(skipped) if linear else 0)  # Unicorn steps over what IT skips; the core issues it
        pc = stepped
    assert core.reg_read(arm_const.UC_ARM_REG_R0) == said
    around = after[1] - before[1] - steps
    assert 0 < around < 12, "argument, call, store of the result and the counter read lie outside of mixed()"


def test_counts_repeat_to_the_instruction(firmware, start, listen, open_port):
    board = start(firmware("counting", "ROUNDS=2"))
    listen(board.port, 2)
    port = open_port(board.port)
    board.counter_reads()
    seen = set()
    for _ in range(5):
        port.write(b"x")
        port.readline()
        (first, start_count), (second, end_count) = board.counter_reads()
        seen.add((second - first, end_count - start_count))
    assert len(seen) == 1


def test_counter_read_right_behind_a_sleep(firmware):
    """A byte comes each time the core sleeps, three times."""
    line = SerialLine(lambda _sent: None)
    asleep: list[int] = []

    def wait(_seconds: float | None) -> None:
        asleep.append(len(machine.counter_log))
        line.incoming.append(ord("x"))

    program = load_program(firmware("counting", "ROUNDS=2", "READ_BEHIND_WFI"))
    machine = Machine(program, clock_hz=168_000_000, line=line, wait=wait)
    for _ in range(1000):
        machine.step()
        if len(asleep) == 4:
            break
    reads = [after - before for before, after in itertools.pairwise(asleep)]
    assert reads == [3, 3, 3], "two in the handler, one behind WFI, three times"


def test_fast_mode_counts_nothing_but_its_clock_runs(firmware, start, listen, open_port):
    board = start(firmware("counting", "ROUNDS=200"))
    listen(board.port, 2)
    slow = board.counter_reads()[-2:]
    board.count_instructions(False)
    port = open_port(board.port)
    before = board.state()
    port.write(b"x")
    port.readline()
    after = board.state()
    assert board.counter_reads() == ()
    assert after["instructions"] - before["instructions"] < 100, "only what ran before the switch took effect"
    assert after["cycles"] > before["cycles"]
    assert slow[1][1] - slow[0][1] > 200 * 256 * 5


# -------------------------------------------------------------------------------------------- crashes


@pytest.mark.parametrize(
    ("macro", "what", "where"),
    [
        ("READ_UNMAPPED", "read of 4 B at 0x60000000", "crash"),
        ("WRITE_FLASH", "write to 4 B at 0x08000100", "crash"),
        ("NO_PERIPHERAL", "0x40002400, where the STM32F405 has no peripheral", "crash"),
        ("UNDEFINED", "undefined instruction", "crash"),
        ("BREAKPOINT", "breakpoint", "crash"),
        ("EVEN_ADDRESS", "even address", ""),
        ("JUMP_AWAY", "instruction fetch from 0x30000000", ""),
        ("UNEXPECTED_INTERRUPT", "endless loop", "default_handler"),
        ("ENDLESS_LOOP", "endless loop", "crash"),
        ("SLEEP_FOREVER", "sleeps with no interrupt enabled", "crash"),
        ("STACK_OVERFLOW", "write to 4 B at 0x1ffffffc", "crash"),
    ],
)
@pytest.mark.parametrize("counting", [True, False])
def test_crash_is_reported_and_ends_the_board(firmware, start, macro, what, where, counting):
    board = start(firmware("faults", macro))
    with pytest.raises(DeviceError) as raised:
        board.count_instructions(counting)
        for _ in range(200):
            time.sleep(0.05)
            board.check()
    report = board.fault
    assert what in report
    assert f" {where}+0x" in report or not where
    assert report in raised.value.message
    assert board._process.wait(5) == DeviceError.exit_code


def test_fpu_before_cpacr_is_a_fault(firmware, start):
    board = start(firmware("floats", "WITHOUT_FPU_ENABLE"))
    with pytest.raises(DeviceError, match="before CPACR enables the FPU"):
        for _ in range(100):
            time.sleep(0.05)
            board.check()


# -------------------------------------------------------------------------------------------- process


def test_idle_board_leaves_the_host_alone(firmware, start, open_port):
    board = start(firmware("echo"))
    board.count_instructions(False)
    assert echo(open_port(board.port), b"hello\n") == b"hello\n"
    clock = os.sysconf("SC_CLK_TCK")

    def cpu_seconds() -> float:
        fields = Path(f"/proc/{board._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / clock

    before = cpu_seconds()
    time.sleep(1.0)
    assert cpu_seconds() - before < 0.2


def test_board_ends_with_its_parent(firmware, virtual_board):
    code = (
        "import sys, os, signal\nfrom pathlib import Path\nfrom leadwire.board import load_board\n"
        "from leadwire.emulator import EmulatedBoard\n"
        f"b = EmulatedBoard(Path({str(firmware('echo'))!r}), load_board('virtual-stm32f405'))\n"
        "print(b._process.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert gone(int(parent.stdout))


@pytest.mark.qemu
def test_qemu_ends_with_its_parent(firmware):
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom leadwire.board import load_board\n"
        "from leadwire.emulator import QemuBoard\n"
        f"b = QemuBoard(Path({str(firmware('echo'))!r}), load_board('qemu-stm32f405'))\n"
        "print(b._process.pid, open(f'/proc/{b._process.pid}/task/{b._process.pid}/children').read(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    processes = [int(text) for text in parent.stdout.split()]
    assert len(processes) == 2, "guard and QEMU"
    assert all(gone(process) for process in processes)


@pytest.mark.qemu
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_qemu_ends_with_a_killed_guard(firmware):
    board = QemuBoard(firmware("echo"), load_board("qemu-stm32f405"))
    guard = board._process.pid
    (qemu,) = map(int, Path(f"/proc/{guard}/task/{guard}/children").read_text().split())
    board._process.kill()
    assert gone(qemu)
    board.stop()


def gone(process: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_hostile_commands_are_refused_and_change_nothing(firmware, start, open_port):
    board = start(firmware("echo"))
    for line in (b"\n", b"[]\n", b"nonsense\n", b'{"do": "count", "on": 1}\n', b'{"do": 7}\n', b"[" * 3000 + b"\n"):
        board._process.stdin.write(line)
        assert "error" in board._answer("nonsense", 5)
    assert echo(open_port(board.port), b"still here\n") == b"still here\n"


def test_files_of_the_current_folder_are_not_run(firmware, start, tmp_path, monkeypatch):
    for module in ("json", "capstone", "argparse"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('a file of the user was run')\n")
    monkeypatch.chdir(tmp_path)
    assert start(firmware("echo")).port


def test_stop_twice_and_use_after(firmware, start):
    board = start(firmware("echo"))
    board.stop()
    board.stop()
    with pytest.raises(DeviceError, match="stopped"):
        board.counter_reads()


def test_killed_emulator_is_a_device_error(firmware, start):
    board = start(firmware("echo"))
    board._process.kill()
    with pytest.raises(DeviceError, match="ended during"):
        board.counter_reads()


def test_images_that_cannot_be_loaded(tmp_path, virtual_board):
    with pytest.raises(BadInputError, match="does not exist"):
        EmulatedBoard(tmp_path / "absent.elf", virtual_board)
    (tmp_path / "bad.elf").write_bytes(b"\x7fELF" + bytes(60))
    with pytest.raises(BadInputError, match="firmware image"):
        EmulatedBoard(tmp_path / "bad.elf", virtual_board)


def test_emulator_refuses_other_boards(firmware):
    with pytest.raises(BadInputError, match="not one the built-in emulator runs"):
        EmulatedBoard(firmware("echo"), load_board("qemu-stm32f405"))


def test_command_line_of_the_process(firmware, tmp_path):
    command = [sys.executable, "-m", "leadwire.emulator"]
    wrong = subprocess.run(
        [*command, str(firmware("echo")), "--board", "host"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert wrong.returncode == BadInputError.exit_code and "built-in emulator" in wrong.stderr
    ended = subprocess.run(
        [*command, str(firmware("echo")), "--board", "virtual-stm32f405"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0 and json.loads(ended.stdout)["port"].startswith("/dev/")


def test_qemu_refuses_what_it_cannot_run(firmware, tmp_path, virtual_board, monkeypatch):
    odd = load_board("qemu-stm32f405")
    assert odd.emulation is not None
    odd = replace(odd, emulation=replace(odd.emulation, ns_per_instruction=40.0))
    with pytest.raises(BadInputError, match="takes 40 ns an instruction, which QEMU cannot"):
        QemuBoard(firmware("echo"), odd)
    with pytest.raises(BadInputError, match="not one QEMU runs"):
        QemuBoard(firmware("echo"), virtual_board)
    with pytest.raises(FileMissingError):
        QemuBoard(tmp_path / "absent.elf", load_board("qemu-stm32f405"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="not installed") as raised:
        QemuBoard(firmware("echo"), load_board("qemu-stm32f405"))
    assert "virtual-stm32f405" in raised.value.hint
