"""Which layers are packed, what their tables take, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from leadwire.board import load_board
from leadwire.budget import check_plan, constant_bytes
from leadwire.build.cores import CORES
from leadwire.build.toolchain import find_toolchain
from leadwire.generate import generate_project
from leadwire.model.graph import Model
from leadwire.model.tflite import parse_tflite
from leadwire.ops.choice import choose_kernels, packed_instead
from leadwire.ops.flash import CODE_BYTES, FlashOfKernels, packed_saving
from leadwire.ops.packed import Packing, channel_codes, pair_codes
from leadwire.pipeline.packing import RAM_WEIGHT, plan_packed
from leadwire.pipeline.sources import plan_model, plan_package
from leadwire.planner import plan_memory
from leadwire.resources import FIRMWARE_TEMPLATES
from single_operator import Op, T, write_tflite

BOARD = "virtual-stm32f405"


def dense_model(levels: list[int], *, depth: int = 200, outputs: int = 24, layers: int = 2, wide: int = 1) -> Model:
    """Dense layers one after the other, all weights of each among `levels`; `wide` vectors."""
    return mixed_model([levels] * layers, depth=depth, outputs=outputs, wide=wide)


def mixed_model(levels_of: list[list[int]], *, depth: int, outputs: int, wide: int = 1) -> Model:
    layers = len(levels_of)
    draw = np.random.default_rng(5)
    tensors, operators = [T(shape=(wide, depth), scale=0.05, zero_point=3)], []
    for number, levels in enumerate(levels_of):
        width = depth if number + 1 < layers else outputs
        weights = draw.choice(np.array(levels), (width, depth)).astype(np.int8)
        scale = float(0.002 * np.abs(levels).mean() + 0.01)
        tensors += [
            T(shape=(width, depth), array=weights, scale=(0.01,) * width, axis=0),
            T(shape=(width,), array=draw.integers(-900, 900, width, dtype=np.int32), scale=(0.0005,) * width),
            T(shape=(wide, width), scale=scale, zero_point=-7),
        ]
        given = 0 if number == 0 else 3 * number
        fields: dict[str, Any] = {"inputs": (given, 3 * number + 1, 3 * number + 2), "outputs": (3 * number + 3,)}
        operators.append(Op(kind="FULLY_CONNECTED", options="FullyConnectedOptions", **fields))
    return parse_tflite(write_tflite(tensors, operators, [0], [3 * layers]), "dense")


def every_byte() -> list[int]:
    return list(range(-100, 101))


@pytest.mark.parametrize("board", [BOARD, "microbit"])
def test_ordinary_models_stay_as_they_are(board: str, tmp_path: Path) -> None:
    model = dense_model(every_byte())
    plans = [plan_model(model, load_board(board), goal=goal) for goal in ("size", "balanced")]
    assert plans[0] == plans[1]
    assert packed_saving(model, plans[0].kernels) == 0
    folders = [tmp_path / goal for goal in ("size", "balanced")]
    for plan, folder in zip(plans, folders, strict=True):
        generate_project(model, plan, load_board(board), folder)
    files = [sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file()) for folder in folders]
    assert files[0] == files[1] and not [path for path in files[0] if "packed" in path.name]
    for path in files[0]:
        assert (folders[0] / path).read_bytes() == (folders[1] / path).read_bytes()


@pytest.mark.parametrize(("levels", "bits"), [([-127, 127], 1), ([-127, 0, 127], 2), (list(range(-120, 120, 16)), 4)])
def test_few_levels_are_packed_for_size_alone(levels: list[int], bits: int, tmp_path: Path) -> None:
    model, board = dense_model(levels), load_board(BOARD)
    plan = plan_model(model, board)
    assert set(plan.kernels) == {"dsp-packed"}
    assert set(plan_package(model, "aot", None).kernels) == {"packed"}
    assert set(plan_model(model, load_board("host")).kernels) == {"portable"}
    for goal in ("balanced", "speed"):
        assert not {name for name in plan_model(model, board, goal=goal).kernels if "packed" in name}  # type: ignore[arg-type]
    weights = sum(model.required(operator, 1).size_bytes for operator in model.operators)
    saved = packed_saving(model, plan.kernels)
    assert weights * (8 - bits) // 8 - 2100 <= saved <= weights * (8 - bits) // 8
    [flash, _] = check_plan(plan, model, board).lines
    assert flash.used == constant_bytes(model) - saved
    project = generate_project(model, plan, board, tmp_path)
    assert "runtime/packed_dsp.h" in {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.h")}
    assert "runtime/kernels/fully_connected_packed_s8_dsp.c" in project.model_sources


def test_one_level_too_many_in_one_layer() -> None:
    model = dense_model(list(range(-127, 128, 15)))
    assert len(np.unique(model.required(model.operators[0], 1).array)) == 17
    assert set(plan_model(model, load_board(BOARD)).kernels) == {"dsp"}


def test_a_small_layer_does_not_pay_for_the_code() -> None:
    small, large = (mixed_model([[-127, 0, 127], every_byte()], depth=depth, outputs=8) for depth in (30, 60))
    assert packed_instead(small, ("dsp", "dsp")) == ("dsp-packed", "dsp")
    assert plan_model(small, load_board(BOARD)).kernels == ("dsp", "dsp")
    assert plan_model(large, load_board(BOARD)).kernels == ("dsp-packed", "dsp")
    alone = dense_model([-127, 0, 127], depth=30, outputs=8, layers=1)  # here the other kernel is not needed
    assert plan_model(alone, load_board(BOARD)).kernels == ("dsp-packed",)


def test_flash_is_not_bought_with_four_times_the_memory() -> None:
    """Portable kernels unpack into scratch: of a long vector it takes more than the few outputs save."""
    model = dense_model([-127, 0, 127], depth=2000, outputs=8, layers=1)
    plain = choose_kernels(model, ())
    packed = packed_instead(model, plain)
    flash = FlashOfKernels(model)
    more = plan_memory(model, kernels=packed).arena_bytes - plan_memory(model, kernels=plain).arena_bytes
    assert flash.tables(plain) - flash.tables(packed) < RAM_WEIGHT * more
    assert plan_packed(model, plain).kernels == plain
    assert plan_packed(model, ("dsp",)).kernels == ("dsp-packed",)


def test_equal_levels_share_their_table() -> None:
    model = dense_model(list(range(-120, 120, 16)), layers=3)
    kernels = ("dsp-packed",) * 3
    flash = FlashOfKernels(model)
    pairs = 4 * len(Packing.of(np.array([list(range(-120, 120, 16))])).pairs.values)  # type: ignore[union-attr]
    alone = [flash.tables((*("dsp",) * number, "dsp-packed", *("dsp",) * (2 - number))) for number in range(3)]
    dropped = [flash.tables(("dsp",) * 3) - one for one in alone]
    assert flash.tables(("dsp",) * 3) - flash.tables(kernels) == sum(dropped) + 2 * pairs


def test_codes_give_the_weights_back() -> None:
    """By a reader of its own: bits one after the other, as the header comments lay them out."""
    draw = np.random.default_rng(2)
    for levels in ([-5], [-127, 127], [-3, 0, 9], [-9, -1, 2, 8], list(range(-70, 80, 10)), list(range(-80, 80, 10))):
        weights = draw.choice(np.array(levels), (6, 20))
        packing = Packing.of(weights, with_zero=False)
        assert packing is not None and set(packing.levels) <= set(levels)
        bits = packing.bits
        constant = pair_codes(packing.codes(weights), 2, bits)
        stream = "".join(f"{word:032b}"[::-1] for word in constant.values)
        words_of_pair = -(-20 // 4 * 8 * bits // 32)
        assert len(constant.values) == 3 * words_of_pair
        lanes = [(np.int16(word & 0xFFFF), np.int16(word >> 16)) for word in map(np.uint32, packing.pairs.values)]
        for pair in range(3):
            at = pair * words_of_pair * 32
            for four in range(5):
                for first in (0, 1):
                    for channel in (0, 1):
                        code = int(stream[at : at + 2 * bits][::-1], 2)
                        at += 2 * bits
                        row = weights[2 * pair + channel, 4 * four :]
                        assert lanes[code] == (row[first], row[first + 2])
        rows = channel_codes(packing.codes(weights[:, :19]), bits)
        for channel, row in enumerate(np.array(rows.values).reshape(6, -1)):
            stream = "".join(f"{byte:08b}"[::-1] for byte in row)
            found = [packing.levels[int(stream[i : i + bits][::-1], 2)] for i in range(0, 19 * bits, bits)]
            assert found == weights[channel, :19].tolist()


def test_too_many_levels_are_no_packing() -> None:
    assert Packing.of(np.arange(17)) is None
    assert Packing.of(np.arange(1, 17), with_zero=True) is None


def test_stated_code_is_what_the_compiler_makes(tmp_path: Path) -> None:
    """CODE_BYTES beside the sections that zig compiles; names of functions that are static are of one file."""
    runtime, tools = FIRMWARE_TEMPLATES / "runtime", find_toolchain("zig")
    beside = {
        "lw_columns_s8_dsp": ["lw_overhanging"],
        "lw_conv_2d_s8": ["lw_dot_2x2", "lw_dot_1x2", "lw_store", "lw_sum"],
        "lw_fully_connected_s8": ["lw_dot_4"],
        "lw_conv_2d_packed_s8": ["lw_column", "lw_unpack", "lw_place"],
    }
    for name, stated in CODE_BYTES.items():
        bits = next((bits for bits in ("_1bit", "_2bit") if bits in name), "")
        kernel = name.replace(bits, "").removeprefix("lw_")
        wanted = {name, *beside.get(name, ())}
        files = [kernel]
        if kernel.endswith("_dsp") and not kernel.startswith("columns"):
            row = "row_" if kernel.startswith("fully") else ""
            files.append(f"multiply_{row}{'packed_' if 'packed' in kernel else ''}s8_dsp")
            wanted.add(f"lw_{files[1]}".replace("packed_", f"packed{bits}_"))
        found = 0
        for file in files:
            target = tmp_path / f"{file}.o"
            flags = [*tools.compile_flags(CORES["cortex-m4f"]), f"-I{runtime}"]
            tools.compile(flags, str(runtime / "kernels" / f"{file}.c"), tmp_path, target)
            with target.open("rb") as stream:
                sections = {s.name.removeprefix(".text."): s["sh_size"] for s in ELFFile(stream).iter_sections()}
            found += sum(sections.get(function, 0) for function in wanted)
        assert abs(found - stated) <= stated // 20, (name, found, stated)


def test_the_chosen_plan_is_no_larger_than_any_choice() -> None:
    model = dense_model([-127, 0, 127], depth=64, layers=3, wide=3)
    for extensions in ((), ("dsp",)):
        kernels = choose_kernels(model, extensions)  # type: ignore[arg-type]
        flash, packed = FlashOfKernels(model), packed_instead(model, kernels)
        costs = []
        for mask in range(8):
            chosen = tuple(packed[i] if mask >> i & 1 else kernels[i] for i in range(3))
            costs.append(flash.tables_and_code(chosen) + RAM_WEIGHT * plan_memory(model, kernels=chosen).arena_bytes)
        found = plan_packed(model, kernels)
        assert flash.tables_and_code(found.kernels) + RAM_WEIGHT * found.arena_bytes == min(costs)
        assert replace(found) == plan_memory(model, kernels=found.kernels)
