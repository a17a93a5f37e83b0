"""The Reed-Solomon code, host and firmware, against the package reedsolo and against each other."""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
from typing import Any

import pytest
from firmware_process import APP

from leadwire.device.correction import CORRECTABLE, MAX_BLOCK_BYTES, PARITY_BYTES, correct, parity

reedsolo = pytest.importorskip("reedsolo", reason="the package reedsolo, of the extra 'dev', is not installed")
WITNESS = reedsolo.RSCodec(PARITY_BYTES, nsize=MAX_BLOCK_BYTES, fcr=0, prim=0x11D)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc, which is not installed")
    output = tmp_path_factory.mktemp("correct") / "correct.so"
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-shared", "-fPIC"]
    sanitize = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    subprocess.run(["gcc", *flags, *sanitize, str(APP / "correct.c"), "-o", str(output)], check=True)
    found = ctypes.CDLL(str(output))
    found.lw_correct.restype = ctypes.c_bool
    return found


def damaged(block: bytes, wrong: int, chance: random.Random) -> bytes:
    found = bytearray(block)
    for place in chance.sample(range(len(block)), wrong):
        found[place] ^= chance.randrange(1, 256)
    return bytes(found)


def blocks(count: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    return [chance.randbytes(chance.randrange(1, MAX_BLOCK_BYTES - PARITY_BYTES + 1)) for _ in range(count)]


def test_parity_is_the_witnesses(library: Any) -> None:
    for data in [b"\0", bytes(249), *blocks(150, 1)]:
        expected = bytes(WITNESS.encode(data))
        assert data + parity(data) == expected
        place = ctypes.create_string_buffer(data + bytes(PARITY_BYTES), len(data) + PARITY_BYTES)
        library.lw_correct_encode(place, ctypes.c_size_t(len(place)))
        assert place.raw == expected


def test_up_to_three_wrong_bytes_are_put_right_wherever_they_are(library: Any) -> None:
    chance = random.Random(2)
    for data in blocks(300, 3):
        block = data + parity(data)
        for wrong in range(min(CORRECTABLE, len(block)) + 1):
            bad = damaged(block, wrong, chance)
            assert correct(bad) == block
            place = ctypes.create_string_buffer(bad, len(bad))
            assert library.lw_correct(place, ctypes.c_size_t(len(bad)))
            assert place.raw == block


def test_more_wrong_bytes_are_noticed_or_give_another_block_on_both_sides_alike(library: Any) -> None:
    chance, noticed = random.Random(4), 0
    for data in blocks(1500, 5):
        block = data + parity(data)
        bad = damaged(block, min(len(block), chance.randrange(4, 20)), chance)
        found = correct(bad)
        place = ctypes.create_string_buffer(bad, len(bad))
        assert library.lw_correct(place, ctypes.c_size_t(len(bad))) == (found is not None)
        assert place.raw == (found or bad)
        noticed += found is None
        assert found is None or found[-PARITY_BYTES:] == parity(found[:-PARITY_BYTES])
    assert noticed > 1200
