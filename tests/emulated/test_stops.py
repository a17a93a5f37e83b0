"""Stopping the core at any moment from another thread must change nothing the firmware can see."""

from __future__ import annotations

import threading
import time

import pytest

from leadwire.emulator.elf import load_program
from leadwire.emulator.machine import Machine
from leadwire.emulator.usart import SerialLine

FRAME = bytes(33 + i % 90 for i in range(600)) + b"\n"


class Storm:
    """Calls for the machine's attention all the time, as fast as one thread can."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._blow, daemon=True)
        self.calls = 0

    def _blow(self) -> None:
        while not self._over.is_set():
            self._machine.attend()
            self.calls += 1
            time.sleep(0.0001)

    def __enter__(self) -> Storm:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def machine_for(elf, sent: bytearray, *, counting: bool, clock_hz: int = 168_000_000) -> Machine:
    machine = Machine(
        load_program(elf),
        clock_hz=clock_hz,
        line=SerialLine(sent.extend),
        wait=lambda seconds: time.sleep(min(seconds or 0.001, 0.001)),
    )
    machine.count_instructions(counting)
    return machine


def run_until(machine: Machine, done) -> None:
    deadline = time.monotonic() + 30
    while not done():
        machine.step()
        assert time.monotonic() < deadline


@pytest.mark.parametrize("counting", [True, False])
def test_no_byte_is_lost_or_doubled(firmware, counting):
    sent = bytearray()
    machine = machine_for(firmware("echo"), sent, counting=counting)
    with Storm(machine) as storm:
        for round_ in range(10):
            machine._line.incoming.extend(FRAME)
            run_until(machine, lambda rounds=round_ + 1: len(sent) >= rounds * len(FRAME))
    assert bytes(sent) == FRAME * 10
    assert storm.calls > 50


def test_counts_do_not_depend_on_stops(firmware):
    """Of the part between the two reads of the counter, which nothing interrupts."""
    found = []
    for stormy in (False, True):
        sent = bytearray()
        machine = machine_for(firmware("counting", "ROUNDS=30"), sent, counting=True)
        if stormy:
            with Storm(machine):
                run_until(machine, lambda: sent.count(b"\n") >= 2)  # noqa: B023
        else:
            run_until(machine, lambda: sent.count(b"\n") >= 2)  # noqa: B023
        before, after = list(machine.counter_log)[-2:]
        found.append((after[1] - before[1], after[0] - before[0], bytes(sent)))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["floats", "pairs"])
def test_results_do_not_depend_on_stops_in_fast_mode(firmware, name):
    said = []
    for stormy in (False, True):
        sent = bytearray()
        machine = machine_for(firmware(name), sent, counting=False)
        if stormy:
            with Storm(machine):
                run_until(machine, lambda: b"\n" in sent)  # noqa: B023
        else:
            run_until(machine, lambda: b"\n" in sent)  # noqa: B023
        said.append(bytes(sent).split(b" ")[0])
    assert said[0] == said[1]


def test_a_fast_timer_does_not_starve_what_it_interrupts(firmware):
    """Its period of 1 us is shorter than what entering its handler takes in fast mode."""
    sent = bytearray()
    machine = machine_for(firmware("floats"), sent, counting=True, clock_hz=1_000_000_000)
    for _ in range(300):
        machine.step()
    assert not sent
    machine.count_instructions(False)
    for _ in range(300):
        machine.step()
        if b"\n" in sent:
            break
    assert sent.endswith(b" preempted\n")
