"""From a generated project to a linked image, or to a shared library for this computer."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from leadwire.artifacts import FirmwareImage, FirmwareProject, Section, StackBound, sha256_hex
from leadwire.board import Board
from leadwire.build.cores import CORES, Core
from leadwire.build.elf import STACK_SECTION, model_share, read_elf, rest_share
from leadwire.build.link_map import linked_objects, without_folders
from leadwire.build.stack import stack_bound, usage_frames
from leadwire.build.tflm import Tflm, find_tflm, require_operators
from leadwire.build.toolchain import (
    CODE,
    CXX_CODE,
    CXX_WARNINGS,
    LINK,
    WARNINGS,
    Toolchain,
    ToolchainName,
    cache_folder,
    find_toolchain,
    fitting,
    run,
)
from leadwire.errors import BuildError
from leadwire.workspace import write_atomically

_HOST_LIBRARY = {"win32": "model.dll", "darwin": "libmodel.dylib"}


def build_image(
    project: FirmwareProject,
    board: Board,
    *,
    toolchain: ToolchainName = "auto",
    out: Path,
    tflm: Path | None = None,
) -> FirmwareImage:
    """Compiles and links the project for the board into `out`/firmware.elf, with firmware.map and build.log beside it
    (board host: a shared library alone).

    The same project, board and toolchain version give the same bytes, whatever the folders. Raises BuildError when the
    toolchain is missing, a source does not compile without warnings, the image does not link, or the stack bound is
    larger than the stack that the linker script reserves. `tflm` is the folder with TensorFlow Lite Micro that the
    backend of that name is linked with, None: the one that LEADWIRE_TFLM names.
    """
    if project.board_id != board.id:
        raise BuildError(
            f"the project was generated for board '{project.board_id}', not for '{board.id}'",
            hint="generate it again for this board",
        )
    if board.core == "host":
        return _host_image(project, board, build_host_library(project, out, tflm=tflm))
    core = CORES[board.core]
    tools = find_toolchain(fitting(toolchain, project.backend))
    interpreter = _interpreter(project, core, tflm)
    if project.linker_script is None:
        raise BuildError(f"the project has no linker script for '{board.id}'", hint="generate it again")
    own = (*_defines(project, board), *_includes(project))
    flags = (*tools.compile_flags(core), *own)
    support = () if interpreter is None else tools.support
    build_id = _build_id(project, board, tools.version, flags, interpreter, support)
    identity = "-DLW_BUILD_ID=" + ",".join(f"0x{byte:02x}" for byte in bytes.fromhex(build_id))
    cxx_flags = (*tools.compile_cxx_flags(core), *own, *_headers(interpreter))
    languages = _Languages(c=(*flags, identity, *_kernel_defines(interpreter)), cxx=cxx_flags)
    elf = out / "firmware.elf"
    with TemporaryDirectory(prefix="leadwire-") as scratch:
        folder = Path(scratch)
        objects = _compile(tools, languages, project, project.sources, folder)
        linked = folder / "firmware.elf"
        script = (project.root / project.linker_script).resolve()
        names = [Path(objects[source].name) for source in project.sources]
        compiled = {objects[name].name: (name, (project.root / name).read_bytes()) for name in project.sources}
        for source in support:
            names.append(Path(f"libc-{source.stem}.o"))
            compiled[names[-1].name] = (f"libc/{source.name}", source.read_bytes())
            tools.compile((*tools.compile_flags(core), "-fno-builtin"), source.name, source.parent, folder / names[-1])
        library = None if interpreter is None else interpreter.library
        link_map = tools.link(core, str(script), names, folder, linked, library)
        image = read_elf(linked)
        if interpreter is None:
            share = model_share(image, [objects[source] for source in project.model_sources])
        else:
            share = rest_share(image, [objects[name] for name in project.sources if name not in project.model_sources])
        stack = stack_bound(
            image, core, share, usage_frames(sorted(folder.glob("*.su"))), interpreter=interpreter is not None
        )
        reserve = image.section(STACK_SECTION)
        if reserve is not None and stack.bytes > reserve.size_bytes:
            raise BuildError(
                f"the stack may grow to {stack.bytes} B of {reserve.size_bytes} B reserved",
                " -> ".join(stack.path),
                hint="raise stack_bytes in the board's file",
            )
        data = linked.read_bytes()
    _write(elf, data)
    _write(out / "firmware.map", without_folders(link_map, [cache_folder()]).encode())
    _write(out / "build.log", _log(tools, build_id, languages, project.linker_script, compiled))
    return FirmwareImage(
        elf=elf,
        digest=sha256_hex(data),
        project_digest=project.digest,
        model_digest=project.model_digest,
        board_id=board.id,
        backend=project.backend,
        toolchain=tools.version,
        build_id=build_id,
        sections=image.listed(),
        text_bytes=image.size_of("text"),
        rodata_bytes=image.size_of("rodata"),
        data_bytes=image.size_of("data"),
        bss_bytes=image.size_of("bss"),
        model_flash_bytes=share.flash_bytes,
        model_ram_bytes=share.ram_bytes,
        model_fast_bytes=share.fast_bytes,
        stack=stack,
        personality=project.personality,
        linked=linked_objects(link_map, image, compiled, cache_folder()),
    )


def build_host_library(
    project: FirmwareProject, out: Path, *, tflm: Path | None = None, this_machine: bool = False
) -> Path:
    """The model and runtime sources as a native shared library in `out`, by the pinned Zig toolchain. For backend tflm
    TensorFlow Lite Micro's folder must hold a library for this computer, compiled with -fPIC. With `this_machine` it
    uses all instructions of this processor: the library may not run on another."""
    tools = find_toolchain("zig")
    interpreter = _interpreter(project, None, tflm)
    processor = "-mcpu=native" if this_machine else "-mcpu=baseline"
    native = (processor, "-fPIC", "-fno-sanitize=all", *_project_defines(project), *_includes(project))
    languages = _Languages(
        c=(*CODE, *WARNINGS, *native, *_kernel_defines(interpreter)),
        cxx=(*CXX_CODE, *CXX_WARNINGS, *native, *_headers(interpreter)),
    )
    library = out / _HOST_LIBRARY.get(sys.platform, "libmodel.so")
    with TemporaryDirectory(prefix="leadwire-") as scratch:
        folder = Path(scratch)
        objects = _compile(tools, languages, project, project.model_sources, folder)
        linked = folder / library.name
        names = [o.name for o in objects.values()]
        if interpreter is not None:
            names += [str(interpreter.library), "-lm"]
        command = tools.command if interpreter is None else tools.cxx_command
        hint = "" if interpreter is None else "compile TensorFlow Lite Micro's library for this computer with -fPIC"
        argv = [*command, processor, "-shared", "-g0", "-s", *names, "-o", linked.name]
        run(argv, folder, "the model does not link as a shared library", hint=hint)
        data = linked.read_bytes()
    _write(library, data)
    return library


def _host_image(project: FirmwareProject, board: Board, library: Path) -> FirmwareImage:
    data = library.read_bytes()
    sections: tuple[Section, ...] = ()
    sizes = dict.fromkeys(("text", "rodata", "data", "bss"), 0)
    if data.startswith(b"\x7fELF"):
        image = read_elf(library)
        sections, sizes = image.listed(), {kind: image.size_of(kind) for kind in sizes}
    tools = find_toolchain("zig")
    return FirmwareImage(
        elf=library,
        digest=sha256_hex(data),
        project_digest=project.digest,
        model_digest=project.model_digest,
        board_id=board.id,
        backend=project.backend,
        toolchain=tools.version,
        build_id=_build_id(project, board, tools.version, ()),
        sections=sections,
        text_bytes=sizes["text"],
        rodata_bytes=sizes["rodata"],
        data_bytes=sizes["data"],
        bss_bytes=sizes["bss"],
        model_flash_bytes=sizes["text"] + sizes["rodata"] + sizes["data"],
        model_ram_bytes=sizes["data"] + sizes["bss"],
        stack=StackBound(bytes=0, path=(), notes=("not bounded on a host",)),
    )


def _defines(project: FirmwareProject, board: Board) -> tuple[str, ...]:
    """The project's macros, and the facts of the board that the bench firmware is compiled with."""
    ram = next(region for region in board.memory if region.kind == "ram")
    firmware = [
        ("LW_BOARD_ID", f'"{board.id}"'),
        ("LW_CLOCK_HZ", str(board.clock_hz)),
        ("LW_RAM_BYTES", str(ram.size_bytes)),
    ]
    if "LW_LINK_BAUD" not in dict(project.defines):
        firmware.append(("LW_LINK_BAUD", str(board.link.baud)))
    if board.crystal_hz:
        firmware.append(("LW_CRYSTAL_HZ", str(board.crystal_hz)))
    own = tuple(f"-D{name}={value}" for name, value in firmware)
    return (*_project_defines(project), *own)


