"""Packages are consumed: by a CMake project, and by compilers where an ecosystem's tool is on no registry."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leadwire.artifacts import FirmwareProject, UserImage
from leadwire.board import load_board
from leadwire.emulator import QemuBoard
from leadwire.errors import WrongDeviceError
from leadwire.package import FirmwarePackage, ecosystems, write_package
from leadwire.pipeline.alone import bench_inputs, bench_model, choose
from leadwire.pipeline.attach import bench_running
from leadwire.pipeline.packages import PackageOptions, package_model
from leadwire.pipeline.watcher import Quiet
from leadwire.reference import has_tflm
from package_example import (
    CMAKE,
    HOSTILE,
    ID,
    INPUTS,
    NINJA,
    answers,
    compilers,
    configure,
    hostile_model,
    model,
    needs_cmake,
    pattern_line,
    project,
    run,
)

pytestmark = pytest.mark.skipif(not has_tflm(), reason="needs tflite-micro, the witness of the bytes")
COMPILERS = (("gcc", "g++"), ("clang", "clang++"))
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror")

CONSUMER = r"""
#include <stdio.h>
#include <string.h>
#include "leadwire_@ID@.h"

int main(void)
{
    if (LW_MODEL.init() != LW_OK || LW_MODEL.self_test() != LW_OK) {
        return 2;
    }
    if (LW_MODEL.label_count != 5 || strcmp(LW_MODEL.labels[2], "while") != 0) {
        return 3;
    }
    while (fread(LW_MODEL.inputs[0].data, 1, LW_MODEL.inputs[0].bytes, stdin) == LW_MODEL.inputs[0].bytes) {
        if (LW_MODEL.infer() != LW_OK) {
            return 4;
        }
        fwrite(LW_MODEL.outputs[0].data, 1, LW_MODEL.outputs[0].bytes, stdout);
    }
    return 0;
}
"""
CMAKELISTS = """
cmake_minimum_required(VERSION 3.18)
project(consumer LANGUAGES C CXX)
if(PREFIX)
  find_package(leadwire_@ID@ 1.0 CONFIG REQUIRED PATHS "${PREFIX}" NO_DEFAULT_PATH)
else()
  add_subdirectory("${PACKAGE}" leadwire)
endif()
add_executable(in_c main.c)
add_executable(in_cpp main.cpp)
target_link_libraries(in_c PRIVATE leadwire::model)
target_link_libraries(in_cpp PRIVATE leadwire::@ID@)
"""
STUBS = {
    "zephyr/kernel.h": "#include <stdint.h>\n",
    "zephyr/sys/printk.h": "#include <stdio.h>\n#define printk printf\n",
    "Arduino.h": """
