"""Every mode, calibrator and repair of `quantize` on the example classifier, on the patients of DS2.

    make quantization   measure, write docs/manual/quantization-modes.md

Needs MIT-BIH's recordings: LEADWIRE_DATA. Calibrated as examples/arrhythmia/leadwire.toml says, on patients of DS1.
Integer models answer as TensorFlow Lite Micro does, the others as LiteRT with its reference kernels. Flash is linked,
of the model's share on the emulated STM32F405, backend aot; modes for hosts alone have none.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from leadwire import reference
from leadwire.artifacts import QuantizationMode, QuantizationRecipe
from leadwire.compress.scores import class_counts, macro_f1, paired_f1
from leadwire.datasets import Dataset, load_dataset, read_source
from leadwire.model.tflite import read_tflite
from leadwire.pipeline import alone
from leadwire.pipeline.modes import policy_of
from leadwire.pipeline.watcher import Quiet
from leadwire.project import load_project
from leadwire.quantize import quantize_model
from leadwire.quantize.layer_errors import runtime_for
from leadwire.quantize.modes import COMPARED, is_for_device
from leadwire.stats import Bootstrap, bootstrap_interval, ratio_loss
from leadwire.views.quantization import mode_words, repair_words

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent / "examples" / "arrhythmia" / "leadwire.toml"
PAGE = HERE.parent / "docs" / "manual" / "quantization-modes.md"
BOOTSTRAP = Bootstrap(resamples=2000, seed=20040719, method="bootstrap-t")
CLASSES = ("N", "S", "V")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    mode: QuantizationMode
    recipe: QuantizationRecipe
    kept: tuple[str, ...]
    size_bytes: int
    flash_bytes: int | None
    accuracy: float
    macro_f1: float
    sensitivities: tuple[float, ...]
    agreement: float
    loss: float
    low: float
    high: float


def counts(test: Dataset, decisions: npt.NDArray[np.int64]) -> Floats:
    return class_counts(test, decisions, [test.label_names.index(name) for name in CLASSES])


def measure(
    mode: QuantizationMode, recipe: QuantizationRecipe, train: Dataset, test: Dataset, floats: Floats, folder: Path
) -> Row:
    project = load_project(PROJECT)
    made = quantize_model(
        project.model, train, policy_of(project.settings), folder / "model.tflite",
        test_patients=test.patients, mode=mode, recipe=recipe,
    )  # fmt: skip
    outputs = reference.run_values(
        made.path, test.inputs, test.input_names, runtime=runtime_for(read_tflite(made.path))
    )
    decisions, before = outputs.argmax(axis=1), floats.argmax(axis=1)
    of_float, of_integers = counts(test, before), counts(test, decisions)
    interval = bootstrap_interval(paired_f1(of_float, of_integers), ratio_loss, BOOTSTRAP)
    assert interval is not None
    flash = None
    if is_for_device(mode, recipe):
        options = alone.choose("virtual-stm32f405", "aot", "zig")
        built = alone.build_model(made.path, options, folder / "build", Quiet())
        flash = next(int(line.used) for line in built.budgets[-1].lines if line.resource == "flash")
    score = float(macro_f1(of_integers.sum(axis=0)))
    found = [
        float(np.mean(decisions[test.labels == test.label_names.index(name)] == test.label_names.index(name)))
        for name in ("S", "V")
    ]
    return Row(
        mode=mode,
        recipe=recipe,
        kept=made.kept,
        size_bytes=made.size_bytes,
        flash_bytes=flash,
        accuracy=float(np.mean(decisions == test.labels)),
        macro_f1=score,
        sensitivities=tuple(found),
        agreement=float(np.mean(decisions == before)),
        loss=float(macro_f1(of_float.sum(axis=0))) - score,
        low=interval.low,
        high=interval.high,
    )


def page(rows: list[Row], floats: Floats, test: Dataset) -> str:
    before = floats.argmax(axis=1)
    total = counts(test, before).sum(axis=0)
    names = test.label_names
    sensitivity = [100 * np.mean(before[test.labels == names.index(one)] == names.index(one)) for one in ("S", "V")]
    lines = [
        "# Modes of quantization, measured",
        "",
        "Written by `make quantization`; [quantization.md](quantization.md) says what the modes are.",
        "",
        f"The example classifier on MIT-BIH DS2: {len(test):,} beats of {len(set(test.patients))} patients; none",
        "of them set a range or was trained on; the reference R positions are given, so this is not an EC57 result.",
        "Macro F1 is the mean of the F1 scores of N, S and V, its loss float less quantized in points, with a",
        f"95 % interval from resampled patients ({BOOTSTRAP.describe()}).",
        "",
        "| mode | calibrator | repairs | file, B | flash, B | accuracy | macro F1 | SVEB Se | VEB Se | as float "
        "| F1 lost | 95 % |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|",
        f"| float | - | - | - | - | {100 * np.mean(before == test.labels):.2f} | {100 * float(macro_f1(total)):.2f} "
        f"| {sensitivity[0]:.1f} | {sensitivity[1]:.1f} | 100 | 0 | |",
    ]
    for row in rows:
        calibrator = "-" if row.mode in ("dynamic", "fp16") else row.recipe.calibrator
        flash = "no firmware" if row.flash_bytes is None else f"{row.flash_bytes:,}"
        lines.append(
            f"| {mode_words(row.mode, row.recipe, row.kept)} | {calibrator} | {repair_words(row.recipe)} "
            f"| {row.size_bytes:,} | {flash} | {100 * row.accuracy:.2f} | {100 * row.macro_f1:.2f} "
            f"| {100 * row.sensitivities[0]:.1f} | {100 * row.sensitivities[1]:.1f} | {100 * row.agreement:.2f} "
            f"| {100 * row.loss:+.2f} | {100 * row.low:+.2f} to {100 * row.high:+.2f} |"
        )
    plain = next(row for row in rows if row.mode == "int8" and row.recipe == QuantizationRecipe())
    kept = next((row.kept for row in rows if row.mode == "mixed"), ())
    lines += [
        "",
        f"INT8 as it comes (minmax, no repair) loses {100 * plain.loss:+.2f} points of macro F1; the upper limit of",
        f"the interval is {100 * plain.high:+.2f} points, {'below' if plain.high < 0.01 else 'NOT below'} 1.0 point.",
        f"Mixed kept {', '.join(f'`{name}`' for name in kept)}, the worst first. File: the .tflite. Flash: linked, the",
        "model's share on virtual-stm32f405, backend aot.",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    source = read_source("mitdb")
    train, test = load_dataset(source, "train"), load_dataset(source, "test")
    floats = reference.run_float(load_project(PROJECT).model, test.inputs, test.input_names)
    rows = []
    for mode, recipe in COMPARED:
        with TemporaryDirectory(prefix="leadwire-") as folder:
            rows.append(measure(mode, recipe, train, test, floats, Path(folder)))
        print(rows[-1], file=sys.stderr, flush=True)
    PAGE.write_text(page(rows, floats, test), encoding="utf-8")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
