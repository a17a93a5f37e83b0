"""Backend tflm: what it writes, what it refuses, and that hostile names stay text. TFLite Micro is not needed."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from leadwire.artifacts import FirmwareProject
from leadwire.board import load_board
from leadwire.errors import BadInputError, ModelFileError, UnsupportedModelError
from leadwire.generate import backends, generate_project
from leadwire.generate.project import BackendOptions
from leadwire.generate.tflm import ADD_FUNCTIONS, AOT_ALONE, registrations_of
from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.ops.edges import integer_interface
from leadwire.planner import plan_memory
from leadwire.tflm_arena import arena_sizes, plan_tflm, predict_arena
from leadwire.tflm_arena.sizes import MARGIN_BYTES
from single_operator import WARNINGS, Op, T, write_tflite

HOSTILE = ['int "a" */ é', "while", "\\", "?", "{{ 7 }}", "a b", "\n"]


def file(names: list[str] | None = None) -> bytes:
    """CONV_2D, RESHAPE, SOFTMAX."""
    tensors = [
        T(shape=(1, 1, 8, 1), scale=0.5, zero_point=-3),
        T(shape=(2, 1, 3, 1), array=np.array([1, 2, 3, -1, -2, -3], np.int8), scale=(0.25, 0.5), axis=0),
        T(shape=(2,), array=np.array([10, -10], np.int32), scale=(0.125, 0.25)),
        T(shape=(1, 1, 6, 2), scale=0.75, zero_point=-128),
        T(shape=(2,), array=np.array([1, 12], np.int32), quantized=False),
        T(shape=(1, 12), scale=0.75, zero_point=-128),
        T(shape=(1, 12), scale=1 / 256, zero_point=-128),
    ]
    fields = {"padding": 1, "strideH": 1, "strideW": 1, "fusedActivationFunction": 1}
    operators = [
        Op(kind="CONV_2D", inputs=(0, 1, 2), outputs=(3,), options="Conv2DOptions", fields=fields),
        Op(kind="RESHAPE", inputs=(3, 4), outputs=(5,), options="ReshapeOptions"),
        Op(kind="SOFTMAX", inputs=(5,), outputs=(6,), options="SoftmaxOptions", fields={"beta": 1.0}),
    ]
    return write_tflite(tensors, operators, [0], [6], names)


def float_file() -> bytes:
    """A float input, quantized by the model itself."""
    tensors = [
        T(shape=(1, 4), dtype="float32", quantized=False),
        T(shape=(1, 4), scale=0.5, zero_point=1),
        T(shape=(1, 4), scale=1 / 256, zero_point=-128),
    ]
    operators = [
        Op(kind="QUANTIZE", inputs=(0,), outputs=(1,), options="QuantizeOptions"),
        Op(kind="SOFTMAX", inputs=(1,), outputs=(2,), options="SoftmaxOptions", fields={"beta": 1.0}),
    ]
    return write_tflite(tensors, operators, [0], [2], ["real", "quantized", "p"])


def model(data: bytes | None = None, name: str = "m", labels: tuple[str, ...] = ()) -> Model:
    return parse_tflite(file() if data is None else data, name, labels)


def generated(
    folder: Path, given: Model, source: bytes | None, options: BackendOptions | None = None, arena: int | None = None
) -> FirmwareProject:
    return generate_project(
        given, plan_tflm(given, arena), load_board("virtual-stm32f405"), folder, backend="tflm", source=source,
        options=options,
    )  # fmt: skip


def text(project: FirmwareProject, name: str) -> str:
    return (project.root / "model" / name).read_text()


def test_is_found_by_its_name() -> None:
    assert "tflm" in backends()


def test_every_operator_of_leadwire_can_be_registered() -> None:
    assert set(ADD_FUNCTIONS) | AOT_ALONE == set(registry.operators())


def test_the_array_is_the_file(tmp_path: Path) -> None:
    written = text(generated(tmp_path, model(), file()), "model_data.cc")
    body = written[written.index("{") :]
    assert bytes(int(cell, 16) for cell in re.findall(r"0x([0-9a-f]{2})", body)) == file()


def test_exactly_the_operators_used(tmp_path: Path) -> None:
    project = generated(tmp_path, model(), file())
    assert project.operators == ("CONV_2D", "RESHAPE", "SOFTMAX")
    assert "lw_m_kinds = 3;" in text(project, "op_resolver.h")
    added = re.findall(r"resolver\.(\w+)\((.*?)\) !=", text(project, "op_resolver.cc"))
    assert added == [
        ("AddConv2D", "tflite::Register_CONV_2D_INT8()"),
        ("AddReshape", ""),
        ("AddSoftmax", "tflite::Register_SOFTMAX_INT8()"),
    ]
    assert [one.argument for one in registrations_of(model(), int8_only=False)] == ["", "", ""]


def test_the_arena_is_the_computed_one_and_a_margin(tmp_path: Path) -> None:
    needed = max(predict_arena(model(), kernels=kernels).required_bytes for kernels in ("reference", "cmsis-nn"))
    project = generated(tmp_path, model(), file())
    assert needed + MARGIN_BYTES <= project.plan_arena_bytes < needed + MARGIN_BYTES + 16
    assert f"#define LW_MODEL_ARENA_BYTES {project.plan_arena_bytes}\n" in text(project, "model.h")


@pytest.mark.requirement("LW-TFL-002")
def test_an_arena_one_byte_too_small_is_refused_with_the_number(tmp_path: Path) -> None:
    sizes = arena_sizes(model())
    least = min(sizes.reference_needed, sizes.cmsis_nn_needed)
    exact = generated(tmp_path / "exact", model(), file(), arena=least)
    assert exact.plan_arena_bytes == least
    with pytest.raises(BadInputError, match=rf"{least - 1} B is too small for 'm': {sizes.reference_needed} B"):
        generated(tmp_path / "less", model(), file(), arena=least - 1)
    assert not (tmp_path / "less").exists()


def test_section_and_alignment(tmp_path: Path) -> None:
    project = generated(tmp_path, model(), file(), BackendOptions(section=".qspi.model", alignment=32))
    assert '__attribute__((section(".qspi.model")))' in text(project, "model_data.cc")
    assert "_DATA_ALIGNMENT 32\n" in text(project, "model_data.h")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (BackendOptions(section='x"))) int y;'), "is no section name"),
        (BackendOptions(section="a\n"), "is no section name"),
        (BackendOptions(alignment=8), "aligned to 8"),
        (BackendOptions(alignment=24), "aligned to 24"),
        (BackendOptions(alignment=8192), "aligned to 8192"),
        (BackendOptions(alignment=0), "aligned to 0"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: BackendOptions, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        generated(tmp_path, model(), file(), options)


def test_aot_has_no_options(tmp_path: Path) -> None:
    given = model()
    with pytest.raises(BadInputError, match="aot has no options"):
        generate_project(
            given, plan_memory(given), load_board("host"), tmp_path, options=BackendOptions(section=".model")
        )


def test_the_file_must_be_the_models_own(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="which is missing"):
        generated(tmp_path, model(), None)
    with pytest.raises(BadInputError, match="is another one"):
        generated(tmp_path, model(), file() + b"\0")


def test_float_inputs_are_refused_by_name(tmp_path: Path) -> None:
    given = integer_interface(model(float_file()))
    with pytest.raises(UnsupportedModelError, match="float inputs or outputs 'real'") as caught:
        generated(tmp_path, given, float_file())
    assert "inference_input_type" in caught.value.hint


@pytest.mark.parametrize("version", [0, 99])
def test_another_schema_version_is_refused(version: int) -> None:
    """`version` is the root table's first field."""
    data = bytearray(file())
    root = int.from_bytes(data[:4], "little")
    table = root - int.from_bytes(data[root : root + 4], "little", signed=True)
    field = root + int.from_bytes(data[table + 4 : table + 6], "little")
    assert data[field : field + 4] == b"\x03\0\0\0"
    data[field : field + 4] = version.to_bytes(4, "little")
    with pytest.raises(ModelFileError, match=f"schema version {version}, only 3"):
        model(bytes(data))