#include <stdint.h>
#include <stdio.h>
static struct {
    void begin(long) {}
    void print(const char *text) { printf("%s", text); }
    void print(int value) { printf("%d", value); }
    void println(int value) { printf("%d\\n", value); }
    void println() { printf("\\n"); }
} Serial;
""",
}
EXAMPLES = {
    "cmake": "example/main.c",
    "zephyr": "samples/hello/src/main.c",
    "esp-idf": "examples/hello/main/main.c",
    "arduino": "examples/hello/hello.ino",
    "platformio": "examples/hello/src/main.cpp",
    "cmsis-pack": f"template/leadwire_{ID}_hello.c",
}
MAIN = {
    "esp-idf": "void app_main(void);\nint main(void) { app_main(); return 0; }\n",
    "cmsis-pack": f"int leadwire_{ID}_hello(void);\nint main(void) {{ return leadwire_{ID}_hello(); }}\n",
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FirmwarePackage]:
    generated: FirmwareProject = project(tmp_path_factory.mktemp("generated"))
    out = tmp_path_factory.mktemp("packages")
    return {name: write_package(generated, name, out / name, name=HOSTILE) for name in ecosystems()}


def consumer(folder: Path) -> Path:
    folder.mkdir()
    for name, text in (("main.c", CONSUMER), ("main.cpp", CONSUMER), ("CMakeLists.txt", CMAKELISTS)):
        (folder / name).write_text(text.replace("@ID@", ID))
    return folder


def check_bytes(build: Path) -> None:
    expected = answers(INPUTS)
    assert len(np.unique(expected, axis=0)) > 5
    for binary in ("in_c", "in_cpp"):
        found = np.frombuffer(run(build / binary, given=INPUTS.tobytes()), np.int8).reshape(expected.shape)
        np.testing.assert_array_equal(found, expected)


@needs_cmake
@pytest.mark.parametrize(("c", "cxx"), COMPILERS)
def test_a_cmake_project_takes_the_folder(
    c: str, cxx: str, packages: dict[str, FirmwarePackage], tmp_path: Path
) -> None:
    compilers(c)
    flags = " ".join(STRICT)
    configure(
        consumer(tmp_path / "app"), tmp_path / "build", c, cxx, f"-DPACKAGE={packages['cmake'].path}",
        f"-DCMAKE_C_FLAGS={flags}", f"-DCMAKE_CXX_FLAGS={flags}",
    )  # fmt: skip
    run(CMAKE, "--build", tmp_path / "build")
    check_bytes(tmp_path / "build")


@needs_cmake
def test_a_cmake_project_finds_the_installed_package(packages: dict[str, FirmwarePackage], tmp_path: Path) -> None:
    compilers("gcc")
    configure(packages["cmake"].path, tmp_path / "b1", "gcc", "g++", f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'prefix'}")
    run(CMAKE, "--build", tmp_path / "b1")
    printed = run(tmp_path / "b1" / "example" / f"leadwire_{ID}_example").decode()
    assert printed.strip() == pattern_line()
    run(CMAKE, "--install", tmp_path / "b1")
    configure(consumer(tmp_path / "app"), tmp_path / "b2", "gcc", "g++", f"-DPREFIX={tmp_path / 'prefix'}")
    run(CMAKE, "--build", tmp_path / "b2")
    check_bytes(tmp_path / "b2")


def include_dirs(ecosystem: str, package: Path) -> list[str]:
    folders = ("src",) if ecosystem in ("arduino", "platformio") else ("model", "runtime")
    return [f"-I{package / folder}" for folder in folders]


@pytest.mark.parametrize("ecosystem", ecosystems())
def test_examples_compile_against_their_package_and_print_the_golden_bytes(
    ecosystem: str, packages: dict[str, FirmwarePackage], tmp_path: Path
) -> None:
    """With the C compiler of this machine and a few lines that stand in for the ecosystem's own headers."""
    compilers("gcc")
    package = packages[ecosystem].path
    for name, text in STUBS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    folder = package / ("src" if ecosystem in ("arduino", "platformio") else "")
    sources = [
        path for path in folder.rglob("*.c") if path.relative_to(package).parts[0] in ("src", "model", "runtime")
    ]
    objects = []
    for source in sources:
        objects.append(str(tmp_path / f"{len(objects)}.o"))
        run("gcc", "-std=c99", "-O1", *STRICT, *include_dirs(ecosystem, package), "-c", source, "-o", objects[-1])
    example = package / EXAMPLES[ecosystem]
    text = example.read_text()
    if example.suffix == ".ino":  # as the Arduino builder does: its header first, then a main that calls setup
        text = f'#include "Arduino.h"\n{text}\nint main() {{ setup(); loop(); return 0; }}\n'
    kind = ".c" if example.suffix == ".c" else ".cpp"
    (tmp_path / f"example{kind}").write_text(text + MAIN.get(ecosystem, ""))
    compiler = ("gcc", "-std=c99") if kind == ".c" else ("g++", "-std=c++11")
    quiet = ("-Wno-missing-prototypes",) if kind == ".c" else ()
    run(*compiler, *STRICT, *quiet, *include_dirs(ecosystem, package), f"-I{tmp_path}", tmp_path / f"example{kind}",
        *objects, "-o", tmp_path / "program")  # fmt: skip
    printed = run(tmp_path / "program").decode()
    assert printed.strip() == pattern_line()


