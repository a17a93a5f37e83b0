"""The timing model against figures written down by hand from the manual, and its cutting against capstone's."""

from __future__ import annotations

import random

import capstone
import pytest

from leadwire.emulator.timing import TimingModel, is_fpu, split

MODEL = TimingModel()


def cycles(code: str) -> int:
    return MODEL.block(0x08000000, bytes.fromhex(code)).cycles


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("0130", 1),  # adds r0, #1
        ("00fb01f0", 1),  # mul r0, r0, r1
        ("90fbf1f0", 7),  # sdiv r0, r0, r1
        ("0868", 2),  # ldr r0, [r1]
        ("0868 4a68", 3),  # ldr r0, [r1]; ldr r2, [r1, #4]: pipelined
        ("0968 4a68", 4),  # ldr r1, [r1]; ldr r2, [r1, #4]: needs the first
        ("0860", 1),  # str r0, [r1]
        ("d1e90023", 3),  # ldrd r2, r3, [r1]
        ("f0b5", 6),  # push {r4-r7, lr}
        ("f0bd", 8),  # pop {r4-r7, pc}
        ("f0bc", 5),  # pop {r4-r7}
        ("0fc9", 5),  # ldm r1!, {r0-r3}
        ("fee7", 2),  # b .
        ("7047", 3),  # bx lr
        ("8847", 3),  # blx r1
        ("fff7feff", 2),  # bl .
        ("d0e801f0", 4),  # tbb [r0, r1]
        ("0130 08bf 0130", 2),  # adds; it eq (folded); addeq
        ("08bf 0130", 2),  # it eq at the start of a block; addeq
        ("bff34f8f", 4),  # dsb
        ("30ee200a", 1),  # vadd.f32
        ("a0ee200a", 3),  # vfma.f32
        ("00ee200a", 3),  # vmla.f32
        ("80ee200a", 14),  # vdiv.f32
        ("90ed000a", 2),  # vldr s0, [r0]
        ("90ec040a", 5),  # vldm r0, {s0-s3}
        ("8746", 3),  # mov pc, r0
        ("72b6", 2),  # cpsid i
        ("20fb0120", 1),  # smlad r0, r0, r1, r2
    ],
)
def test_cycles_by_hand(code, expected):
    assert cycles(code) == expected


@pytest.mark.parametrize(
    ("code", "conditional", "penalty"),
    [
        ("00d0", True, 1),  # beq
        ("00b1", True, 1),  # cbz r0
        ("40f00080", True, 1),  # bne.w
        ("fee7", False, 1),  # b
        ("08bf 7047", True, 2),  # it eq; bxeq lr
        ("08bf 10bd", True, 2),  # it eq; popeq {r4, pc}
        ("08bf 0868", False, 1),  # it eq; ldreq r0, [r1]: stays
        ("10bd", False, 1),
    ],
)
def test_only_branches_that_may_fall_through_are_conditional(code, conditional, penalty):
    block = MODEL.block(0, bytes.fromhex(code))
    assert block.conditional is conditional
    assert not conditional or block.penalty == penalty


def test_remainder_is_what_a_stop_leaves_out():
    block = MODEL.block(0x100, bytes.fromhex("0130 0868 00fb01f0 0130"))
    assert block.remainder(0x100) == (4, 5)
    assert block.remainder(0x102) == (3, 4)
    assert block.remainder(0x108) == (1, 1)
    assert block.remainder(0x10A) == block.remainder(0x80) == (0, 0)


def test_random_code_is_cut_as_capstone_cuts_it():
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    source = random.Random(4)
    seen = 0
    for _ in range(3000):
        code = source.randbytes(4)
        for address, size, *_ in decoder.disasm_lite(code, 0, 1):
            seen += 1
            assert (address, size) == next(split(0, code))
    assert seen > 1500


def test_random_code_never_breaks_the_model():
    source = random.Random(5)
    for _ in range(300):
        code = source.randbytes(2 * source.randint(1, 40))
        block = MODEL.block(0x08000000, code)
        assert sum(step.size_bytes for step in block.steps) == len(code)
        assert block.instructions <= block.cycles + len(code)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("30ee200a", True),
        ("b0ee000a", True),
        ("f1ee100a", True),
        ("00ee900a", True),
        ("2ded108a", True),
        ("0130", False),
        ("00fb01f0", False),
        ("bff34f8f", False),
    ],
)
def test_fpu_instructions_are_recognised(code, expected):
    assert is_fpu(bytes.fromhex(code)) is expected


@pytest.mark.parametrize(
    ("code", "is_write", "address"),
    [
        ("4868", False, 0x1004),  # ldr r0, [r1, #4]
        ("4860", True, 0x1004),  # str r0, [r1, #4]
        ("4868", True, None),
        ("8858", False, 0x1020),  # ldr r0, [r1, r2]
        ("51f82200", False, 0x1080),  # ldr.w r0, [r1, r2, lsl #2]
        ("51f8040b", False, 0x1000),  # ldr r0, [r1], #4
        ("51f8040f", False, 0x1004),  # ldr r0, [r1, #4]!
        ("0130", False, None),
    ],
)
def test_access_address_is_what_the_operands_say(code, is_write, address):
    registers = {"r1": 0x1000, "r2": 0x20}
    assert MODEL.access_address(bytes.fromhex(code), is_write, registers.__getitem__) == address
