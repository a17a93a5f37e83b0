"""find_tflm: which folders it takes as TensorFlow Lite Micro, and what it says of the others. The libraries are made
here, of a few empty functions."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from leadwire.build.archive import read_library
from leadwire.build.cores import CORES
from leadwire.build.tflm import LIBRARY, VARIABLE, find_tflm, require_operators
from leadwire.errors import BuildError

M4F = CORES["cortex-m4f"]
GCC = "arm-none-eabi-gcc"
HARD = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
SOFT = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft")
needs_gcc = pytest.mark.skipif(shutil.which(GCC) is None, reason=f"{GCC} is not on the PATH")


def library(folder: Path, *kinds: str, flags: tuple[str, ...] = HARD, symbols: tuple[str, ...] = ()) -> Path:
    """An archive with registrations of `kinds` and the C functions `symbols`."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"_ZN6tflite{len('Register_' + kind)}Register_{kind}Ev" for kind in kinds]
    source = "".join(f"float {name}(float x);\nfloat {name}(float x) {{ return x; }}\n" for name in (*names, *symbols))
    (folder / "kernels.c").write_text(source or "int nothing;\n")
    prefix = GCC.removesuffix("gcc") if flags else ""
    subprocess.run([f"{prefix}gcc", *flags, "-c", "kernels.c"], cwd=folder, check=True)
    (folder / LIBRARY).unlink(missing_ok=True)
    subprocess.run([f"{prefix}ar", "rcs", LIBRARY, "kernels.o"], cwd=folder, check=True)
    return folder / LIBRARY


@pytest.fixture
def tflm(tmp_path: Path) -> Path:
    """A folder with headers and no library."""
    for header in ("tensorflow/lite/micro/micro_interpreter.h", "flatbuffers/flatbuffers.h"):
        (tmp_path / "tflm/include" / header).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tflm/include" / header).touch()
    return tmp_path / "tflm"


