"""Images of the bench firmware: same bytes, sizes and stack against GNU's tools, and every way a build can fail."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leadwire.artifacts import FirmwareImage
from leadwire.board import load_board
from leadwire.build import build_host_library, build_image
from leadwire.build.cores import CORES
from leadwire.build.elf import read_elf
from leadwire.build.image import _defines
from leadwire.build.machine_code import read_code
from leadwire.build.stack import _functions, section_frames, usage_frames
from leadwire.build.toolchain import find_toolchain
from leadwire.device.host_library import HostLibrary
from leadwire.errors import BuildError

from .conftest import ARENA_BYTES, Project

BOARD = load_board("virtual-stm32f405")
GCC = pytest.param("arm-none-eabi-gcc", marks=pytest.mark.arm_gcc)


@pytest.mark.requirement("LW-BLD-001")
@pytest.mark.parametrize("toolchain", ["zig", GCC])
def test_the_same_project_gives_the_same_bytes_in_another_folder(
    tiny_project: Project, tmp_path: Path, toolchain: str
) -> None:
    one = build_image(tiny_project(BOARD), BOARD, toolchain=toolchain, out=tmp_path / "a")  # type: ignore[arg-type]
    other = build_image(
        tiny_project(BOARD, folder="elsewhere/with space"), BOARD, toolchain=toolchain, out=tmp_path / "b b"
    )  # type: ignore[arg-type]
    assert replace(other, elf=one.elf) == one
    assert one.elf.read_bytes() == other.elf.read_bytes()
    assert str(tmp_path).encode() not in one.elf.read_bytes()
    assert bytes.fromhex(one.build_id) in one.elf.read_bytes()
    assert (
        one.build_id
        != build_image(
            tiny_project(BOARD, digest="0" * 64),
            BOARD,
            toolchain=toolchain,  # type: ignore[arg-type]
            out=tmp_path / "c",
        ).build_id
    )


@pytest.mark.arm_gcc
@pytest.mark.parametrize("toolchain", ["zig", "arm-none-eabi-gcc"])
def test_sizes_agree_with_gnu_size_and_the_model_share_with_its_objects(
    tiny_project: Project, tmp_path: Path, toolchain: str
) -> None:
    image = build_image(tiny_project(BOARD), BOARD, toolchain=toolchain, out=tmp_path)  # type: ignore[arg-type]
    shown = subprocess.run(["arm-none-eabi-size", "-A", image.elf], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^(\.\S+)\s+(\d+)\s+(\d+)", shown, re.M)
    sizes = {name: (int(size), int(address)) for name, size, address in rows}
    assert image.data_bytes == sizes[".data"][0]
    assert image.bss_bytes == sizes[".bss"][0]
    in_flash = (
        sum(size for name, (size, address) in sizes.items() if 0x08000000 <= address < 0x08100000) + sizes[".data"][0]
    )
    assert image.flash_bytes == in_flash
    assert image.text_bytes == sizes[".text"][0]
    assert image.ram_bytes == sizes[".data"][0] + sizes[".bss"][0] + image.stack.bytes
    assert ".stack" in {section.name for section in image.sections}
    assert ARENA_BYTES <= image.model_ram_bytes <= ARENA_BYTES + 8
    symbols = subprocess.run(["arm-none-eabi-nm", "-S", image.elf], capture_output=True, text=True, check=True).stdout
    named = {match[1]: int(match[0], 16) for match in re.findall(r"^\w+ (\w+) \w (\S+)$", symbols, re.M)}
    own = (
        "step_0",
        "step_1",
        "step_2",
        "init",
        "step",
        "infer",
        "self_test",
        "last_error",
        "steps",
        "weights",
        "inputs",
        "outputs",
        "operators",
        "operator_outputs",
        "lw_model_tiny",
    )
    least = sum(named.get(name, 0) for name in own)
    assert least <= image.model_flash_bytes <= least + 128  # merged strings and literal pools have no symbols


@pytest.mark.requirement("LW-MEM-003")
def test_the_stack_bound_follows_the_calls_through_the_model(tiny_project: Project, tmp_path: Path) -> None:
    image = build_image(tiny_project(BOARD), BOARD, out=tmp_path)
    assert image.stack.notes == ()
    assert image.stack.path[:2] == ("lw_reset_handler", "main")
    assert image.stack.path[-2:] == ("(interrupt)", "lw_serial_interrupt")
    assert "lw_bench_infer" in image.stack.path
    elf = read_elf(image.elf)
    frames = section_frames(elf)
    functions = {symbol.name: symbol.address & ~1 for symbol in elf.symbols if symbol.kind == "STT_FUNC"}
    expected = sum(frames[functions[name]] for name in image.stack.path if name != "(interrupt)")
    assert image.stack.bytes == expected + CORES["cortex-m4f"].exception_frame_bytes


@pytest.mark.arm_gcc
def test_frames_read_from_code_agree_with_the_compiler(tiny_project: Project, tmp_path: Path) -> None:
    """gcc's own -fstack-usage figures are the witness for the frames that are read from instructions."""
    project = tiny_project(BOARD)
    tools = find_toolchain("arm-none-eabi-gcc")
    elf = read_elf(build_image(project, BOARD, toolchain="arm-none-eabi-gcc", out=tmp_path).elf)
    for source in project.sources:
        flags = [
            *tools.compile_flags(CORES["cortex-m4f"]),
            "-DLW_BUILD_ID=" + "1," * 15 + "1",
            *_defines(project, BOARD),
            *(f"-I{folder}" for folder in project.include_dirs),
        ]
        tools.compile(flags, source, project.root, tmp_path / f"{Path(source).stem}.o")
    told = usage_frames(sorted(tmp_path.glob("*.su")))
    compared = 0
    for function in _functions(elf).values():
        read_code(elf, function, CORES["cortex-m4f"].name)
        if function.name in told:
            assert function.pushed == told[function.name], function.name
            compared += 1
    assert compared > 30


