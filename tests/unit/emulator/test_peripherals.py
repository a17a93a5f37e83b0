"""Registers of the virtual chip, one by one, against the reference manual (RM0090) and ARM DDI 0403."""

from __future__ import annotations

import pytest

from leadwire.emulator import stm32f405 as chip
from leadwire.emulator.interrupts import PENDSV, SYSTICK, Interrupts
from leadwire.emulator.registers import Registers
from leadwire.emulator.system_control import CoreSignals, SystemControl
from leadwire.emulator.usart import BURST_BYTES, CR1, DR, RE, RXNE, RXNEIE, SR, TE, UE, SerialLine, Usart


class Clock:
    """Virtual time that a test moves by hand."""

    def __init__(self) -> None:
        self.time = 0
        self.resets = 0
        self.fpu = False

    def now(self) -> int:
        return self.time

    def reset(self) -> None:
        self.resets += 1

    def switch_fpu(self, on: bool) -> None:
        self.fpu = on


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def interrupts() -> Interrupts:
    return Interrupts()


@pytest.fixture
def system(clock: Clock, interrupts: Interrupts) -> SystemControl:
    return SystemControl(
        interrupts,
        CoreSignals(
            now=clock.now,
            cycles=clock.now,
            reset=clock.reset,
            changed=lambda: None,
            timed=lambda: None,
            fpu=clock.switch_fpu,
        ),
    )


# ---------------------------------------------------------------------------------------------- storage


def test_narrow_accesses_touch_their_bytes_only():
    registers = Registers()
    registers.write(0x10, 4, 0x11223344)
    registers.write(0x11, 1, 0xAA)
    registers.write(0x12, 2, 0xBBCC)
    assert registers.read(0x10, 4) == 0xBBCCAA44
    assert [registers.read(0x10 + i, 1) for i in range(4)] == [0x44, 0xAA, 0xCC, 0xBB]
    assert registers.read(0x12, 2) == 0xBBCC


# ---------------------------------------------------------------------------------------------- clocks, pins, memory


def test_clocks_are_ready_once_enabled():
    rcc = chip.Rcc()
    assert rcc.read(0x00, 4) & 0x3 == 0x3, "HSI runs after reset"
    assert not rcc.read(0x00, 4) & 1 << 17
    rcc.write(0x00, 4, 0x83 | 1 << 16 | 1 << 24)
    assert rcc.read(0x00, 4) & 1 << 17, "HSERDY"
    assert rcc.read(0x00, 4) & 1 << 25, "PLLRDY"
    rcc.write(0x08, 4, 2)
    assert rcc.read(0x08, 4) >> 2 & 3 == 2, "SWS follows SW"
    rcc.write(0x74, 4, 1)
    assert rcc.read(0x74, 4) & 2, "LSIRDY"


def test_reset_flags_stay_until_cleared():
    rcc = chip.Rcc(chip.Rcc.SOFTWARE_RESET)
    rcc.write(0x74, 4, 0)
    assert rcc.read(0x74, 4) >> 28 & 1
    rcc.write(0x74, 4, 1 << 24)
    assert rcc.read(0x74, 4) >> 24 == 0


def test_bus_dividers():
    rcc = chip.Rcc()
    rcc.write(0x08, 4, 4 << 13 | 5 << 10)
    assert rcc.cycles_per_tick(0x40011000) == 2
    assert rcc.cycles_per_tick(0x40004400) == 4


def test_pins_read_back_what_they_drive():
    pins = chip.Gpio()
    pins.write(0x18, 4, 0x0000_0021)
    assert pins.read(0x10, 4) == 0x21
    pins.write(0x18, 4, 0x0001_0000)
    assert pins.read(0x14, 4) == 0x20


def test_watchdog_counts_only_once_started_and_unlocks_by_key(clock):
    dog = chip.Watchdog(clock_hz=32_000_000, now=clock.now)
    dog.write(0x08, 4, 9)
    assert dog.read(0x08, 4) == 0xFFF, "locked"
    dog.write(0x00, 4, 0x5555)
    dog.write(0x08, 4, 9)
    assert dog.due is None
    dog.write(0x00, 4, 0xCCCC)
    assert dog.due == 10 * 4 * 1000  # 10 counts, prescaler 4, 1000 core cycles for one LSI cycle
    clock.time = 5000
    dog.write(0x00, 4, 0xAAAA)
    assert dog.due == 5000 + 40_000


