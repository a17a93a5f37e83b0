"""The boot loaders' C on this computer under sanitizers: whatever arrives or lies in the flash, they read and write
nothing that they may not, and what they start is right by a second reading of the format.

LEADWIRE_FUZZ_EXAMPLES says how often (make fuzz: for long).
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import operator
import os
import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import cbor2
import pytest

from leadwire.device.framing import encode
from leadwire.flash.contents.mcuboot import wrap
from leadwire.resources import FIRMWARE_TEMPLATES

BOOT, APP = FIRMWARE_TEMPLATES / "bootloaders", FIRMWARE_TEMPLATES / "app"
SHARED = {"an3155": (), "samba": ("crc.c",), "mcuboot": ("frame.c", "cbor.c", "crc.c")}
FLAGS = (
    *("-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
)
EXAMPLES = min(int(os.environ.get("LEADWIRE_FUZZ_EXAMPLES", "60")), 3000)
FLASH, SLOT, SIZE = 0x08000000, 0x20000, 1 << 20
Run = Callable[..., tuple[bytes, str, bytes]]


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """`loader(name)(received, flash)`: what it sent, how it ended, what the flash then holds. None stands for a wait
    that ends without a byte."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc, which is not installed")
    folder = tmp_path_factory.mktemp("boot")

    @functools.cache
    def build(name: str) -> Run:
        program, own = folder / name, sorted((BOOT / name).glob("*.c"))
        include = [f"-I{path}" for path in (BOOT, BOOT / name, APP)]
        objects = []
        for source in (*own, *(APP / file for file in SHARED[name]), Path(__file__).parent / "boot_host.c"):
            rename = ["-Dmain=loader_main"] if source in own else []
            objects.append(folder / f"{name}-{source.stem}.o")
            subprocess.run(["gcc", *FLAGS, *rename, *include, "-c", source, "-o", objects[-1]], check=True)
        subprocess.run(["gcc", *FLAGS, *objects, "-o", program], check=True)

        def run(received: list[int | None], flash: bytes = b"", *, look: bool = True) -> tuple[bytes, str, bytes]:
            before, after = folder / "before", folder / "after"
            if flash:
                before.write_bytes(flash)
            sent = b"".join(b"\1\0" if byte is None else bytes([0, byte]) for byte in received)
            arguments = [str(program), str(before) if flash else "-", str(after) if look else "-"]
            done = subprocess.run(arguments, input=sent, capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
            said, _, end = done.stdout.rstrip(b"\n").rpartition(b"\n")
            return said, end.decode(), after.read_bytes() if look else b""

        return run

    return build


# ---------------------------------------------------------------------------------------------- AN3155


def checked(data: bytes, seed: int = 0) -> bytes:
    return data + bytes([functools.reduce(operator.xor, data, seed)])


def test_an3155_survives_everything(loader):
    run, dice = loader("an3155"), random.Random(1)
    for _ in range(EXAMPLES):
        received: list[int | None] = [0x7F]
        for _ in range(dice.randrange(1, 12)):
            received += an_order(dice)
            if dice.random() < 0.2:
                received.append(None)
        if dice.random() < 0.5:
            received[dice.randrange(len(received))] = dice.choice([None, dice.randrange(256)])
        said, end, _ = run(received, look=False)
        assert end == "end" or end.startswith("start "), end
        if end.startswith("start "):
            place = int(end[6:], 16)
            assert place % 128 == 0 and (0x08000000 <= place < 0x08100000 or 0x20001000 <= place < 0x20020000)
        assert said[:1] in (b"\x79", b"")


def test_samba_survives_everything(loader):
    run, dice = loader("samba"), random.Random(3)
    for _ in range(EXAMPLES):
        received: list[int | None] = []
        for _ in range(dice.randrange(1, 12)):
            received += a_samba_order(dice)
            if dice.random() < 0.2:
                received.append(None)
        if dice.random() < 0.5:
            received[dice.randrange(len(received))] = dice.choice([None, dice.randrange(256)])
        _, end, _ = run(received, look=False)
        assert end in ("end", "reset", "start 08000000"), end


def test_samba_writes_what_it_was_given_and_no_more(loader):
    """The second reading of the protocol is here: orders, XMODEM, and what the flash must hold then."""
    run, data = loader("samba"), bytes(random.Random(4).randbytes(200))
    place = 0x20001000
    received = [*b"X00000000#", *f"S{place:08X},{len(data):08X}#".encode(), *xmodem(data)]
    received += [*f"Y{place:08X},0#Y00000100,{len(data):08X}#".encode(), *b"R00000100,00000004#C\x06\x06"]
    said, end, flash = run(received, b"\x00" * SIZE)
    assert end == "end"
    assert flash[: 1 << 18] == (b"\xff" * 256 + data).ljust(1 << 18, b"\xff")
    assert flash[1 << 18 :] == b"\x00" * (SIZE - (1 << 18)), "behind what it shows nothing is erased"
    block = data[:4].ljust(128, b"\x00")
    crc = binascii.crc_hqx(block, 0).to_bytes(2, "big")
    assert said == b"X\n\rC\x06\x06\x06Y\n\rY\n\r\x01\x01\xfe" + block + crc + b"\x04"


def xmodem(data: bytes) -> bytes:
    blocks = [data[at : at + 128].ljust(128, b"\x1a") for at in range(0, len(data), 128)]
    framed = (
        bytes([1, number & 0xFF, ~number & 0xFF]) + block + binascii.crc_hqx(block, 0).to_bytes(2, "big")
        for number, block in enumerate(blocks, 1)
    )
    return b"".join(framed) + b"\x04"


def a_samba_order(dice: random.Random) -> bytes:
    """A command as a host sends it, with values at and around every border."""
    borders = [0, 0x3FFFF, 0x40000, 0x08000000, 0x1FFF0000, 0x20000000, 0x20001000, 0x2001FFFF, 0xE000ED00, 0x41002018]
    address = (dice.choice(borders) + dice.choice([0, 0, 1, -1, 255, 4096])) & 0xFFFFFFFF
    number = dice.choice([0, 1, 4, 128, 129, 4096, 0x3FFFF, 0xFFFFFFFF])
    letter = dice.choice("NVwoRSWXYYZT#")
    order = f"{letter}{address:08X},{number:X}#".encode()
    if letter == "S":
        return order + xmodem(dice.randbytes(min(number, 300)))
    if letter == "R":
        return order + b"C" + b"\x06" * dice.randrange(4)
    if letter == "W" and dice.random() < 0.3:
        return b"WE000ED0C,05FA0004#"
    return order


def an_order(dice: random.Random) -> bytes:
    """A command as a host sends it, with values at and around every border."""
    address = dice.choice(
        [0, 0x08000000, 0x080FFFF0, 0x08100000, 0x1FFF0000, 0x1FFF7A10, 0x20000000, 0x20001000, 0x2001FFFF]
    )
    place = checked(((address + dice.choice([0, 0, 1, -1, 255, 4096])) & 0xFFFFFFFF).to_bytes(4, "big"))
    command = dice.choice([0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x31, 0x44, dice.randrange(256)])
    count = dice.choice([0, 1, 3, 255])
    order = bytes([command, command ^ 0xFF])
    if command == 0x11:
        return order + place + bytes([count, count ^ 0xFF])
    if command == 0x21:
        return order + place
    if command == 0x31:
        return order + place + checked(bytes([count]) + dice.randbytes(count + 1))
    if command == 0x44:
        sectors = [dice.choice([0, 11, 12, 0xFFFF]) for _ in range(dice.choice([1, 2, 65]))]
        some = struct.pack(f">H{len(sectors)}H", len(sectors) - 1, *sectors)
        return order + checked(dice.choice([some, b"\xff\xff", b"\xff\xfe", b"\xff\xf0"]))
    return order


# ---------------------------------------------------------------------------------------------- MCUboot


def is_right(flash: bytes) -> bool:
    """Whether the slot's image may be started: the rules of image.c, read again."""
    slot = flash[SLOT:]
    magic, _, header, protected, size, flags = struct.unpack_from("<IIHHII", slot)
    if magic != 0x96F3B83D or header < 32 or header + size > len(slot) or flags & 0x3C:
        return False
    hashed = header + size
    if protected:
        area = trailer(slot, hashed, 0x6908)
        if area is None or 4 + len(area) != protected:
            return False
        hashed += protected
    area = trailer(slot, hashed, 0x6907)
    digests = [] if area is None else entries(area)
    if digests is None or len(digests) != 1 or size < 8 or (SLOT + header) % 512:
        return False
    entry = int.from_bytes(slot[header + 4 : header + 8], "little")
    inside = FLASH + SLOT + header <= entry - 1 < FLASH + SLOT + header + size
    return bool(entry & 1) and inside and digests[0] == hashlib.sha256(slot[:hashed]).digest()


def trailer(slot: bytes, at: int, magic: int) -> bytes | None:
    if at + 4 > len(slot):
        return None
    found, total = struct.unpack_from("<HH", slot, at)
    return slot[at + 4 : at + total] if found == magic and 4 <= total <= len(slot) - at else None


def entries(area: bytes) -> list[bytes] | None:
    """The digests, None where the entries do not fill the area or one is of another length."""
    found = []
    while len(area) >= 4:
        kind, length = struct.unpack_from("<HH", area)
        if length > len(area) - 4:
            return None
        if kind == 0x10:
            if length != 32:
                return None
            found.append(area[4 : 4 + length])
        area = area[4 + length :]
    return found if not area else None


def an_image(dice: random.Random) -> bytes:
    """Right but for its entry, now and then."""
    program = bytearray(dice.randbytes(dice.choice([8, 40, 600])))
    header = dice.choice([*[512] * 8, 1024, 544])
    entry = dice.choice([*[9] * 6, len(program) + 1, len(program) - 1, 2, 8])
    program[4:8] = (FLASH + SLOT + header + entry).to_bytes(4, "little")
    return wrap(bytes(program), header_bytes=header, version=(1, 2, 3, 4)).data


def damaged(dice: random.Random, image: bytes) -> bytes:
    """With another byte in its program, header or trailer; half of them with the digest that they then have."""
    changed = bytearray(image)
    length = len(changed)
    place = dice.choice([dice.randrange(512, length), dice.randrange(4, 32), dice.randrange(length - 40, length)])
    changed[place] = dice.choice([0, 4, 0xFF, changed[place] ^ 1, changed[place] ^ 0x10, dice.randrange(256)])
    return rehashed(bytes(changed)) if dice.random() < 0.5 else bytes(changed)


def rehashed(image: bytes) -> bytes:
    """The same image with the digest that its bytes have, so that other rules decide."""
    header, protected, size = struct.unpack_from("<HHI", image, 8)
    hashed = header + size + protected
    return image[:-32] + hashlib.sha256(image[:hashed]).digest() if hashed + 40 == len(image) else image


def test_mcuboot_starts_what_is_right_and_nothing_else(loader):
    run, dice = loader("mcuboot"), random.Random(2)
    started = refused = 0
    for _ in range(3 * EXAMPLES):
        image = an_image(dice)
        for _ in range(dice.choice([0, 1, 1, 1, 2])):
            image = damaged(dice, image)
        where = SLOT if dice.random() < 0.9 else dice.choice([SIZE - len(image), SLOT + 512])
        flash = b"\xff" * where + image
        _, end, _ = run([None] * 501, flash, look=False)
        right = is_right(flash.ljust(SIZE, b"\xff"))
        header = struct.unpack_from("<H", flash.ljust(SLOT + 10), SLOT + 8)[0]
        assert end == (f"start {FLASH + SLOT + header:08x}" if right else "end")
        started += right
        refused += not right
    assert min(started, refused) > EXAMPLES // 4


def test_mcuboot_survives_everything_and_keeps_to_its_slot(loader):
    run, dice = loader("mcuboot"), random.Random(3)
    for _ in range(EXAMPLES):
        received: list[int | None] = []
        for _ in range(dice.randrange(1, 10)):
            lines = bytearray(encode(a_message(dice)))
            for _ in range(dice.choice([0, 0, 0, 1, 3])):
                lines[dice.randrange(len(lines))] = dice.randrange(256)
            received += lines
        flash = b"B" * SLOT + dice.choice([b"\xff", b"\0"]) * (SIZE - SLOT)
        _, end, after = run(received, flash)
        assert end in ("end", "reset")
        assert after[:SLOT] == flash[:SLOT], "what is before the slot is its own program"


def a_message(dice: random.Random) -> bytes:
    group, command, op = dice.choice(
        [(1, 1, 2), (1, 1, 2), (1, 0, 0), (0, 0, 2), (0, 5, 2), (0, 6, 0), (64, 32, 0), (9, 9, 2)]
    )
    fields = {
        "off": dice.choice([0, 0, 1, 100, 2**31, 2**32 - 1, 2**40, -1]),
        "len": dice.choice([0, 1, 100, 917504, 917505, 2**32 - 1]),
        "data": dice.randbytes(dice.choice([0, 1, 100, 700])),
        "image": dice.choice([0, 0, 0, 1]),
        "d": "hello" * dice.choice([0, 1, 150]),
        "sha": bytes(32),
    }
    body = cbor2.dumps({key: value for key, value in fields.items() if dice.random() < 0.8})
    length = len(body) + dice.choice([0, 0, 0, 0, 1, -1, 1000])
    return struct.pack("!BBHHBB", op | 8, 0, length & 0xFFFF, group, dice.randrange(256), command) + body
