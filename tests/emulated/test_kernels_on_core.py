"""The kernels as they run on a Cortex-M4: the bytes of TensorFlow Lite Micro, in a number of instructions that no input
changes. By both compilers, whose code differs; the assembly of the kernels for Armv7E-M runs nowhere else.

LEADWIRE_KERNEL_EXAMPLES (4) sets how many models of 40 to 80 operators are drawn: a tenth as many, one at least.
"""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest

from few_levels import few_levels
from leadwire.model.tflite import parse_tflite
from leadwire.ops import registry
from leadwire.ops.choice import packed_instead
from many_operators import many_operators
from on_core import load
from single_operator import EXAMPLES, every_choice, run_witness, sample_rows, spread_plan
from sixteen_bit import sixteen_bit

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")

TOOLCHAINS = ["zig", pytest.param("arm-none-eabi-gcc", marks=pytest.mark.arm_gcc)]


@pytest.mark.requirement("LW-TIM-001")
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("weights", ["int8", "16x8", "packed"])
@pytest.mark.parametrize("seed", range(max(1, EXAMPLES // 10)))
def test_bytes_and_constant_time(seed: int, weights: str, toolchain: str) -> None:
    if toolchain != "zig" and not shutil.which(toolchain):
        pytest.skip(f"needs {toolchain}")
    data = many_operators(seed, each=16 if weights == "packed" else 10)
    if weights == "16x8":
        data = sixteen_bit(data, seed)
    if weights == "packed":
        data = few_levels(data, seed)
    model = parse_tflite(data, "many")
    registry.check(model)
    rows = sample_rows(model, seed, count=3)
    expected = run_witness(data, model, rows)
    others = {"mve", "simd"}  # not Cortex-M4's
    choices = [kernels for kernels in every_choice(model) if not others & set(kernels)]
    assert weights != "packed" or {"packed", "dsp-packed"} <= {name for kernels in choices for name in kernels}
    for kernels in choices[2:] if weights == "packed" else choices[:3]:
        core = load(model, spread_plan(model, kernels), toolchain)
        assert (core.run(rows) == expected).all(), _first_difference(model, core.run(rows), expected, kernels)
        steps = np.array([core.steps(row) for row in rows])
        varying = [
            (model.describe(model.operators[i]), kernels[i], sorted(set(steps[:, i].tolist())))
            for i in np.flatnonzero((steps != steps[0]).any(axis=0))
        ]
        assert not varying, varying


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("packed", [False, True], ids=["int8", "packed"])
def test_bytes_of_armv6m(packed: bool, toolchain: str) -> None:
    """The code for a Cortex-M0, whose portable kernels have inner loops in assembly."""
    if toolchain != "zig" and not shutil.which(toolchain):
        pytest.skip(f"needs {toolchain}")
    data = few_levels(many_operators(0, each=8)) if packed else many_operators(0, each=8)
    model = parse_tflite(data, "many")
    rows = sample_rows(model, 0, count=2)
    expected = run_witness(data, model, rows)
    kernels = every_choice(model)[0]
    if packed:
        kernels = packed_instead(model, kernels)
    found = load(model, spread_plan(model, kernels), toolchain, "cortex-m0").run(rows)
    assert (found == expected).all(), _first_difference(model, found, expected, kernels)


@pytest.mark.requirement("LW-MEM-001")
@pytest.mark.parametrize(("choice", "weights"), [(0, "int8"), (1, "int8"), (0, "16x8"), (0, "packed"), (1, "packed")])
def test_distances_as_the_kernels_access_memory(choice: int, weights: str) -> None:
    """How far an output must lie below its input, or above it when walking backward, is what each access asks for."""
    data = many_operators(0, each=16 if weights == "packed" else 10)
    if weights == "16x8":
        data = sixteen_bit(data)
    if weights == "packed":
        data = few_levels(data)
    model = parse_tflite(data, "many")
    kernels = every_choice(model)[choice]
    if weights == "packed":
        kernels = packed_instead(model, kernels)
    row = sample_rows(model, 0, count=1)[0]
    held_as: dict[int, int] = {}
    for operator in model.operators:
        if registry.spec(operator.kind).is_no_copy(model, operator):
            held_as[operator.outputs[0]] = held_as.get(operator.inputs[0], operator.inputs[0])
    forward, backward = spread_plan(model, kernels), spread_plan(model, kernels)
    backward = dataclasses.replace(backward, backward=tuple(range(len(model.operators))))
    expected = run_witness(data, model, row[None])[0]
    ends = np.cumsum([model.tensors[output].size_bytes for output in model.outputs])
    compared = tight = lost = 0
    for plan, walks_backward in ((forward, False), (backward, True)):
        core = load(model, plan)
        for operator in model.operators:
            spec = registry.spec(operator.kind).using(kernels[operator.index])
            distance = spec.distance(model, operator)
            if distance is None or (walks_backward and distance.above is None):
                continue
            number = model.outputs.index(operator.outputs[0])
            source = held_as.get(operator.inputs[distance.position], operator.inputs[distance.position])
            places = core.call("input_at", model.inputs.index(source)), core.call("output_at", number)
            sizes = model.tensors[source].size_bytes, model.output(operator).size_bytes
            trace = core.trace(operator.index, row)
            made = bytes(core.emulator.mem_read(places[1], sizes[1]))
            if trace is None or made != expected[ends[number] - sizes[1] : ends[number]].tobytes():
                lost += 1
                core = load(model, plan)
                continue
            below, above = _needed(trace, places, sizes)
            stated, needed = (distance.above, above) if walks_backward else (distance.below, below)
            assert stated is not None
            assert needed is None or needed <= stated, (model.describe(operator), needed, stated)
            compared += 1
            tight += needed == stated
    assert compared >= 30
    assert lost <= compared // 10
    assert choice == 0 or tight > 15


def _needed(trace: list[tuple[bool, int, int]], starts: list[int], sizes: list[int]) -> tuple[int | None, int | None]:
    """The least distances at which no byte of the input is read after a byte of the output was written there."""
    below, above = [], []
    written: list[int] = []
    for writes, address, size in trace:
        if writes and starts[1] <= address < starts[1] + sizes[1]:
            written = [min([address - starts[1], *written[:1]]), max([address - starts[1] + size - 1, *written[1:]])]
        elif not writes and starts[0] <= address < starts[0] + sizes[0] and written:
            below.append(written[1] - (address - starts[0]) + 1)
            above.append(address - starts[0] + size - 1 - written[0] + 1)
    return max(below, default=None), max(above, default=None)


def _first_difference(model, ours: np.ndarray, theirs: np.ndarray, kernels: tuple[str, ...]) -> str:  # type: ignore[no-untyped-def]
    at, place = 0, int(np.argwhere(ours != theirs)[0][1])
    for operator, kernel in zip(model.operators, kernels, strict=True):
        size = sum(tensor.size_bytes for tensor in model.made(operator))
        if place < at + size:
            return f"{model.describe(operator)} by '{kernel}' differs at byte {place - at} of {size}"
        at += size
    return "no operator"
