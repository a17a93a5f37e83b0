"""Whatever bytes come from a meter or a file: an error of ours or a result, in bounded time."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadwire.energy.csv_file import read_csv, read_pairs
from leadwire.energy.meters.lpm01a import Lpm01a
from leadwire.energy.meters.ppk2 import Calibration, Ppk2
from leadwire.energy.trace import Accuracy, MeterIdentity
from leadwire.errors import LeadwireError

EXAMPLES = int(os.environ.get("LEADWIRE_FUZZ_EXAMPLES", "150"))
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SPEC = Accuracy(gain=0.1)
IDENTITY = MeterIdentity(kind="x", serial="", simulated=True, accuracy=SPEC)
CELLS = st.sampled_from(
    [
        "0",
        "1",
        "0.001",
        "0.002",
        "-3",
        "nan",
        "1e999",
        "1e308",
        "1e-320",
        "x",
        "",
        '"',
        "time_s",
        "current_a",
        "marker",
        "#",
    ]
)
TABLE = st.lists(st.lists(CELLS, max_size=5).map(",".join), max_size=12).map("\n".join).map(str.encode)
HEADED = TABLE.map(lambda body: b"time_s,current_a,marker\n" + body)


@fuzz
@given(st.one_of(st.binary(max_size=300), TABLE, HEADED))
def test_trace_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    for read in (lambda: read_csv(path, SPEC, voltage_v=3.0), lambda: read_pairs(path, "sync file")):
        try:
            read()
        except LeadwireError as error:
            assert error.exit_code == 2


@fuzz
@given(st.binary(max_size=400), st.integers(0, 7))
def test_words_of_a_ppk2(data: bytes, marker: int) -> None:
    meter = object.__new__(Ppk2)
    meter.identity, meter._voltage_v, meter._marker = IDENTITY, 3.0, marker
    meter._calibration, meter._port = Calibration("R0: 1\n"), SimpleNamespace(name="port")  # type: ignore[assignment]
    try:
        trace = meter._trace(data)
    except LeadwireError as error:
        assert error.exit_code == 6
    else:
        assert len(trace.current_a) == len(data) // 4 and np.isfinite(trace.current_a).all()


@fuzz
@given(st.text(max_size=300))
def test_calibrations_of_a_ppk2(text: str) -> None:
    assert all(np.isfinite(values).all() for values in Calibration(text).factors.values())


LINES = st.sampled_from([
    "6409-07", "0000+00", "9999+99", "64x9-07", "TimeStamp: 000s 000ms, buff 00%", "TimeStamp: 001s 000ms, buff 00%",
    "TimeStamp: 999999s 999ms", "event 00 ris", "event 01 ris", "event 99999999999999999999 ris", "ack start", "end",
    "\0",
    "640\N{ARABIC-INDIC DIGIT NINE}-07",
])  # fmt: skip


@fuzz
@given(st.lists(st.one_of(LINES, st.text(max_size=20)), max_size=30))
def test_lines_of_an_lpm01a(lines: list[str]) -> None:
    meter = object.__new__(Lpm01a)
    meter.identity, meter._voltage_v, meter._rate = IDENTITY, 3.0, 5000
    meter._port = SimpleNamespace(name="port")  # type: ignore[assignment]
    try:
        trace = meter._trace(lines)
    except LeadwireError as error:
        assert error.exit_code == 6
    else:
        assert np.isfinite(trace.current_a).all()