def test_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = (generated(tmp_path / name, model(), file()) for name in ("a", "b"))
    assert first.digest == second.digest


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """The C part compiles with all warnings; no name reaches the C++ part but as text or a plain identifier."""
    data = file(HOSTILE)
    project = generated(tmp_path, model(data, 'while "é*/ 7', (HOSTILE[0], "class")), data)
    for name in ("model.c", "self_test.c"):
        for language in (["-std=c99"], ["-std=c11", "-DLW_WITH_OPERATOR_TABLE"]):
            subprocess.run(
                ["gcc", *language, *WARNINGS, "-Imodel", "-Iruntime", "-fsyntax-only", f"model/{name}"],
                cwd=project.root, check=True,
            )  # fmt: skip
    for name in ("engine.cc", "model_data.cc", "op_resolver.cc", "engine.h", "model_data.h"):
        content = text(project, name)
        assert content.isascii()
        assert content.count("/*") == content.count("*/")
        assert '"a"' not in content


def test_headers_are_good_in_c_and_cxx(tmp_path: Path) -> None:
    project = generated(tmp_path, model(), file())
    (tmp_path / "use.c").write_text('#include "engine.h"\n#include "model.h"\n#include "model_data.h"\nint x;\n')
    shutil.copy(tmp_path / "use.c", tmp_path / "use.cc")
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Imodel", "-Iruntime", "-fsyntax-only"]
    for compiler, source in (("gcc", "use.c"), ("g++", "use.cc")):
        subprocess.run([compiler, *flags, "-DLW_WITH_OPERATOR_TABLE", source], cwd=project.root, check=True)


