"""10,000 resamples of all endpoints of 50,000 beats, in time: sums per patient are resampled, never beats."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from evidence_example import example_protocol
from leadwire.protocols import load_protocol
from leadwire.stats import Bootstrap
from leadwire.validate.endpoints import Beats, judge

BEATS, PATIENTS, RESAMPLES = 50_000, 48, 10_000
EC57 = "".join(
    f'[[endpoints]]\nname = "{label} {share} by EC57"\nmeasure = "ec57_{share}"\nlabel = "{label}"\nmargin = 0.05\n'
    'rationale = "an example"\n'
    for label in "VS"
    for share in ("sensitivity", "positive_predictivity")
)


@pytest.mark.requirement("LW-VAL-001")
@pytest.mark.parametrize("method", ["percentile", "bca", "bootstrap-t"])
def test_ten_thousand_resamples_of_all_endpoints(tmp_path: Path, method: str) -> None:
    path = tmp_path / "protocol.toml"
    path.write_bytes(example_protocol() + EC57.encode())
    protocol = load_protocol(path)
    draw = np.random.default_rng(50_000)
    reference = draw.choice(5, BEATS, p=[0.85, 0.05, 0.07, 0.02, 0.01])
    decided = [np.where(draw.random(BEATS) < 0.05, draw.integers(0, 5, BEATS), reference) for _ in range(2)]
    patients = [f"p{number:02d}" for number in np.sort(draw.integers(0, PATIENTS, BEATS))]
    beats = Beats(
        reference=reference,
        float_decided=decided[0],
        int8_decided=decided[1],
        patients=patients,
        records=patients,
        after_learning=draw.random(BEATS) < 5 / 6,
    )
    bootstrap = Bootstrap(resamples=RESAMPLES, seed=1, method=method)  # type: ignore[arg-type]
    started = time.process_time()
    results = [judge(endpoint, protocol, beats, bootstrap) for endpoint in protocol.endpoints]
    seconds = time.process_time() - started
    print(f"{len(results)} endpoints, {seconds:.1f} s of one core")
    assert len(results) == 9
    assert all(
        one.loss.interval is not None and f"B={RESAMPLES}, seed 1" in one.loss.interval.method for one in results
    )
    assert seconds < 60