@pytest.mark.parametrize(("c", "cxx"), COMPILERS)
def test_every_header_stands_alone_in_c_and_in_cpp(c: str, cxx: str, packages: dict[str, FirmwarePackage]) -> None:
    compilers(c)
    package = packages["cmake"].path
    headers = sorted((*package.glob("model/*.h"), *package.glob("runtime/*.h")))
    assert len(headers) >= 7
    everything = "".join(f'#include "{path.name}"\n' for path in headers).encode()
    for argv in ((c, "-x", "c", "-std=c99"), (cxx, "-x", "c++", "-std=c++11")):
        command = (*argv, *STRICT, "-fsyntax-only", *include_dirs("cmake", package), "-")
        run(*command, given=everything)
        for path in headers:
            run(*command, given=f'#include "{path.name}"\nint unused_name_of_the_test;\n'.encode())


def test_every_function_has_c_linkage(packages: dict[str, FirmwarePackage]) -> None:
    """A header without extern \"C\" would compile in C++ and fail at the link."""
    for path in packages["cmake"].path.rglob("*.h"):
        text = path.read_text()
        declares = re.search(r"^\w[\w *]*\blw_\w+\([^;{]*\);", text, flags=re.MULTILINE)
        if declares:
            assert 'extern "C"' in text, f"{path.name}: {declares[0]}"


def first_line(argv: tuple[str, ...]) -> str:
    """What a program that may never end says first of its result; it is stopped then, or after a minute."""
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        stopper = threading.Timer(60, process.kill)
        stopper.start()
        try:
            found = next((line for line in process.stdout if line.startswith((b"output", b"error"))), b"nothing")
        finally:
            stopper.cancel()
            process.kill()
    return found.decode().strip()


def zephyr_elf(sample: Path, build: Path) -> Path:
    """Built for qemu_cortex_m3 with a Zephyr tree (ZEPHYR_BASE) and its module cmsis (LEADWIRE_ZEPHYR_MODULES, a CMake
    list of folders); skips without."""
    base, modules = os.environ.get("ZEPHYR_BASE"), os.environ.get("LEADWIRE_ZEPHYR_MODULES")
    if not base or not modules:
        pytest.skip("needs Zephyr: set ZEPHYR_BASE, and LEADWIRE_ZEPHYR_MODULES to its module cmsis")
    pytest.importorskip("pykwalify", reason="needs the packages of Zephyr's scripts/requirements-base.txt")
    compiler = shutil.which("arm-none-eabi-gcc")
    assert CMAKE is not None and compiler is not None
    generator = ("-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={NINJA}") if NINJA else ()
    toolchain = {"ZEPHYR_TOOLCHAIN_VARIANT": "gnuarmemb", "GNUARMEMB_TOOLCHAIN_PATH": str(Path(compiler).parents[1])}
    run(CMAKE, "-S", sample, "-B", build, *generator, "-DBOARD=qemu_cortex_m3",
        f"-DPython3_EXECUTABLE={sys.executable}", f"-DZEPHYR_MODULES={modules}", **toolchain)  # fmt: skip
    run(CMAKE, "--build", build, **toolchain)
    return build / "zephyr" / "zephyr.elf"


ZEPHYR_MACHINE = ("qemu-system-arm", "-machine", "lm3s6965evb", "-cpu", "cortex-m3", "-display", "none", "-net", "none")


@needs_cmake
@pytest.mark.arm_gcc
@pytest.mark.qemu
def test_zephyr_builds_the_sample_and_qemu_runs_it(packages: dict[str, FirmwarePackage], tmp_path: Path) -> None:
    elf = zephyr_elf(packages["zephyr"].path / "samples" / "hello", tmp_path / "build")
    assert first_line((*ZEPHYR_MACHINE, "-serial", "stdio", "-kernel", str(elf))) == pattern_line()