@needs_gcc
def test_what_is_found(tflm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = library(tflm / "lib", "CONV_2D", "MEAN", "ADD_N")
    monkeypatch.setenv(VARIABLE, str(tflm))
    found = find_tflm(None, M4F)
    assert found == find_tflm(tflm, M4F)
    assert (found.library, found.kernels, found.machine) == (archive.resolve(), "reference", "arm")
    assert found.operators == {"CONV_2D", "MEAN", "ADD_N"}
    assert found.version == f"library {found.library_digest[:12]}"
    assert found.include == ((tflm / "include").resolve(),)
    assert "-DCMSIS_NN" not in found.defines


@needs_gcc
def test_whose_kernels(tflm: Path) -> None:
    library(tflm / "lib", "CONV_2D", "CONV_2D_INT8", "CONV_2D_INT16", symbols=("arm_convolve_wrapper_s8",))
    found = find_tflm(tflm, M4F)
    assert (found.kernels, found.operators) == ("CMSIS-NN", {"CONV_2D"})
    assert "-DCMSIS_NN" in found.defines
    library(tflm / "lib", "CONV_2D", symbols=("esp_nn_conv_s8_ansi",))
    assert find_tflm(tflm, M4F).kernels == "ESP-NN"


@needs_gcc
@pytest.mark.parametrize(
    ("name", "content", "version"),
    [
        ("VERSION", "2026.08\n", "2026.08"),
        ("idf_component.yml", 'description: x\nversion: "1.3.4~1"\n', "1.3.4~1"),
        ("library.properties", "name=x\nversion=2.4.0-ALPHA\n", "2.4.0-ALPHA"),
        ("VERSION", "two words\n", ""),
    ],
)
def test_version(tflm: Path, name: str, content: str, version: str) -> None:
    library(tflm / "lib", "ADD")
    (tflm / name).write_text(content)
    found = find_tflm(tflm, M4F)
    assert found.version == (version or f"library {found.library_digest[:12]}")


@needs_gcc
def test_names_of_october_2026(tflm: Path) -> None:
    """TensorFlow Lite Micro moved from tflite to tflite::micro; the package tflite-micro has those names too."""
    library(
        tflm / "lib", symbols=("_ZN6tflite5micro16Register_CONV_2DEv", "_ZN6tflite5micro24Register_FULLY_CONNECTEDEv")
    )
    assert find_tflm(tflm, M4F).operators == {"CONV_2D", "FULLY_CONNECTED"}


@needs_gcc
def test_whether_each_scale_of_a_dense_layer_is_read(tflm: Path) -> None:
    library(tflm / "lib", "ADD")
    header = tflm / "include/tensorflow/lite/micro/kernels/fully_connected.h"
    assert not find_tflm(tflm, M4F).every_scale
    header.parent.mkdir(parents=True)
    header.write_text("struct OpDataFullyConnected { int output_shift; };\n")
    assert not find_tflm(tflm, M4F).every_scale
    header.write_text("struct OpDataFullyConnected { bool is_per_channel; };\n")
    assert find_tflm(tflm, M4F).every_scale


@needs_gcc
def test_the_library_of_the_machine(tflm: Path) -> None:
    """Hard float, soft float and this computer side by side."""
    hard = library(tflm / "lib/hard", "ADD")
    soft = library(tflm / "lib/soft", "ADD", flags=SOFT)
    host = library(tflm / "lib/host", "ADD", flags=())
    assert find_tflm(tflm, M4F).library == hard.resolve()
    assert find_tflm(tflm, CORES["cortex-m4"]).library == soft.resolve()
    assert find_tflm(tflm).library == host.resolve()


@needs_gcc
def test_a_library_for_another_machine(tflm: Path) -> None:
    library(tflm / "lib", "ADD", flags=())
    with pytest.raises(BuildError, match=r"for cortex-m4f, hard float\n.*(x86-64|aarch64)"):
        find_tflm(tflm, M4F)
    library(tflm / "lib", "ADD", flags=SOFT)
    with pytest.raises(BuildError, match="arm, soft float"):
        find_tflm(tflm, M4F)
    with pytest.raises(BuildError, match="for this computer"):
        find_tflm(tflm)


@needs_gcc
def test_two_libraries_that_fit(tflm: Path) -> None:
    library(tflm / "lib/a", "ADD")
    library(tflm / "lib/b", "ADD")
    with pytest.raises(BuildError, match="more than one"):
        find_tflm(tflm, M4F)


@needs_gcc
def test_missing_kernels_are_named(tflm: Path) -> None:
    library(tflm / "lib", "ADD", "CONV_2D")
    found = find_tflm(tflm, M4F)
    require_operators(found, ("ADD",))
    with pytest.raises(BuildError, match=r"no kernel for MEAN, SOFTMAX\n  it has ADD, CONV_2D"):
        require_operators(found, ("SOFTMAX", "ADD", "MEAN"))


def test_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(BuildError, match=f"{VARIABLE} is not set"):
        find_tflm()
    with pytest.raises(BuildError, match="is not a folder"):
        find_tflm(tmp_path / "absent")


def test_no_headers(tmp_path: Path, tflm: Path) -> None:
    with pytest.raises(BuildError, match="has no headers of TensorFlow Lite Micro"):
        find_tflm(tmp_path)
    shutil.rmtree(tflm / "include/flatbuffers")
    with pytest.raises(BuildError, match="no headers of flatbuffers"):
        find_tflm(tflm)


def test_no_library(tflm: Path) -> None:
    with pytest.raises(BuildError, match=f"has no {LIBRARY}"):
        find_tflm(tflm)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is no ar archive"),
        (b"!<thin>\n", "is no ar archive"),
        (b"!<arch>\n", "no index of symbols"),
        (b"!<arch>\n" + b"x" * 60, "is damaged at byte 8"),
        (b"!<arch>\n" + b"a/".ljust(48) + b"99999     `\n", "is damaged at byte 8"),
        (b"!<arch>\n" + b"/".ljust(48) + b"4         `\n" + b"\0\0\0\0", "has no objects"),
        (b"!<arch>\n" + b"a/".ljust(48) + b"4         `\n" + b"\x7fELF", "no index of symbols"),
        (
            b"!<arch>\n" + b"/".ljust(48) + b"4         `\n" + b"\0\0\0\0" + b"a/".ljust(48) + b"4         `\n\x7fELF",
            "cannot be read",
        ),
    ],
)
def test_damaged_libraries(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / LIBRARY).write_bytes(data)
    with pytest.raises(BuildError, match=words):
        read_library(tmp_path / LIBRARY)


@needs_gcc
def test_a_cut_off_library_never_trips(tmp_path: Path) -> None:
    whole = library(tmp_path, "ADD", "MEAN").read_bytes()
    assert len(read_library(tmp_path / LIBRARY).symbols) == 2
    for length in range(0, len(whole), 7):
        (tmp_path / LIBRARY).write_bytes(whole[:length])
        with pytest.raises(BuildError):
            read_library(tmp_path / LIBRARY)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_library_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / LIBRARY).write_bytes(b"")
    (tmp_path / LIBRARY).chmod(0)
    with pytest.raises(BuildError, match="cannot be read"):
        read_library(tmp_path / LIBRARY)