def dense_file(*scales: float) -> bytes:
    tensors = [
        T(shape=(1, 2)), T(shape=(2, 2), array=np.array([[1, 2], [3, 4]], np.int8), scale=scales), T(shape=(1, 2)),
    ]  # fmt: skip
    op = Op(kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,), options="FullyConnectedOptions")
    return write_tflite(tensors, [op], [0], [2])


@pytest.mark.requirement("LW-TFL-001")
@pytest.mark.parametrize(("field", "refused"), [("bool is_per_channel;", False), ("int output_shift;", True)])
def test_a_tflm_that_reads_one_scale_of_a_dense_layer_does_not_compile(
    field: str, refused: bool, tmp_path: Path
) -> None:
    """The check alone, on the fields of a structure of the test; with real headers see tests/emulated."""
    assert "is_per_channel" not in text(
        generated(tmp_path / "a", model(dense_file(0.5)), dense_file(0.5)), "op_resolver.cc"
    )
    data = dense_file(0.5, 0.25)
    source = text(generated(tmp_path / "b", model(data), data), "op_resolver.cc")
    check = source[source.index("template") : source.index("bool lw_")]
    (tmp_path / "check.cc").write_text(f"namespace tflite {{ struct OpDataFullyConnected {{ {field} }}; }}\n{check}")
    done = subprocess.run(
        ["g++", "-std=c++17", "-fsyntax-only", "check.cc"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) == refused
    assert ("reads one scale of FULLY_CONNECTED" in done.stderr) == refused


def test_an_operator_without_registration_is_named() -> None:
    given = model()
    strange = dataclasses.replace(given.operators[1], kind="CUSTOM")
    changed = dataclasses.replace(given, operators=(given.operators[0], strange, given.operators[2]))
    with pytest.raises(UnsupportedModelError, match="op 1 CUSTOM"):
        registrations_of(changed, int8_only=True)
