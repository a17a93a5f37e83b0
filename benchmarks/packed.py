"""Packed weights: flash against instructions, for models whose weights were moved to few levels.

    LEADWIRE_DATA=... python benchmarks/packed.py [--write] [--only WORD]

Reference models, and those given with --also, with their weights as they are, on 16 levels (of its own for each layer,
or the same for all), in 4 bits, ternary and binary (weight_levels.py). Biases and scales stay, so that the answers of
these models mean nothing, but code and instructions are those of a model that was trained so. Compiled by the pinned
zig for a Cortex-M4F and, portable C, for a Cortex-M0, without firmware around it; executed and counted in Unicorn.
--write puts the tables into docs/manual/packed-weights.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from leadwire import weight_levels  # noqa: E402
from leadwire.bench import pattern_input  # noqa: E402
from leadwire.board import load_board  # noqa: E402
from leadwire.pipeline.sources import plan_model, read_model  # noqa: E402
from on_core import load  # noqa: E402

PAGE = ROOT / "docs" / "manual" / "packed-weights.md"
BEGIN, END = "<!-- figures: benchmarks/packed.py -->\n", "<!-- end of figures -->\n"
CORES = ("cortex-m4f", "cortex-m0")
MODELS = ("ecg_cnn_int8", "ecg_kachuee_int8", "ad_fcae_int8")
AXES = {"CONV_2D": (0,), "DEPTHWISE_CONV_2D": (3,), "FULLY_CONNECTED": (0,)}
HEAD = "| model | weights | layers packed | flash, bytes | less | arena | instructions | ratio |"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    packed: int
    layers: int
    flash: int
    arena: int
    instructions: int


def on_levels(data: bytes, way: str) -> bytes:
    """A .tflite file with the int8 weights of its convolutions and dense layers moved to few levels."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    [graph] = model.subgraphs
    kinds = {getattr(schema.BuiltinOperator, kind): axes for kind, axes in AXES.items()}
    found: dict[int, tuple[np.ndarray, tuple[int, ...]]] = {}
    for op in graph.operators:
        code = model.operatorCodes[op.opcodeIndex]
        axes = kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode))  # older files have the latter alone
        if axes is not None:
            tensor = graph.tensors[int(op.inputs[1])]
            values = np.array(model.buffers[tensor.buffer].data, np.uint8).view(np.int8).reshape(tensor.shape)
            found[tensor.buffer] = values, axes if len(tensor.quantization.scale) > 1 else ()
    shared = weight_levels.levels_of([(values, axes) for values, axes in found.values()], 16)
    ways: dict[str, Callable[..., np.ndarray]] = {
        "16 levels of each layer": lambda values, channels: weight_levels.cluster(values, 16, channels=channels),
        "16 levels of all layers": lambda values, channels: weight_levels.on_levels(values, shared, channels=channels),
        "4 bits": lambda values, channels: weight_levels.four_bit(values, channels=channels),
        "ternary": lambda values, channels: weight_levels.ternary(values, channels=channels),
        "binary": lambda values, channels: weight_levels.binary(values, channels=channels),
    }
    for buffer, (values, channels) in found.items():
        made = weight_levels.as_int8(ways[way](values, channels=channels), channels=channels)
        model.buffers[buffer].data = made.reshape(-1).view(np.uint8)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


WAYS = ("16 levels of each layer", "16 levels of all layers", "4 bits", "ternary", "binary")


def measure(path: Path, core: str) -> Figures:
    board = replace(load_board("virtual-stm32f405"), core=core)
    model = read_model(path)
    plan = plan_model(model, board)
    on_core = load(model, plan, "zig", core)
    _, executed = on_core.infer(np.frombuffer(pattern_input(model.input_bytes), np.int8))
    return Figures(
        packed=sum("packed" in name for name in plan.kernels),
        layers=sum(operator.kind in AXES for operator in model.operators),
        flash=on_core.flash_bytes,
        arena=plan.arena_bytes,
        instructions=executed,
    )


def row(model: str, way: str, now: Figures, before: Figures) -> str:
    less = f"{1 - now.flash / before.flash:.0%}" if now.packed else ""
    ratio = f"{now.instructions / before.instructions:.2f}" if now.packed else ""
    layers = f"{now.packed} of {now.layers}"
    return f"| {model} | {way} | {layers} | {now.flash:,} | {less} | {now.arena:,} | {now.instructions:,} | {ratio} |"


def table(paths: list[Path], core: str) -> str:
    lines = [HEAD, "|---|---|---|---|---|---|---|---|"]
    with TemporaryDirectory(prefix="leadwire-levels-") as name:
        for path in paths:
            before = measure(path, core)
            lines.append(row(path.stem, "as they are", before, before))
            for way in WAYS:
                made = Path(name) / path.name
                made.write_bytes(on_levels(path.read_bytes(), way))
                lines.append(row(path.stem, way, measure(made, core), before))
                print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    parser.add_argument("--only", default="", help="models whose name holds this")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="further .tflite files")
    options = parser.parse_args()
    folder = Path(os.environ.get("LEADWIRE_DATA") or ROOT.parent / "shared" / "data") / "models"
    if not folder.is_dir():
        sys.exit(f"error: no reference models in {folder}; set LEADWIRE_DATA")
    paths = [folder / f"{name}.tflite" for name in MODELS if options.only in name] + options.also
    text = "\n".join(f"### {core}\n\n{table(paths, core)}" for core in CORES)
    print(text)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(f"{page.partition(BEGIN)[0]}{BEGIN}\n{text}\n{END}{page.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
