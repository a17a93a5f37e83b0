"""Portable C on a Cortex-M0 and a Cortex-M3 beside TensorFlow Lite Micro's reference kernels, in executed instructions.

    LEADWIRE_DATA=... python benchmarks/small_cores.py --tflm FOLDER [MODEL.tflite ...]

FOLDER is the source tree of TensorFlow Lite Micro with its downloads. Both sides are compiled by arm-none-eabi-gcc -O2
for the core and run in Unicorn, which executes and counts the same instructions whatever core it stands for. Ours is a
whole inference; TensorFlow Lite Micro's are its kernels of convolutions and dense layers alone, called with the layer's
own weights (reference_kernels.cc): interpreter, pools, additions and softmax come on top of that and are not counted.
The Cortex-M4 stands in the table for what was measured there of a whole Invoke.
"""

from __future__ import annotations

import argparse
import os
import struct
import subprocess
import sys
from math import exp, log
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from models import TFLM  # noqa: E402

from leadwire.bench import pattern_input  # noqa: E402
from leadwire.model.graph import Model, Operator  # noqa: E402
from leadwire.model.tflite import read_tflite  # noqa: E402
from leadwire.ops.arithmetic import activation_range, zero_point_of  # noqa: E402
from leadwire.ops.convolution import filters_of  # noqa: E402
from leadwire.ops.geometry import window_of  # noqa: E402
from leadwire.planner import plan_memory  # noqa: E402
from on_core import OnCore, boot, load  # noqa: E402

CORES = ("cortex-m0", "cortex-m3", "cortex-m4f")
RAM = 0x20040000
KERNELS = {"CONV_2D": ("conv", 0), "DEPTHWISE_CONV_2D": ("depthwise", 3), "FULLY_CONNECTED": ("dense", 0)}
"""Function of reference_kernels.cc, and the axis of the weights along which the outputs lie."""


def reference_elf(tree: Path, core: str, folder: Path) -> Path:
    downloads = tree / "tensorflow/lite/micro/tools/make/downloads"
    includes = [tree, *(downloads / name for name in ("gemmlowp", "flatbuffers/include", "ruy"))]
    flags = [
        "-std=c++17", "-O2", "-DNDEBUG", "-DTF_LITE_STATIC_MEMORY", "-DTF_LITE_STRIP_ERROR_STRINGS", "-fno-rtti",
        "-DKERNELS_OPTIMIZED_FOR_SPEED", "-fno-exceptions", "-fno-threadsafe-statics", "-fno-unwind-tables",
        "-funsigned-char", "-ffunction-sections", "-fomit-frame-pointer", "-mthumb", f"-mcpu={core.removesuffix('f')}",
    ]  # fmt: skip
    script = folder / "link.ld"
    script.write_text("SECTIONS { . = 0x08000000; .text : { *(.text*) *(.rodata*) *(.ARM*) } }")
    elf = folder / f"{core}.elf"
    sources = [ROOT / "benchmarks/reference_kernels.cc", tree / "tensorflow/lite/kernels/internal/common.cc"]
    link = [
        "-nostartfiles",
        "--specs=nosys.specs",
        "-Wl,--gc-sections,-e,conv,-u,depthwise,-u,dense",
        "-T",
        str(script),
    ]
    subprocess.run(
        ["arm-none-eabi-g++", *flags, *(f"-I{path}" for path in includes), *map(str, sources), *link, "-o", str(elf)],
        check=True,
    )
    return elf


def padded(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * (4 - len(shape)) + tuple(shape)


def layer_count(core: OnCore, model: Model, operator: Operator) -> int:
    """Instructions of a layer by the reference kernel, on random input."""
    function, axis = KERNELS[operator.kind]
    data, weights, output = model.required(operator, 0), model.required(operator, 1), model.output(operator)
    filters = filters_of(model, operator, axis, broadcast=operator.kind != "FULLY_CONNECTED")
    places: list[int] = []
    at = RAM + 256
    scales = [(scale.m, scale.left - scale.right) if scale else (0, 0) for scale in filters.rescales]
    arrays = (
        np.array([m for m, _ in scales], np.int32),
        np.array([shift for _, shift in scales], np.int32),
        np.random.default_rng(operator.index).integers(-128, 128, data.size_bytes).astype(np.int8),
        weights.array,
        filters.bias.astype(np.int32),
        np.zeros(output.size_bytes, np.int8),
    )
    for array in arrays:
        core.emulator.mem_write(at, array.tobytes())
        places.append(at)
        at += (array.nbytes + 15) // 16 * 16
    if function == "dense":
        depth = weights.shape[1]
        shapes = [padded((data.elements // depth, depth)), padded(weights.shape), padded((1, weights.shape[0]))]
        window = (1, 1, 1, 1, 0, 0)
    else:
        shapes = [data.shape, weights.shape, output.shape]
        found = window_of(model, operator, weights.shape[1], weights.shape[2])
        y, x = found.y, found.x
        window = (y.stride, x.stride, y.dilation, x.dilation, y.before, x.before)
    low, high = activation_range(str(operator.option("fused_activation_function", "NONE")), output)
    rest = (-zero_point_of(data), zero_point_of(output), low, high, output.shape[-1] // data.shape[-1])
    words = (*(n for shape in shapes for n in shape), *window, *rest)
    core.emulator.mem_write(RAM, struct.pack(f"<{len(words)}i6I", *words, *places))
    core.executed = 0
    core.call(function, RAM)
    return core.executed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--tflm", type=Path, required=True, help="source tree of TensorFlow Lite Micro")
    options = parser.parse_args()
    folder = Path(os.environ.get("LEADWIRE_DATA") or ROOT.parent / "shared" / "data") / "models"
    paths = options.models or sorted(folder.glob("*.tflite"))
    print("| model | core | portable C | reference kernels | ratio | of a measured Invoke |\n|---|---|---|---|---|---|")
    ratios: dict[str, list[float]] = {core: [] for core in CORES}
    with TemporaryDirectory(prefix="leadwire-") as scratch:
        elves = {core: reference_elf(options.tflm, core, Path(scratch)) for core in CORES}
        for path in paths:
            model = read_tflite(path)
            for core in CORES:
                ours = load(model, plan_memory(model), "arm-none-eabi-gcc", core)
                _, count = ours.infer(np.frombuffer(pattern_input(model.input_bytes), np.int8))
                theirs = boot(model, elves[core])
                layers = [operator for operator in model.operators if operator.kind in KERNELS]
                reference = sum(layer_count(theirs, model, operator) for operator in layers)
                ratios[core].append(count / reference)
                measured = TFLM.get(path.stem) if core == "cortex-m4f" else None
                whole = f"{reference / measured.reference:.2f}" if measured else ""
                print(
                    f"| {path.stem} | {core} | {count:,} | {reference:,} | {count / reference:.2f} | {whole} |",
                    flush=True,
                )
    for core, found in ratios.items():
        print(f"| geometric mean | {core} | | | {exp(sum(map(log, found)) / len(found)):.2f} | |")


if __name__ == "__main__":
    main()
