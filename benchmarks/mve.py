"""The kernels for MVE beside those for Armv7E-M on the same emulated Cortex-M55: executed instructions, and the bytes.

    LEADWIRE_DATA=... python benchmarks/mve.py

Both run on qemu-mps3-an547, whose core has both; what is `dsp` chooses kernels as for a core without vectors.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from models import TFLM  # noqa: E402

from leadwire.bench import pattern_input, run_benchmark  # noqa: E402
from leadwire.board import load_board  # noqa: E402
from leadwire.build import build_image  # noqa: E402
from leadwire.device.target import Target  # noqa: E402
from leadwire.flash import flash_image  # noqa: E402
from leadwire.ops.choice import choose_kernels  # noqa: E402
from leadwire.ops.spec import Extension  # noqa: E402
from leadwire.pipeline.sources import generate_sources, read_model  # noqa: E402
from leadwire.planner import plan_memory  # noqa: E402

BOARD = "qemu-mps3-an547"
CHOICES: tuple[list[Extension], ...] = (["dsp"], ["dsp", "mve"])


def measure(path: Path, extensions: list[Extension]) -> tuple[int, bool]:
    """Instructions of one inference, and whether the output is TensorFlow Lite Micro's."""
    board, model = load_board(BOARD), read_model(path)
    plan = plan_memory(model, kernels=choose_kernels(model, extensions))
    with TemporaryDirectory(prefix="leadwire-mve-") as name:
        folder = Path(name)
        project = generate_sources(path, model, plan, board, folder / "source", "aot")
        image = build_image(project, board, toolchain="zig", out=folder / "image")
        with flash_image(image, Target(board=board)) as running:
            found = run_benchmark(running, model, plan, inputs=[pattern_input(model.input_bytes)], warmup=0)
    return found.instructions_per_inference or 0, found.output_crc32 == TFLM[path.stem].crc


def main() -> None:
    folder = Path(os.environ.get("LEADWIRE_DATA") or ROOT.parent / "shared" / "data") / "models"
    print("| model | dsp | mve | ratio | bytes |\n|---|---|---|---|---|")
    for name in TFLM:
        (dsp, one), (mve, other) = (measure(folder / f"{name}.tflite", extensions) for extensions in CHOICES)
        print(
            f"| {name} | {dsp:,} | {mve:,} | {mve / dsp:.2f} | {'equal' if one and other else 'DIFFER'} |", flush=True
        )


if __name__ == "__main__":
    main()
