"""The generated C of a model as a Python object: what is asked here is the code that ships.

As a core has variants of kernels, so has this computer (runtime/simd.h), chosen for each operator by the same code and
equal to the portable kernels byte by byte. Those are the specification and what board 'host' and `validate` run; here
they answer a sample of the rows again, on every run.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from leadwire import reference
from leadwire.artifacts import FirmwareProject
from leadwire.build import build_host_library
from leadwire.build.toolchain import CODE, cache_folder, find_toolchain
from leadwire.device.host_pool import HostPool
from leadwire.errors import BadInputError, BuildError, DatasetError, KernelMismatchError, WrongDeviceError
from leadwire.model.graph import Model
from leadwire.model.tensor import Tensor, values_of
from leadwire.ops.choice import choose_kernels
from leadwire.ops.spec import PORTABLE, SIMD
from leadwire.planner import plan_memory
from leadwire.workspace import write_atomically

from .sources import generate_sources, host_board, read_model

Batch = npt.NDArray[Any] | Sequence[npt.NDArray[Any]]
Kernels = Literal["simd", "portable"]

CHECKED_FIRST = 64
CHECKED_EVERY = 1000
"""Of the samples that an object answers, the first so many and then every so-manieth are answered by the portable
kernels too, and the first of each batch."""


class HostModel:
    """An integer model, ready to answer batches on several threads; may itself be used from several threads.

    `source_digest` names the generated sources, `library` is the file that was loaded; `portable` the one with portable
    kernels that checks it, None where it is that itself.
    """

    def __init__(
        self,
        model: Model,
        library: Path,
        *,
        source_digest: str,
        threads: int | None = None,
        portable: Path | None = None,
    ) -> None:
        """Prefer `from_tflite`. WrongDeviceError (6) where a library carries another model, DeviceRefusedError (6)
        where its golden self-test fails."""
        self.model = model
        self.library = library
        self.source_digest = source_digest
        self._pool = self._load(library, threads)
        self._portable = None if portable is None else self._load(portable, threads)
        self._lock = Lock()
        self._answered = 0
        self._checked = 0

    @classmethod
    def from_tflite(cls, path: Path | str, *, threads: int | None = None, kernels: Kernels = "simd") -> HostModel:
        """Generate and compile the C of a .tflite file, or take the library that was compiled from the same sources
        before (in LEADWIRE_CACHE). `threads` None: one for each core that this process may use. `kernels`: 'simd' those
        for this processor where an operator has one, 'portable' the C that board 'host' runs.

        FileMissingError (2), UnsupportedModelError (3), BuildError (5) without compiler.
        """
        if kernels not in ("simd", "portable"):
            raise BadInputError(f"there are no kernels {kernels!r}", hint="use 'simd' or 'portable'")
        path = Path(path)
        model = read_model(path)
        portable, digest = _made(path, model, ())
        chosen = choose_kernels(model, [SIMD]) if kernels == "simd" else ()
        if not set(chosen) - {PORTABLE}:
            return cls(model, portable, source_digest=digest, threads=threads)
        library, digest = _made(path, model, chosen)
        return cls(model, library, source_digest=digest, threads=threads, portable=portable)

    @property
    def threads(self) -> int:
        return self._pool.threads

    @property
    def kernels(self) -> str:
        """Which kernels answer: 'portable', or 'simd' and the instructions they are compiled for, 'simd (AVX2)'."""
        return f"{SIMD} ({self._pool.library.instructions})" if self._portable is not None else PORTABLE

    @property
    def checked(self) -> int:
        """Samples that the portable kernels answered too, with the same bytes; all of them where no others answer."""
        return self._checked if self._portable is not None else self._answered

    @property
    def answered(self) -> int:
        """Samples that this object has answered."""
        return self._answered

    def _load(self, library: Path, threads: int | None) -> HostPool:
        pool = HostPool(library, threads)
        if pool.library.model_digest != self.model.digest:
            raise WrongDeviceError(str(library), "model", pool.library.model_digest[:12], self.model.digest[:12])
        pool.library.self_test()
        return pool

    def predict(self, batch: Batch) -> npt.NDArray[np.float64]:
        """Dequantized answers [n, output values] to a batch; see `predict_quantized` for what a batch is."""
        return reference.dequantize_outputs(self.model, self._answers(batch))

    def predict_quantized(self, batch: Batch) -> npt.NDArray[np.signedinteger[Any]]:
        """Answers [n, output values], those of several outputs one after the other, in the order of the batch: int8, or
        int16 where the model puts out that.

        The batch of an input of shape [1, a, b] is an array [n, a, b] or [n, a * b], that of [a, b], where a is not 1,
        the same: the input's own type, int8 or int16, is taken as it is, float32 or float64 quantized as TFLite does.
        A model with several inputs takes a sequence of such arrays, in its order.
        BadInputError (2) for another type, shape or number of arrays, DatasetError (2) for NaN or infinity,
        KernelMismatchError (6) where the portable kernels, asked again for a sample, give other bytes.
        """
        return values_of(self.model.output_tensors, self._answers(batch))

    def _answers(self, batch: Batch) -> reference.Rows:
        """Rows of bytes."""
        tensors = self.model.input_tensors
        if not isinstance(batch, Iterable):
            raise BadInputError(
                f"model '{self.model.name}' takes arrays, found {type(batch).__name__}",
                hint="give a numpy array, or a list of one for each input",
            )
        arrays = [batch] if isinstance(batch, np.ndarray) else list(batch)
        if len(arrays) != len(tensors):
            raise BadInputError(
                f"model '{self.model.name}' has {len(tensors)} input(s), given {len(arrays)} array(s)",
                hint="give a numpy array for each input: " + ", ".join(f"'{tensor.name}'" for tensor in tensors),
            )
        parts = [_rows(array, tensor) for array, tensor in zip(arrays, tensors, strict=True)]
        if len({len(part) for part in parts}) != 1:
            raise BadInputError(
                f"the inputs of model '{self.model.name}' have {', '.join(str(len(part)) for part in parts)} samples",
                hint="give the same number for each input",
            )
        rows = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        answers = self._pool.run(rows)
        with self._lock:
            before = self._answered
            self._answered += len(rows)
        if self._portable is not None and len(rows):
            self._check(self._portable, rows, answers, before)
        return answers

    def _check(self, portable: HostPool, rows: reference.Rows, answers: reference.Rows, before: int) -> None:
        """Ask `portable` for a sample of the rows, of which the first is this object's number `before`."""
        numbers = np.arange(before, before + len(rows))
        sample = np.flatnonzero((numbers < CHECKED_FIRST) | (numbers % CHECKED_EVERY == 0) | (numbers == before))
        differing = sample[(portable.run(rows[sample]) != answers[sample]).any(axis=1)]
        if len(differing):
            instructions = self._pool.library.instructions
            raise KernelMismatchError(self.library, instructions, differing.tolist(), len(sample))
        with self._lock:
            self._checked += len(sample)


