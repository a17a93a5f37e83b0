"""The generated glue with a real TensorFlow Lite Micro: the folder that LEADWIRE_TFLM names, on emulated boards.

The CRC-32 figures were taken outside of leadwire, see tests/realdata/test_models_against_tflm.py.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leadwire.artifacts import Backend, FirmwareProject
from leadwire.bench import pattern_input, run_benchmark
from leadwire.board import load_board
from leadwire.build import build_image
from leadwire.build.cores import CORES
from leadwire.build.elf import read_elf
from leadwire.build.tflm import LIBRARY, VARIABLE, find_tflm
from leadwire.build.toolchain import ToolchainName
from leadwire.device.client import DeviceClient
from leadwire.device.target import Target
from leadwire.errors import BuildError, DeviceRefusedError
from leadwire.flash import flash_image
from leadwire.generate.descriptor import lines
from leadwire.model.graph import Model
from leadwire.pipeline.sources import generate_sources, plan_model, read_model
from leadwire.tflm_arena import predict_arena
from single_operator import Op, T, write_tflite

MPS2 = "qemu-mps2-an386"
OUTPUTS = {
    "kws_dscnn_int8": "4a3130da",
    "ic_resnet8_int8": "8ffeda4f",
    "ad_fcae_int8": "036b7d7e",
    "ecg_cnn_int8": "61e23c25",
    "ecg_cnn_same_int8": "61e23c25",
    "ecg_kachuee_int8": "176e11e3",
}
ECG_OPERATORS = "31bd55da 9c5db186 14e2dc75 7000156c 2a4035c2 f568c887 f568c887 b9ab9254 c25620e8 61e23c25"
HEAP_AND_EXCEPTIONS = re.compile(r"malloc|calloc|realloc|free_r|sbrk|_Znw|_Zna|__cxa_throw|__cxa_allocate|_ZTI|atexit")
MAIN = """
#include <stdio.h>
#include "model.h"
int main(void)
{
    if (LW_MODEL.infer() != LW_ERROR_NOT_INITIALIZED || LW_MODEL.init() != LW_OK || LW_MODEL.self_test() != LW_OK) {
        return 1;
    }
    uint32_t next = 0;
    for (uint16_t i = 0; i < LW_MODEL.input_count; i++) {
        for (uint32_t byte = 0; byte < LW_MODEL.inputs[i].bytes; byte++) {
            LW_MODEL.inputs[i].data[byte] = (int8_t)(next++ * 37u + 11u);
        }
    }
    if (LW_MODEL.infer() != LW_OK || LW_MODEL.last_error() != LW_OK) {
        return 2;
    }
    for (uint16_t i = 0; i < LW_MODEL.output_count; i++) {
        fwrite(LW_MODEL.outputs[i].data, 1, LW_MODEL.outputs[i].bytes, stdout);
    }
    return LW_MODEL.step(LW_MODEL.operator_count) == LW_ERROR_ARGUMENT ? 0 : 3;
}
"""

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get(VARIABLE),
        reason=f"needs TensorFlow Lite Micro: set {VARIABLE} to a folder with headers and {LIBRARY}",
    ),
    pytest.mark.arm_gcc,
]
Project = Callable[..., FirmwareProject]


@pytest.fixture
def project(tmp_path: Path, reference_models: Path) -> Project:
    """`project("ecg_cnn_int8", board, backend)`: its sources, with a golden self-test."""

    def write(name: str, board: str = MPS2, backend: Backend = "tflm") -> FirmwareProject:
        path = reference_models / f"{name}.tflite"
        model = read_model(path)
        target, folder = load_board(board), tmp_path / f"{name}-{backend}"
        return generate_sources(path, model, plan_model(model, target, backend), target, folder, backend)

    return write


def model_of(folder: Path, name: str) -> Model:
    return read_model(folder / f"{name}.tflite")


def edited(project: FirmwareProject, name: str, old: str, new: str) -> FirmwareProject:
    path = project.root / "model" / name
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))
    return project


def boot_failure(project: FirmwareProject, out: Path, toolchain: ToolchainName = "auto") -> str:
    board = load_board(project.board_id)
    image = build_image(project, board, toolchain=toolchain, out=out)
    with pytest.raises(DeviceRefusedError) as caught, flash_image(image, Target(board=board)):
        pass
    return caught.value.message


def kernels() -> str:
    return find_tflm(None, CORES["cortex-m4f"]).kernels


@pytest.mark.qemu
@pytest.mark.parametrize("name", sorted(OUTPUTS))
def test_reference_models(name: str, project: Project, reference_models: Path, tmp_path: Path) -> None:
    """The witness's output; the arena as computed, to the byte."""
    board, model = load_board(MPS2), model_of(reference_models, name)
    plan = plan_model(model, board, "tflm")
    image = build_image(project(name), board, out=tmp_path / "image")
    with flash_image(image, Target(board=board)) as running:
        result = run_benchmark(running, model, plan, inputs=[pattern_input(model.input_bytes)], warmup=0)
    assert result.output_crc32 == OUTPUTS[name]
    predicted = predict_arena(model, kernels="cmsis-nn" if kernels() == "CMSIS-NN" else "reference")
    device = result.device
    assert device.arena_used_bytes <= predicted.total_bytes <= device.arena_used_bytes * 1.05
    assert device.arena_used_bytes <= device.arena_needed_bytes <= predicted.required_bytes <= device.arena_bytes
    assert result.stack_high_water_bytes <= image.stack.bytes
    assert len(result.operators) == len(model.operators)
    spent = sum(operator.instructions or 0 for operator in result.operators)
    assert spent == pytest.approx(result.instructions_per_inference, rel=0.02)


