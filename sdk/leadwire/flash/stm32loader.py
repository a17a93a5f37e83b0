"""stm32loader, the Python library: an STM32's own boot loader over its USART (ST AN3155).

Its licence is the GPL, version 3: it is an extra that a user installs, not a dependency. The whole flash is erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import TYPE_CHECKING

from leadwire.errors import BadInputError, DeviceError, PortError

from .chips import unique_id_place
from .tool import Job

if TYPE_CHECKING:
    from stm32loader.bootloader import Stm32Bootloader

PACKAGE = "stm32loader"
INSTALL = "pip install 'leadwire[flash]'"
ARGUMENTS = {
    "family": "the chip's family as stm32loader names it: F0, F1, F3, F4, F7, G0, G4, H7, L0, L4, WB, ...",
    "parity": "even as the boot loader in ROM wants it, the default, or none: pseudo-terminals know no parity",
    "baud": "baud rate, default 115200",
    "lines": "wired where DTR resets the board and RTS is BOOT0, swapped for the opposite, default none",
}
REQUIRED = ("family",)
BOOT_LOADER = True
_WAKE_SECONDS, _ANSWER_SECONDS = 1.0, 5.0
_PARITIES = {"even": "E", "none": "N"}
_LINES = ("none", "wired", "swapped")


def write(job: Job) -> None:
    contents = job.contents
    with _boot_loader(job) as loader:
        loader.extended_erase_memory() if loader.extended_erase else loader.erase_memory()
        loader.write_memory_data(contents.address, contents.data)


def identify(job: Job) -> bytes | None:
    place = unique_id_place(job.board.mcu)
    if place is None:
        return None
    address, size = place
    lead = address & 0xFF if job.argument("family") == "F4" else 0  # which reads this area only as a whole
    with _boot_loader(job) as loader:
        read = loader.read_memory(address - lead, 0x100 if lead else size)
    return bytes(read[lead : lead + size])


def read_back(job: Job) -> bytes:
    with _boot_loader(job) as loader:
        return bytes(loader.read_memory_data(job.contents.address, job.contents.size_bytes))


def run(job: Job) -> None:
    with _boot_loader(job) as loader:
        loader.go(job.contents.address)


@contextmanager
def _boot_loader(job: Job) -> Iterator[Stm32Bootloader]:
    """The boot loader, awake; every failure of library and port becomes a DeviceError."""
    try:
        from stm32loader.bootloader import Stm32Bootloader, Stm32LoaderError
        from stm32loader.uart import SerialConnection
    except ImportError:
        raise DeviceError("flash tool 'stm32loader' is not installed", hint=INSTALL) from None
    parity, lines, baud = job.argument("parity", "even"), job.argument("lines", "none"), job.argument("baud", "115200")
    if parity not in _PARITIES or lines not in _LINES or not baud.isdecimal():
        raise BadInputError(
            f"flash tool 'stm32loader' cannot do with parity '{parity}', lines '{lines}' and baud '{baud}'",
            hint=f"parity {', '.join(_PARITIES)}; lines {', '.join(_LINES)}",
        )
    family = job.argument("family")
    connection = SerialConnection(job.target.boot_port, int(baud), _PARITIES[parity])
    if lines == "none":
        connection.enable_boot0 = connection.enable_reset = lambda enable=True: None
    connection.swap_rts_dtr = lines == "swapped"
    loader = Stm32Bootloader(
        connection, device_family=family if family in Stm32Bootloader.DATA_TRANSFER_SIZE else "default", verbosity=0
    )
    try:
        connection.connect()
        connection.timeout = _WAKE_SECONDS
        with redirect_stderr(StringIO()):  # the library tells its progress
            loader.reset_from_system_memory()
            connection.timeout = _ANSWER_SECONDS
            loader.get()
            yield loader
    except (Stm32LoaderError, IndexError) as error:
        raise DeviceError(
            f"boot loader at '{job.target.boot_port}': {error or type(error).__name__}",
            hint="is BOOT0 high, and was the board reset? the boot loader in ROM wants parity even",
        ) from None
    except OSError as error:
        raise PortError(job.target.boot_port, str(error.strerror or error)) from None
    finally:
        connection.disconnect()
