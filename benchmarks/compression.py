"""The example classifier through every step of compression, and a large teacher's student.

    export LEADWIRE_DATA=/path/to/recordings
    python benchmarks/compression.py            # half an hour on two cores; writes docs/manual/compression-table.md
    python benchmarks/compression.py --only quantization_aware

Each line is a recipe of its own, made from examples/compression/recipe.toml with other steps. Trained on patients of
MIT-BIH DS1, choices on DS1 patients held out, judged on DS2.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from leadwire.artifacts import CompressionResult, CompressionRow, Interval
from leadwire.compress import load_recipe
from leadwire.pipeline.compress import BOOTSTRAP, compress_model
from leadwire.views.console import ConsoleWatcher
from leadwire.workspace import write_atomically

ROOT = Path(__file__).resolve().parents[1]
BASE = ROOT / "examples" / "compression" / "recipe.toml"
PAGE = ROOT / "docs" / "manual" / "compression-table.md"

GENTLE = {"epochs": 3, "learning_rate": 5e-5}
CHANNELS = {
    "kind": "prune_channels",
    "keep_macs": 0.44,
    "rounds": 2,
    "round_epochs": 2,
    "epochs": 6,
    "learning_rate": 5e-4,
}
LEVELS: dict[str, Any] = {
    "kind": "few_levels",
    "epochs": 3,
    "learning_rate": 2e-4,
    "except_layers": ["stem_conv", "classes"],
}
STEPS: dict[str, list[dict[str, Any]]] = {
    "fine_tune": [{"kind": "fine_tune", **GENTLE}],
    "quantization_aware": [{"kind": "quantization_aware", **GENTLE}],
    "prune_weights": [{"kind": "prune_weights", "sparsity": 0.6, "epochs": 4, "learning_rate": 2e-4}],
    "prune_activations": [{"kind": "prune_activations"}],
    "prune_channels": [CHANNELS],
    "channels_then_aware": [CHANNELS, {"kind": "quantization_aware", **GENTLE}],
    "cluster_16": [{**LEVELS, "name": "cluster_16", "levels": "cluster", "count": 16}],
    "four_bit": [{**LEVELS, "name": "four_bit", "levels": "four_bit"}],
    "ternary": [{**LEVELS, "name": "ternary", "levels": "ternary", "epochs": 6}],
    "binary": [{**LEVELS, "name": "binary", "levels": "binary", "epochs": 6}],
}
TEACHER = {
    "family": "resnet",
    "settings": {"width": 64, "stages": 4, "blocks": 1, "kernel": 9, "dense": 128, "dropout": 0.4},
}
STUDENT = [
    {"kind": "fine_tune", "name": "teacher", "epochs": 6, "learning_rate": 1e-3},
    {
        "kind": "distill", "name": "student", "family": "resnet", "settings": {"width": 12, "kernel": 5},
        "epochs": 8, "learning_rate": 2e-3, "temperature": 2.0, "alpha": 0.5,
    },
    {"kind": "quantization_aware", "name": "student_aware", **GENTLE},
]  # fmt: skip


def run(name: str, table: dict[str, Any], folder: Path) -> CompressionResult:
    """A recipe in the common output folder, where what several have in common is done once."""
    path = folder / f"{name}.toml"
    write_atomically(path, tomli_w.dumps(table).encode())
    with ConsoleWatcher() as watcher:
        return compress_model(load_recipe(path, output=folder), watcher)


def recipes() -> dict[str, dict[str, Any]]:
    base = tomllib.loads(BASE.read_text(encoding="utf-8"))
    base["model"]["path"] = str((BASE.parent / base["model"]["path"]).resolve())
    found = {name: base | {"name": name, "steps": steps} for name, steps in STEPS.items()}
    found["int16x8"] = base | {
        "name": "int16x8", "quantization": {"mode": "int16x8"}, "steps": [{"kind": "initialize", "name": "int16x8"}],
    }  # fmt: skip
    found["student"] = base | {"name": "student", "model": TEACHER, "steps": STUDENT}
    return found


def points(value: float, interval: Interval | None) -> str:
    text = f"{100 * value:+.2f}"
    return text if interval is None else f"{text} ({100 * interval.low:+.2f} to {100 * interval.high:+.2f})"


def share(value: float, interval: Interval | None) -> str:
    text = f"{100 * value:.1f}"
    return text if interval is None else f"{text} ({100 * interval.low:.1f}-{100 * interval.high:.1f})"


def line(name: str, row: CompressionRow, clock_hz: int) -> str:
    cells = [
        name, f"{row.parameters:,}", f"{row.tflite_bytes:,}", f"{row.packed_bytes:,}", f"{row.flash_bytes:,}",
        f"{row.ram_bytes:,}", "does not fit" if row.instructions is None else f"{row.instructions:,}",
        "" if row.cycles is None else f"{1e3 * row.cycles / clock_hz:.2f}", f"{100 * row.float_f1:.2f}",
        f"{100 * row.f1:.2f}", points(row.loss, row.loss_interval),
        points(row.quantization_loss, row.quantization_loss_interval),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def by_class(name: str, row: CompressionRow) -> str:
    cells = [
        cell
        for one in row.classes
        for cell in (
            share(one.sensitivity, one.sensitivity_interval),
            share(one.positive_predictivity, one.positive_predictivity_interval),
        )
    ]
    return f"| {name} | {' | '.join(cells)} |"


def page(results: dict[str, CompressionResult]) -> str:
    first = next(iter(results.values()))
    rows: list[tuple[str, CompressionRow]] = [("as trained", first.rows[0])]
    for name, result in results.items():
        if name == "student":
            rows += [(row.label.replace("_", " "), row) for row in result.rows]
        else:
            rows.append((name.replace("_", " "), result.rows[-1]))
    classes = " | ".join(f"{name} {what}" for name in first.classes for what in ("Se", "+P"))
    return "\n".join(
        [
            "# The example classifier through every step",
            "",
            "Made by `python benchmarks/compression.py`; the recipes are those of that file. "
            f"{first.test_beats:,} beats of {first.test_patients} patients of MIT-BIH DS2, on whom nothing was trained "
            f"and nothing chosen; held out of DS1 to choose by: {', '.join(first.tune_patients)}. Board: {first.board} "
            f"(emulated, {first.clock_hz / 1e6:g} MHz; ms by its cycle estimate), goal {first.goal}. F1 is the mean "
            f"over {', '.join(first.classes)}, in per cent; *lost* is in points against the float model of the first "
            "line (the student's lines: against the float teacher), *by quantization* against that of the same line; "
            f"intervals are 95 %, by patients ({BOOTSTRAP.describe()}: "
            "[statistics](statistics.md)). Three quarters of the S beats are of one patient, so what rests on S has "
            "wide intervals. Plain confusion at the reference's beats, not an EC57 result.",
            "",
            "| step | parameters | .tflite, B | deflated, B | flash, B | RAM, B | instructions | ms | F1 float "
            "| F1 INT8 | lost | by quantization |",
            "|---|" + "---:|" * 11,
            *(line(name, row, first.clock_hz) for name, row in rows),
            "",
            "By class, INT8, per cent:",
            "",
            f"| step | {classes} |",
            "|---|" + "---:|" * (2 * len(first.classes)),
            *(by_class(name, row) for name, row in rows),
            "",
            "What each step said of itself:",
            "",
            *(
                f"- {name}: " + "; ".join(f"{what} {value}" for what, value in row.facts) + "."
                for name, row in rows
                if row.facts
            ),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="these lines; the page is not written")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "compression")
    options = parser.parse_args()
    wanted = {name: table for name, table in recipes().items() if not options.only or name in options.only}
    results = {name: run(name, table, options.out) for name, table in wanted.items()}
    text = page(results)
    print(text)
    if not options.only:
        write_atomically(PAGE, text.encode())
        digests = {name: result.recipe_digest for name, result in results.items()}
        write_atomically(options.out / "recipes.json", json.dumps(digests, indent=1).encode())


if __name__ == "__main__":
    main()
