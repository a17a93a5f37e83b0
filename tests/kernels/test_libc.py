"""The few functions of a C library that stand in where Zig links TensorFlow Lite Micro, against Python's and C's own.

setjmp and longjmp are Arm assembly: an arena that is too small takes that way out in tests/emulated.
"""

from __future__ import annotations

import ctypes
import math
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from single_operator import WARNINGS


@pytest.fixture(scope="module")
def libc(root: Path, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    target = tmp_path_factory.mktemp("libc") / "libc.so"
    sources = [root / "firmware_templates" / "libc" / name for name in ("frexp.c", "strcmp.c")]
    flags = ["-std=c99", "-O1", "-fno-builtin", *WARNINGS, "-shared", "-fPIC", "-fsanitize=undefined"]
    subprocess.run(["gcc", *flags, "-fno-sanitize-recover=all", *sources, "-o", target], check=True)
    library = ctypes.CDLL(str(target))
    library.frexp.restype, library.frexp.argtypes = ctypes.c_double, [ctypes.c_double, ctypes.POINTER(ctypes.c_int)]
    library.strcmp.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    library.strncmp.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
    return library


@given(x=st.floats() | st.floats(min_value=-1e-307, max_value=1e-307))
def test_frexp(libc: ctypes.CDLL, x: float) -> None:
    exponent = ctypes.c_int(99)
    fraction = libc.frexp(x, ctypes.byref(exponent))
    if math.isnan(x):
        assert math.isnan(fraction)
        return
    assert (fraction, exponent.value) == math.frexp(x)
    assert math.copysign(1, fraction) == math.copysign(1, x)


text = st.binary(max_size=6).filter(lambda data: 0 not in data)


@given(one=text, other=text, count=st.integers(min_value=0, max_value=8))
def test_strcmp_and_strncmp(libc: ctypes.CDLL, one: bytes, other: bytes, count: int) -> None:
    def sign(left: bytes, right: bytes) -> int:
        return (left > right) - (left < right)

    def same_sign(found: int, expected: int) -> bool:
        return (found > 0) - (found < 0) == expected

    assert same_sign(libc.strcmp(one, other), sign(one, other))
    assert same_sign(libc.strncmp(one, other, count), sign(one[:count], other[:count]))
