"""The engine on the reference models, beside TensorFlow Lite Micro: instructions, cycles, arena, flash, every layer.

    make bench          measure, write benchmarks/RESULTS.md, results.json and results.svg
    make bench-check    measure, and fail where benchmarks/results.json lacks a model, a figure is more than 1 % worse
                        than there, or an output is not TensorFlow Lite Micro's

Both need arm-none-eabi-gcc and the reference models: LEADWIRE_DATA, or ../shared/data. The board is the built-in
emulated STM32F405, whose instruction counts are exact and do not depend on the computer; cycles are its timing model's
estimate.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from leadwire.artifacts import MemoryPlan
from leadwire.bench import pattern_input, run_benchmark
from leadwire.board import load_board
from leadwire.budget import constant_bytes
from leadwire.build import build_image
from leadwire.build.toolchain import ToolchainName
from leadwire.device.target import Target
from leadwire.flash import flash_image
from leadwire.model.graph import Model
from leadwire.pipeline.alone import bench_inputs
from leadwire.pipeline.sources import generate_sources, plan_model, read_model
from leadwire.planner import plan_memory

BOARD = "virtual-stm32f405"
HERE = Path(__file__).resolve().parent
VARIANTS: dict[str, ToolchainName] = {
    "size": "zig",
    "size, gcc": "arm-none-eabi-gcc",
    "speed": "zig",
    "portable": "zig",
}
"""What is measured, and the toolchain that compiles it."""
TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Tflm:
    """TensorFlow Lite Micro's release build on a Cortex-M4F: arm-none-eabi-gcc 12.2 -O2, newlib-nano, only the needed
    operators, executed instructions of one Invoke; flash is text, rodata, data and the model's file. `crc` is that of
    the output for the pattern input."""

    cmsis: int
    reference: int
    arena: int
    flash: int
    crc: str


TFLM = {
    "kws_dscnn_int8": Tflm(cmsis=7697741, reference=43039877, arena=22820, flash=107756, crc="4a3130da"),
    "ic_resnet8_int8": Tflm(cmsis=29861472, reference=107406109, arena=54996, flash=150120, crc="8ffeda4f"),
    "ad_fcae_int8": Tflm(cmsis=582882, reference=1952362, arena=2580, flash=305468, crc="036b7d7e"),
    "ecg_cnn_int8": Tflm(cmsis=1023015, reference=3533546, arena=7252, flash=75372, crc="61e23c25"),
    "ecg_cnn_same_int8": Tflm(cmsis=1180625, reference=3996940, arena=6564, flash=75404, crc="61e23c25"),
    "ecg_kachuee_int8": Tflm(cmsis=8820166, reference=30497586, arena=25604, flash=126248, crc="176e11e3"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """`tensor` is the output; `outputs` how many values it has."""

    kind: str
    tensor: str
    kernel: str
    macs: int
    outputs: int
    instructions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`beyond_weights` is flash without raw weights and biases: code, tables of channels, padding, wide weights."""

    model: str
    variant: str
    macs: int
    instructions: int
    constant: bool
    cycles: int
    arena: int
    lower_bound: int
    flash: int
    beyond_weights: int
    stack: int
    bytes_equal: bool
    layers: tuple[Layer, ...]


def plan_of(model: Model, variant: str) -> MemoryPlan:
    if variant == "portable":
        return plan_memory(model)
    return plan_model(model, load_board(BOARD), goal="speed" if variant == "speed" else "size")


def measure(path: Path, variant: str) -> Result:
    """Build, run the pattern input and random ones, and each operator alone."""
    board, model = load_board(BOARD), read_model(path)
    plan = plan_of(model, variant)
    with TemporaryDirectory(prefix="leadwire-bench-") as name:
        folder = Path(name)
        project = generate_sources(path, model, plan, board, folder / "source", "aot")
        image = build_image(project, board, toolchain=VARIANTS[variant], out=folder / "image")
        with flash_image(image, Target(board=board)) as running:
            pattern = [pattern_input(model.input_bytes)]
            fixed = run_benchmark(running, model, plan, inputs=pattern, warmup=0)
            drawn = run_benchmark(running, model, plan, inputs=bench_inputs(model, pattern=False, count=4), warmup=0)
    flash = fixed.flash_bytes
    assert flash is not None, "made of the image built here"
    layers = tuple(
        Layer(
            kind=one.kind,
            tensor=one.tensor,
            kernel=plan.kernel(one.index),
            macs=one.macs,
            outputs=model.output(model.operators[one.index]).elements,
            instructions=one.instructions or 0,
        )
        for one in fixed.operators
    )
    return Result(
        model=model.name,
        variant=variant,
        macs=fixed.macs,
        instructions=fixed.instructions_per_inference or 0,
        constant=bool(drawn.constant_instructions),
        cycles=round(fixed.cycles_estimate),
        arena=plan.arena_bytes,
        lower_bound=plan.lower_bound_bytes,
        flash=flash,
        beyond_weights=flash - constant_bytes(model),
        stack=fixed.stack_high_water_bytes,
        bytes_equal=fixed.output_crc32 == TFLM[path.stem].crc,
        layers=layers,
    )


def worse(fresh: list[Result], committed: list[dict[str, object]]) -> list[str]:
    """What is not TensorFlow Lite Micro's output, not committed, more than 1 % larger than committed or no longer
    constant."""
    before = {(str(one["model"]), str(one["variant"])): one for one in committed}
    found = []
    for result in fresh:
        where = f"{result.model} {result.variant}"
        if not result.bytes_equal:
            found.append(f"{where}: the output is not TensorFlow Lite Micro's")
        old = before.get((result.model, result.variant))
        if old is None:
            found.append(f"{where}: not in results.json, so nothing to compare with; make bench writes it")
            continue
        for figure in ("instructions", "arena", "flash", "stack"):
            now, then = int(getattr(result, figure)), int(str(old[figure]))
            if now > then * (1 + TOLERANCE):
                found.append(f"{where}: {figure} {now:,}, was {then:,} ({now / then - 1:+.1%})")
        if old["constant"] and not result.constant:
            found.append(f"{where}: the number of instructions depends on the input")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="compare with results.json and write nothing")
    parser.add_argument("--only", default="", help="models and variants whose name holds this")
    options = parser.parse_args()
    folder = Path(os.environ.get("LEADWIRE_DATA") or HERE.parents[1] / "shared" / "data") / "models"
    if not folder.is_dir():
        sys.exit(f"error: no reference models in {folder}; set LEADWIRE_DATA")
    results = []
    for name in TFLM:
        for variant in VARIANTS:
            if options.only in f"{name} {variant}":
                results.append(measure(folder / f"{name}.tflite", variant))
                last = results[-1]
                print(f"{name} {variant}: {last.instructions:,} instructions, arena {last.arena:,} B", flush=True)
    if options.check:
        found = worse(results, json.loads((HERE / "results.json").read_text(encoding="utf-8")))
        sys.exit("\n".join(["error: worse than benchmarks/results.json:", *found]) if found else 0)
    import tables

    if options.only:
        print(tables.summary(results, TFLM))
        return
    lines = ",\n".join(json.dumps(asdict(result)) for result in results)
    (HERE / "results.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    (HERE / "RESULTS.md").write_text(tables.page(results, TFLM), encoding="utf-8")
    (HERE / "results.svg").write_text(tables.plot(results, TFLM), encoding="utf-8")
    print(tables.summary(results, TFLM))


if __name__ == "__main__":
    main()
