"""HostModel: the generated C on this computer, batch in, batch out, on several threads."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import leadwire
from leadwire import HostModel, reference
from leadwire.build.toolchain import cache_folder
from leadwire.device.host_library import HostLibrary
from leadwire.device.host_pool import HostPool, Progress
from leadwire.errors import (
    BadInputError,
    BuildError,
    DatasetError,
    DeviceError,
    FileMissingError,
    KernelMismatchError,
    PortError,
    UnsupportedModelError,
    WrongDeviceError,
)
from leadwire.model.tflite import read_tflite
from leadwire.pipeline.host_model import CHECKED_FIRST
from single_operator import Op, T, write_tflite
from small_network import CLASSES, INPUT_BYTES, small_network


def two_inputs() -> bytes:
    """CONCATENATION of [1, 2] and [1, 3, 1] flattened, then ADD of a constant."""
    tensors = [
        T(shape=(1, 2), scale=0.5, zero_point=1),
        T(shape=(1, 3), scale=0.5, zero_point=1),
        T(shape=(1, 5), scale=0.5, zero_point=1),
        T(shape=(5,), array=np.array([1, 2, 3, 4, 5], np.int8), scale=0.5, zero_point=0),
        T(shape=(1, 5), scale=0.7, zero_point=-4),
    ]
    operators = [
        Op(kind="CONCATENATION", inputs=(0, 1), outputs=(2,), options="ConcatenationOptions", fields={"axis": 1}),
        Op(kind="ADD", inputs=(2, 3), outputs=(4,), options="AddOptions"),
    ]
    return write_tflite(tensors, operators, [0, 1], [4], ["a", "b", "joined", "c", "sum"])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "small.tflite"
    path.write_bytes(small_network())
    return path


@pytest.fixture(scope="module")
def host(small: Path) -> HostModel:
    return HostModel.from_tflite(small, threads=8)


def random_rows(count: int, size: int = INPUT_BYTES) -> np.ndarray:
    return np.random.default_rng(count).integers(-128, 128, (count, size), dtype=np.int8)


def test_bytes_equal_the_witness(host: HostModel, small: Path) -> None:
    pytest.importorskip("tflite_micro")
    rows = random_rows(600)
    assert np.array_equal(host.predict_quantized(rows), reference.run_tflm(small, rows))


@pytest.mark.parametrize("name", ["ecg_cnn_int8", "ad_fcae_int8"])
def test_reference_models_equal_the_witness(name: str, reference_models: Path) -> None:
    pytest.importorskip("tflite_micro")
    model = HostModel.from_tflite(reference_models / f"{name}.tflite", threads=2)
    rows = random_rows(300, model.model.input_bytes)
    assert np.array_equal(model.predict_quantized(rows), reference.run_tflm(reference_models / f"{name}.tflite", rows))


def test_eight_threads_give_the_bytes_of_one(host: HostModel) -> None:
    """Eight callers at a time, each with several chunks, on eight copies; the single-threaded answer is infer()'s."""
    alone = HostLibrary(host.library)
    batches = [random_rows(700 + index) for index in range(8)]
    expected = [b"".join(alone.infer(row.tobytes()) for row in batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(host.predict_quantized, batches * 2))
    assert [one.tobytes() for one in found] == expected * 2


def test_portable_kernels_answer_a_sample_again(host: HostModel, small: Path) -> None:
    assert host.kernels.startswith("simd (")
    model = HostModel(host.model, host.library, source_digest="", threads=2, portable=_portable(small).library)
    rows = random_rows(2100)
    answers = model.predict_quantized(rows)
    assert (model.answered, model.checked) == (2100, CHECKED_FIRST + 2)  # and numbers 1000 and 2000
    model.predict_quantized(rows[:5])
    assert (model.answered, model.checked) == (2105, CHECKED_FIRST + 3)  # and the first of the batch
    alone = _portable(small)
    assert alone.kernels == "portable"
    assert np.array_equal(alone.predict_quantized(rows), answers)
    assert alone.checked == alone.answered == 2100
    assert alone.source_digest != host.source_digest


def test_kernels_that_differ_are_an_error(host: HostModel, small: Path) -> None:
    class Differing(HostPool):
        """Portable kernels of which one byte of sample 1000 is another."""

        def run(self, rows: npt.NDArray[np.int8], progress: Progress | None = None) -> npt.NDArray[np.int8]:
            answers = super().run(rows, progress)
            answers[CHECKED_FIRST] ^= 1
            return answers

    model = HostModel(host.model, host.library, source_digest="", threads=1, portable=_portable(small).library)
    model._portable = Differing(_portable(small).library, 1)
    with pytest.raises(KernelMismatchError, match=r"the portable ones give other bytes on 1 of 65 samples") as caught:
        model.predict_quantized(random_rows(1001))
    assert caught.value.differing == (1000,)
    assert model.checked == 0
    with pytest.raises(BadInputError, match="there are no kernels 'fast'"):
        HostModel.from_tflite(small, kernels="fast")  # type: ignore[arg-type]


def _portable(small: Path) -> HostModel:
    return HostModel.from_tflite(small, threads=1, kernels="portable")


def test_threads_share_no_memory(host: HostModel) -> None:
    """Two copies in mid-inference: the input of one is not the input of the other."""
    pool = HostPool(host.library, 2)
    first, second = (pool._idle.get() for _ in range(2))
    rows = random_rows(2)
    first.write_input(rows[0].tobytes())
    second.write_input(rows[1].tobytes())
    answers = [one.infer(row.tobytes()) for one, row in zip((first, second), rows, strict=True)]
    first.write_input(rows[0].tobytes())
    second.write_input(rows[1].tobytes())
    for index in range(first.operator_count):
        first.step(index)
        second.step(index)
    assert [first.read_output(), second.read_output()] == answers
    assert answers[0] != answers[1]


def test_floats_are_quantized_and_answers_dequantized(host: HostModel, small: Path) -> None:
    model = read_tflite(small)
    values = np.random.default_rng(3).normal(0, 2, (20, INPUT_BYTES, 1))
    raw = host.predict_quantized(values)
    assert np.array_equal(raw, host.predict_quantized(reference.quantize_array(values, model.input_tensors[0])))
    assert np.array_equal(raw, host.predict_quantized(values.astype(np.float32)))
    answers = host.predict(values)
    assert answers.shape == (20, CLASSES) and answers.dtype == np.float64
    assert np.array_equal(answers, (raw.astype(np.float64) + 128) / 256)


def test_two_inputs(tmp_path: Path) -> None:
    path = tmp_path / "two.tflite"
    path.write_bytes(two_inputs())
    model = HostModel.from_tflite(path, threads=1)
    rows = random_rows(50, 5)
    found = model.predict_quantized([rows[:, :2], rows[:, 2:]])
    assert np.array_equal(found, reference.run_tflm(path, rows))
    with pytest.raises(BadInputError, match=r"has 2 input\(s\), given 1 array"):
        model.predict(rows)
    with pytest.raises(BadInputError, match="have 50, 49 samples"):
        model.predict([rows[:, :2], rows[1:, 2:]])


@pytest.mark.parametrize("shape", [(2, 4, 6), (6,), (1, 6), (1, 1, 6), (1,)])
def test_a_leading_1_alone_is_no_dimension_of_a_sample(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pytest.importorskip("tflite_micro")
    last = shape[-1]
    tensors = [
        T(shape=shape, scale=0.5, zero_point=1),
        T(shape=(last,), array=np.arange(last, dtype=np.int8), scale=0.5, zero_point=0),
        T(shape=shape, scale=0.7, zero_point=-4),
    ]
    path = tmp_path / "add.tflite"
    path.write_bytes(
        write_tflite(tensors, [Op(kind="ADD", inputs=(0, 1), outputs=(2,), options="AddOptions")], [0], [2])
    )
    model = HostModel.from_tflite(path, threads=1)
    rows = random_rows(20, model.model.input_bytes)
    expected = reference.run_tflm(path, rows)
    sample = shape[1:] if shape[0] == 1 else shape
    for batch in (rows, rows.reshape(20, *sample)):
        assert np.array_equal(model.predict_quantized(batch), expected)
    assert model.predict(rows[:0].reshape(0, *sample)).shape == (0, model.model.input_bytes)
    one_sample = (rows[0],) if sample else ()
    for wrong in (rows.reshape(20, *sample, 1, 1), rows[:1].reshape(1, 1, *sample, 1), *one_sample):
        with pytest.raises(BadInputError, match="takes a batch of shape"):
            model.predict(wrong)


def test_order_gaps_and_nothing(host: HostModel) -> None:
    rows = random_rows(300)
    expected = host.predict_quantized(rows)
    assert np.array_equal(host.predict_quantized(rows[::-1]), expected[::-1])
    assert np.array_equal(host.predict_quantized(np.asfortranarray(rows)), expected)
    assert host.predict(rows[:0]).shape == (0, CLASSES)


@pytest.mark.parametrize(
    ("batch", "error", "words"),
    [
        (np.zeros((2, INPUT_BYTES), np.int16), BadInputError, "found int16"),
        (np.zeros((2, INPUT_BYTES), np.uint8), BadInputError, "found uint8"),
        (np.zeros((2, INPUT_BYTES), bool), BadInputError, "found bool"),
        (np.array([["x"]]), BadInputError, "found <U1"),
        ([[0.0] * INPUT_BYTES], BadInputError, "found list"),
        (np.zeros((), np.int8), BadInputError, r"found \[\]"),
        (np.zeros(INPUT_BYTES, np.int8), BadInputError, r"\['n', 128, 1\], found \[128\]"),
        (np.zeros((2, INPUT_BYTES - 1), np.float32), BadInputError, r"found \[2, 127\]"),
        (np.zeros((2, 1, INPUT_BYTES), np.float32), BadInputError, r"found \[2, 1, 128\]"),
        ([], BadInputError, "given 0 array"),
        (None, BadInputError, "takes arrays, found NoneType"),
        (3, BadInputError, "takes arrays, found int"),
        ("x", BadInputError, "found str"),
        (np.where(np.eye(3, INPUT_BYTES)[::-1] > 0, np.nan, 0.0), DatasetError, "3 of 3 samples hold NaN"),
        (np.where(np.arange(3)[:, None] == 1, np.inf, np.zeros((3, INPUT_BYTES))), DatasetError, "1 of 3 .* number 1"),
    ],
)
def test_wrong_batches(host: HostModel, batch: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        host.predict(batch)


def test_the_library_is_compiled_once_and_bound_to_its_model(
    host: HostModel, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise AssertionError("compiled again")

    monkeypatch.setattr("leadwire.pipeline.host_model.build_host_library", refuse)
    again = HostModel.from_tflite(small, threads=1)
    assert (again.library, again.source_digest) == (host.library, host.source_digest)
    other = tmp_path / "two.tflite"
    other.write_bytes(two_inputs())
    with pytest.raises(WrongDeviceError, match="another model"):
        HostModel(read_tflite(other), host.library, source_digest="", threads=1)


def test_no_compiler(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("leadwire.build.toolchain.find_spec", lambda name: None if name == "ziglang" else found(name))
    with pytest.raises(BuildError, match="Zig toolchain is not installed") as caught:
        HostModel.from_tflite(small)
    assert "pip install" in caught.value.hint


def test_cache_that_cannot_be_written(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "host").write_text("a file where the folder would be")
    (tmp_path / "zig").symlink_to(cache_folder() / "zig")
    monkeypatch.setenv("LEADWIRE_CACHE", str(tmp_path))
    with pytest.raises(BuildError, match="cannot be written") as caught:
        HostModel.from_tflite(small)
    assert "LEADWIRE_CACHE" in caught.value.hint


def test_files_that_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        HostModel.from_tflite(tmp_path / "none.tflite")
    (tmp_path / "text.tflite").write_text("not a model")
    with pytest.raises((BadInputError, UnsupportedModelError)):
        HostModel.from_tflite(tmp_path / "text.tflite")


def test_pool_refuses(host: HostModel, tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        HostPool(tmp_path / "none.so", 1)
    (tmp_path / "text.so").write_text("not a library")
    with pytest.raises(PortError):
        HostPool(tmp_path / "text.so", 1)
    for threads in (0, -1, 257, 1.5, 2.0, "2", True, float("nan")):
        with pytest.raises(BadInputError, match=f"{threads!r} threads"):
            HostPool(host.library, threads)  # type: ignore[arg-type]
    pool = HostPool(host.library, 1)
    with pytest.raises(DeviceError, match=r"found int8 \[2, 5\]"):
        pool.run(random_rows(2, 5))
    library = HostLibrary(host.library)
    with pytest.raises(DeviceError, match="answers must be"):
        library.infer_into(random_rows(2), random_rows(2, CLASSES + 1))
    with pytest.raises(DeviceError, match="rows must be"):
        library.infer_into(random_rows(2)[:, ::-1], random_rows(2, CLASSES))


def test_pool_tells_its_progress(host: HostModel) -> None:
    seen: list[tuple[int, int]] = []
    HostPool(host.library, 2).run(random_rows(1100), lambda done, total: seen.append((done, total)))
    assert seen == [(512, 1100), (1024, 1100), (1100, 1100)]


def test_the_package_has_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute 'HostMode'"):
        leadwire.HostMode  # type: ignore[attr-defined]  # noqa: B018
