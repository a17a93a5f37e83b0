"""Measure boards/timing/costs.toml: cycles of the reference models on the emulated Cortex-M4, by code and operator.

    LEADWIRE_DATA=... python benchmarks/forecast_costs.py > boards/timing/costs.toml

Write it again when kernels get faster: forecasts that execute the kernels do not need it, those from multiplications
alone do.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from pathlib import Path

import leadwire
from leadwire.forecast.work import OperatorWork, Work, largest_tensor
from leadwire.model.graph import Model
from leadwire.pipeline.forecast import CODES, count_work
from leadwire.pipeline.sources import read_model

MODELS = ("kws_dscnn_int8", "ic_resnet8_int8", "ad_fcae_int8", "ecg_cnn_int8", "ecg_kachuee_int8")


def count_of(model: Model, operator: OperatorWork) -> int:
    return operator.macs or largest_tensor(model, model.operators[operator.index])


def main() -> None:
    root = Path(__file__).resolve().parent.parent
    folder = Path(os.environ.get("LEADWIRE_DATA") or root.parent / "shared" / "data") / "models"
    measured: list[tuple[Model, Work]] = []
    cycles: dict[tuple[str, str], float] = defaultdict(float)
    units: dict[tuple[str, str], int] = defaultdict(int)
    for code in CODES:
        for name in MODELS:
            path = folder / f"{name}.tflite"
            model, work = read_model(path), count_work(path, code)
            if work is None:
                sys.exit(f"{name} does not fit the emulated board as {code} code")
            measured.append((model, work))
            for operator in work.operators:
                cycles[code, operator.kind] += operator.cycles
                units[code, operator.kind] += count_of(model, operator)
            print(f"{code} {name}: {work.cycles:,.0f} cycles", file=sys.stderr)
    print(f"# Measured by benchmarks/forecast_costs.py with leadwire {leadwire.__version__}: cycles on the emulated")
    print("# Cortex-M4 (basis emulated) of the reference models, compiled for each core. Do not edit.")
    print(f"# Models: {', '.join(MODELS)}.")
    again = [
        sum(
            op.cycles and cycles[work.code, op.kind] / units[work.code, op.kind] * count_of(model, op)
            for op in work.operators
        )
        / work.cycles
        for model, work in measured
    ]
    print(f"# Work by these costs is {min(again):.2f} to {max(again):.2f} times the counted work of the same models.")
    for (code, kind), count in sorted(units.items()):
        if cycles[code, kind] / count > 0.05:
            print(f'\n[[cost]]\ncode = "{code}"\nkind = "{kind}"\ncycles = {cycles[code, kind] / count:.3f}')


if __name__ == "__main__":
    main()
