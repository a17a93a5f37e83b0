"""The arena of every reference model, by the kernels of each kind of core, is at most 1.10 of the lower bound."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leadwire.model.tflite import read_tflite
from leadwire.ops.choice import choose_kernels
from leadwire.planner import plan_memory

MODELS = sorted((Path(os.environ.get("LEADWIRE_DATA", "/nonexistent")) / "models").glob("*.tflite"))
MOST_OF_BOUND = 1.10
CORES = {
    "portable": ([], 0),
    "dsp": (["dsp"], 0),
    "dsp-wide": (["dsp"], 1 << 30),
    "mve": (["dsp", "mve"], 0),
}
"""Extensions of the core, and bytes of flash to spare for speed."""

pytestmark = pytest.mark.skipif(not MODELS, reason="needs the reference models in LEADWIRE_DATA/models")


@pytest.mark.requirement("LW-MEM-001")
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_close_to_the_lower_bound(path: Path, core: str) -> None:
    model = read_tflite(path)
    extensions, spare = CORES[core]
    plan = plan_memory(model, kernels=choose_kernels(model, extensions, spare_flash_bytes=spare))
    assert plan.lower_bound_bytes <= plan.arena_bytes <= MOST_OF_BOUND * plan.lower_bound_bytes
