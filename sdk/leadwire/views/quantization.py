"""What the verbs about quantization show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import grid, size, table_of

if TYPE_CHECKING:
    from leadwire.artifacts import (
        CalibrationSet,
        ModeComparison,
        QuantizationEffect,
        QuantizationMode,
        QuantizationRecipe,
        QuantizedModel,
        SensitivityResult,
    )


def quantized(result: QuantizedModel) -> None:
    rows = [
        ("model", str(result.path)),
        ("sha-256", result.digest),
        ("mode", f"{result.mode_name}{_details(result)}"),
        ("size", size(result.size_bytes)),
        *_calibration(result.calibration),
    ]
    for title, names in (
        ("equalized", result.equalized),
        ("bias corrected", result.corrected),
        (f"kept as {result.recipe.keep_as}", result.kept),
    ):
        if names:
            rows.append((title, ", ".join(names)))
    if result.effect is not None:
        rows.append(("held-out inputs", f"{result.effect.samples}: {_effect(result.effect)}"))
    grid(rows)
    if not result.layer_errors:
        return
    table_of(
        "quantization error per operator",
        ["op", "kind", "tensor", "SQNR dB", "saturated"],
        [
            (str(e.operator_index), e.kind, e.tensor, f"{e.sqnr_db:.1f}", f"{e.saturated_fraction:.2%}")
            for e in result.layer_errors
        ],
        left=3,
    )


def ranked(result: SensitivityResult) -> None:
    grid(
        [
            *_calibration(result.calibration),
            ("calibrator", result.calibrator),
            ("all in INT8", _effect(result.all_int8)),
        ]
    )
    table_of(
        f"loss of each layer when it alone is INT8, {result.all_int8.samples} held-out inputs, the worst first",
        ["rank", "op", "kind", "tensor", "SQNR dB", "changed", "macro F1 lost"],
        [
            (str(rank), str(layer.operator_index), layer.kind, layer.tensor, *_columns(layer.effect))
            for rank, layer in enumerate(result.layers, start=1)
        ],
        left=4,
    )


def compared(result: ModeComparison) -> None:
    grid(list(_calibration(result.calibration)))
    samples = result.modes[0].effect.samples if result.modes else 0
    table_of(
        f"modes, calibrators and repairs on {samples} held-out inputs",
        ["mode", "calibrator", "repairs", "size", "SQNR dB", "changed", "macro F1 lost"],
        [
            (
                mode_words(one.mode, one.recipe, one.kept),
                "-" if one.mode in ("dynamic", "fp16") else one.recipe.calibrator,
                repair_words(one.recipe),
                size(one.size_bytes),
                *_columns(one.effect),
            )
            for one in result.modes
        ],
        left=3,
    )


def mode_words(mode: QuantizationMode, recipe: QuantizationRecipe, kept: tuple[str, ...]) -> str:
    return f"mixed, {len(kept)} kept as {recipe.keep_as}" if mode == "mixed" else mode


def repair_words(recipe: QuantizationRecipe) -> str:
    given = (("equalized", recipe.equalize), ("bias corrected", recipe.bias_correction))
    return ", ".join(word for word, is_given in given if is_given) or "-"


def _details(result: QuantizedModel) -> str:
    """Calibrator and repairs where they are not the plain ones."""
    words = [] if result.recipe.calibrator == "minmax" else [f"calibrator {result.recipe.calibrator}"]
    if (repairs := repair_words(result.recipe)) != "-":
        words.append(repairs)
    return "".join(f", {word}" for word in words)


def _calibration(calibration: CalibrationSet) -> list[tuple[str, str]]:
    if not calibration.count:
        return [("calibration", calibration.policy)]
    return [
        ("calibration", f"{calibration.count} inputs of '{calibration.dataset}', {calibration.policy}"),
        ("per class", "  ".join(f"{label} {count}" for label, count in calibration.per_class)),
        ("patients", f"{len(calibration.patients)}, none of them tested"),
    ]


def _effect(effect: QuantizationEffect) -> str:
    words = [f"SQNR of the outputs {effect.sqnr_db:.1f} dB"]
    if effect.changed is not None and effect.macro_f1_loss is not None:
        words.append(f"{effect.changed} decisions changed")
        words.append(f"macro F1 {effect.macro_f1_loss * 100:+.2f} points lost")
    return ", ".join(words)


def _columns(effect: QuantizationEffect) -> tuple[str, str, str]:
    loss = effect.macro_f1_loss
    return (
        f"{effect.sqnr_db:.1f}",
        "-" if effect.changed is None else str(effect.changed),
        "-" if loss is None else f"{loss * 100:+.2f}",
    )
