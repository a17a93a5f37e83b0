"""Runs under MLPerf Tiny's protocol."""

from __future__ import annotations

from dataclasses import dataclass

from .statistic import Statistic
from .words import Backend, Basis, Personality


@dataclass(frozen=True, slots=True, kw_only=True)
class MlperfLoop:
    """One `infer` of a performance run, timed by the device's clock."""

    sample: str
    iterations: int
    warmup: int
    elapsed_us: int

    @property
    def latency_us(self) -> float:
        return self.elapsed_us / self.iterations


@dataclass(frozen=True, slots=True, kw_only=True)
class MlperfQuality:
    """Quality over the files of a dataset folder, from the printed results, as the benchmark's runner takes them.

    `identical` of `inferences` gave the very output bytes of TensorFlow Lite Micro's interpreter on the host; None
    where that was not there to ask. `floor` is what the closed division asks for, `whole_set` whether all files of the
    benchmark's set were there.
    """

    statistic: Statistic
    floor: float | None
    files: int
    inferences: int
    whole_set: bool
    identical: int | None
    io_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MlperfResult:
    """One model on one board under MLPerf Tiny's protocol. The median over the loops is the score.

    `valid` is whether the loops keep the benchmark's rules; `reasons` says why not. It is no submission either way.
    `image_digest` is empty where the firmware was running already, `build_id` where that is not leadwire's.
    """

    benchmark: str
    board_id: str
    backend: Backend
    personality: Personality
    image_digest: str
    model_digest: str
    basis: Basis
    build_id: str
    unique_id: str
    loops: tuple[MlperfLoop, ...]
    median_latency_us: float | None
    median_throughput_hz: float | None
    valid: bool
    reasons: tuple[str, ...]
    quality: MlperfQuality | None = None
