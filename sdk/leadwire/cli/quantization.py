"""The verbs about quantization: quantize, sensitivity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leadwire.errors import BadInputError

from .app import Fresh, Json, Output, app, only_of_models, run_until, show, watcher

if TYPE_CHECKING:
    from leadwire.artifacts import QuantizationRecipe
    from leadwire.pipeline.modes import ToQuantize

Source = Annotated[Path, typer.Argument(help="leadwire.toml, or a .keras, .h5, SavedModel or float .tflite model.")]
DatasetId = Annotated[str, typer.Option("--dataset", help="Dataset id or file that calibration is drawn from.")]
Split = Annotated[str, typer.Option("--split", help="The dataset's split to calibrate on.")]
Count = Annotated[int, typer.Option("--count", help="Calibration inputs.", min=1, max=1_000_000)]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the draw.", min=0)]
StratifyBy = Annotated[str, typer.Option("--stratify", help="class, patient or class+patient.")]
CalibratorName = Annotated[
    str, typer.Option("--calibrator", help="What sets the ranges: minmax, percentile, mse or entropy.")
]
Percentile = Annotated[
    float, typer.Option("--percentile", help="Share of values in the range, per cent; calibrator percentile.")
]
Equalize = Annotated[bool, typer.Option("--equalize", help="Cross-layer equalization before quantizing.")]
PerTensorDense = Annotated[bool, typer.Option("--per-tensor-dense", help="One scale for each Dense layer.")]
_OF_MODELS = (
    "dataset", "split", "count", "seed", "stratify", "calibrator", "percentile", "equalize", "per_tensor_dense",
)  # fmt: skip


@app.command()
def quantize(
    context: typer.Context,
    source: Source,
    dataset: DatasetId = "",
    split: Split = "train",
    out: Annotated[Path | None, typer.Option("--out", help="The .tflite file to write.")] = None,
    count: Count = 200,
    seed: Seed = 1,
    stratify: StratifyBy = "class+patient",
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            help="int8; int16x8: activations of int16; mixed: int8 but for the worst layers; for hosts alone dynamic "
            "(int8 weights, float activations) and fp16.",
        ),
    ] = "int8",
    calibrator: CalibratorName = "minmax",
    percentile: Percentile = 99.99,
    equalize: Equalize = False,
    bias_correction: Annotated[
        bool, typer.Option("--bias-correction", help="Take the mean error of each channel off its bias.")
    ] = False,
    keep: Annotated[int, typer.Option("--keep", help="Layers that mode mixed keeps, the worst ones.", min=0)] = 3,
    keep_as: Annotated[str, typer.Option("--keep-as", help="int16x8, or float: for hosts alone.")] = "int16x8",
    target_sqnr_db: Annotated[
        float | None,
        typer.Option("--target-sqnr", help="Instead of --keep: as many layers as it takes, outputs' SQNR in dB."),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Write nothing: every mode, calibrator and repair side by side.")
    ] = False,
    per_tensor_dense: PerTensorDense = False,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Quantize a model to a .tflite, calibrated by a stated policy: INT8, 16x8, mixed, dynamic range or FP16."""
    of_one = ("out", "mode", "bias_correction", "keep", "keep_as", "target_sqnr_db")
    if source.suffix == ".toml" and not compare:
        only_of_models(context, *_OF_MODELS, *of_one)
        run_until("quantize", source, output, fresh, as_json)
        return
    from leadwire.pipeline import modes
    from leadwire.views import quantization as views

    if compare:
        given = [one for one in (*of_one, "calibrator", "percentile", "equalize") if _is_given(context, one)]
        if given:
            named = ", ".join(f"--{one.replace('_', '-')}" for one in given)
            raise BadInputError(f"{named}: of one mode, and --compare is about all", hint="leave out one of them")
    recipe = modes.recipe_from(
        calibrator,
        keep_as,
        percentile=percentile,
        equalize=equalize,
        bias_correction=bias_correction,
        keep=keep,
        target_sqnr_db=target_sqnr_db,
    )
    wanted = _wanted(context, source, dataset, split, count, seed, stratify, per_tensor_dense, recipe)
    if compare:
        with watcher() as progress:
            compared = modes.compare_all(wanted, progress)
        show(compared, as_json, views.compared)
        return
    result = modes.quantize_file(wanted, out or source.with_suffix(f".{mode}.tflite"), mode)
    show(result, as_json, views.quantized)


@app.command()
def sensitivity(
    context: typer.Context,
    source: Source,
    dataset: DatasetId = "",
    split: Split = "train",
    count: Count = 200,
    seed: Seed = 1,
    stratify: StratifyBy = "class+patient",
    calibrator: CalibratorName = "minmax",
    percentile: Percentile = 99.99,
    equalize: Equalize = False,
    per_tensor_dense: PerTensorDense = False,
    as_json: Json = False,
) -> None:
    """Rank the layers of a float model by what each costs when it alone is INT8, on held-out inputs."""
    from leadwire.pipeline import modes
    from leadwire.views import quantization as views

    recipe = modes.recipe_from(calibrator, "int16x8", percentile=percentile, equalize=equalize)
    wanted = _wanted(context, source, dataset, split, count, seed, stratify, per_tensor_dense, recipe)
    with watcher() as progress:
        ranked = modes.rank_layers(wanted, progress)
    show(ranked, as_json, views.ranked)


def _wanted(
    context: typer.Context,
    source: Path,
    dataset: str,
    split: str,
    count: int,
    seed: int,
    stratify: str,
    per_tensor_dense: bool,
    recipe: QuantizationRecipe,
) -> ToQuantize:
    from leadwire.pipeline import modes

    if source.suffix == ".toml":
        only_of_models(context, *_OF_MODELS)
        return modes.of_project(source)
    if not dataset:
        raise BadInputError("quantize needs inputs to calibrate with", hint="add --dataset ID, or give a leadwire.toml")
    return modes.of_file(
        source,
        dataset,
        split=split,
        count=count,
        seed=seed,
        stratify=stratify,
        per_tensor_dense=per_tensor_dense,
        recipe=recipe,
    )


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
