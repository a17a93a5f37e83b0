"""What the verb of MLPerf Tiny's protocol shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import grid, out, table_of

if TYPE_CHECKING:
    from leadwire.artifacts import MlperfQuality, MlperfResult


def result(one: MlperfResult) -> None:
    table_of(
        f"{one.benchmark} on {one.board_id} ({one.backend}): {one.basis}",
        ("loop", "sample", "inferences", "warm-up", "time", "inf/s"),
        (
            (
                str(number),
                loop.sample,
                str(loop.iterations),
                str(loop.warmup),
                f"{loop.elapsed_us / 1e6:.3f} s",
                f"{1e6 / loop.latency_us:.3f}",
            )
            for number, loop in enumerate(one.loops, 1)
        ),
        left=2,
    )
    rows = []
    if one.median_latency_us is not None and one.median_throughput_hz is not None:
        rows.append(("median", f"{one.median_latency_us:,.1f} us, {one.median_throughput_hz:.3f} inf/s"))
    rows.append(("by the rules", "valid" if one.valid else "; ".join(one.reasons)))
    if one.quality is not None:
        rows += _quality(one.quality)
    rows += [("model", one.model_digest), ("image", one.image_digest)]
    out.print()
    grid(rows)


def _quality(quality: MlperfQuality) -> list[tuple[str, str]]:
    statistic, interval = quality.statistic, quality.statistic.interval
    figure = f"{statistic.estimate:.4f}"
    if interval is not None:
        figure += f" ({interval.level:.0%}: {interval.low:.4f} to {interval.high:.4f}, {interval.method})"
    floor = "" if quality.floor is None else f", the closed division asks for {quality.floor:g}"
    part = "" if quality.whole_set else "; not the benchmark's whole set"
    rows = [(statistic.name, figure + floor), ("files", f"{quality.files}, {quality.inferences} inferences{part}")]
    if quality.identical is not None:
        rows.append(
            ("output bytes", f"{quality.identical} of {quality.inferences} as TensorFlow Lite Micro's on the host")
        )
    return rows