def _project_defines(project: FirmwareProject) -> tuple[str, ...]:
    """With the table of operators, which profile and tensor read."""
    defines = {"LW_WITH_OPERATOR_TABLE": "1", **dict(project.defines)}
    return tuple(f"-D{name}={value}" if value else f"-D{name}" for name, value in sorted(defines.items()))


def _includes(project: FirmwareProject) -> tuple[str, ...]:
    return tuple(f"-I{folder}" for folder in project.include_dirs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Languages:
    """The flags of C and of C++ sources."""

    c: tuple[str, ...]
    cxx: tuple[str, ...]


def _interpreter(project: FirmwareProject, core: Core | None, folder: Path | None) -> Tflm | None:
    """The library that a project of backend tflm is linked with, with every kernel that its model needs."""
    if project.backend != "tflm":
        return None
    found = find_tflm(folder, core)
    require_operators(found, project.operators)
    return found


def _kernel_defines(interpreter: Tflm | None) -> tuple[str, ...]:
    """Those of the glue's C sources, whose arena depends on the kernels."""
    return () if interpreter is None else interpreter.defines


def _headers(interpreter: Tflm | None) -> tuple[str, ...]:
    """As the system's, so that warnings in them are not ours, and without their folder's name in the image."""
    if interpreter is None:
        return ()
    folders = [str(folder) for folder in interpreter.include]
    maps = (f"-ffile-prefix-map={folder}=tflm" for folder in folders)
    return (*interpreter.defines, *(part for folder in folders for part in ("-isystem", folder)), *maps)


def _build_id(
    project: FirmwareProject,
    board: Board,
    version: str,
    flags: Sequence[str],
    interpreter: Tflm | None = None,
    support: Sequence[Path] = (),
) -> str:
    """32 hex digits over everything that decides the bytes of the image."""
    library = () if interpreter is None else (interpreter.library_digest, *interpreter.defines)
    library += tuple(sha256_hex(source.read_bytes()) for source in support)
    parts = json.dumps([project.digest, board.id, version, [*flags, *library]])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def _log(
    tools: Toolchain, build_id: str, flags: _Languages, script: str, compiled: Mapping[str, tuple[str, bytes]]
) -> bytes:
    """How the image was made, the same on every machine: toolchain, command lines, objects in the order of linking."""
    made = [f"{sha256_hex(data)}  {name} <- {source}" for name, (source, data) in compiled.items()]
    lines = [
        f"toolchain  {tools.version}",
        f"build id   {build_id}",
        f"C          {' '.join(flags.c)}",
        f"C++        {' '.join(flags.cxx)}",
        f"link       {' '.join(LINK)} -T {script}",
        "SHA-256 of the source, object <- source:",
        *made,
    ]
    return ("\n".join(map(without_folders, lines)) + "\n").encode()


def _compile(
    tools: Toolchain, flags: _Languages, project: FirmwareProject, sources: Sequence[str], folder: Path
) -> dict[str, Path]:
    """One object in `folder` for each source; names are numbered, since sources of two folders may share one."""
    objects = {source: folder / f"{index:03d}-{Path(source).stem}.o" for index, source in enumerate(sources)}
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        jobs = [
            pool.submit(tools.compile, flags.cxx if source.endswith(".cc") else flags.c, source, project.root, path)
            for source, path in objects.items()
        ]
        for job in jobs:
            job.result()
    return objects


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except OSError as error:
        raise BuildError(
            f"'{path}' cannot be written: {error.strerror}", hint="choose another output folder"
        ) from error
