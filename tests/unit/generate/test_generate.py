"""generate_project: what it writes, what it refuses, and that hostile names stay text."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from leadwire.artifacts import FirmwareProject, sha256_hex
from leadwire.board import load_board
from leadwire.device.host_library import HostLibrary
from leadwire.errors import (
    BadInputError,
    DeviceError,
    DeviceRefusedError,
    FileMissingError,
    PortError,
    UnsupportedModelError,
)
from leadwire.generate import backends, generate_project
from leadwire.generate.names import c_comment, c_identifier, c_string
from leadwire.model.graph import Model
from leadwire.model.tensor import TensorType
from leadwire.model.tflite import parse_tflite
from leadwire.planner import plan_memory
from single_operator import WARNINGS, Op, T, run_witness, write_tflite

HOSTILE = 'a*/ int x; /* "\\ ??/\n\x00é√ %s {{ 7 }} <script>'


def model_bytes(name: str = "t") -> bytes:
    """CONCATENATION of two inputs, then ADD of a constant, then RESHAPE."""
    tensors = [
        T(shape=(1, 2), scale=0.5, zero_point=1),
        T(shape=(1, 3), scale=0.5, zero_point=1),
        T(shape=(1, 5), scale=0.5, zero_point=1),
        T(shape=(5,), array=np.array([1, 2, 3, 4, 5], np.int8), scale=0.5, zero_point=0),
        T(shape=(1, 5), scale=0.7, zero_point=-4),
        T(shape=(2,), array=np.array([5, 1], np.int32), quantized=False),
        T(shape=(5, 1), scale=0.7, zero_point=-4),
    ]
    operators = [
        Op(kind="CONCATENATION", inputs=(0, 1), outputs=(2,), options="ConcatenationOptions", fields={"axis": 1}),
        Op(kind="ADD", inputs=(2, 3), outputs=(4,), options="AddOptions"),
        Op(kind="RESHAPE", inputs=(4, 5), outputs=(6,), options="ReshapeOptions"),
    ]
    return write_tflite(tensors, operators, [0, 1], [6], [f"{name}{i}" for i in range(7)])


def generated(
    folder: Path, model: Model, board: str = "host", golden: tuple[bytes, bytes] | None = None
) -> FirmwareProject:
    given, expected = golden or (None, None)
    return generate_project(
        model, plan_memory(model), load_board(board), folder, self_test_input=given, self_test_output=expected
    )


def host_library(project: FirmwareProject, *, table: bool = True) -> HostLibrary:
    target = project.root / "model.so"
    subprocess.run(
        [
            *("gcc", "-std=c99", "-O1", "-shared", "-fPIC", "-fvisibility=default"),
            *WARNINGS,
            *(f"-D{name}={value}" for name, value in project.defines if table),
            *(f"-I{project.root / include}" for include in project.include_dirs),
            *(str(project.root / source) for source in project.model_sources),
            *("-o", str(target)),
        ],
        check=True,
    )
    return HostLibrary(target)


ROW = np.arange(-2, 3, dtype=np.int8)[None]


def expected_output(data: bytes) -> bytes:
    return run_witness(data, parse_tflite(data, "m"), ROW)[0].tobytes()


def test_runs_two_inputs_and_constants(tmp_path: Path) -> None:
    data = model_bytes()
    library = host_library(generated(tmp_path, parse_tflite(data, "two")))
    assert library.infer(ROW.tobytes()) == expected_output(data)


def test_golden_self_test_passes_and_fails(tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro")
    data = model_bytes()
    model, right = parse_tflite(data, "m"), expected_output(data)
    host_library(generated(tmp_path / "right", model, golden=(ROW.tobytes(), right))).self_test()
    wrong = right[:-1] + bytes([right[-1] ^ 1])
    for name, golden in (("wrong", (ROW.tobytes(), wrong)), ("none", None)):
        with pytest.raises(DeviceRefusedError, match="self-test"):
            host_library(generated(tmp_path / name, model, golden=golden)).self_test()


@pytest.mark.parametrize("golden", [(b"12345", None), (None, b"12345"), (b"1234", b"12345"), (b"12345", b"1")])
def test_golden_vector_of_wrong_size(tmp_path: Path, golden: tuple[bytes | None, bytes | None]) -> None:
    model = parse_tflite(model_bytes(), "m")
    with pytest.raises(BadInputError, match="golden"):
        generate_project(
            model,
            plan_memory(model),
            load_board("host"),
            tmp_path,
            self_test_input=golden[0],
            self_test_output=golden[1],
        )


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    model = parse_tflite(model_bytes(), "m")
    one, other = (generated(tmp_path / name, model, "virtual-stm32f405") for name in ("a", "b"))
    contents = [
        {path.relative_to(p.root): path.read_bytes() for path in p.root.rglob("*") if path.is_file()}
        for p in (one, other)
    ]
    assert contents[0] == contents[1]
    assert one.digest == other.digest
    assert dataclasses.replace(one, root=other.root) == other
    everything = b"".join(contents[0].values())
    assert str(tmp_path).encode() not in everything


def test_digest_covers_every_file(tmp_path: Path) -> None:
    project = generated(tmp_path, parse_tflite(model_bytes(), "m"), "virtual-stm32f405")
    manifest = (tmp_path / "leadwire-project.json").read_bytes()
    assert sha256_hex(manifest) == project.digest
    listed = json.loads(manifest)["files"]
    on_disk = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert on_disk == {*listed, "leadwire-project.json"}
    assert all(sha256_hex((tmp_path / path).read_bytes()) == digest for path, digest in listed.items())
    assert set(project.sources) <= set(listed) and project.linker_script in listed


def test_other_board_other_digest(tmp_path: Path) -> None:
    model = parse_tflite(model_bytes(), "m")
    digests = {generated(tmp_path / board, model, board).digest for board in ("host", "virtual-stm32f405")}
    assert len(digests) == 2


def test_stale_files_go_and_foreign_files_stay(tmp_path: Path) -> None:
    generated(tmp_path, parse_tflite(model_bytes(), "m"), "virtual-stm32f405")
    (tmp_path / "notes.txt").write_text("mine")
    generated(tmp_path, parse_tflite(model_bytes(), "m"))
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not list(tmp_path.glob("port/*.c")) and not list(tmp_path.glob("app/*.c"))
    assert not list(tmp_path.rglob(".*")), "temporary files are gone"


def test_manifest_of_an_enemy_deletes_nothing_outside(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("keep")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "leadwire-project.json").write_text(json.dumps({"files": {"../victim": "", str(victim): ""}}))
    generated(folder, parse_tflite(model_bytes(), "m"))
    assert victim.read_text() == "keep"


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    model = parse_tflite(model_bytes(HOSTILE), HOSTILE, (HOSTILE, "N", "é"))
    library = host_library(generated(tmp_path, model))
    assert library.labels == (HOSTILE.partition("\x00")[0], "N", "é")
    for path in (tmp_path / "model").iterdir():
        text = path.read_text(encoding="ascii")
        assert "??" not in text and "\\\n" not in text.replace("do { \\\n", "")
        assert text.count("/*") == text.count("*/")


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("ecg-net v2", "ecg_net_v2"),
        ("", "model"),
        ("../..", "model"),
        ("7up", "7up"),
        ("é", "model"),
        ("a" * 99, "a" * 40),
    ],
)
def test_identifiers(text: str, identifier: str) -> None:
    assert c_identifier(text) == identifier
    assert re.fullmatch(r"[a-z0-9_]+", c_identifier(text))


def test_strings_and_comments() -> None:
    assert c_string('a"\\?\n') == "a\\042\\134\\077\\012"
    assert c_string("1") + c_string("\x01") + "1" == "1\\0011"
    assert "*/" not in c_comment("*/ */*/") and "/*" not in c_comment("/*/*")


def test_float_model_is_refused_with_the_remedy(tmp_path: Path) -> None:
    tensors = [T(shape=(1, 4), dtype="float32"), T(shape=(1, 4), dtype="float32")]
    data = write_tflite(tensors, [Op(kind="RELU", inputs=(0,), outputs=(1,))], [0], [1])
    model = parse_tflite(data, "float")
    with pytest.raises(UnsupportedModelError) as caught:
        generated(tmp_path, model)
    assert caught.value.exit_code == 3 and "leadwire quantize" in caught.value.hint
    assert model.tensors[0].dtype is TensorType.FLOAT32
    assert not list(tmp_path.iterdir()), "nothing is written for a model that is refused"


def test_plan_of_another_model(tmp_path: Path) -> None:
    model = parse_tflite(model_bytes(), "m")
    plan = dataclasses.replace(plan_memory(model), model_digest="0" * 64)
    with pytest.raises(BadInputError, match="memory plan belongs"):
        generate_project(model, plan, load_board("host"), tmp_path)


def test_unknown_backend_and_port(tmp_path: Path) -> None:
    model = parse_tflite(model_bytes(), "m")
    with pytest.raises(BadInputError, match="does not exist"):
        generate_project(model, plan_memory(model), load_board("host"), tmp_path, backend="magic")  # type: ignore[arg-type]
    board = dataclasses.replace(load_board("virtual-stm32f405"), port="../app")
    with pytest.raises(BadInputError, match="port"):
        generate_project(model, plan_memory(model), board, tmp_path)
    assert "aot" in backends()


def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot write"):
        generated(tmp_path / "file", parse_tflite(model_bytes(), "m"))


def test_no_copy_output_with_a_place_of_its_own(tmp_path: Path) -> None:
    """A plan that gives a RESHAPE its own place gets a copy."""
    data = model_bytes()
    model = parse_tflite(data, "m")
    plan = plan_memory(model)
    moved = tuple(
        dataclasses.replace(p, offset_bytes=plan.arena_bytes + 8) if p.tensor == 6 else p for p in plan.placements
    )
    plan = dataclasses.replace(plan, placements=moved, arena_bytes=plan.arena_bytes + 16)
    library = host_library(generate_project(model, plan, load_board("host"), tmp_path))
    assert library.infer(ROW.tobytes()) == expected_output(data)


def causal(scale: float = 0.5) -> bytes:
    """PAD of a signal, RESHAPE and a VALID convolution, and the signal itself through another PAD, as an output."""
    signal = {"scale": scale, "zero_point": 3}
    pairs = np.array([[0, 0], [4, 0], [0, 0]], np.int32)
    weights = np.arange(-9, 9, dtype=np.int8).reshape(3, 1, 3, 2)
    tensors = [
        T(shape=(1, 6, 2), **signal),
        T(shape=(3, 2), array=pairs, quantized=False),
        T(shape=(1, 10, 2), **signal),
        T(shape=(1, 1, 10, 2), **signal),
        T(shape=weights.shape, array=weights, scale=0.02),
        T(shape=(1, 1, 6, 3), scale=0.1, zero_point=0),
        T(shape=(1, 10, 2), **signal),
    ]
    operators = [
        Op(kind="PAD", inputs=(0, 1), outputs=(2,), options="PadOptions"),
        Op(kind="RESHAPE", inputs=(2,), outputs=(3,), options="ReshapeOptions"),
        Op(
            kind="CONV_2D", inputs=(3, 4, -1), outputs=(5,), options="Conv2DOptions",
            fields={"padding": 1, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 2},
        ),
        Op(kind="PAD", inputs=(0, 1), outputs=(6,), options="PadOptions"),
    ]  # fmt: skip
    return write_tflite(tensors, operators, [0], [5, 6])


@pytest.mark.parametrize("apart", [False, True])
def test_a_pad_that_its_convolution_does(tmp_path: Path, apart: bool) -> None:
    """It has no place and no output of its own, nor has its other shape; given a place, the input is copied there."""
    pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")
    data = causal()
    model = parse_tflite(data, "m")
    plan = plan_memory(model)
    placed = {p.tensor: p for p in plan.placements}
    assert [(placed[t].offset_bytes, placed[t].size_bytes) for t in (2, 3)] == [(placed[0].offset_bytes, 12)] * 2
    if apart:
        moved = (dataclasses.replace(p, offset_bytes=plan.arena_bytes) if p.tensor == 3 else p for p in plan.placements)
        plan = dataclasses.replace(plan, placements=tuple(moved), arena_bytes=plan.arena_bytes + 12)
    row = np.arange(12, dtype=np.int8) * 19
    library = host_library(generate_project(model, plan, load_board("host"), tmp_path))
    assert library.infer(row.tobytes()) == run_witness(data, model, row[None])[0].tobytes()
    library.write_input(row.tobytes())
    for index in range(4):
        library.step(index)
    assert [len(library.tensor(index)) for index in range(4)] == [0, 0, 18, 20]


def test_host_library_refuses(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        HostLibrary(tmp_path / "none.so")
    (tmp_path / "text.so").write_text("not a library")
    with pytest.raises(PortError):
        HostLibrary(tmp_path / "text.so")
    library = host_library(generated(tmp_path / "p", parse_tflite(model_bytes(), "m")), table=False)
    with pytest.raises(DeviceError, match="5 input bytes, given 2"):
        library.infer(b"12")
    with pytest.raises(DeviceRefusedError, match="LW_WITH_OPERATOR_TABLE"):
        library.tensor(0)
    with pytest.raises(DeviceRefusedError, match="out of range"):
        library.step(3)
