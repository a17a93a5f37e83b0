"""A Keras model as the board would have it: quantized, built, run once on the emulated core, and asked on the host."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leadwire import reference
from leadwire.artifacts import QuantizedModel
from leadwire.bench import run_benchmark
from leadwire.board import require_port
from leadwire.compress.recipe import RecipeQuantization, RecipeTarget
from leadwire.datasets import Dataset
from leadwire.errors import BadInputError
from leadwire.flash import flash_image
from leadwire.quantize import CalibrationPolicy, quantize_model

from .alone import Analysis, Options, analyze_model, bench_inputs, build_model, choose
from .host_model import HostModel
from .watcher import Quiet

_INPUTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`instructions` and `cycles` are those of one inference, None where the board cannot hold the image."""

    quantized: QuantizedModel
    figures: Analysis
    instructions: int | None
    cycles: float | None


def emulated_target(target: RecipeTarget) -> Options:
    """The board on which instructions are counted; BadInputError (2) for one that is not emulated."""
    options = choose(target.board, "aot", "auto", goal=target.goal)
    require_port(options.board)
    if options.board.emulation is None or options.board.emulation.engine == "host":
        raise BadInputError(
            f"board '{options.board.id}' is not emulated: instructions cannot be counted on it",
            hint="name an emulated board in target.board, such as virtual-stm32f405",
        )
    return options


def measure_keras(
    source: Path,
    calibration: Dataset,
    settings: RecipeQuantization,
    options: Options,
    folder: Path,
    test_patients: Collection[str] = (),
) -> Measured:
    """Quantize `source` into `folder/model.tflite`, build its firmware there and count one inference. Errors of the
    stages; a model that the board cannot hold is a result, without a count."""
    quantized = quantize_keras(source, calibration, settings, folder, test_patients)
    built = build_model(quantized.path, options, folder, Quiet())
    if built.image is None:
        return Measured(quantized=quantized, figures=analyze_model(built), instructions=None, cycles=None)
    with flash_image(built.image, options.target) as running:
        ran = run_benchmark(
            running, built.model, built.plan, inputs=bench_inputs(built.model, pattern=False, count=_INPUTS), warmup=1
        )
    assert ran.instructions_per_inference is not None
    return Measured(
        quantized=quantized,
        figures=analyze_model(built),
        instructions=ran.instructions_per_inference,
        cycles=ran.cycles_estimate,
    )


def quantize_keras(
    source: Path,
    calibration: Dataset,
    settings: RecipeQuantization,
    folder: Path,
    test_patients: Collection[str] = (),
) -> QuantizedModel:
    """`folder/model.tflite`, as the recipe wants it."""
    policy = CalibrationPolicy(count=settings.count, seed=settings.seed, stratify=settings.stratify)
    folder.mkdir(parents=True, exist_ok=True)
    return quantize_model(
        source, calibration, policy, folder / "model.tflite", test_patients=test_patients, mode=settings.mode
    )


def decided_by_integers(quantized: Path, dataset: Dataset) -> npt.NDArray[np.int64]:
    """The class that the generated C decides for, of each beat [n]."""
    host = HostModel.from_tflite(quantized)
    inputs = reference.match_inputs(host.model, dataset.inputs, dataset.input_names)
    decided: npt.NDArray[np.int64] = host.predict(list(inputs)).argmax(axis=1)
    return decided