def test_every_operator_on_the_built_in_board(project: Project, reference_models: Path, tmp_path: Path) -> None:
    board, model = load_board("virtual-stm32f405"), model_of(reference_models, "ecg_cnn_int8")
    image = build_image(project("ecg_cnn_int8", board.id), board, out=tmp_path / "image")
    with flash_image(image, Target(board=board)) as running, DeviceClient(running.port, board.link.baud) as client:
        client.expect(image)
        data = pattern_input(model.input_bytes)
        tensors = [client.tensor(index, data) for index in range(len(model.operators))]
    assert " ".join(f"{zlib.crc32(tensor):08x}" for tensor in tensors) == ECG_OPERATORS


def test_no_heap_no_exceptions_no_static_constructors(project: Project, tmp_path: Path) -> None:
    image = build_image(project("ecg_cnn_int8"), load_board(MPS2), out=tmp_path / "image")
    elf = read_elf(image.elf)
    assert [symbol.name for symbol in elf.symbols if HEAP_AND_EXCEPTIONS.search(symbol.name)] == []
    assert elf.section(".init_array") is None
    assert any("estimate" in note for note in image.stack.notes)


def test_same_bytes_and_no_folder_names(project: Project, tmp_path: Path) -> None:
    first = build_image(project("ecg_cnn_int8"), load_board(MPS2), out=tmp_path / "a")
    moved = tmp_path / "elsewhere"
    shutil.copytree(os.environ[VARIABLE], moved)
    second = build_image(project("ecg_cnn_int8"), load_board(MPS2), out=tmp_path / "b", tflm=moved)
    assert first.digest == second.digest
    assert str(Path(os.environ[VARIABLE]).resolve()).encode() not in first.elf.read_bytes()


def test_too_small_an_arena_does_not_compile(project: Project, tmp_path: Path, reference_models: Path) -> None:
    model = model_of(reference_models, "ecg_cnn_int8")
    needed = predict_arena(model, kernels="cmsis-nn" if kernels() == "CMSIS-NN" else "reference").required_bytes
    given = project("ecg_cnn_int8")
    exact = replace(given, defines=(*given.defines, ("LW_ARENA_BYTES", str(needed))))
    assert build_image(exact, load_board(MPS2), out=tmp_path / "image").elf.is_file()
    less = replace(given, defines=(*given.defines, ("LW_ARENA_BYTES", str(needed - 1))))
    with pytest.raises(BuildError, match=f"LW_ARENA_BYTES is too small.*{needed}"):
        build_image(less, load_board(MPS2), out=tmp_path / "image")


