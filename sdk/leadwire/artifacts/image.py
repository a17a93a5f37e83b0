"""Generated sources and the linked image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .words import Backend, Personality


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareProject:
    """Generated sources on disk. `sources` and `include_dirs` are relative to `root`; `digest` covers all files.

    `model_sources` is the part a firmware team drops into its tree (model and runtime); the rest is bench firmware
    and port. For board 'host' there is no firmware part. `operators` are the kinds of operators whose kernels the
    backend's library must bring, none where it needs no library.
    """

    root: Path
    backend: Backend
    board_id: str
    model_digest: str
    plan_arena_bytes: int
    sources: tuple[str, ...]
    model_sources: tuple[str, ...]
    include_dirs: tuple[str, ...]
    linker_script: str | None
    defines: tuple[tuple[str, str], ...]
    digest: str
    operators: tuple[str, ...] = ()
    personality: Personality = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    name: str
    address: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StackBound:
    """Worst case from the compiler's frame sizes and the call graph of the ELF; `path` is the deepest call chain.

    `notes` says what the analysis could not follow (recursion, unknown indirect calls): with one, it is no bound.
    """

    bytes: int
    path: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UserImage:
    """What a board's user built from a package of leadwire, as it lies on disk: the ELF and, where flashing takes other
    files, those: .hex, .bin or .uf2 of the same program, or the flasher_args.json of ESP-IDF's build folder."""

    elf: Path
    flash_files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashFile:
    """A file that is written as it is; `offset_bytes` from the start of the flash, None where the file says its own
    addresses or lies where the ELF does."""

    path: Path
    digest: str
    size_bytes: int
    offset_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedObject:
    """An object file with bytes in the image, from the linker's map.

    One of the project was compiled from `source`, with SHA-256 `digest`. One of a library is a member of `archive`,
    whose SHA-256 `digest` is; empty for a library that the toolchain compiles when first needed. `flash_bytes` are
    those of text, rodata and data, `ram_bytes` those of data and bss.
    """

    name: str
    source: str
    archive: str
    digest: str
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareImage:
    """A linked image. Sizes come from the ELF's sections: flash = text + rodata + data, ram = data + bss + stack.

    `model_flash_bytes` and `model_ram_bytes` count the model and runtime objects alone (the budgeted share), the latter
    without `model_fast_bytes`, which lie in a second memory region; `data_bytes` and `bss_bytes` count all regions;
    `digest` is the SHA-256 of the ELF file, `linked` what the linker took, as its map says. The map (`firmware.map`)
    and how each object was made (`build.log`) lie beside the ELF; a host's library has neither. `package` is the
    ecosystem of the package that the board's user built the image from, empty for leadwire's own; `flash_files` are
    what that build made for the flash.
    """

    elf: Path
    digest: str
    project_digest: str
    model_digest: str
    board_id: str
    backend: Backend
    toolchain: str
    build_id: str
    sections: tuple[Section, ...]
    text_bytes: int
    rodata_bytes: int
    data_bytes: int
    bss_bytes: int
    model_flash_bytes: int
    model_ram_bytes: int
    stack: StackBound
    personality: Personality = "bench"
    package: str = ""
    flash_files: tuple[FlashFile, ...] = ()
    linked: tuple[LinkedObject, ...] = ()
    model_fast_bytes: int = 0

    @property
    def logs(self) -> tuple[Path, ...]:
        """The linker's map and the build's log; none where nothing was linked for a board."""
        return tuple(self.elf.with_name(name) for name in ("firmware.map", "build.log")) if self.linked else ()

    @property
    def flash_bytes(self) -> int:
        return self.text_bytes + self.rodata_bytes + self.data_bytes

    @property
    def ram_bytes(self) -> int:
        return self.data_bytes + self.bss_bytes + self.stack.bytes
