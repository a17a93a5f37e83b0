"""Reference models on an emulated board: instructions, arena, flash and output bytes beside TensorFlow Lite Micro's.

    LEADWIRE_DATA=... python benchmarks/models.py [--board virtual-stm32f405]

The figures of TFLM are measurements of its release build (arm-none-eabi-gcc 12.2 -O2, Cortex-M4F, CMSIS-NN and
reference kernels, executed instructions of one Invoke); such counts do not depend on the machine that emulates.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path

# model: CMSIS-NN instructions, reference instructions, arena bytes, flash bytes with model, CRC-32 of the output
TFLM = {
    "kws_dscnn_int8": (7697741, 43039877, 22820, 107756, "4a3130da"),
    "ic_resnet8_int8": (29861472, 107406109, 54996, 150120, "8ffeda4f"),
    "ad_fcae_int8": (582882, 1952362, 2580, 305468, "036b7d7e"),
    "ecg_cnn_int8": (1023015, 3533546, 7252, 75372, "61e23c25"),
    "ecg_cnn_same_int8": (1180625, 3996940, 6564, 75404, "61e23c25"),
    "ecg_kachuee_int8": (8820166, 30497586, 25604, 126248, "176e11e3"),
}


def bench(model: Path, board: str) -> dict[str, object]:
    command = [
        sys.executable,
        "-m",
        "leadwire",
        "bench",
        str(model),
        "--board",
        board,
        "--backend",
        "aot",
        "--pattern",
        "--json",
    ]
    done = subprocess.run([*command, "-n", "2", "--warmup", "0"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{model.name}: {done.stderr}")
    result: dict[str, object] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--board", default="virtual-stm32f405")
    options = parser.parse_args()
    root = Path(__file__).resolve().parent.parent
    folder = Path(os.environ.get("LEADWIRE_DATA") or root.parent / "shared" / "data") / "models"
    if not folder.is_dir():
        sys.exit(f"error: no reference models in {folder}; set LEADWIRE_DATA")
    columns = (
        "model",
        "instructions",
        "/MAC",
        "TFLM CMSIS-NN",
        "TFLM ref",
        "arena B",
        "TFLM",
        "flash B",
        "TFLM",
        "ram B",
        "bytes",
    )
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    ratios = []
    for name, (cmsis, reference, arena, flash, crc) in TFLM.items():
        result = bench(folder / f"{name}.tflite", options.board)
        count, macs = int(str(result["instructions_per_inference"])), int(str(result["macs"]))
        ratios.append(count / macs)
        cells = (
            name,
            f"{count:,}",
            f"{count / macs:.2f}",
            f"{count / cmsis:.2f}x",
            f"{count / reference:.2f}x",
            f"{result['arena_bytes']:,}",
            f"{arena:,}",
            f"{result['flash_bytes']:,}",
            f"{flash:,}",
            f"{result['ram_bytes']:,}",
            "equal" if result["output_crc32"] == crc else f"DIFFER {result['output_crc32']} {crc}",
        )
        print("| " + " | ".join(cells) + " |", flush=True)
    print(f"\ngeometric mean on {options.board}: {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f} per MAC")


if __name__ == "__main__":
    main()
