"""TensorFlow Lite Micro behind leadwire.h beside leadwire's own code: arenas, bytes and ELF sizes on emulated boards.

    LEADWIRE_TFLM=... LEADWIRE_DATA=... python benchmarks/tflm.py [--board ID ...] [--toolchain NAME] [MODEL.tflite ...]

Without models: those of LEADWIRE_DATA/models, and the arrhythmia example's where `make demo` has made it. Each line is
one model on one board, both backends on the same inputs, the pattern input first. The bytes are those of aot, of TFLite
Micro on the board and of the interpreter of the package tflite-micro on this computer.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from leadwire import reference
from leadwire.build.cores import CORES
from leadwire.build.tflm import find_tflm
from leadwire.errors import LeadwireError
from leadwire.pipeline.alone import Built, bench_inputs, build_model, require_image
from leadwire.pipeline.backends import choose_several, measure_backends

ROOT = Path(__file__).resolve().parent.parent
BOARDS = ("virtual-stm32f405", "qemu-mps2-an386")
COLUMNS = (
    "model", "board", "predicted", "device", "to provide", "device", "host predicted", "host", "bytes",
    "flash aot", "flash tflm", "RAM aot", "RAM tflm", "instructions aot", "instructions tflm",
)  # fmt: skip


class Quiet:
    """A watcher that tells nobody."""

    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...


def witness(path: Path, samples: Sequence[bytes]) -> str:
    """What `io_digest` is where the answers are those of the package tflite-micro; '' where there is none."""
    if not reference.has_tflm():
        return ""
    rows = np.frombuffer(b"".join(samples), np.int8).reshape(len(samples), -1)
    answers = (row.tobytes() for row in reference.run_tflm(path, rows))
    return hashlib.sha256(b"".join(a + b for a, b in zip(samples, answers, strict=True))).hexdigest()


def measure(path: Path, board: str, toolchain: str, inputs: int) -> tuple[str, ...]:
    options = choose_several(board, "aot,tflm", toolchain, "", None)
    with TemporaryDirectory(prefix="leadwire-") as folder:
        built: list[Built] = [build_model(path, one, Path(folder) / one.backend, Quiet()) for one in options]
        images = {one.backend: require_image(one) for one in built}
        plans = {one.backend: one.plan for one in built}
        samples = bench_inputs(built[0].model, pattern=False, count=inputs)
        found = measure_backends(images, options[0].target, path, built[0].model, plans, samples, 0, Quiet())
    expected = witness(path, samples)
    equal = found.identical and expected in ("", found.results[0].io_digest)
    arena = found.arena
    assert arena is not None
    figures = (
        arena.predicted_bytes, arena.device_used_bytes, arena.required_bytes, arena.device_needed_bytes,
        arena.host_predicted_bytes, arena.host_recorded_bytes,
    )  # fmt: skip
    sizes = [image.flash_bytes for image in images.values()] + [image.ram_bytes for image in images.values()]
    counts = [result.instructions_per_inference for result in found.results]
    same = f"{found.results[0].output_crc32} equal" if equal else "DIFFER"
    texts = ["-" if figure is None else f"{figure:,}" for figure in (*figures, *sizes, *counts)]
    return (path.stem, board, *texts[:6], same, *texts[6:])


def models() -> list[Path]:
    folder = Path(os.environ.get("LEADWIRE_DATA") or ROOT.parent / "shared" / "data") / "models"
    example = ROOT / "out" / "demo" / "arrhythmia.tflite"
    return [*sorted(folder.glob("*.tflite")), *([example] if example.is_file() else [])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--board", action="append", help=f"default: {' and '.join(BOARDS)}")
    parser.add_argument("--toolchain", default="arm-none-eabi-gcc")
    parser.add_argument("--inputs", type=int, default=5)
    options = parser.parse_args()
    paths = options.models or models()
    if not paths:
        sys.exit("error: no models: name some, or set LEADWIRE_DATA")
    try:
        print(f"{find_tflm(None, CORES['cortex-m4f']).described}; {options.toolchain}\n")
        print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
        for board in options.board or BOARDS:
            for path in paths:
                cells = measure(path, board, options.toolchain, options.inputs)
                print("| " + " | ".join(cells) + " |", flush=True)
    except LeadwireError as error:
        sys.exit(f"error: {error.message}")


if __name__ == "__main__":
    main()