@pytest.mark.qemu
@pytest.mark.parametrize("size", [64, 1024, 4096, 7168])
def test_too_small_an_arena_ends_init(size: int, project: Project, tmp_path: Path) -> None:
    """Where the computed need were wrong, init() still ends, and says what was asked for."""
    given = project("ecg_cnn_int8")
    header = given.root / "model" / "engine.h"
    header.write_text(re.sub(r"(#define LW_ARENA_NEEDED_BYTES) \d+", r"\1 1", header.read_text()))
    message = boot_failure(replace(given, defines=(*given.defines, ("LW_ARENA_BYTES", str(size)))), tmp_path / "image")
    found = re.search(r"arena too small\): (\d+) B given, at least (\d+) B needed", message)
    assert found, message
    assert int(found[1]) == size < int(found[2])


@pytest.mark.qemu
def test_a_resolver_that_lacks_an_operator(project: Project, tmp_path: Path) -> None:
    given = edited(project("ecg_cnn_int8"), "op_resolver.cc", "resolver.AddMean() != kTfLiteOk", "false")
    assert "an operator of the model is missing" in boot_failure(given, tmp_path / "image")


@pytest.mark.qemu
def test_another_schema_version(project: Project, tmp_path: Path, reference_models: Path) -> None:
    data = bytearray((reference_models / "ecg_cnn_int8.tflite").read_bytes())
    root = int.from_bytes(data[:4], "little")
    table = root - int.from_bytes(data[root : root + 4], "little", signed=True)
    field = root + int.from_bytes(data[table + 4 : table + 6], "little")
    data[field : field + 4] = (99).to_bytes(4, "little")
    given = project("ecg_cnn_int8")
    source = given.root / "model" / "model_data.cc"
    head = source.read_text().split("= {\n")[0]
    source.write_text(head + "= {\n" + "\n".join(lines([str(byte) for byte in data])) + "\n};\n")
    assert "schema version" in boot_failure(given, tmp_path / "image")


def test_a_library_without_the_kernel(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "tflm"
    shutil.copytree(os.environ[VARIABLE], folder)
    library = find_tflm(folder, CORES["cortex-m4f"]).library
    listed = subprocess.run(["arm-none-eabi-ar", "t", library], capture_output=True, text=True, check=True).stdout
    softmax = [name for name in listed.split() if name.startswith("softmax")]
    subprocess.run(["arm-none-eabi-ar", "d", library, *softmax, *softmax], check=True)
    with pytest.raises(BuildError, match="no kernel for SOFTMAX"):
        build_image(project("ecg_cnn_int8"), load_board(MPS2), out=tmp_path / "image", tflm=folder)


def test_headers_from_before_the_scales_of_dense_layers(project: Project, tmp_path: Path) -> None:
    """Its kernel would read the first scale and compute wrongly without a word: the glue does not compile."""
    folder = tmp_path / "tflm"
    shutil.copytree(os.environ[VARIABLE], folder)
    (header,) = [path for path in folder.rglob("fully_connected.h") if path.parts[-3:-1] == ("micro", "kernels")]
    header.write_text(header.read_text().replace("is_per_channel", "is_another"))
    path = tmp_path / "dense.tflite"
    weights = T(shape=(4, 8), array=np.ones((4, 8), np.int8), scale=(0.1, 0.2, 0.3, 0.4))
    op = Op(kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,), options="FullyConnectedOptions")
    path.write_bytes(write_tflite([T(shape=(1, 8)), weights, T(shape=(1, 4))], [op], [0], [2]))
    given = read_model(path)
    sources = generate_sources(
        path, given, plan_model(given, load_board(MPS2), "tflm"), load_board(MPS2), tmp_path / "source", "tflm"
    )
    assert build_image(sources, load_board(MPS2), out=tmp_path / "image").elf.is_file()
    with pytest.raises(BuildError, match="reads one scale of FULLY_CONNECTED"):
        build_image(sources, load_board(MPS2), out=tmp_path / "image", tflm=folder)


