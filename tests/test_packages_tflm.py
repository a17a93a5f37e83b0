"""Packages of C++ sources: what backend tflm's glue meets in each ecosystem. TensorFlow Lite Micro itself is not here:
the engine of this test is a few lines of C++ behind the same interface, and what is tested is the packaging around it.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from leadwire.artifacts import FirmwareProject, sha256_hex
from leadwire.package import Publisher, write_package
from leadwire.pipeline.packages import PackageOptions, package_model
from package_example import (
    CMAKE,
    HOSTILE,
    ID,
    compilers,
    configure,
    hostile_model,
    needs_cmake,
    pattern_line,
    program,
    run,
)

MODEL_H = b"""#ifndef LW_MODEL_ECHO_H
#define LW_MODEL_ECHO_H
#include "leadwire.h"
#ifdef __cplusplus
extern "C" {
#endif
#define LW_MODEL lw_model_echo
extern const lw_model lw_model_echo;
#ifdef __cplusplus
}
#endif
#endif
"""
ENGINE = b"""#include "model.h"
#include "model_data.h"
namespace {
int8_t bytes[4];
lw_status ok() { return LW_OK; }
lw_status infer() {
  for (int8_t& byte : bytes) {
    byte = static_cast<int8_t>(byte + static_cast<int8_t>(kModelData[0]));
  }
  return LW_OK;
}
const lw_tensor tensors[] = {{"echo", bytes, 4, {4}, 1, 1, 1.0f, 0}};
lw_model make() {
  lw_model model = {};
  model.name = "echo";
  model.input_count = 1;
  model.output_count = 1;
  model.inputs = tensors;
  model.outputs = tensors;
  model.init = ok;
  model.infer = infer;
  model.self_test = ok;
  model.last_error = ok;
  return model;
}
}  // namespace
extern "C" {
const lw_model lw_model_echo = make();
}
"""
FILES = {
    "model/model.h": MODEL_H,
    "model/model_data.h": b"extern const unsigned char kModelData[1];\n",
    "model/model_data.cc": b'#include "model_data.h"\nalignas(16) const unsigned char kModelData[1] = {1};\n',
    "model/engine.cc": ENGINE,
}
SAME_TARGET = """
cmake_minimum_required(VERSION 3.18)
project(consumer LANGUAGES C CXX)
add_library(my_tflm INTERFACE)
target_compile_definitions(my_tflm INTERFACE TF_LITE_STATIC_MEMORY)
add_library(leadwire::tflm ALIAS my_tflm)
add_subdirectory("${PACKAGE}" leadwire)
add_executable(app "${PACKAGE}/example/main.c")
target_link_libraries(app PRIVATE leadwire::model)
"""


@pytest.fixture
def glue(root: Path, tmp_path: Path) -> FirmwareProject:
    files = FILES | {"runtime/leadwire.h": (root / "firmware_templates/runtime/leadwire.h").read_bytes()}
    folder = tmp_path / "glue"
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    listing = json.dumps({"files": {path: sha256_hex(data) for path, data in files.items()}}).encode()
    (folder / "leadwire-project.json").write_bytes(listing)
    return FirmwareProject(
        root=folder,
        backend="tflm",
        board_id="virtual-stm32f405",
        model_digest="0" * 64,
        plan_arena_bytes=4,
        sources=("model/engine.cc", "model/model_data.cc"),
        model_sources=("model/engine.cc", "model/model_data.cc"),
        include_dirs=("model", "runtime"),
        linker_script=None,
        defines=(),
        digest=sha256_hex(listing),
    )


@needs_cmake
@pytest.mark.parametrize(("c", "cxx"), [("gcc", "g++"), ("clang", "clang++")])
def test_cmake_links_a_c_program_with_cpp_glue_and_the_trees_own_target(
    c: str, cxx: str, glue: FirmwareProject, tmp_path: Path
) -> None:
    compilers(c)
    package = write_package(glue, "cmake", tmp_path, name="echo").path
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "CMakeLists.txt").write_text(SAME_TARGET)
    configure(tmp_path / "app", tmp_path / "build", c, cxx, f"-DPACKAGE={package}")
    run(CMAKE, "--build", tmp_path / "build")
    assert run(tmp_path / "build" / "app").decode().split() == ["output", "0:", "12", "49", "86", "123"]


@needs_cmake
def test_cmake_says_what_is_missing_where_there_is_no_tflm(glue: FirmwareProject, tmp_path: Path) -> None:
    compilers("gcc")
    package = write_package(glue, "cmake", tmp_path, name="echo").path
    (tmp_path / "empty" / "include").mkdir(parents=True)
    for given in ("", str(tmp_path / "empty"), str(tmp_path / "absent")):
        with pytest.raises(AssertionError, match=r"not\s+found\s+in\s+LEADWIRE_TFLM[\s\S]*libtensorflow-microlite"):
            configure(package, tmp_path / f"build{len(given)}", "gcc", "g++", f"-DLEADWIRE_TFLM={given}")


@needs_cmake
def test_cmake_takes_the_folder_that_leadwire_tflm_names(glue: FirmwareProject, tmp_path: Path) -> None:
    """Headers and library are found, installed packages find them again; the library of this test is empty."""
    compilers("gcc")
    folder = tmp_path / "tflm"
    header = folder / "include" / "tensorflow" / "lite" / "micro" / "micro_interpreter.h"
    header.parent.mkdir(parents=True)
    header.write_text("")
    (folder / "lib").mkdir()
    (tmp_path / "nothing.c").write_text("int leadwire_test_nothing;\n")
    run("gcc", "-c", "nothing.c", folder=tmp_path)
    run("ar", "rcs", folder / "lib" / "libtensorflow-microlite.a", "nothing.o", folder=tmp_path)
    package = write_package(glue, "cmake", tmp_path, name="echo").path
    prefix = tmp_path / "prefix"
    configure(package, tmp_path / "b1", "gcc", "g++", f"-DLEADWIRE_TFLM={folder}", f"-DCMAKE_INSTALL_PREFIX={prefix}")
    run(CMAKE, "--build", tmp_path / "b1")
    run(CMAKE, "--install", tmp_path / "b1")
    configure(package / "example", tmp_path / "b2", "gcc", "g++", f"-DLEADWIRE_TFLM={folder}",
              f"-DCMAKE_PREFIX_PATH={prefix}")  # fmt: skip
    run(CMAKE, "--build", tmp_path / "b2")
    assert not (tmp_path / "b2" / "leadwire_echo").exists(), "the installed package was not found"
    assert run(tmp_path / "b2" / "leadwire_echo_example").decode().startswith("output 0:")


def test_esp_idf_and_zephyr_ask_for_their_own_tflm(glue: FirmwareProject, tmp_path: Path) -> None:
    component = write_package(glue, "esp-idf", tmp_path / "e", name="echo").path
    assert "espressif/esp-tflite-micro:" in (component / "idf_component.yml").read_text()
    if compote := program("compote"):
        run(compote, "manifest", "lint", component)
    module = write_package(glue, "zephyr", tmp_path / "z", name="echo").path
    assert re.search(r"depends:\n +- tflite-micro\n", (module / "zephyr" / "module.yml").read_text())
    kconfig = (module / "zephyr" / "Kconfig").read_text()
    assert "depends on TENSORFLOW_LITE_MICRO" in kconfig and "depends on CPP" in kconfig
    assert "CONFIG_TENSORFLOW_LITE_MICRO=y" in (module / "samples" / "hello" / "prj.conf").read_text()


def test_arduino_sources_are_named_as_its_builder_knows_them(glue: FirmwareProject, tmp_path: Path) -> None:
    library = write_package(glue, "arduino", tmp_path, name="echo").path
    assert {path.name for path in (library / "src").glob("*.c*")} == {"engine.cpp", "model_data.cpp"}
    run("g++", "-std=c++17", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
        f"-I{library / 'src'}", library / "src" / "engine.cpp")  # fmt: skip


def test_the_pack_requires_tflms_pack(glue: FirmwareProject, tmp_path: Path) -> None:
    made = write_package(glue, "cmsis-pack", tmp_path, name="echo", publisher=Publisher(), archive=True)
    with zipfile.ZipFile(made.path) as archive:
        package = ElementTree.fromstring(archive.read("leadwire.leadwire_echo.pdsc"))
    [condition] = package.findall("conditions/condition")
    [component] = package.findall("components/component")
    assert component.get("condition") == condition.get("id")
    categories = {file.get("name"): file.get("category") for file in component.findall("files/file")}
    assert categories["model/engine.cc"] == "sourceCpp"


def test_platformio_builds_it_without_exceptions(glue: FirmwareProject, tmp_path: Path) -> None:
    library = write_package(glue, "platformio", tmp_path, name="echo").path
    manifest = json.loads((library / "library.json").read_bytes())
    assert {"-DTF_LITE_STATIC_MEMORY", "-DTF_LITE_STRIP_ERROR_STRINGS", "-fno-exceptions"} <= set(
        manifest["build"]["flags"]
    )


@pytest.mark.parametrize("ecosystem", ["arduino", "cmake", "cmsis-pack", "esp-idf", "platformio", "zephyr"])
def test_every_readme_says_that_tflm_is_the_users(ecosystem: str, glue: FirmwareProject, tmp_path: Path) -> None:
    root = write_package(glue, ecosystem, tmp_path, name="echo").path
    assert "TensorFlow Lite Micro, which is not in this package" in (root / "README.md").read_text()
    names = [path.name for path in root.rglob("*") if path.is_file()]
    assert not [name for name in names if name.startswith(("micro_", "tensorflow")) or name.endswith(".a")]


@needs_cmake
@pytest.mark.parametrize(("c", "cxx"), [("gcc", "g++"), ("clang", "clang++")])
def test_the_real_glue_runs_on_this_computer_against_the_users_library(c: str, cxx: str, tmp_path: Path) -> None:
    """The folder of LEADWIRE_TFLM has a library for this computer in lib/host: the example prints the golden bytes."""
    folder = Path(os.environ.get("LEADWIRE_TFLM") or "unset")
    if not (folder / "lib" / "host" / "libtensorflow-microlite.a").is_file():
        pytest.skip("needs LEADWIRE_TFLM, a folder with include/ and lib/host/libtensorflow-microlite.a")
    compilers(c)
    (tmp_path / "m.tflite").write_bytes(hostile_model())
    options = PackageOptions(ecosystem="cmake", backend="tflm", name=HOSTILE)
    package = package_model(tmp_path / "m.tflite", options, tmp_path / "out", Silent()).path
    flags = "-Wall -Wextra -Werror"
    configure(package, tmp_path / "build", c, cxx, f"-DLEADWIRE_TFLM={folder}", f"-DCMAKE_C_FLAGS={flags}",
              f"-DCMAKE_CXX_FLAGS={flags}")  # fmt: skip
    run(CMAKE, "--build", tmp_path / "build")
    printed = run(tmp_path / "build" / "example" / f"leadwire_{ID}_example").decode()
    assert printed.strip() == pattern_line()


class Silent:
    """A watcher that tells nobody."""

    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...
