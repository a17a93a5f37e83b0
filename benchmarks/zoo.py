"""Every family of the zoo at its default settings on the emulated STM32F405: writes docs/manual/zoo.md.

    make zoo            or: python benchmarks/zoo.py [--print] [--models FOLDER]

Sizes and instructions do not depend on what a network has learnt, so the weights are random. Ends with an error where
the board does not give the bytes of TensorFlow Lite Micro, or where an input changes the number of instructions.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import numpy as np  # noqa: E402

from leadwire import reference, zoo  # noqa: E402
from leadwire.artifacts import BenchmarkResult  # noqa: E402
from leadwire.bench import run_benchmark  # noqa: E402
from leadwire.flash import flash_image  # noqa: E402
from leadwire.pipeline.alone import Analysis, analyze_model, bench_inputs, build_model, choose, require_image  # noqa: E402
from zoo_models import CLASSES, FEATURES, WINDOW, make_models  # noqa: E402

BOARD = "virtual-stm32f405"
PAGE = ROOT / "docs" / "manual" / "zoo.md"
HEAD = """# The zoo: network architectures for 1-D signals

Families of networks, each built from a few settings. All become full INT8 without a float left, run on every board and
give the bytes of TensorFlow Lite Micro.

```python
from leadwire import zoo

settings = zoo.settings("resnet", {{"width": 16, "blocks": 2}})   # a table of TOML; what it leaves out has a default
model = zoo.build(settings, (96, 2), 5, features=19)            # keras.Model, untrained: train it, save it, quantize it
```

`input_shape` is the window (samples, channels) without the batch; `features` more numbers, such as RR intervals, may be
joined before the last layers. In a recipe the same is `[model] family = "resnet"` with a table `[model.settings]`
([compression.md](compression.md)). Mistakes in settings are reported all at once, with their limits.
`zoo.FAMILIES[name].search` holds the values that a search over settings may try.

## What each costs

Default settings; a window of {samples} samples of {channels} channels and {features} features to {classes} classes, as
the example's beats; `unet` gives {channels} channels at each sample. Written by `make zoo` on the built-in emulated
STM32F405 (Cortex-M4F), kernels for the goal `size`, compiler zig.

* **parameters**: what training sets, batch normalization's included. **MACs**: multiplications of one inference.
* **arena**: the plan of `aot`. **flash**: weights, tables and code of model and runtime in the linked image.
* **instructions**: executed by one inference, exact and the same for every input, which the script checks; /MAC: for
  each multiplication. **cycles**: an estimate ([timing-model.md](timing-model.md)).

"""


ENDS = """\
Most end alike: the signal is averaged to at most `positions` places, which the dense layers then tell apart; `dense` is
their hidden units (0: none), `dropout` the share of values that training drops before them."""


class Quiet:
    """A watcher that nobody reads."""

    def stage(self, name: str, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, label: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One family on the board; `operators` by kind, the most frequent first."""

    family: str
    parameters: int
    analysis: Analysis
    result: BenchmarkResult

    @property
    def operators(self) -> tuple[tuple[str, int], ...]:
        return tuple(Counter(operator.kind for operator in self.analysis.operators).most_common())


def measure(family: str, parameters: int, path: Path, folder: Path) -> Row:
    built = build_model(path, choose(BOARD, "aot", "zig"), folder / family, Quiet())
    image, inputs = require_image(built), bench_inputs(built.model, pattern=False, count=3)
    given: list[tuple[bytes, ...]] = []
    with flash_image(image, choose(BOARD, "aot", "zig").target) as running:
        result = run_benchmark(running, built.model, built.plan, inputs=inputs, warmup=0, keep=given.append)
    expected = reference.run_tflm(path, np.stack([np.frombuffer(data, np.int8) for data in inputs]))
    if list(given[0]) != [row.tobytes() for row in expected]:
        sys.exit(f"error: {family} does not give the bytes of TensorFlow Lite Micro")
    if not result.constant_instructions:
        sys.exit(f"error: the instructions of {family} depend on the input")
    return Row(family=family, parameters=parameters, analysis=analyze_model(built), result=result)


def costs(rows: list[Row]) -> list[str]:
    columns = ("family", "parameters", "MACs", "arena B", "flash B", "instructions", "/MAC", "cycles", "operators")
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        count = row.result.instructions_per_inference or 0
        cells = (
            f"[`{row.family}`](#{row.family})",
            f"{row.parameters:,}",
            f"{row.analysis.macs:,}",
            f"{row.analysis.arena_bytes:,}",
            f"{row.analysis.flash_bytes:,}",
            f"{count:,}",
            f"{count / row.analysis.macs:.2f}",
            f"{round(row.result.cycles_estimate):,}",
            f"{len(row.analysis.operators)}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def wrapped(text: str) -> str:
    return fill(text, 120, break_long_words=False, break_on_hyphens=False)


def family_section(row: Row) -> list[str]:
    family = zoo.FAMILIES[row.family]
    what = " ".join((sys.modules[family.build.__module__].__doc__ or "").split())
    described = " ".join((family.settings.__doc__ or "").split())
    lines = [f"### {row.family}", "", wrapped(what), "", wrapped(described), "", f"Source: {family.source}.", ""]
    lines += ["| setting | default | a search tries |", "|---|---|---|"]
    for one in fields(family.settings):
        tried = family.search.get(one.name)
        if isinstance(tried, zoo.Span):
            shown = f"{tried.low} to {tried.high} in steps of {tried.step}"
        else:
            shown = ", ".join(map(str, tried)) if tried is not None else "-"
        lines.append(f"| `{one.name}` | {one.default} | {shown} |")
    used = ", ".join(f"{kind} {count}" for kind, count in row.operators)
    return [*lines, "", wrapped(f"Operators: {used}."), ""]


def page(rows: list[Row]) -> str:
    head = HEAD.format(samples=WINDOW[0], channels=WINDOW[1], features=FEATURES, classes=CLASSES)
    lines = [*costs(rows), "", "## The families", "", ENDS, ""]
    for row in rows:
        lines += family_section(row)
    return head + "\n".join(lines).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--print", action="store_true", help="print the page instead of writing it")
    parser.add_argument("--models", type=Path, help="take the models of tests/zoo_models.py from this folder")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="leadwire-") as scratch:
        folder = options.models or Path(scratch)
        if options.models is None:
            parameters = make_models(folder)
        else:
            parameters = json.loads((folder / "parameters.json").read_text(encoding="utf-8"))
        rows = []
        for name in zoo.FAMILIES:
            rows.append(measure(name, parameters[name], folder / f"{name}.tflite", Path(scratch) / "firmware"))
            print(costs(rows)[-1], file=sys.stderr, flush=True)
    if options.print:
        print(page(rows), end="")
    else:
        PAGE.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
