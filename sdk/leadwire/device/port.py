"""The one door to pyserial: opens any port it knows and turns each of its failures into PortError.

Waits are short slices of a fixed length: changing a pyserial time-out reconfigures the port, which pseudo-terminals
refuse, so the callers count the slices against their own deadline.
"""

from __future__ import annotations

from dataclasses import dataclass

import serial

from leadwire.errors import PortError

SLICE_S = 0.02
"""Longest wait of one `read`."""


class Port:
    """An open byte stream. `name` is a device path or a pyserial URL ('/dev/ttyACM0', 'COM4', 'socket://host:port')."""

    def __init__(self, name: str, baud: int, *, write_timeout_s: float) -> None:
        """Opens the port for this program alone, 8 data bits, no parity, 1 stop bit; PortError where that fails."""
        self.name = name
        try:
            self._serial = serial.serial_for_url(
                name,
                baudrate=baud,
                timeout=SLICE_S,
                write_timeout=None if name.startswith("rfc2217:") else write_timeout_s,  # pyserial has none there
                exclusive=True,
            )
        except (serial.SerialException, OSError, ValueError, NotImplementedError) as error:
            raise PortError(name, f"cannot be opened: {_reason(error)}") from None

    def read(self) -> bytes:
        """What has arrived, or what arrives within SLICE_S, possibly nothing; PortError when the port is gone."""
        try:
            return bytes(self._serial.read(max(1, self._serial.in_waiting)))
        except (serial.SerialException, OSError, TypeError) as error:
            raise PortError(self.name, f"vanished while in use: {_reason(error)}") from None

    def write(self, data: bytes) -> bool:
        """Hands all of `data` to the port; False where it took them not within the write time-out."""
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException:
            return False
        except (serial.SerialException, OSError, TypeError) as error:
            raise PortError(self.name, f"vanished while in use: {_reason(error)}") from None
        return True

    def close(self) -> None:
        self._serial.close()


def _reason(error: Exception) -> str:
    """One line of what the operating system says, without pyserial's advice."""
    cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return cause.splitlines()[0] if cause else type(error).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbPort:
    """A serial port of a USB adapter or board: '' where it does not tell. `location` as pyserial says it ('1-1.4')."""

    device: str
    vendor_id: int
    product_id: int
    serial: str
    location: str
    description: str


def usb_ports() -> tuple[UsbPort, ...]:
    """The serial ports of this machine that are plugged in over USB."""
    from serial.tools.list_ports import comports

    return tuple(
        UsbPort(
            device=port.device,
            vendor_id=port.vid,
            product_id=port.pid or 0,
            serial=port.serial_number or "",
            location=port.location or "",
            description=port.description or "",
        )
        for port in sorted(comports())
        if port.vid is not None
    )


def list_ports() -> tuple[str, ...]:
    """Serial ports of this machine, each with what its adapter says of itself: '/dev/ttyACM0 (STM32 STLink)'."""
    from serial.tools.list_ports import comports

    return tuple(f"{port.device} ({port.description})" for port in sorted(comports()))


def ports_at(location: str) -> tuple[str, ...]:
    """The serial ports whose adapter is plugged in there ('1-1.4'), of all its interfaces; PortError for none."""
    from serial.tools.list_ports import comports

    plugged = {str(port.device): str(port.location) for port in comports() if port.location}
    found = tuple(sorted(name for name, place in plugged.items() if place.split(":")[0] == location))
    if not found:
        raise PortError(
            f"USB {location}",
            "no serial port is plugged in there",
            hint=f"USB locations with serial ports: {', '.join(sorted(plugged.values())) or 'none'}",
        )
    return found