def _rows(array: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[np.int8]:
    """An input's samples as int8 [n, bytes]."""
    shape = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape  # a leading 1 is the model's own batch
    own = tensor.dtype.numpy
    if not isinstance(array, np.ndarray) or array.dtype not in (own, np.float32, np.float64):
        found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise BadInputError(
            f"input '{tensor.name}' takes an array of {own}, float32 or float64, found {found}",
            hint=f"convert it with .astype(np.float32); only {own} is taken as already quantized",
        )
    if array.ndim < 1 or tuple(array.shape[1:]) not in (shape, (tensor.elements,)):
        raise BadInputError(
            f"input '{tensor.name}' takes a batch of shape {['n', *shape]}, found {list(array.shape)}",
            hint="one sample is a batch too: sample[np.newaxis]",
        )
    flat = array.reshape(len(array), tensor.elements)
    if flat.dtype == own:
        return np.ascontiguousarray(flat).view(np.int8)
    bad = np.flatnonzero(~np.isfinite(flat).all(axis=1))
    if len(bad):
        raise DatasetError(
            tensor.name,
            f"{len(bad)} of {len(flat)} samples hold NaN or infinity, the first is number {bad[0]}",
            hint="leave them out, or clean the recordings they come from",
        )
    return reference.quantize_array(flat, tensor).view(np.int8)


def _made(path: Path, model: Model, kernels: tuple[str, ...]) -> tuple[Path, str]:
    """The library with these kernels, and the digest of its sources."""
    with TemporaryDirectory(prefix="leadwire-") as folder:
        plan = plan_memory(model, kernels=kernels)
        project = generate_sources(path, model, plan, host_board(), Path(folder) / "source", "aot")
        return _library(project, Path(folder) / "image"), project.digest


def _library(project: FirmwareProject, folder: Path) -> Path:
    """The project's library for this machine, from the cache or compiled into it."""
    made_by = " ".join((project.digest, find_toolchain("zig").version, *CODE, _processor()))
    kept = cache_folder() / "host" / f"{hashlib.sha256(made_by.encode()).hexdigest()[:32]}.library"
    if not kept.is_file():
        data = build_host_library(project, folder, this_machine=True).read_bytes()
        try:
            write_atomically(kept, data)
        except OSError as error:
            raise BuildError(
                f"'{kept}' cannot be written: {error.strerror}",
                hint="set LEADWIRE_CACHE to a folder that can be written",
            ) from error
    return kept


def _processor() -> str:
    """What this machine's processor can do, as far as it is known: a cache may be shared between machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    facts = sorted({line for line in lines if line.lower().startswith(("model name", "flags", "features", "isa"))})
    return "\n".join((platform.system(), platform.machine(), platform.processor(), *facts))
