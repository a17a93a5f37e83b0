"""What the package tflite-micro says of its arena: the second witness of `leadwire.tflm_arena`."""

from __future__ import annotations

import faulthandler
import os
import re
import tempfile
from dataclasses import dataclass

ROOM = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Record:
    total: int
    head: int
    tail: int


def arena_record(data: bytes) -> Record:
    """The interpreter prints it to the process's standard error."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(data, arena_size=ROOM)
    with tempfile.TemporaryFile() as printed:
        kept = os.dup(2)
        try:
            os.dup2(printed.fileno(), 2)
            interpreter.print_allocations()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        printed.seek(0)
        text = printed.read().decode()
    total, head, tail = (int(size) for size in re.findall(r"Arena allocation \w+ (\d+) bytes", text))
    return Record(total=total, head=head, tail=tail)


def fits(data: bytes, arena_bytes: int) -> bool:
    """Whether the interpreter prepares the model in an arena of that size.

    In a process of its own: where a tensor finds no room, some of TensorFlow Lite Micro's kernels read address 0.
    """
    from tflite_micro.python.tflite_micro import runtime

    child = os.fork()
    if child == 0:
        faulthandler.disable()
        code = 1
        try:
            runtime.Interpreter.from_bytes(data, arena_size=arena_bytes)
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0
