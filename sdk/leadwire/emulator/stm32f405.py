"""Memory map and vendor peripherals of the STM32F405 (RM0090) as far as firmware start-up and a serial link need them.

RCC, PWR, FLASH and IWDG behave; GPIO keeps what is written; other peripherals of the chip are plain storage. An address
that belongs to no peripheral of the chip is a fault, as on silicon.
"""

from __future__ import annotations

from collections.abc import Callable

from .registers import Registers

FLASH_ORIGIN, FLASH_BYTES = 0x08000000, 1 << 20
SRAM_ORIGIN, SRAM_BYTES = 0x20000000, 128 << 10
CCM_ORIGIN, CCM_BYTES = 0x10000000, 64 << 10
SYSTEM_ORIGIN, SYSTEM_BYTES = 0x1FFF0000, 32 << 10
"""System memory (a boot loader's, else read as 0xFF) with unique id and flash size register in its one-time area."""
UNIQUE_ID_ADDRESS, FLASH_SIZE_ADDRESS = 0x1FFF7A10, 0x1FFF7A22
UNIQUE_ID = b"leadwire\x00\x04\x05\x01"
"""12 bytes (RM0090, 39.1) that no chip carries: lot, wafer and position are text here."""

PERIPHERALS_ORIGIN, PERIPHERALS_BYTES = 0x40000000, 0x80000
BLOCK_BYTES = 0x400
RCC, FLASH, PWR, IWDG = 0x40023800, 0x40023C00, 0x40007000, 0x40003000
USART_INTERRUPTS = {0x40011000: 37, 0x40004400: 38, 0x40011400: 71}
"""USART1, USART2 and USART6 with their external interrupt numbers (RM0090, table 62)."""
USART_BASES = {1: 0x40011000, 2: 0x40004400, 6: 0x40011400}
GPIO = tuple(range(0x40020000, 0x40022400, BLOCK_BYTES))
_STORAGE = (
    *range(0x40000000, 0x40002400, BLOCK_BYTES),  # TIM2 to TIM7, TIM12 to TIM14
    0x40002800,
    0x40002C00,  # RTC, WWDG
    *range(0x40003400, 0x40004400, BLOCK_BYTES),  # I2S2ext, SPI2, SPI3, I2S3ext
    *range(0x40004800, 0x40006000, BLOCK_BYTES),  # USART3, UART4, UART5, I2C1 to I2C3
    0x40006400,
    0x40006800,
    0x40007400,  # CAN1, CAN2, DAC
    0x40010000,
    0x40010400,  # TIM1, TIM8
    0x40012000,
    0x40012C00,
    0x40013000,
    0x40013800,
    0x40013C00,  # ADC, SDIO, SPI1, SYSCFG, EXTI
    0x40014000,
    0x40014400,
    0x40014800,  # TIM9 to TIM11
    0x40023000,
    0x40024000,
    0x40026000,
    0x40026400,  # CRC, backup SRAM, DMA1, DMA2
)
LSI_HZ = 32_000
MARKER_PIN = 8
"""Of port A: high while the bench firmware runs an inference (the port's README)."""


_ENABLE = {0x40011000: (0x44, 4), 0x40011400: (0x44, 5), 0x40004400: (0x40, 17)}
"""Register offset and bit that feed each USART's clock (RM0090, 7.3.13 and 7.3.14)."""
_DIVIDER = {4: 2, 5: 4, 6: 8, 7: 16}
"""PPRE1 and PPRE2."""


