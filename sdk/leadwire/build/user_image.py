"""An image that the board's user built from a package: read, and proven to be of this model, sources and board.

Nothing in it was linked by leadwire, so its ELF is an outside file like any other. What the bench firmware is, it says
in its own bytes (`identity` in app/bench.c), also where symbols are stripped. Sizes come from sections and the board's
memories; the model's share from symbols whose names stand in the generated sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from leadwire.artifacts import FirmwareImage, FirmwareProject, Section, StackBound, UserImage, sha256_hex
from leadwire.board import Board
from leadwire.emulator.elf import Program, load_program
from leadwire.errors import BadInputError, BudgetError, BuildError, FileMissingError
from leadwire.workspace import write_atomically

from .elf import STACK_SECTION, Elf, ElfSection, read_elf
from .machine import check_machine

MARK = b"leadwire bench 1\0"
_IDENTITY = re.compile(re.escape(MARK) + rb"(.{16})([0-9a-f]{64})\0([a-z0-9._-]{1,64})\0", re.DOTALL)
_MAIN_STACK = "z_main_stack"
"""What Zephyr reserves for the thread that runs main()."""
_IDENTIFIER = re.compile(rb"[A-Za-z_]\w*")
_WORD_BYTES = 4
_LONGEST_TOOLCHAIN = 160
_LARGEST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What bench firmware says of itself in an ELF."""

    build_id: str
    model_digest: str
    board_id: str


def accept_image(
    user: UserImage,
    sources: FirmwareProject,
    packages: Mapping[str, str],
    board: Board,
    out: Path,
    fast: str = "",
) -> FirmwareImage:
    """The record of a user's ELF, of which `out`/firmware.elf becomes a copy. `packages`: build id that the firmware of
    each package of these sources has, to the package's ecosystem. `fast` is the region of memory that part of the
    model may lie in, counted on its own.

    FileMissingError, BadInputError for a file that is no such image (another machine, model, board or sources, no bench
    firmware, truncated), BudgetError for one larger than the board's memory. Nothing is written then.
    """
    path = user.elf
    if not path.is_file():
        raise FileMissingError(path, role="firmware image")
    if path.stat().st_size > _LARGEST_BYTES:
        raise BadInputError(
            f"firmware image '{path}': {path.stat().st_size} B are more than any microcontroller image has"
        )
    data = path.read_bytes()
    check_machine(path, board)
    program = load_program(path, machine=None)
    package = packages[_check_identity(path, _identity(path, program), sources, packages, board)]
    build_id = next(build for build, name in packages.items() if name == package)
    try:
        image = read_elf(path)
    except BuildError as error:
        raise BadInputError(f"firmware image '{path}': {error.message}", hint="build the image again") from error
    sizes = _sizes(image, board)
    _check_memory(path, sizes, board)
    names = None if sources.backend == "tflm" or not image.symbols else _names(sources)
    flash_bytes, ram_bytes, fast_bytes = (
        (sizes.flash_bytes, sizes.ram_bytes, 0) if names is None else _share(image, names, board, sizes, fast)
    )
    if path.read_bytes() != data:
        raise BadInputError(f"firmware image '{path}' changed while it was read", hint="let its build end first")
    elf = out / "firmware.elf"
    _write(elf, data)
    return FirmwareImage(
        elf=elf,
        digest=sha256_hex(data),
        project_digest=sources.digest,
        model_digest=sources.model_digest,
        board_id=board.id,
        backend=sources.backend,
        toolchain=_toolchain(image, package),
        build_id=build_id,
        sections=tuple(
            Section(name=_printable(one.name, 64), address=one.address, size_bytes=one.size_bytes)
            for one in image.sections
            if one.loaded and one.size_bytes
        ),
        text_bytes=sizes.text,
        rodata_bytes=sizes.rodata,
        data_bytes=sizes.data,
        bss_bytes=sizes.bss - sizes.stack_in_bss,
        model_flash_bytes=flash_bytes,
        model_ram_bytes=ram_bytes,
        model_fast_bytes=fast_bytes,
        stack=StackBound(bytes=sizes.stack, path=(), notes=tuple(_notes(sizes, names is not None))),
        package=package,
    )


# ---------------------------------------------------------------------------------------------- who it is


def _identity(path: Path, program: Program) -> Identity:
    found = {match.groups() for segment in program.segments for match in _IDENTITY.finditer(segment.data)}
    if not found:
        raise BadInputError(
            f"firmware image '{path}' holds no bench firmware of this leadwire",
            hint="build samples/bench or examples/bench of 'leadwire package MODEL --for ... --board ID', made anew by "
            "this version of leadwire",
        )
    if len(found) > 1:
        raise BadInputError(f"firmware image '{path}' holds {len(found)} different bench firmwares")
    build, model, board = found.pop()
    return Identity(build_id=build.hex(), model_digest=model.decode(), board_id=board.decode())


def _check_identity(
    path: Path, found: Identity, sources: FirmwareProject, packages: Mapping[str, str], board: Board
) -> str:
    """The build id."""
    again = f"make the package again and build it: 'leadwire package MODEL --for ... --board {board.id}'"
    for what, one, expected in (
        ("for another board", found.board_id, board.id),
        ("of another model", found.model_digest, sources.model_digest),
    ):
        if one != expected:
            raise BadInputError(f"firmware image '{path}' is {what}: found {one}, expected {expected}", hint=again)
    if found.build_id not in packages:
        wanted = " or ".join(f"{build} ({name})" for build, name in packages.items())
        raise BadInputError(
            f"firmware image '{path}' is built from other sources than this leadwire generates for this model and "
            f"board: found {found.build_id}, expected {wanted}",
            hint=f"{again}; the .tflite must have the same file name, which is in the sources",
        )
    return found.build_id


