"""A host library on several threads: rows in, rows out.

The generated C has one static arena, on the host as on the device, so one library cannot run twice at a time. Each
thread gets its own: the loader gives a copy of the file static memory of its own. That leaves the C as it ships; an
arena behind a pointer would be other code than the device's, and a process for each worker copies every row twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from leadwire.errors import BadInputError, DeviceError, FileMissingError

from .host_library import HostLibrary

Rows = npt.NDArray[np.int8]
Progress = Callable[[int, int], None]

MAX_THREADS = 256
_CHUNK_ROWS = 512
"""Long against a call from Python, short enough that threads end together."""


class HostPool:
    """`threads` copies of a host library. `run` may be called from several threads at a time: each chunk of rows
    borrows a copy that nobody uses. The loader keeps the copies until the process ends.

    FileMissingError (2), PortError (6) as HostLibrary; BadInputError (2) for a number of threads that cannot be.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.threads = threads if threads is not None else usable_cores()
        whole = isinstance(self.threads, int) and not isinstance(self.threads, bool)
        if not whole or not 1 <= self.threads <= MAX_THREADS:
            raise BadInputError(f"{self.threads!r} threads cannot be", hint=f"use a whole number, 1 to {MAX_THREADS}")
        if not path.is_file():
            raise FileMissingError(path, role="host library")
        self._idle: SimpleQueue[HostLibrary] = SimpleQueue()
        data = path.read_bytes()
        with TemporaryDirectory(prefix="leadwire-", ignore_cleanup_errors=True) as folder:
            for index in range(self.threads):
                copy = Path(folder) / f"{index}-{path.name}"
                copy.write_bytes(data)
                self.library = HostLibrary(copy)
                self._idle.put(self.library)

    def run(self, rows: Rows, progress: Progress | None = None) -> Rows:
        """Answers int8 [n, output bytes] to rows int8 [n, input bytes], in their order.

        DeviceError (6) for rows of another shape or type, DeviceRefusedError (6) where an inference fails.
        """
        if rows.dtype != np.int8 or rows.ndim != 2 or rows.shape[1] != self.library.input_bytes:
            raise DeviceError(
                f"the host library takes rows int8 [n, {self.library.input_bytes}], "
                f"found {rows.dtype} {list(rows.shape)}"
            )
        rows = np.ascontiguousarray(rows)
        answers = np.empty((len(rows), self.library.output_bytes), dtype=np.int8)

        def work(first: int) -> int:
            library = self._idle.get()
            try:
                end = min(first + _CHUNK_ROWS, len(rows))
                library.infer_into(rows[first:end], answers[first:end])
            finally:
                self._idle.put(library)
            return end - first

        done = 0
        with ThreadPoolExecutor(max_workers=self.threads) as pool:
            for count in pool.map(work, range(0, len(rows), _CHUNK_ROWS)):
                done += count
                if progress is not None:
                    progress(done, len(rows))
        return answers


def usable_cores() -> int:
    """Cores that this process may use, at most MAX_THREADS."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, MAX_THREADS)