class Rcc(Registers):
    """Clock control: a clock is ready as soon as it is enabled, the switch follows at once (RM0090, 7.3)."""

    CR, CFGR, BDCR, CSR = 0x00, 0x08, 0x70, 0x74
    POWER_RESET, SOFTWARE_RESET, WATCHDOG_RESET = 0x0E000000, 0x14000000, 0x24000000

    def __init__(self, cause: int = POWER_RESET) -> None:
        super().__init__({0x00: 0x83, 0x04: 0x24003010, 0x30: 0x00100000, self.CSR: cause})

    def get(self, offset: int) -> int:
        value = super().get(offset)
        if offset == self.CR:
            enabled = value & 0x05010001
            return value & ~0x0A020002 | enabled << 1
        if offset == self.CFGR:
            return value & ~0xC | (value & 3) << 2
        if offset in (self.BDCR, self.CSR):
            return value & ~2 | (value & 1) << 1
        return value

    def put(self, offset: int, value: int) -> None:
        if offset == self.CSR:
            value = value & 1 if value & 1 << 24 else value & 1 | self.words[self.CSR] & 0xFE000000
        super().put(offset, value)

    def feeds(self, peripheral: int) -> bool:
        register, bit = _ENABLE[peripheral]
        return bool(self.words.get(register, 0) >> bit & 1)

    def cycles_per_tick(self, peripheral: int) -> int:
        """Core cycles per cycle of the peripheral's bus clock (PPRE1, PPRE2)."""
        shift = 13 if peripheral >= 0x40010000 else 10
        return _DIVIDER.get(self.words.get(self.CFGR, 0) >> shift & 7, 1)


class Pwr(Registers):
    """Regulator output is ready (VOSRDY, RM0090, 5.4)."""

    def get(self, offset: int) -> int:
        return super().get(offset) | (0x4000 if offset == 4 else 0)


class Gpio(Registers):
    """Pins read back what they drive; BSRR sets and clears bits of ODR (RM0090, 8.4). `driven` is told what is driven
    after each write that may have changed it."""

    _IDR, _ODR, _BSRR = 0x10, 0x14, 0x18

    def __init__(self, driven: Callable[[int], None] | None = None) -> None:
        super().__init__()
        self._driven = driven

    def get(self, offset: int) -> int:
        return 0 if offset == self._BSRR else super().get(self._ODR if offset == self._IDR else offset)

    def put(self, offset: int, value: int) -> None:
        if offset == self._BSRR:
            driven = self.words.get(self._ODR, 0) & ~(value >> 16) | value & 0xFFFF
            super().put(self._ODR, driven)
        elif offset != self._IDR:
            super().put(offset, value)
        if self._driven is not None and offset in (self._BSRR, self._ODR):
            self._driven(self.words.get(self._ODR, 0))


class Watchdog(Registers):
    """Independent watchdog (RM0090, 21.4): counts LSI cycles down and resets the chip; once started it never stops."""

    _KR, _PR, _RLR, _SR = 0x00, 0x04, 0x08, 0x0C

    def __init__(self, *, clock_hz: int, now: Callable[[], int]) -> None:
        super().__init__({self._RLR: 0xFFF})
        self._clock_hz = clock_hz
        self._now = now
        self._unlocked = False
        self.due: int | None = None
        """Virtual time of the reset, None before the start."""

    def get(self, offset: int) -> int:
        return 0 if offset in (self._KR, self._SR) else super().get(offset)

    def put(self, offset: int, value: int) -> None:
        if offset == self._KR:
            self._unlocked = value == 0x5555
            if value == 0xCCCC or (value == 0xAAAA and self.due is not None):
                divider = 4 << min(self.words.get(self._PR, 0) & 7, 6)
                ticks = (self.words[self._RLR] & 0xFFF) + 1
                self.due = self._now() + ticks * divider * self._clock_hz // LSI_HZ
        elif self._unlocked:
            super().put(offset, value)


def vendor_peripherals(rcc: Rcc, watchdog: Watchdog, port_a: Gpio) -> dict[int, Registers]:
    """Base address to registers, without the USARTs and the flash interface."""
    blocks: dict[int, Registers] = {base: Registers() for base in _STORAGE}
    blocks.update({base: Gpio() for base in GPIO})
    blocks.update({RCC: rcc, PWR: Pwr(), IWDG: watchdog, GPIO[0]: port_a})
    return blocks


def system_memory(unique_id: bytes = UNIQUE_ID) -> bytearray:
    """The bytes at SYSTEM_ORIGIN, without a boot loader."""
    memory = bytearray(b"\xff" * SYSTEM_BYTES)
    start = UNIQUE_ID_ADDRESS - SYSTEM_ORIGIN
    memory[start : start + len(UNIQUE_ID)] = unique_id.ljust(len(UNIQUE_ID), b"\0")[: len(UNIQUE_ID)]
    start = FLASH_SIZE_ADDRESS - SYSTEM_ORIGIN
    memory[start : start + 2] = (FLASH_BYTES >> 10).to_bytes(2, "little")
    return memory
