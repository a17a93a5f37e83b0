"""`make bench-check` finds what got worse: `worse` of benchmarks/models.py, against a table by hand."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

_SPEC = importlib.util.spec_from_file_location(
    "models_benchmarked", Path(__file__).parents[2] / "benchmarks" / "models.py"
)
assert _SPEC is not None and _SPEC.loader is not None
models: Any = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = models
_SPEC.loader.exec_module(models)

RESULT = models.Result(
    model="m", variant="size", macs=1, instructions=1000, constant=True, cycles=1, arena=2000, lower_bound=1,
    flash=3000, beyond_weights=1, stack=800, bytes_equal=True, layers=(),
)  # fmt: skip
TABLE = [dataclasses.asdict(RESULT)]


def test_the_same_and_one_per_cent_more_is_not_worse() -> None:
    assert models.worse([RESULT], TABLE) == []
    assert models.worse([dataclasses.replace(RESULT, instructions=1010, stack=808)], TABLE) == []


@pytest.mark.parametrize("figure", ["instructions", "arena", "flash", "stack"])
def test_more_than_one_per_cent_is_worse(figure: str) -> None:
    then = getattr(RESULT, figure)
    (found,) = models.worse([dataclasses.replace(RESULT, **{figure: then * 102 // 100})], TABLE)
    assert found == f"m size: {figure} {then * 102 // 100:,}, was {then:,} (+2.0%)"


def test_what_depends_on_the_input_is_worse() -> None:
    assert "depends on the input" in models.worse([dataclasses.replace(RESULT, constant=False)], TABLE)[0]


def test_other_bytes_are_found_whatever_is_committed() -> None:
    wrong = dataclasses.replace(RESULT, bytes_equal=False)
    for table in (TABLE, []):
        assert "m size: the output is not TensorFlow Lite Micro's" in models.worse([wrong], table)


def test_what_is_not_committed_is_an_error() -> None:
    for other in (dataclasses.replace(RESULT, model="n"), dataclasses.replace(RESULT, variant="speed")):
        (found,) = models.worse([other], TABLE)
        assert f"{other.model} {other.variant}: not in results.json" in found and "make bench" in found
