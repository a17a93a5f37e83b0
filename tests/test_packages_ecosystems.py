"""Packages built by their ecosystem's own tool and run: the Arduino builder with its AVR core, PlatformIO Core.

The Arduino builder, its core, avr-gcc and simavr are Debian packages. PlatformIO Core comes from PyPI, and so does
SCons; the platform `native` is on no registry: a stand-in of a few lines takes its place, unless
LEADWIRE_PLATFORMIO_NATIVE names a checkout of it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from leadwire.artifacts import FirmwareProject
from leadwire.package import write_package
from leadwire.reference import has_tflm
from package_example import HOSTILE, ID, compilers, pattern_line, program, project, run

pytestmark = pytest.mark.skipif(not has_tflm(), reason="needs tflite-micro, the witness of the bytes")

ARDUINO = Path("/usr/share/arduino/hardware")
ARDUINO_TOOLS = Path("/usr/share/arduino-builder")
NATIVE = """
from SCons.Script import Default, DefaultEnvironment
env = DefaultEnvironment()
env.Replace(AR="ar", CC="gcc", CXX="g++", RANLIB="ranlib", PROGNAME="program", PROGSUFFIX="")
Default(env.BuildProgram())
"""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> FirmwareProject:
    return project(tmp_path_factory.mktemp("generated"))


def first_output(argv: list[str]) -> str:
    """What a program that never ends prints first of its result; it is stopped then, or after a minute."""
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        stopper = threading.Timer(60, process.kill)
        stopper.start()
        try:
            found = next((line for line in process.stdout if b"output" in line or b"error" in line), b"nothing")
        finally:
            stopper.cancel()
            process.kill()
    match = re.search(r"(output|error) [-\d: ]*\d", found.decode(errors="replace"))
    return match[0] if match else found.decode(errors="replace")


def test_the_arduino_builder_builds_the_sketch_and_an_atmega2560_runs_it(
    generated: FirmwareProject, tmp_path: Path
) -> None:
    """An 8-bit core whose int has 16 bits: the sketch's self-test and answer are TensorFlow Lite Micro's bytes."""
    for tool in ("arduino-builder", "avr-gcc", "simavr"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}: apt install arduino-builder arduino-core-avr gcc-avr avr-libc simavr")
    if not ARDUINO.is_dir():
        pytest.skip("needs the AVR core: apt install arduino-core-avr")
    library = write_package(generated, "arduino", tmp_path / "libraries", name=HOSTILE).path
    for folder in ("build", "tools"):
        (tmp_path / folder).mkdir()
    avr = Path(shutil.which("avr-gcc") or "").resolve().parents[1]
    run(
        "arduino-builder", "-compile", "-hardware", ARDUINO, "-hardware", ARDUINO_TOOLS, "-tools", tmp_path / "tools",
        "-libraries", tmp_path / "libraries", "-fqbn", "arduino:avr:mega:cpu=atmega2560",
        "-build-path", tmp_path / "build", f"-prefs=runtime.tools.avr-gcc.path={avr}",
        "-prefs=compiler.cpp.extra_flags=-DDECIMAL_DIG=__DECIMAL_DIG__",  # for the core itself: its gcc is too old
        library / "examples" / "hello" / "hello.ino",
    )  # fmt: skip
    elf = tmp_path / "build" / "hello.ino.elf"
    assert first_output(["simavr", "-m", "atmega2560", "-f", "16000000", str(elf)]) == pattern_line()


def platformio_core(folder: Path) -> dict[str, str]:
    """A core folder that has SCons and the platform `native`, and the environment that names it."""
    try:
        major, minor, patch = version("scons").split(".")
    except PackageNotFoundError:
        pytest.skip("needs SCons: pip install scons")
    scons = folder / "packages" / "tool-scons"
    scons.mkdir(parents=True)
    number = f"4.{major}{int(minor):02d}{int(patch):02d}.0"
    (scons / "package.json").write_text(json.dumps({"name": "tool-scons", "version": number, "system": "*"}))
    (scons / "scons.py").write_text("from SCons.Script.Main import main\nmain()\n")
    native = folder / "platforms" / "native"
    if given := os.environ.get("LEADWIRE_PLATFORMIO_NATIVE"):
        shutil.copytree(given, native)
    else:
        (native / "builder").mkdir(parents=True)
        (native / "platform.json").write_text(json.dumps({"name": "native", "version": "1.0.0", "title": "stand-in"}))
        (native / "builder" / "main.py").write_text(NATIVE)
    found = json.loads((native / "platform.json").read_text())["version"]
    for path, kind, name, number_ in ((scons, "tool", "tool-scons", number), (native, "platform", "native", found)):
        spec = {"owner": "platformio", "id": None, "name": name, "requirements": None, "uri": None}
        (path / ".piopm").write_text(json.dumps({"type": kind, "name": name, "version": number_, "spec": spec}))
    return {
        "PLATFORMIO_CORE_DIR": str(folder),
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_NO_ANSI": "true",
    }


def test_platformio_core_builds_the_example_and_it_runs(generated: FirmwareProject, tmp_path: Path) -> None:
    pio = program("pio")
    if pio is None:
        pytest.skip("needs PlatformIO Core: pip install platformio")
    compilers("gcc")
    environment = platformio_core(tmp_path / "core")
    package = write_package(generated, "platformio", tmp_path / "packages", name=HOSTILE).path
    example = package / "examples" / "hello"
    printed = run(pio, "run", "-e", "native", folder=example, **environment).decode()
    assert f"leadwire_{ID} @ 1.0.0" in printed
    assert run(example / ".pio" / "build" / "native" / "program").decode().strip() == pattern_line()