@needs_cmake
@pytest.mark.arm_gcc
@pytest.mark.qemu
def test_zephyr_builds_the_bench_firmware_and_leadwire_measures_it(tmp_path: Path) -> None:
    """Over a serial port, with the bytes that TensorFlow Lite Micro's interpreter answers to the same inputs."""
    board = "qemu-lm3s6965evb"
    path = tmp_path / "small.tflite"
    path.write_bytes(hostile_model())
    options = PackageOptions(ecosystem="zephyr", board=load_board(board))
    package = package_model(path, options, tmp_path / "package", Quiet())
    elf = zephyr_elf(package.path / "samples" / "bench", tmp_path / "build")
    user = UserImage(elf=elf)
    flashed = bench_model(
        path, choose(board, "aot", "auto", user_image=user), Quiet(), pattern=False, inputs=10, warmup=1
    )
    assert flashed.instructions_per_inference is not None and flashed.flash_bytes is not None
    with QemuBoard(elf, load_board(board)) as running:
        options = choose(board, "aot", "auto", running.port, user_image=user)
        attached = bench_running(path, options, Quiet(), pattern=False, inputs=10, warmup=1)
        unknown = bench_running(path, replace(options, user_image=None), Quiet(), pattern=False, inputs=10, warmup=1)
        with pytest.raises(WrongDeviceError, match="board"):
            other = choose("rpi-pico", "aot", "auto", running.port)
            bench_running(path, other, Quiet(), pattern=True, inputs=1, warmup=0)
    rows = np.array([np.frombuffer(row, np.int8) for row in bench_inputs(model(), pattern=False, count=10)])
    pairs = b"".join(given.tobytes() + said.tobytes() for given, said in zip(rows, answers(rows), strict=True))
    assert attached.io_digest == flashed.io_digest == unknown.io_digest == hashlib.sha256(pairs).hexdigest()
    assert attached.image_digest == flashed.image_digest == hashlib.sha256(elf.read_bytes()).hexdigest()
    assert (unknown.image_digest, unknown.flash_bytes, attached.instructions_per_inference) == ("", None, None)
    assert attached.device.board_id == board and attached.stack_high_water_bytes > 0


@needs_cmake
def test_esp_idf_builds_the_example_for_its_linux_target(packages: dict[str, FirmwarePackage], tmp_path: Path) -> None:
    """With an exported ESP-IDF (IDF_PATH, IDF_PYTHON_ENV_PATH, ESP_IDF_VERSION), Ninja and libbsd's headers."""
    missing = [name for name in ("IDF_PATH", "IDF_PYTHON_ENV_PATH", "ESP_IDF_VERSION") if not os.environ.get(name)]
    if missing or NINJA is None:
        pytest.skip(f"needs ninja and an exported ESP-IDF: {', '.join(missing)} not set")
    compilers("gcc")
    python = Path(os.environ["IDF_PYTHON_ENV_PATH"]) / "bin" / "python"
    example = shutil.copytree(packages["esp-idf"].path, tmp_path / f"leadwire_{ID}") / "examples" / "hello"
    build = tmp_path / "build"
    path = os.pathsep.join((str(python.parent), os.environ["PATH"]))
    assert CMAKE is not None
    run(CMAKE, "-S", example, "-B", build, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={NINJA}", "-DIDF_TARGET=linux",
        "-DCOMPONENTS=main", f"-DPYTHON={python}", "-DPYTHON_DEPS_CHECKED=1", f"-DSDKCONFIG={build / 'sdkconfig'}",
        PATH=path)  # fmt: skip
    run(CMAKE, "--build", build, PATH=path)
    assert first_line((str(build / f"leadwire_{ID}_hello.elf"),)) == pattern_line()
