"""Where chips keep their own number, so that a probe or boot loader can read what `describe` gives as unique id."""

from __future__ import annotations

from types import MappingProxyType

PLACES = MappingProxyType(
    {
        "STM32F0": (0x1FFFF7AC, 12),  # ST RM0091, 33.1; RM0360 (F030) has none
        "STM32F1": (0x1FFFF7E8, 12),  # RM0008, 30.2
        "STM32F3": (0x1FFFF7AC, 12),  # RM0316, 34.1
        "STM32F4": (0x1FFF7A10, 12),  # RM0090, 39.1
        "STM32F7": (0x1FF0F420, 12),  # RM0385, 41.1
        "STM32G0": (0x1FFF7590, 12),  # RM0444, 38.1
        "STM32G4": (0x1FFF7590, 12),  # RM0440, 48.1
        "STM32H7": (0x1FF1E800, 12),  # RM0433, 61.1
        "STM32L4": (0x1FFF7590, 12),  # RM0351, 49.1
        "STM32WB": (0x1FFF7590, 12),  # RM0434, 42.1
        "STM32L5": (0x0BFA0590, 12),  # RM0438, 56.1
        "STM32U5": (0x0BFA0700, 12),  # RM0456, 76.1
        "NRF51": (0x10000060, 8),  # Nordic nRF51 series reference manual, 8.1.15: FICR DEVICEID
        "NRF52": (0x10000060, 8),  # nRF52840 product specification, 4.4.1: FICR DEVICEID
        "NRF53": (0x00FF0204, 8),  # nRF5340 product specification, 7.14: FICR INFO.DEVICEID
    }
)
"""First letters of an MCU's name: address and number of bytes."""


def unique_id_place(mcu: str) -> tuple[int, int] | None:
    """Address and number of bytes of the chip's own number, None where the chip has none that a probe can read."""
    name = mcu.upper()
    found = [start for start in PLACES if name.startswith(start)]
    return PLACES[max(found, key=len)] if found else None
