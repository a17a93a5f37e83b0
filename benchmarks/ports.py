"""The same models on every port in its emulator: writes docs/manual/ports.md.

    LEADWIRE_DATA=... python benchmarks/ports.py [--print]

Instruction counts do not depend on the machine that emulates. Ends with an error where two boards give different bytes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from leadwire.artifacts import BenchmarkResult, FirmwareImage  # noqa: E402
from leadwire.bench import pattern_input, run_benchmark  # noqa: E402
from leadwire.board import Board, list_boards, load_board  # noqa: E402
from leadwire.build.image import build_host_library  # noqa: E402
from leadwire.device.host_library import HostLibrary  # noqa: E402
from leadwire.emulator.qemu import qemu_version  # noqa: E402
from leadwire.errors import BudgetError  # noqa: E402
from leadwire.flash import flash_image  # noqa: E402
from leadwire.pipeline.alone import build_model, choose, generate_model, require_image  # noqa: E402
from small_network import small_network  # noqa: E402

REFERENCE = ("ecg_cnn_int8",)
COMPILERS = ("zig", "arm-none-eabi-gcc")
ORDER = ("cortex-m0", "cortex-m3", "cortex-m4f", "cortex-m7f", "cortex-m33f", "cortex-m55", "rv32imac")
HEAD = """# The ports, and what each core needs for the same model

`leadwire bench MODEL --board ID` on every board that an emulator stands for; boards that share port and core are left
out. Written by `python benchmarks/ports.py`, with QEMU {version}. All boards give the bytes that the generated C
gives on this computer, which the script checks.

* **instructions**: executed by one inference, the call and one counter read included; /MAC: for each multiplication
  that the network needs. **count** says where it comes from: the built-in emulator counts, QEMU's virtual time goes on
  by a fixed step for each instruction, and what is behind the sign is the worth of one tick in instructions.
* **cycles** are not in the table: QEMU has no cycle model, the built-in emulator's is in
  [timing-model.md](timing-model.md), and a real board measures them.
* **arena**, **flash** and **RAM** are those of the model and its runtime in the linked image: flash with weights, RAM
  with arena, state and **stack**, the deepest use seen on the board.
* **image** is the whole bench firmware with link and port, its RAM without the stack's reserve.

What a port has and lacks is in its README below `firmware_templates/ports`; [firmware.md](firmware.md) says what
another chip needs.
"""


class Quiet:
    """A watcher that nobody reads."""

    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    result: BenchmarkResult
    image: FirmwareImage
    counter: str
    crc: int


def measure(path: Path, board: Board, compiler: str, folder: Path) -> Run | str:
    """One benchmark, or why there is none."""
    options = choose(board.id, "aot", compiler)
    built = build_model(path, options, folder / f"{path.stem}-{board.id}-{compiler}", Quiet())
    try:
        image = require_image(built)
    except BudgetError as error:
        return next((" ".join(line.split()) for line in str(error).splitlines() if "B over" in line), "too large")
    outputs: list[tuple[bytes, ...]] = []
    with flash_image(image, options.target) as running:
        data = pattern_input(built.model.input_bytes)
        result = run_benchmark(running, built.model, built.plan, inputs=[data, data], warmup=0, keep=outputs.append)
    step = board.emulation.ns_per_instruction if board.emulation is not None else None
    ticks = "exact" if step is None else f"±{1e9 / result.device.clock_hz / step:.2g}"
    return Run(
        result=result,
        image=image,
        counter=f"{result.device.cycle_counter}, {ticks}",
        crc=zlib.crc32(outputs[0][0]),
    )


def host_crc(path: Path, folder: Path) -> tuple[int, int]:
    """CRC-32 of what the generated C answers on this computer, and its input's size."""
    place = folder / f"{path.stem}-host"
    library = HostLibrary(build_host_library(generate_model(path, choose("host", "aot", "zig"), place), place))
    data = pattern_input(library.input_bytes)
    return zlib.crc32(library.infer(data)), len(data)


def boards() -> list[Board]:
    """One board for each port and core, by core."""
    found: dict[tuple[str, str, str], Board] = {}
    for board in map(load_board, list_boards()):
        if board.emulation is not None and board.emulation.engine != "host":
            found.setdefault((board.port, board.core, board.emulation.engine), board)
    return sorted(found.values(), key=lambda board: (ORDER.index(board.core), board.id))


def row(board: Board, zig: Run | str, gcc: Run | str | None) -> str:
    if isinstance(zig, str):
        return f"| `{board.id}` | {board.core} | does not fit: {zig} |" + " |" * 9
    result, image = zig.result, zig.image
    count = result.instructions_per_inference or 0
    cells = (
        f"`{board.id}`",
        board.core,
        f"{count:,}",
        f"{count / result.macs:.2f}",
        f"{gcc.result.instructions_per_inference:,}" if isinstance(gcc, Run) else "-",
        zig.counter,
        f"{result.arena_bytes:,}",
        f"{result.flash_bytes:,}",
        f"{result.ram_bytes:,}",
        f"{result.stack_high_water_bytes:,}",
        f"{image.text_bytes + image.rodata_bytes + image.data_bytes:,}",
        f"{image.data_bytes + image.bss_bytes:,}",
    )
    return "| " + " | ".join(cells) + " |"


def table(path: Path, title: str, folder: Path) -> list[str]:
    expected, input_bytes = host_crc(path, folder)
    columns = (
        "board", "core", "instructions (zig)", "/MAC", "instructions (gcc)", "count", "arena B", "flash B", "RAM B",
        "stack B", "image flash B", "image RAM B",
    )  # fmt: skip
    lines = [f"## {title}", ""]
    rows = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    macs = 0
    for board in boards():
        runs: dict[str, Run | str] = {}
        for compiler in COMPILERS:
            if compiler == "zig" or (shutil.which(compiler) and not board.core.startswith("rv32")):
                runs[compiler] = measure(path, board, compiler, folder)
        for compiler, run in runs.items():
            if isinstance(run, Run):
                macs = run.result.macs
                if run.crc != expected:
                    sys.exit(f"error: {path.stem} on {board.id} by {compiler}: {run.crc:08x}, expected {expected:08x}")
        rows.append(row(board, runs["zig"], runs.get(COMPILERS[1])))
        print(rows[-1], file=sys.stderr, flush=True)
    lines.append(f"{input_bytes} input bytes, {macs:,} multiplications, output CRC-32 `{expected:08x}` on all boards.")
    return [*lines, "", *rows, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--print", action="store_true", help="print the page instead of writing it")
    options = parser.parse_args()
    models = Path(os.environ.get("LEADWIRE_DATA") or ROOT.parent / "shared" / "data") / "models"
    lines = [HEAD.format(version=qemu_version())]
    with TemporaryDirectory(prefix="leadwire-") as scratch:
        folder = Path(scratch)
        small = folder / "small.tflite"
        small.write_bytes(small_network())
        lines += table(small, "A small network (tests/small_network.py)", folder)
        for name in REFERENCE:
            if (models / f"{name}.tflite").is_file():
                lines += table(models / f"{name}.tflite", f"Reference model {name}", folder)
    page = "\n".join(lines).rstrip() + "\n"
    if options.print:
        print(page, end="")
    else:
        (ROOT / "docs" / "manual" / "ports.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