@pytest.mark.parametrize("name", ["ecg_cnn_int8", "ad_fcae_int8"])
def test_zig_builds_the_same_answer_and_arena(
    name: str, project: Project, reference_models: Path, tmp_path: Path
) -> None:
    """The glue by clang, the library by the Arm GCC, and a few functions of ours for the C library."""
    board, model = load_board("virtual-stm32f405"), model_of(reference_models, name)
    given = project(name, board.id)
    images = [build_image(given, board, toolchain="zig", out=tmp_path / folder) for folder in ("a", "b")]
    assert images[0].digest == images[1].digest
    assert images[0].toolchain.startswith("zig ")
    assert read_elf(images[0].elf).section(".init_array") is None
    with flash_image(images[0], Target(board=board)) as running:
        result = run_benchmark(
            running, model, plan_model(model, board, "tflm"), inputs=[pattern_input(model.input_bytes)], warmup=0
        )
    assert result.output_crc32 == OUTPUTS[name]
    predicted = predict_arena(model, kernels="cmsis-nn" if kernels() == "CMSIS-NN" else "reference")
    assert result.device.arena_used_bytes == predicted.total_bytes
    assert result.stack_high_water_bytes <= images[0].stack.bytes


@pytest.mark.qemu
def test_zigs_firmware_leaves_init_too(project: Project, tmp_path: Path) -> None:
    given = project("ecg_cnn_int8")
    header = given.root / "model" / "engine.h"
    header.write_text(re.sub(r"(#define LW_ARENA_NEEDED_BYTES) \d+", r"\1 1", header.read_text()))
    small = replace(given, defines=(*given.defines, ("LW_ARENA_BYTES", "1024")))
    assert "1024 B given, at least" in boot_failure(small, tmp_path / "image", "zig")


@pytest.mark.parametrize("optimized", ["-O0", "-O3"])
def test_one_main_for_both_backends(optimized: str, project: Project, tmp_path: Path) -> None:
    """The same application on this computer, against both; each with all warnings that its language knows."""
    try:
        tflm = find_tflm()
    except BuildError as error:
        pytest.skip(error.message)
    (tmp_path / "main.c").write_text(MAIN)
    answers = []
    for backend in ("aot", "tflm"):
        made = project("ecg_cnn_int8", "host", backend)
        objects = []
        for index, source in enumerate((*made.model_sources, str(tmp_path / "main.c"))):
            is_cxx = source.endswith(".cc")
            compiler = ["g++", "-std=c++17", "-fno-exceptions", "-fno-rtti"] if is_cxx else ["gcc", "-std=c99"]
            extra = [part for folder in tflm.include for part in ("-isystem", str(folder))] if is_cxx else []
            defines = list(tflm.defines) if backend == "tflm" else []
            objects.append(str(tmp_path / f"{backend}-{index}.o"))
            flags = [*compiler, "-Wall", "-Wextra", "-Werror", optimized, *defines, "-Imodel", "-Iruntime", *extra]
            subprocess.run([*flags, "-c", source, "-o", objects[-1]], cwd=made.root, check=True)
        libraries = [str(tflm.library), "-lm"] if backend == "tflm" else []
        subprocess.run(["g++", *objects, *libraries, "-o", str(tmp_path / backend)], check=True)
        answers.append(subprocess.run([tmp_path / backend], capture_output=True, check=True).stdout)
    assert answers[0] == answers[1]
    assert f"{zlib.crc32(answers[0]):08x}" == OUTPUTS["ecg_cnn_int8"]
