"""Six reference networks as generated C: every operator's bytes and the output, for the pattern input and random ones.

The CRC-32 figures were taken outside of leadwire, from TensorFlow Lite Micro on an emulated Cortex-M4F, where CMSIS-NN
and reference kernels agree; input byte i is (37 i + 11) mod 256. TensorFlow Lite Micro on the host is the second
witness, for random inputs.
"""

from __future__ import annotations

import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from leadwire.board import load_board
from leadwire.device.host_library import HostLibrary
from leadwire.generate import generate_project
from leadwire.model.tflite import read_tflite
from leadwire.ops import registry
from leadwire.planner import plan_memory

OPERATORS = {
    "kws_dscnn_int8": "f8d2e206 9f2a511a 12cd8558 2ca6ec08 5f64de6a 23525259 9a6daa6c c935066f bc186011 c97be810 "
    "c97be810 7cb1ed07 4a3130da",
    "ic_resnet8_int8": "b1f45388 a3ce00cd d78caf04 32e8e711 7dec6d41 25ec9d28 158efe3e c44a6928 00b659f6 38b1d200 "
    "99790eed ec661204 da947263 da947263 484d8785 8ffeda4f",
    "ad_fcae_int8": "b87af90e 6b520d07 f939dfba d2ab8795 e986c05e f86dbfa3 3e4f6030 f0a91f75 bdeffb7b 036b7d7e",
    "ecg_cnn_int8": "31bd55da 9c5db186 14e2dc75 7000156c 2a4035c2 f568c887 f568c887 b9ab9254 c25620e8 61e23c25",
    "ecg_cnn_same_int8": "31bd55da dd04785e 33e0d27c 67d12ba4 39adb431 da5c2b2a da5c2b2a 9b4db8e9 dd6ff999 61e23c25",
    "ecg_kachuee_int8": "31bd55da 77b08972 1501a8c4 bbb0fabb 7d345270 efc601e4 9eb74379 deea8929 56f210c3 3030ec2a "
    "d2cc1263 6caef45e 54a62286 235337d7 4e86bc5e ae3445f4 2cc2126c ee5c2dcd 13b60713 f3671c20 bd0465a6 888597d2 "
    "888597d2 47c45acb 35f00959 c9d5eec1 176e11e3",
}
MACS = {
    "kws_dscnn_int8": 2656768,
    "ic_resnet8_int8": 12501632,
    "ad_fcae_int8": 264192,
    "ecg_cnn_int8": 287248,
    "ecg_cnn_same_int8": 334272,
    "ecg_kachuee_int8": 3555072,
}


@pytest.fixture(scope="module", params=sorted(OPERATORS))
def path(request: pytest.FixtureRequest, reference_models: Path) -> Path:
    return reference_models / f"{request.param}.tflite"


@pytest.fixture(scope="module")
def library(path: Path, tmp_path_factory: pytest.TempPathFactory) -> HostLibrary:
    """The model with its real memory plan, buffers shared as on the device."""
    model = read_tflite(path)
    folder = tmp_path_factory.mktemp(model.name)
    project = generate_project(model, plan_memory(model), load_board("host"), folder)
    target = folder / "model.so"
    subprocess.run(
        [
            *("gcc", "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"),
            *(f"-D{name}={value}" for name, value in project.defines),
            *(f"-I{folder / include}" for include in project.include_dirs),
            *(str(folder / source) for source in project.model_sources),
            *("-o", str(target)),
        ],
        check=True,
    )
    return HostLibrary(target)


@pytest.mark.requirement("LW-ENG-001")
def test_every_operator_gives_the_published_bytes(path: Path, library: HostLibrary) -> None:
    library.write_input(bytes((i * 37 + 11) & 0xFF for i in range(library.input_bytes)))
    found = []
    for index in range(library.operator_count):
        library.step(index)
        found.append(f"{zlib.crc32(library.tensor(index)):08x}")
    assert found == OPERATORS[path.stem].split()


def test_output_gives_the_published_bytes(path: Path, library: HostLibrary) -> None:
    output = library.infer(bytes((i * 37 + 11) & 0xFF for i in range(library.input_bytes)))
    assert f"{zlib.crc32(output):08x}" == OPERATORS[path.stem].split()[-1]


def test_random_inputs_as_tflm(path: Path, library: HostLibrary) -> None:
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    interpreter = runtime.Interpreter.from_file(str(path), arena_size=1 << 20)
    model = read_tflite(path)
    random = np.random.default_rng(20)
    for _ in range(3):
        row = random.integers(-128, 128, model.input_tensors[0].shape).astype(np.int8)
        interpreter.set_input(row, 0)
        interpreter.invoke()
        assert library.infer(row.tobytes()) == interpreter.get_output(0).tobytes()


def test_macs_are_the_published_ones(path: Path) -> None:
    assert sum(registry.macs(read_tflite(path))) == MACS[path.stem]


def test_library_tells_what_it_carries(path: Path, library: HostLibrary) -> None:
    model = read_tflite(path)
    assert library.model_digest == model.digest
    assert library.model_name == model.name
    assert [library.kind(i) for i in range(library.operator_count)] == [op.kind for op in model.operators]