def test_frames_and_calls_of_risc_v_are_read_from_its_code(tiny_project: Project, tmp_path: Path) -> None:
    """clang's .stack_sizes is the witness for the frames; the path leads from reset to a sealed answer and a trap."""
    board = load_board("qemu-riscv32-virt")
    image = build_image(tiny_project(board), board, out=tmp_path)
    elf = read_elf(image.elf)
    told = section_frames(elf)
    naked = {"lw_reset_handler", "lw_trap_entry"}
    compared = 0
    for function in _functions(elf).values():
        read_code(elf, function, board.core)
        assert not function.variable, function.name
        if function.start in told and function.name not in naked:
            assert function.pushed == told[function.start], function.name
            compared += 1
    assert compared > 30
    assert image.stack.notes == ()
    assert image.stack.path[:3] == ("lw_reset_handler", "lw_start", "main")
    assert image.stack.path[-3:] == ("lw_trap_entry", "lw_trap", "lw_external_interrupt")
    assert "lw_bench_infer" in image.stack.path


@pytest.mark.parametrize("toolchain", ["zig", GCC])
@pytest.mark.parametrize("board_id", ["qemu-microbit", "qemu-mps3-an547"])
def test_the_stack_bound_holds_where_code_looks_otherwise(
    tiny_project: Project, tmp_path: Path, board_id: str, toolchain: Any
) -> None:
    """Far branches of Armv6-M by `bl`; loops and vectors of Armv8.1-M, which the disassembler does not know."""
    board = load_board(board_id)
    image = build_image(tiny_project(board), board, toolchain=toolchain, out=tmp_path)
    assert image.stack.notes == ()
    assert "lw_bench_infer" in image.stack.path


RECURSIVE = (
    "model/extra.c",
    """
#include <stdint.h>
int lw_loop(volatile int *depth);
int lw_loop(volatile int *depth) { (*depth)--; return *depth > 0 ? lw_loop(depth) + *depth : 0; }
""",
)


def test_recursion_is_stated(tiny_project: Project, tmp_path: Path) -> None:
    call = (
        "static void step_2(void)\n{",
        "int lw_loop(volatile int *depth);\nstatic void step_2(void)\n{\n"
        "    volatile int depth = A[0];\n    A[0] = (int8_t)(uint8_t)(0xffu & (unsigned)lw_loop(&depth));",
    )
    image = build_image(tiny_project(BOARD, extra=dict([RECURSIVE]), edit=call), BOARD, out=tmp_path)
    assert "recursion: lw_loop -> lw_loop" in image.stack.notes


def test_a_stack_larger_than_its_reserve_is_an_error(tiny_project: Project, tmp_path: Path) -> None:
    greedy = (
        "static void step_2(void)\n{",
        "static void step_2(void)\n{\n    volatile int8_t waste[9000];\n"
        "    for (int i = 0; i < 9000; i++) {\n        waste[i] = A[i % 6];\n    }\n    A[0] = waste[A[1] & 63];",
    )
    with pytest.raises(BuildError, match=r"may grow to \d+ B of 8192 B reserved"):
        build_image(tiny_project(BOARD, edit=greedy), BOARD, out=tmp_path)


def test_a_model_larger_than_the_memory_does_not_link(tiny_project: Project, tmp_path: Path) -> None:
    huge = ("static int8_t arena[", "static int8_t arena[200000 + ")
    with pytest.raises(BuildError, match="does not link"):
        build_image(tiny_project(BOARD, edit=huge), BOARD, out=tmp_path)
    assert not (tmp_path / "firmware.elf").exists()