def test_identity_of_the_chip():
    memory = chip.system_memory()
    start = chip.UNIQUE_ID_ADDRESS - chip.SYSTEM_ORIGIN
    assert memory[start : start + 12] == chip.UNIQUE_ID and len(chip.UNIQUE_ID) == 12
    assert int.from_bytes(memory[chip.FLASH_SIZE_ADDRESS - chip.SYSTEM_ORIGIN :][:2], "little") == 1024


def test_no_peripheral_lies_twice_or_outside():
    blocks = chip.vendor_peripherals(chip.Rcc(), chip.Watchdog(clock_hz=1, now=lambda: 0), chip.Gpio())
    end = chip.PERIPHERALS_ORIGIN + chip.PERIPHERALS_BYTES
    assert all(base % chip.BLOCK_BYTES == 0 and chip.PERIPHERALS_ORIGIN <= base < end for base in blocks)
    assert not set(blocks) & set(chip.USART_INTERRUPTS)


# ---------------------------------------------------------------------------------------------- USART


class Port:
    """A USART with its line and what it asks of the NVIC."""

    def __init__(self, clock: Clock) -> None:
        self.sent: list[bytes] = []
        self.asserted = False
        self.idles = 0
        self.fed = True
        self.line = SerialLine(self.sent.append)
        self.usart = Usart(
            self.line,
            clocked=lambda: self.fed,
            cycles_per_tick=lambda: 2,
            interrupt=self.interrupt,
            now=clock.now,
            idle=self.idle,
        )

    def interrupt(self, asserted: bool) -> None:
        self.asserted = asserted

    def idle(self) -> None:
        self.idles += 1

    def enable(self, *extra: int) -> None:
        self.usart.write(0x08, 4, 100)
        self.usart.write(CR1, 4, UE | TE | RE | sum(extra))


@pytest.fixture
def port(clock: Clock) -> Port:
    return Port(clock)


def test_bytes_come_in_order_and_interrupt(port):
    port.enable(RXNEIE)
    assert not port.asserted
    port.line.incoming.extend(b"ab")
    port.usart.receive()
    assert port.asserted
    assert port.usart.read(SR, 4) & RXNE
    assert port.usart.read(DR, 4) == ord("a")
    assert port.asserted, "the next byte of the burst is there"
    assert port.usart.read(DR, 4) == ord("b")
    assert not port.asserted
    assert not port.usart.read(SR, 4) & RXNE


def test_bursts_keep_the_mean_rate_of_the_line(port, clock):
    port.enable()
    port.line.incoming.extend(bytes(BURST_BYTES + 1))
    for _ in range(BURST_BYTES):
        assert port.usart.read(SR, 4) & RXNE
        port.usart.read(DR, 4)
    assert not port.usart.read(SR, 4) & RXNE
    assert port.usart.due() == BURST_BYTES * 10 * 100 * 2  # bytes, bits, BRR, core cycles a tick
    clock.time = port.usart.due()
    assert port.usart.read(SR, 4) & RXNE


def test_receiver_switched_off_in_mid_burst_keeps_the_rest_on_the_line(port):
    port.enable(RXNEIE)
    port.line.incoming.extend(b"abc")
    port.usart.receive()
    assert port.usart.read(DR, 4) == ord("a")
    port.usart.write(CR1, 4, UE | TE | RXNEIE)
    assert port.usart.read(DR, 4) == ord("b"), "was in the data register already"
    assert not port.asserted and not port.usart.read(SR, 4) & RXNE
    port.enable(RXNEIE)
    assert port.asserted and port.usart.read(DR, 4) == ord("c")


def test_nothing_is_lost_before_the_receiver_is_enabled(port):
    port.line.incoming.extend(b"x")
    assert port.usart.due() is None
    port.enable()
    assert port.usart.read(DR, 4) == ord("x")


def test_sent_bytes_leave_by_line(port):
    port.enable()
    for byte in b"one\ntwo":
        port.usart.write(DR, 4, byte)
    assert port.sent == [b"one\n"]
    port.line.flush()
    assert port.sent == [b"one\n", b"two"]


def test_a_usart_without_clock_or_enable_is_dead(port):
    port.usart.write(DR, 4, 65)
    port.fed = False
    port.enable()
    port.usart.write(DR, 4, 65)
    port.line.flush()
    assert port.sent == [] and port.usart.read(SR, 4) == 0


def test_polling_an_empty_receiver_lets_the_host_rest(port):
    port.enable()
    for _ in range(Usart.IDLE_POLLS + 4):
        port.usart.read(SR, 4)
    assert port.idles == 5


# ---------------------------------------------------------------------------------------------- SysTick


