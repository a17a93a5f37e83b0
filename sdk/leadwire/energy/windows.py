"""When the inferences ran, in the samples of a trace: by the marker's level, by its edges, or by the device's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from leadwire.errors import BadInputError

from .trace import Floats, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start_s` to `end_s` after the trace's first sample, with the standard uncertainty of each edge's time."""

    start_s: float
    end_s: float
    edge_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFit:
    """meter time = `offset_s` + (1 + `drift`) * device time, fitted over pairs of both; `residual_s` is the standard
    deviation around the line, `drift_uncertainty` the standard uncertainty of `drift`."""

    offset_s: float
    drift: float
    residual_s: float
    drift_uncertainty: float
    pairs: int
    mean_s: float
    spread_s2: float

    def at(self, device_s: float) -> float:
        return self.offset_s + (1.0 + self.drift) * device_s

    def uncertainty(self, device_s: float) -> float:
        """Standard uncertainty of the fitted line at a device time."""
        return self.residual_s * float(np.sqrt(1.0 / self.pairs + (device_s - self.mean_s) ** 2 / self.spread_s2))


def windows_by_level(trace: Trace) -> tuple[Window, ...]:
    """The times that the marker was high, whole ones only: one that begins or ends with the trace is left out. An edge
    lies anywhere between two samples: standard uncertainty of a sample's distance over the square root of 12."""
    if trace.marker is None:
        raise BadInputError(
            "the trace has no marker channel",
            hint="wire the board's marker pin to the meter's digital input, or give --windows and --sync",
        )
    level = trace.marker.astype(np.int8)
    change = np.diff(level)
    rises = np.flatnonzero(change == 1) + 1
    falls = np.flatnonzero(change == -1) + 1
    if len(falls) and (not len(rises) or falls[0] < rises[0]):
        falls = falls[1:]
    return _between(trace, rises[: len(falls)], falls)


def windows_by_edges(trace: Trace) -> tuple[Window, ...]:
    """From each odd falling edge of the marker to the next even one, as MLPerf Tiny's energy mode marks its runs."""
    if trace.edges:
        edges = np.array(trace.edges)
    elif trace.marker is not None:
        edges = np.flatnonzero(np.diff(trace.marker.astype(np.int8)) == -1) + 1
    else:
        raise BadInputError("the trace has no marker", hint="wire the board's marker pin to the meter's digital input")
    if len(edges) % 2:
        raise BadInputError(
            f"the trace has {len(edges)} edges of the marker, which do not make pairs",
            hint="start recording after the board has started, and stop it before the board is reset",
        )
    return _between(trace, edges[::2], edges[1::2])


def windows_by_clock(trace: Trace, fit: ClockFit, device_s: Sequence[tuple[float, float]]) -> tuple[Window, ...]:
    """Windows that the device told in its own time, which the fit turns into the meter's."""
    found = []
    for start, end in device_s:
        edge = float(np.hypot(max(fit.uncertainty(start), fit.uncertainty(end)), trace.step_s / np.sqrt(12)))
        found.append(Window(start_s=fit.at(start) - trace.start_s, end_s=fit.at(end) - trace.start_s, edge_s=edge))
    _check(trace, found)
    return tuple(found)


def fit_clocks(device_s: Sequence[float], meter_s: Sequence[float]) -> ClockFit:
    """Least squares over at least three pairs of times at which both clocks were read."""
    x, y = np.asarray(device_s, np.float64), np.asarray(meter_s, np.float64)
    if len(x) != len(y) or len(x) < 3:
        raise BadInputError(
            f"{len(x)} pairs of device and meter time, at least 3 are needed for offset, drift and scatter"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.any(np.diff(x) <= 0):
        raise BadInputError("the device's times of the sync pairs do not rise")
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread)
    offset = float(y.mean() - slope * x.mean())
    residual = float(np.sqrt(((y - offset - slope * x) ** 2).sum() / (len(x) - 2)))
    if not 0.5 < slope < 2.0:
        raise BadInputError(
            f"the meter's clock runs {slope:g} times as fast as the device's", hint="check the units of the sync pairs"
        )
    return ClockFit(
        offset_s=offset, drift=slope - 1.0, residual_s=residual, drift_uncertainty=residual / float(np.sqrt(spread)),
        pairs=len(x), mean_s=float(x.mean()), spread_s2=spread,
    )  # fmt: skip


def _between(trace: Trace, starts: np.ndarray, ends: np.ndarray) -> tuple[Window, ...]:
    edge = trace.step_s / float(np.sqrt(12.0))
    found = [
        Window(start_s=(float(start) - 0.5) * trace.step_s, end_s=(float(end) - 0.5) * trace.step_s, edge_s=edge)
        for start, end in zip(starts, ends, strict=True)
    ]
    _check(trace, found)
    return tuple(found)


def _check(trace: Trace, windows: Sequence[Window]) -> None:
    for before, after in pairwise(windows):
        if after.start_s < before.end_s:
            raise BadInputError(f"two windows overlap at {trace.start_s + after.start_s:.6f} s of the trace")
    for window in windows:
        if window.seconds <= 0 or window.start_s < 0 or window.end_s > trace.seconds:
            begin, end = trace.start_s, trace.start_s + trace.seconds
            raise BadInputError(
                f"a window from {begin + window.start_s:.6f} to {begin + window.end_s:.6f} s lies outside the trace, "
                f"which goes from {begin:.6f} to {end:.6f} s",
                hint="check that the trace covers the whole run and that the sync pairs belong to it",
            )


def integral(samples: Floats, step_s: float, start_s: float, end_s: float) -> float:
    """Of a power (joules) or current (coulombs) that holds from half a step before each sample to half a step after it;
    the first sample lies at 0 s."""
    edges = np.concatenate(([0.0], np.cumsum(samples))) * step_s
    places = (np.array([start_s, end_s]) + 0.5 * step_s) / step_s
    low = np.clip(np.floor(places).astype(int), 0, len(samples) - 1)
    values = edges[low] + (places - low) * samples[low] * step_s
    return float(values[1] - values[0])
