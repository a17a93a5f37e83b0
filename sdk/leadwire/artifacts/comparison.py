"""Backends beside each other."""

from __future__ import annotations

from dataclasses import dataclass

from .benchmark import BenchmarkResult
from .divergence import Divergence


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaFigures:
    """TFLite Micro's arena: computed from the model, recorded by its interpreter on the host, told by the device.

    `predicted_bytes` stands against `device_used_bytes`, `required_bytes` (what must be provided) against
    `device_needed_bytes`, `host_predicted_bytes` against `host_recorded_bytes`; the host's pointers are longer. None:
    not to be had.
    """

    kernels: str
    predicted_bytes: int
    required_bytes: int
    device_used_bytes: int | None
    device_needed_bytes: int | None
    host_predicted_bytes: int
    host_recorded_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendComparison:
    """One model on one board with several backends, on the same inputs in the same order.

    The first of `results` is what the others are compared with: `divergences[i]` is about `results[i + 1]`. `arena`
    where TFLite Micro is among them and knows all its operators.
    """

    board_id: str
    model_digest: str
    results: tuple[BenchmarkResult, ...]
    divergences: tuple[Divergence, ...]
    arena: ArenaFigures | None = None

    @property
    def identical(self) -> bool:
        return all(one.identical == one.compared for one in self.divergences)