@pytest.mark.parametrize("toolchain", ["zig", GCC])
@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("int lw_f(int x) { return y; }", "undeclared"),
        ("int lw_f(long x);\nint lw_f(long x) { signed char c = x; return c; }", "conversion"),
        ("int lw_f(int n);\nint lw_f(int n) { char c[n]; c[0] = 1; return c[n - 1]; }", "vla"),
        ("const char *lw_f(void);\nconst char *lw_f(void) { return __DATE__; }", "date"),
    ],
)
def test_warnings_and_errors_of_the_compiler_are_shown(
    tiny_project: Project, tmp_path: Path, toolchain: str, mistake: str, said: str
) -> None:
    project = tiny_project(BOARD, extra={"model/wrong.c": mistake})
    with pytest.raises(BuildError, match=r"'model/wrong\.c' does not compile") as caught:
        build_image(project, BOARD, toolchain=toolchain, out=tmp_path)  # type: ignore[arg-type]
    assert said in caught.value.message
    assert not any(tmp_path.glob("*.elf"))


def test_missing_toolchains_come_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BuildError, match="not on the PATH") as caught:
        find_toolchain("arm-none-eabi-gcc")
    assert "apt install" in caught.value.hint
    with pytest.raises(BuildError, match="is not known"):
        find_toolchain("cc")  # type: ignore[arg-type]


def test_files_of_the_current_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ziglang.py").write_text("print('a file of the user was run')\n")
    monkeypatch.chdir(tmp_path)
    assert re.fullmatch(r"zig \d+\.\d+\.\d+", find_toolchain("zig").version)


def test_a_date_in_the_environment_is_not_the_compilers_business(
    tiny_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "x")
    assert build_image(tiny_project(BOARD), BOARD, out=tmp_path).elf.is_file()


def test_projects_that_do_not_belong_are_refused(tiny_project: Project, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="was generated for board"):
        build_image(tiny_project(BOARD), load_board("qemu-mps2-an386"), out=tmp_path)
    with pytest.raises(BuildError, match="no linker script"):
        build_image(tiny_project(BOARD, linker_script=None), BOARD, out=tmp_path)
    with pytest.raises(BuildError, match="does not compile"):
        build_image(tiny_project(BOARD, sources=("model/model.c", "gone.c")), BOARD, out=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="cannot be written"):
        build_image(tiny_project(BOARD), BOARD, out=tmp_path / "file")


def test_the_host_library_computes_and_is_reproducible(tiny_project: Project, tmp_path: Path) -> None:
    host = load_board("host")
    image = build_image(tiny_project(host), host, out=tmp_path / "a")
    again = build_host_library(tiny_project(host, folder="elsewhere"), tmp_path / "b")
    assert image.elf.read_bytes() == again.read_bytes()
    assert image.model_ram_bytes >= ARENA_BYTES
    assert image.stack.notes
    out = HostLibrary(image.elf).infer(bytes(1506))
    assert out[:6] == bytes([1, 0xFE, 1, 0xFE, 3, 0xFC])


@pytest.mark.parametrize("core", [core for core in CORES if core.startswith("cortex")])
@pytest.mark.parametrize("toolchain", ["zig", GCC])
def test_each_core_is_compiled_for_what_it_is(tmp_path: Path, core: str, toolchain: str) -> None:
    """Hard-float cores multiply in the FPU, others call the library; DSP cores know SMLAD."""
    (tmp_path / "f.c").write_text("float f(float a, float b);\nfloat f(float a, float b)\n{\n    return a * b;\n}\n")
    tools = find_toolchain(toolchain)  # type: ignore[arg-type]
    tools.compile(tools.compile_flags(CORES[core]), "f.c", tmp_path, tmp_path / "f.o")
    names = {symbol.name for symbol in read_elf(tmp_path / "f.o").symbols}
    undefined = b"__aeabi_fmul" in (tmp_path / "f.o").read_bytes()
    assert "f" in names
    assert undefined == (not core.endswith(("f", "m55")))


def test_risc_v_is_zigs_alone(tmp_path: Path) -> None:
    (tmp_path / "f.c").write_text("int f(int a);\nint f(int a)\n{\n    return a * 3;\n}\n")
    tools = find_toolchain("zig")
    tools.compile(tools.compile_flags(CORES["rv32imc"]), "f.c", tmp_path, tmp_path / "f.o")
    if shutil.which("arm-none-eabi-gcc"):
        with pytest.raises(BuildError, match="does not compile for rv32imc"):
            find_toolchain("arm-none-eabi-gcc").compile_flags(CORES["rv32imc"])


def test_the_multi_region_board_builds_too(tiny_project: Project, tmp_path: Path) -> None:
    board = load_board("qemu-mps2-an386")
    image: FirmwareImage = build_image(tiny_project(board), board, out=tmp_path)
    assert {section.name: section.address for section in image.sections}[".vectors"] == 0
    assert image.stack.path[-1] == "lw_serial_interrupt"
