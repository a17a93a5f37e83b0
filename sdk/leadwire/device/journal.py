"""What a run was answered so far, on disk: a run that was killed, or lost its board, goes on from there.

A file of records, each with its own CRC-32, appended as results come. A record cut short by a kill is the last one and
is dropped. The first record says which device, firmware, model and samples the journal is of; a journal of others is
begun anew. Reading recomputes the device's CRC-32 over every (input, output), epoch by epoch: a record that does not
agree ends what is taken from the journal.
"""

from __future__ import annotations

import hashlib
import json
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from leadwire.artifacts import DeviceInfo
from leadwire.errors import BadInputError

from .stream import Result

_FLUSH_S = 0.5
_HEAD, _EPOCH, _RESULT = b"H", b"E", b"R"
_FRAME = struct.Struct("!cI")
"""Kind of record, bytes of its content; content and the CRC-32 of all before follow."""
_EPOCH_FIELDS = struct.Struct("!III")
_RESULT_FIELDS = struct.Struct("!IIII")
_LARGEST_BYTES = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Samples `first` to `first` + `samples` - 1, run without a reset between. The device's account was `runs_before`
    and `io_crc_before`, and is `io_crc` after them. `cause`: why the device had last started."""

    first: int
    samples: int
    runs_before: int
    io_crc_before: int
    io_crc: int
    cause: str = "unknown"

    @property
    def last_run(self) -> int:
        return (self.runs_before + self.samples) & 0xFFFF_FFFF


class Journal:
    """One file. `open` reads it and makes it ready; `begin` and `add` append; `close(whole=True)` removes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._flushed_at = 0.0

    def open(self, device: DeviceInfo, samples: Sequence[bytes]) -> list[tuple[Epoch, list[Result]]]:
        """Epochs, each as it began, and their results, as far as they belong to this device and these samples."""
        head = _head(device, samples)
        try:
            data = self.path.read_bytes() if self.path.exists() else b""
            kept, length = _read(data, head, samples, device.output_bytes)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("r+b" if length else "wb")
            self._file.truncate(length)
            self._file.seek(length)
        except OSError as error:
            raise BadInputError(
                f"journal '{self.path}' cannot be used: {error.strerror}", hint="choose another output folder"
            ) from None
        if not length:
            self._append(_HEAD, head)
        return kept

    def begin(self, epoch: Epoch) -> None:
        numbers = _EPOCH_FIELDS.pack(epoch.first, epoch.runs_before, epoch.io_crc_before)
        self._append(_EPOCH, numbers + epoch.cause.encode())

    def add(self, result: Result) -> None:
        numbers = _RESULT_FIELDS.pack(result.index, result.cycles, result.stack, result.io_crc)
        self._append(_RESULT, numbers + result.output)

    def close(self, *, whole: bool) -> None:
        """Removes the journal of a run that is `whole`; otherwise it stays for the next session."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if whole:
            self.path.unlink(missing_ok=True)

    def _append(self, kind: bytes, content: bytes) -> None:
        assert self._file is not None
        record = _FRAME.pack(kind, len(content)) + content
        try:
            self._file.write(record + zlib.crc32(record).to_bytes(4))
            if time.monotonic() - self._flushed_at > _FLUSH_S:
                self._file.flush()
                self._flushed_at = time.monotonic()
        except OSError as error:
            raise BadInputError(f"journal '{self.path}' cannot be written: {error.strerror}") from None


def _head(device: DeviceInfo, samples: Sequence[bytes]) -> bytes:
    """Another field, another run."""
    digest = hashlib.sha256(f"{len(samples)}\n".encode())
    for sample in samples:
        digest.update(sample)
    return json.dumps({"device": asdict(device), "samples": digest.hexdigest()}, sort_keys=True).encode()


def _records(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Kind, content and end of each whole record."""
    at = 0
    while len(data) - at >= _FRAME.size:
        kind, length = _FRAME.unpack_from(data, at)
        end = at + _FRAME.size + length + 4
        if length > _LARGEST_BYTES or end > len(data):
            return
        if zlib.crc32(data[at : end - 4]).to_bytes(4) != data[end - 4 : end]:
            return
        yield kind, data[at + _FRAME.size : end - 4], end
        at = end


def _read(
    data: bytes, head: bytes, samples: Sequence[bytes], output_bytes: int
) -> tuple[list[tuple[Epoch, list[Result]]], int]:
    """What can be taken, and how many bytes of the file that is."""
    found: list[tuple[Epoch, list[Result]]] = []
    length, answered, io_crc = 0, 0, 0
    for kind, content, end in _records(data):
        if not length:
            if (kind, content) != (_HEAD, head):
                return [], 0
        elif kind == _EPOCH and len(content) >= _EPOCH_FIELDS.size:
            first, runs_before, io_crc = _EPOCH_FIELDS.unpack_from(content)
            cause = content[_EPOCH_FIELDS.size :].decode("ascii", errors="replace")
            if first != answered:
                break
            epoch = Epoch(
                first=first, samples=0, runs_before=runs_before, io_crc_before=io_crc, io_crc=io_crc, cause=cause
            )
            found.append((epoch, []))
        elif kind == _RESULT and found and len(content) == _RESULT_FIELDS.size + output_bytes:
            index, cycles, stack, said = _RESULT_FIELDS.unpack_from(content)
            output = content[_RESULT_FIELDS.size :]
            if index != answered or index >= len(samples):
                break
            io_crc = zlib.crc32(output, zlib.crc32(samples[index], io_crc))
            if io_crc != said:
                break
            found[-1][1].append(Result(index, output, cycles, stack, said))
            answered += 1
        else:
            break
        length = end
    return found, length
