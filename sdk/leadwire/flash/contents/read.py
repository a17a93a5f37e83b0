"""Files for the flash that others made, by the ending of their name."""

from __future__ import annotations

from pathlib import Path

from leadwire.emulator.elf import Segment
from leadwire.errors import BadInputError

from . import intel_hex, uf2


def read_segments(path: Path, data: bytes, origin: int) -> tuple[Segment, ...]:
    """What a .hex or .uf2 writes where it says, or a .bin at `origin`; BadInputError for any other or a damaged one."""
    ending = path.suffix.lower()
    try:
        if ending == ".hex":
            return intel_hex.segments(data.decode("ascii"))
        if ending == ".uf2":
            return uf2.segments(data)
    except UnicodeDecodeError:
        raise BadInputError(f"'{path}' is not an Intel HEX file: it is not text", hint="make it again") from None
    except BadInputError as error:
        raise BadInputError(f"'{path}': {error.message}", hint=error.hint) from None
    if ending == ".bin" and data:
        return (Segment(address=origin, data=data),)
    raise BadInputError(
        f"'{path}' is no file for the flash" if data else f"file for the flash '{path}' is empty",
        hint="a .hex, .bin or .uf2 of the same build, or ESP-IDF's flasher_args.json",
    )