def test_systick_counts_down_and_wraps(system, clock):
    system.write(0xE014, 4, 99)
    system.write(0xE018, 4, 0)
    system.write(0xE010, 4, 5)
    clock.time = 30
    assert system.read(0xE018, 4) == 70, "the first cycle loads 99, 29 more count down"
    clock.time = 100
    assert system.read(0xE010, 4) >> 16 & 1, "COUNTFLAG"
    assert not system.read(0xE010, 4) >> 16 & 1, "cleared by the read"
    clock.time = 1000
    assert system.systick.advance()
    assert system.systick.due() == 1100


def test_systick_external_clock_is_an_eighth(system, clock):
    system.write(0xE014, 4, 99)
    system.write(0xE010, 4, 1)
    assert system.systick.due() == 800


def test_stopped_systick_is_never_due(system):
    assert system.systick.due() is None
    system.write(0xE010, 4, 7)
    assert system.systick.due() is None, "reload 0"


# ---------------------------------------------------------------------------------------------- NVIC, SCB, DWT


def test_enable_and_pend_banks(system, interrupts):
    system.write(0xE104, 4, 1 << 5)
    assert 53 in interrupts.enabled and system.read(0xE104, 4) == 1 << 5 and system.read(0xE184, 4) == 1 << 5
    system.write(0xE204, 4, 1 << 5)
    assert 53 in interrupts.pending and system.read(0xE284, 4) == 1 << 5
    system.write(0xE284, 4, 1 << 5)
    assert 53 not in interrupts.pending
    system.write(0xE184, 4, 1 << 5)
    assert system.read(0xE104, 4) == 0
    interrupts.enter(53)
    assert system.read(0xE304, 4) == 1 << 5, "active"
    system.write(0xEF00, 4, 37)
    assert 53 in interrupts.pending, "STIR"


def test_interrupts_the_chip_lacks_cannot_be_enabled(system, interrupts):
    system.write(0xE108, 4, 0xFFFFFFFF)
    assert max(interrupts.enabled) == 16 + 81


def test_priorities_by_byte_and_word(system, interrupts):
    system.write(0xE425, 1, 0x7F)
    assert interrupts.priority(53) == 0x70 and system.read(0xE425, 1) == 0x70
    system.write(0xE424, 4, 0x40302010)
    assert [interrupts.priority(52 + i) for i in range(4)] == [0x10, 0x20, 0x30, 0x40]
    system.write(0xED20, 4, 0xF0E00000)
    assert interrupts.priority(PENDSV) == 0xE0 and interrupts.priority(SYSTICK) == 0xF0
    assert system.read(0xED20, 4) == 0xF0E00000


def test_icsr_pends_and_clears(system, interrupts):
    system.write(0xED04, 4, 1 << 28 | 1 << 26)
    assert {PENDSV, SYSTICK} <= interrupts.pending
    assert system.read(0xED04, 4) >> 12 & 0x1FF == PENDSV
    system.write(0xED04, 4, 1 << 27)
    assert PENDSV not in interrupts.pending
    interrupts.enter(SYSTICK)
    assert system.read(0xED04, 4) & 0x1FF == SYSTICK


def test_reset_needs_the_key(system, clock):
    system.write(0xED0C, 4, 0x00000004)
    assert clock.resets == 0
    system.write(0xED0C, 4, 0x05FA0004)
    assert clock.resets == 1


def test_fpu_needs_both_coprocessors(system, clock):
    system.write(0xED88, 4, 0x3 << 20)
    assert not clock.fpu
    system.write(0xED88, 4, 0xF << 20)
    assert clock.fpu and system.read(0xED88, 4) == 0xF << 20


def test_cycle_counter_runs_only_when_traced_and_wraps(system, clock):
    clock.time = 1000
    assert system.read(0x1004, 4) == 0
    system.write(0xEDFC, 4, 1 << 24)
    system.write(0x1004, 4, 0)
    system.write(0x1000, 4, 0x40000001)
    clock.time = 1500
    assert system.read(0x1004, 4) == 500
    system.write(0x1000, 4, 0x40000000)
    clock.time = 9000
    assert system.read(0x1004, 4) == 500, "stopped, it keeps its value"
    system.write(0x1000, 4, 0x40000001)
    system.write(0x1004, 4, 0xFFFFFFFF)
    clock.time += 2
    assert system.read(0x1004, 4) == 1


def test_empty_parts_of_the_bus_are_known():
    assert SystemControl.covers(0xE010) and SystemControl.covers(0x1004) and SystemControl.covers(0x42000)
    assert not SystemControl.covers(0x5000)