# ---------------------------------------------------------------------------------------------- how large it is


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    """`text` and `rodata` are in flash alone, `data` in flash and RAM (code that runs from RAM included), `bss` in RAM
    alone. `stack` is the reserve of the main stack; `stack_known` whether the file says it."""

    text: int
    rodata: int
    data: int
    bss: int
    stack: int
    stack_in_bss: int
    stack_known: bool

    @property
    def flash_bytes(self) -> int:
        return self.text + self.rodata + self.data

    @property
    def ram_bytes(self) -> int:
        return self.data + self.bss - self.stack_in_bss


def _sizes(image: Elf, board: Board) -> _Sizes:
    sums = dict.fromkeys(("text", "rodata", "data", "bss", ""), 0)
    for section in image.sections:
        if section.name != STACK_SECTION:
            sums[_kind(section, board)] += section.size_bytes
    reserve = image.section(STACK_SECTION)
    named = next((symbol for symbol in image.symbols if symbol.name == _MAIN_STACK), None)
    inside = min(named.size_bytes, sums["bss"]) if named is not None else 0
    stack = reserve.size_bytes if reserve is not None else inside or board.stack_bytes
    known = reserve is not None or inside > 0
    return _Sizes(
        text=sums["text"],
        rodata=sums["rodata"],
        data=sums["data"],
        bss=sums["bss"],
        stack=stack,
        stack_in_bss=0 if reserve is not None else inside,
        stack_known=known,
    )


def _kind(section: ElfSection, board: Board) -> str:
    """'text', 'rodata', 'data', 'bss', or '' for what takes nothing: by where it runs and whether the file has bytes of
    it. Code on a bus of its own (instruction RAM) is of no region and counts in flash; place-holders in flash without
    bytes are ESP-IDF's and take nothing."""
    if not section.loaded or not section.size_bytes:
        return ""
    places = {region.kind for region in board.memory if region.origin <= section.address < region.end}
    if not section.in_file:
        return "" if "flash" in places else "bss"
    if "ram" in places:
        return "data"
    return "text" if section.executable else "rodata"


def _check_memory(path: Path, sizes: _Sizes, board: Board) -> None:
    rows = (
        ("flash", sizes.flash_bytes, board.total_bytes("flash")),
        ("ram", sizes.ram_bytes + sizes.stack, board.total_bytes("ram")),
    )
    over = [f"  {kind}  {used} B of {size} B linked, {used - size} B over" for kind, used, size in rows if used > size]
    if over:
        raise BudgetError(path.name, board.id, "\n".join(over), hint="a smaller model, or a board with more memory")


def _names(sources: FirmwareProject) -> frozenset[str]:
    """Every identifier in the model's part of the sources: what the model defines, and what it calls."""
    folders = {Path(name).parts[0] for name in sources.model_sources}
    files = (file for folder in sorted(folders) for file in sorted((sources.root / folder).rglob("*")))
    found: set[bytes] = set()
    for file in files:
        if file.suffix in (".c", ".h"):
            found.update(_IDENTIFIER.findall(file.read_bytes()))
    return frozenset(name.decode() for name in found)


def _share(image: Elf, names: frozenset[str], board: Board, sizes: _Sizes, fast: str) -> tuple[int, int, int]:
    """Flash, RAM without the region `fast`, and that region, of the functions and objects with these names, each to
    whole words: compilers' clones ('name.constprop.0') are theirs too. Strings without a name are not among them."""
    kinds = {section.index: _kind(section, board) for section in image.sections}
    seen: dict[tuple[int, int], int] = {}
    for symbol in image.symbols:
        if symbol.kind in ("STT_FUNC", "STT_OBJECT") and symbol.name.split(".", 1)[0] in names:
            place = (symbol.section, symbol.address & ~1)
            seen[place] = max(seen.get(place, 0), -(-symbol.size_bytes // _WORD_BYTES) * _WORD_BYTES)
    flash = sum(size for (section, _), size in seen.items() if kinds.get(section) in ("text", "rodata", "data"))
    stored = [(at, size) for (section, at), size in seen.items() if kinds.get(section) in ("data", "bss")]
    there = next((range(region.origin, region.end) for region in board.memory if region.name == fast), range(0))
    inside = sum(size for at, size in stored if at in there)
    ram = sum(size for _, size in stored) - inside
    return min(flash, sizes.flash_bytes), min(ram, sizes.ram_bytes), inside


def _notes(sizes: _Sizes, named: bool) -> Iterable[str]:
    yield "built by the board's user: not followed, the reserve counts" + (
        "" if sizes.stack_known else ", which is the one of the board's file"
    )
    if not named:
        yield "nothing tells the model's part from the rest: the whole image counts as the model's"


# ---------------------------------------------------------------------------------------------- what made it


def _toolchain(image: Elf, package: str) -> str:
    """In the words of the ELF's .comment and build-id note, which are its compiler's and linker's."""
    comment = image.section(".comment")
    said = dict.fromkeys(part for part in (comment.data if comment else b"").split(b"\0") if part)
    words = [_printable(part.decode("ascii", errors="replace"), _LONGEST_TOOLCHAIN) for part in list(said)[:4]]
    note = image.section(".note.gnu.build-id")
    if note is not None and len(note.data) > 16:
        words.append(f"build-id {note.data[16:36].hex()}")
    return f"the board's user's, from the {package} package: {'; '.join(words) or 'the ELF does not say which'}"


def _printable(text: str, longest: int) -> str:
    return "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in text)[:longest]


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except OSError as error:
        raise BadInputError(
            f"'{path}' cannot be written: {error.strerror}", hint="choose another output folder"
        ) from error
