"""An image as .bin, Intel HEX, UF2 and MCUboot file, each read by another implementation or by its specification."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from io import StringIO
from pathlib import Path

import pytest

from flash_example import BYTES, job_for, small_elf
from leadwire.board import load_board
from leadwire.emulator.elf import Segment
from leadwire.errors import BadInputError, DeviceError
from leadwire.flash import bossac, dfu_util, esptool, nrfutil, openocd, picotool, probe_rs, tool, uf2
from leadwire.flash.chips import PLACES, unique_id_place
from leadwire.flash.contents import Contents, intel_hex
from leadwire.flash.contents.mcuboot import wrap

BOARD = load_board("virtual-stm32f405")


def contents(*segments: tuple[int, bytes]) -> Contents:
    return Contents(segments=tuple(Segment(address=address, data=data) for address, data in segments))


def test_contents_of_an_elf(tmp_path):
    elf = tmp_path / "image.elf"
    elf.write_bytes(small_elf(0x0800_4000))
    found = Contents.of(elf, BOARD)
    assert (found.address, found.size_bytes, found.data) == (0x0800_4000, len(BYTES), BYTES)
    assert found.digest() == hashlib.sha256(BYTES).hexdigest()
    assert found.save("bin", tmp_path / "image.bin").read_bytes() == BYTES


@pytest.mark.parametrize("address", [0x0800_0000 - 1, 0x0810_0000 - len(BYTES) + 1, 0x2000_0000, 0])
def test_an_image_outside_the_boards_flash(tmp_path, address):
    elf = tmp_path / "image.elf"
    elf.write_bytes(small_elf(address))
    with pytest.raises(BadInputError, match="outside the flash of board 'virtual-stm32f405'"):
        Contents.of(elf, BOARD)


def test_the_files_own_headers_are_no_part_of_the_program(tmp_path):
    """A linker loads them where there is room before the first section; here the whole file is one segment."""
    body = small_elf(0)[: 52 + 32]
    whole = bytearray(body + BYTES)
    whole[52:84] = struct.pack("<8I", 1, 0, 0x0800_0000, 0x0800_0000, len(whole), len(whole), 5, 4)
    sections = struct.pack("<10I", 0, 1, 6, 0x0800_0000 + 84, 84, len(BYTES), 0, 0, 4, 0)
    whole[32:36] = len(whole).to_bytes(4, "little")  # e_shoff
    whole[48:50] = (1).to_bytes(2, "little")  # e_shnum
    elf = tmp_path / "image.elf"
    elf.write_bytes(bytes(whole) + sections)
    found = Contents.of(elf, BOARD)
    assert (found.address, found.data) == (0x0800_0000 + 84, BYTES)


def test_gaps_are_erased_flash_and_do_not_count(tmp_path):
    two = contents((0x0800_0000, b"ab"), (0x0800_0010, b"cd"))
    assert two.data == b"ab" + b"\xff" * 14 + b"cd"
    held = b"ab" + bytes(14) + b"cd"
    assert two.digest(held) == two.digest() != two.digest(b"aB" + bytes(14) + b"cd")
    assert two.digest(b"ab") != two.digest(), "nothing was read of the second part"


@pytest.mark.parametrize("address", [0x0800_0000, 0x0800_FFF8, 0x0801_0003])
def test_intel_hex_as_intelhex_reads_it(tmp_path, address):
    from intelhex import IntelHex

    data = bytes((i * 7) & 0xFF for i in range(1000))
    text = intel_hex.text(contents((address, data)).segments)
    read = IntelHex(StringIO(text))
    assert read.minaddr() == address and read.tobinstr() == data
    assert intel_hex.data(text) == data
    other = StringIO()
    read.write_hex_file(other)
    assert intel_hex.data(other.getvalue()) == data, "and we read what it writes"


@pytest.mark.parametrize(
    "text", [":", ":0", "garbage", ":0100000000FE", ":01000000GGFF", ":02000000AA55", ":00000001FE"]
)
def test_damaged_intel_hex(text):
    with pytest.raises(BadInputError, match="damaged"):
        intel_hex.data(text)


def test_intel_hex_with_a_gap():
    with pytest.raises(BadInputError, match="gap"):
        intel_hex.data(intel_hex.text(contents((0, b"ab"), (9, b"c")).segments))


def test_uf2_by_its_specification(tmp_path):
    data = bytes((i * 3) & 0xFF for i in range(300))
    file = contents((0x1000_0010, data)).save("uf2", tmp_path / "image.uf2", family=0xE48BFF56).read_bytes()
    blocks = [file[at : at + 512] for at in range(0, len(file), 512)]
    assert len(blocks) == 2 and len(file) == 1024
    memory = {}
    for number, block in enumerate(blocks):
        magic, second, flags, address, size, own, count, family = struct.unpack_from("<8I", block)
        assert (magic, second, struct.unpack_from("<I", block, 508)[0]) == (0x0A324655, 0x9E5D5157, 0x0AB16F30)
        assert (flags, size, own, count, family) == (0x2000, 256, number, 2, 0xE48BFF56)
        assert address % 256 == 0
        memory.update({address + i: block[32 + i] for i in range(size)})
    assert bytes(memory[0x1000_0010 + i] for i in range(300)) == data
    assert memory[0x1000_0000] == memory[0x1000_01FF] == 0xFF


def test_mcuboot_image_by_its_specification():
    image = wrap(BYTES, header_bytes=512, version=(1, 2, 345, 6789))
    magic, load, header, protected, size, flags = struct.unpack_from("<IIHHII", image.data)
    assert (magic, load, header, protected, size, flags) == (0x96F3B83D, 0, 512, 0, len(BYTES), 0)
    assert struct.unpack_from("<BBHI", image.data, 20) == (1, 2, 345, 6789)
    assert image.data[512 : 512 + len(BYTES)] == BYTES
    info, total, kind, length = struct.unpack_from("<HHHH", image.data, 512 + len(BYTES))
    assert (info, total, kind, length) == (0x6907, 40, 0x10, 32)
    assert image.data[-32:].hex() == image.digest == hashlib.sha256(image.data[: 512 + len(BYTES)]).hexdigest()


def test_chips_with_a_number_of_their_own():
    assert unique_id_place("STM32F405RG") == (0x1FFF7A10, 12)
    assert unique_id_place("nRF52840") == (0x10000060, 8)
    assert unique_id_place("RP2040") is None
    assert all(name == name.upper() and size in (8, 12) for name, (_, size) in PLACES.items())


# ---------------------------------------------------------------------------------------------- what tools print


def test_what_tools_print_of_a_chips_number(tmp_path):
    assert probe_rs.dumped("6c 65 AD 00\n", tmp_path) == bytes.fromhex("6c65ad00")
    assert (
        esptool.unique_id("Chip is ESP32-C3\nMAC:                24:0a:c4:01:02:ff\n", tmp_path).hex() == "240ac40102ff"
    )
    assert esptool.unique_id("no such line", tmp_path) is None
    longer = "MAC: 24:0a:c4:ff:fe:01:02:ff\nBASE MAC: 24:0a:c4:01:02:ff"
    assert esptool.unique_id(longer, tmp_path).hex() == "240ac40102ff", "the EUI-64 of newer chips is passed over"
    assert picotool.unique_id(" flash id:    0xE660583883724B2A\n", tmp_path).hex() == "e660583883724b2a"
    assert picotool.unique_id("nothing", tmp_path) is None
    (tmp_path / "dump.hex").write_text(intel_hex.text(contents((0x10000060, b"12345678")).segments))
    assert nrfutil.dumped("", tmp_path / "dump.bin") == b"12345678"


def test_a_chip_without_a_number_is_not_asked(tmp_path):
    for module, name in ((openocd, "openocd"), (probe_rs, "probe_rs")):
        job = job_for(name, tmp_path)
        job = dataclasses.replace(
            job, target=dataclasses.replace(job.target, board=dataclasses.replace(job.board, mcu="X"))
        )
        assert module.identify_argv(job, tmp_path / "dump") is None
        assert tool.identify(module, job) is None
    assert not hasattr(bossac, "identify_argv") and not hasattr(dfu_util, "identify_argv")


# ---------------------------------------------------------------------------------------------- UF2 drive


def drive_job(tmp_path: Path, **arguments: str) -> tool.Job:
    job = job_for("uf2", tmp_path)
    return dataclasses.replace(job, target=dataclasses.replace(job.target, arguments=arguments))


def test_uf2_is_copied_onto_the_drive(tmp_path):
    drive = tmp_path / "RPI-RP2"
    drive.mkdir()
    (drive / "INFO_UF2.TXT").write_text("UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n")
    job = drive_job(tmp_path, drive=str(drive))
    uf2.write(job)
    file = (drive / "leadwire.uf2").read_bytes()
    assert struct.unpack_from("<I", file, 28)[0] == {"RP2040": 0xE48BFF56, "RP2350": 0xE48BFF59}[job.board.mcu[:6]]
    assert BYTES in file


def test_no_drive_and_no_family(tmp_path):
    with pytest.raises(DeviceError, match="is no such drive"):
        uf2.write(drive_job(tmp_path, drive=str(tmp_path)))
    for wrong in ("x", "0xg"):
        (tmp_path / "INFO_UF2.TXT").touch()
        with pytest.raises(BadInputError, match="no family id"):
            uf2.write(drive_job(tmp_path, drive=str(tmp_path), family=wrong))
