"""RESULTS.md and results.svg from the measurements of models.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

PER_OUTPUT = {"CONV_2D": 10.0, "FULLY_CONNECTED": 8.0, "DEPTHWISE_CONV_2D": 9.5}
"""Instructions of the kernels for Armv7E-M for each output beside its products: bias, rescale, clamp, store, loop."""
INNER = {
    ("CONV_2D", "dsp"): 14 / 16,
    ("CONV_2D", "dsp-wide"): 10 / 16,
    ("FULLY_CONNECTED", "dsp"): 18 / 16,
    ("FULLY_CONNECTED", "dsp-wide"): 11 / 16,
    ("DEPTHWISE_CONV_2D", "dsp"): 9 / 4,
}
"""Instructions of their inner step for each product: the limit of the kernel, whatever the shape."""


INTRODUCTION = """\
# Results of `make bench`

Written by `make bench`; do not edit. Executed instructions of one inference on the built-in emulated Cortex-M4F
(STM32F405), counted exactly, compiled by the pinned zig with -O2 (`size, gcc`: by
arm-none-eabi-gcc, as TensorFlow Lite Micro); cycles are the timing model's estimate. TensorFlow
Lite Micro: release build, arm-none-eabi-gcc 12.2 -O2, the same models and input, counted on QEMU. `size` keeps
weights as bytes, `speed` widens those that save most as far as the board's flash budget (512 KiB) goes, `portable` is
plain C99 for any core. Flash is code, weights and tables of the model; for TensorFlow Lite Micro its code and the
model's file. The bound is the largest set of bytes alive during any operator, output and input overlapped as far as
the kernel allows.

![instructions relative to TensorFlow Lite Micro with CMSIS-NN](results.svg)"""
LAYERS = """\
## Every layer, `size` and `speed`

The limit is what the inner step of the kernel alone takes for each product. `products` is that for the layer's MACs,
`outputs` the rescaling and storing of its outputs, `rest` everything else: laying out columns (with zero points where
the window overhangs), taps and channels filled up to multiples of four and two, calls and loops."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def mean(values: Sequence[float]) -> float:
    """Geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def summary(results: Sequence[Any], baseline: Mapping[str, Any]) -> str:
    """Every model and variant against TensorFlow Lite Micro, and the means of each variant."""
    head = (
        "model", "variant", "instructions", "/MAC", "of CMSIS-NN", "of reference", "cycles (estimate)", "arena B",
        "of TFLM", "of bound", "flash B", "of TFLM", "beyond weights B", "stack B", "bytes", "every input",
    )  # fmt: skip
    rows = []
    for one in results:
        tflm = baseline[one.model]
        rows.append(
            (
                one.model, one.variant, f"{one.instructions:,}", f"{one.instructions / one.macs:.2f}",
                f"{one.instructions / tflm.cmsis:.2f}", f"{one.instructions / tflm.reference:.2f}", f"{one.cycles:,}",
                f"{one.arena:,}", f"{one.arena / tflm.arena:.2f}", f"{one.arena / one.lower_bound:.2f}",
                f"{one.flash:,}", f"{one.flash / tflm.flash:.2f}", f"{one.beyond_weights:,}", f"{one.stack:,}",
                "equal" if one.bytes_equal else "DIFFER", "the same count" if one.constant else "VARIES",
            )
        )  # fmt: skip
    means = []
    for variant in dict.fromkeys(one.variant for one in results):
        own = [one for one in results if one.variant == variant]
        ratios = [
            [one.instructions / one.macs for one in own],
            [one.instructions / baseline[one.model].cmsis for one in own],
            [one.instructions / baseline[one.model].reference for one in own],
            [one.arena / baseline[one.model].arena for one in own],
            [one.flash / baseline[one.model].flash for one in own],
        ]
        means.append((variant, *(f"{mean(values):.2f}" for values in ratios)))
    heading = ("geometric mean", "/MAC", "of CMSIS-NN", "of reference", "arena of TFLM", "flash of TFLM")
    return f"{table(head, rows)}\n\n{table(heading, means)}"


def layers(result: Any) -> str:
    """One row for each operator: what it costs, what its kernel's inner step alone would, and the rest."""
    head = (
        "#", "operator", "kernel", "MACs", "instructions", "/MAC", "/output", "limit /MAC", "products", "outputs",
        "rest",
    )  # fmt: skip
    rows = []
    for index, layer in enumerate(result.layers):
        inner = INNER.get((layer.kind, layer.kernel))
        share = ("", "", "")
        if inner is not None and layer.instructions:
            products, outputs = inner * layer.macs, PER_OUTPUT[layer.kind] * layer.outputs
            rest = layer.instructions - products - outputs
            share = tuple(f"{part / layer.instructions:.0%}" for part in (products, outputs, rest))  # type: ignore[assignment]
        rows.append(
            (
                str(index), f"{layer.kind} {layer.tensor}", layer.kernel, f"{layer.macs:,}" if layer.macs else "",
                f"{layer.instructions:,}", f"{layer.instructions / layer.macs:.2f}" if layer.macs else "",
                f"{layer.instructions / layer.outputs:.1f}", "" if inner is None else f"{inner:.2f}", *share,
            )
        )  # fmt: skip
    return table(head, rows)


def page(results: Sequence[Any], baseline: Mapping[str, Any]) -> str:
    parts = [INTRODUCTION, summary(results, baseline), LAYERS]
    for one in results:
        if one.variant in ("size", "speed"):
            parts += [f"### {one.model}, {one.variant}", layers(one)]
    return "\n\n".join(parts) + "\n"


def plot(results: Sequence[Any], baseline: Mapping[str, Any]) -> str:
    """Bars: instructions of each variant as a share of TensorFlow Lite Micro's with CMSIS-NN, the line at 1."""
    variants = list(dict.fromkeys(one.variant for one in results))
    colours = {"size": "#1f6f8b", "size, gcc": "#7fb2c4", "speed": "#3aa17e", "portable": "#b0b7bd"}
    names = list(dict.fromkeys(one.model for one in results))
    left, bar, gap, scale, top = 150, 14, 14, 300, 40
    height = top + len(names) * (len(variants) * bar + gap) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" width="760" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        "<title>Instructions relative to TensorFlow Lite Micro with CMSIS-NN</title>",
        f'<rect width="760" height="{height}" fill="#fff"/>',
    ]
    for number, variant in enumerate(variants):
        x = left + number * 110
        parts.append(f'<rect x="{x}" y="10" width="12" height="12" fill="{colours[variant]}"/>')
        parts.append(f'<text x="{x + 18}" y="20">{variant}</text>')
    y = top
    for name in names:
        parts.append(f'<text x="{left - 8}" y="{y + bar * len(variants) / 2 + 4:g}" text-anchor="end">{name}</text>')
        for one in (one for one in results if one.model == name):
            ratio = one.instructions / baseline[name].cmsis
            width, colour = ratio * scale, colours[one.variant]
            parts.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{bar - 2}" fill="{colour}"/>')
            parts.append(f'<text x="{left + width + 4:.1f}" y="{y + bar - 4}" font-size="10">{ratio:.2f}</text>')
            y += bar
        y += gap
    x = left + scale
    parts.append(f'<line x1="{x}" y1="{top - 6}" x2="{x}" y2="{y}" stroke="#a33" stroke-width="1"/>')
    parts.append(f'<text x="{x + 4}" y="{y + 12}" fill="#a33">1: TFLM with CMSIS-NN</text></svg>')
    return "\n".join(parts) + "\n"
