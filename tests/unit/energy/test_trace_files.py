"""Traces from files: what is right comes back, everything else is refused with its line; the verb from end to end."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from leadwire.cli import app
from leadwire.energy.csv_file import read_csv, read_pairs, write_csv
from leadwire.energy.meters import MeterSettings, open_meter
from leadwire.energy.simulated import Load, Paced
from leadwire.energy.simulated.ppk2 import SimulatedPpk2
from leadwire.energy.trace import Accuracy, MeterIdentity, Trace
from leadwire.errors import BadInputError, LeadwireError

SPEC = Accuracy(gain=0.01, source="test")


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "trace.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_columns_by_their_names(tmp_path: Path) -> None:
    trace = read_csv(
        write(
            tmp_path, "# a comment\nmarker,current_ma,time_us,voltage_mv\n0,1.5,0,3300\n1,2,100,3300\n1,2,200,3290\n"
        ),
        SPEC,
    )
    assert trace.sample_hz == pytest.approx(10_000)
    assert trace.current_a.tolist() == pytest.approx([1.5e-3, 2e-3, 2e-3])
    assert trace.voltage_v.tolist() == pytest.approx([3.3, 3.3, 3.29])
    assert trace.marker is not None and trace.marker.tolist() == [False, True, True]
    assert not trace.meter.simulated


def test_an_export_of_nordics_power_profiler(tmp_path: Path) -> None:
    text = "Timestamp(ms),Current(uA),D0,D1\n0,10.5,1,0\n0.01,11,1,1\n0.02,12,0,1\n"
    trace = read_csv(write(tmp_path, text), SPEC, voltage_v=3.0, marker="D1")
    assert trace.sample_hz == pytest.approx(100_000)
    assert trace.current_a[0] == pytest.approx(10.5e-6)
    assert trace.marker is not None and trace.marker.tolist() == [False, True, True]


HEAD = "time_s,current_a,voltage_v,marker\n"
GOOD = HEAD + "0,1,3,0\n1,1,3,1\n2,1,3,0\n"


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\n\n", b"\xff\xfe\x00", b"time_s,current_a\n0,1\n1,1\n2,1\n", b"time_s,voltage_v\n0,1\n",
        b"time_s,time_ms,current_a,voltage_v\n", b"time_s,current_a,current_a,voltage_v\n", HEAD.encode(),
        (HEAD + "0,1,3,0\n").encode(), (GOOD + "3,1,3\n").encode(), (GOOD + "3,x,3,0\n").encode(),
        (GOOD + "3,nan,3,0\n").encode(), (GOOD + "3,inf,3,0\n").encode(), (GOOD + "3,1e999,3,0\n").encode(),
        (GOOD + "3,1,3,2\n").encode(), (GOOD + "5,1,3,0\n").encode(), (GOOD + "1,1,3,0\n").encode(),
        (GOOD + '3,"1,3,0\n').encode(), (GOOD + "3,1,3,0" + " " * 5000 + "\n").encode(), b"PK\x03\x04" + bytes(500),
        (HEAD + "0,1,3,0\n0,1,3,1\n0,1,3,0\n").encode(), (GOOD + "3,1,3,0\x00\n").encode(),
    ],
)  # fmt: skip
def test_files_that_are_no_trace_are_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(BadInputError):
        read_csv(write(tmp_path, text), SPEC)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD + "\n3,x,3,0\n", "line 6: 'x' is not a number"),
        (GOOD + "3,1e308,3,0\n", r"line 5: a current of 1e\+308 A is more than 1000 A"),
        (GOOD + "3,1,3e300,0\n", r"line 5: a voltage of 3e\+300 V is more than 1000 V"),
        (GOOD + "1e300,1,3,0\n", r"line 5: a time of 1e\+300 s is more than 1e\+10 s"),
        (GOOD + "3,1,3,2\n", "line 5: the marker is '2', neither 0 nor 1"),
        ("# x\n\n" + GOOD + "\n\n5,1,3,0\n", "line 9: the sample is 3.000000000 s after"),
        (GOOD + "3,1,3\n", "line 5 has 3 columns, the header 4"),
        (GOOD + '3,"1,3,0\n', "line 5 is no list of commas"),
        (HEAD + "0,1,3,0\n1e-300,1,3,0\n2e-300,1,3,0\n", "rise by 1e-300 s a sample"),
        ("# x\n\n", "is empty"),
        (b"time_s,current_a\n\xff\n", "is not UTF-8 text after line "),
    ],
)
def test_what_is_wrong_in_a_trace_is_told_with_its_line(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(BadInputError, match=f"^trace '.*{reason}"):
        read_csv(write(tmp_path, text), SPEC, voltage_v=3.0)


def test_what_is_simulated_stays_so_through_a_file(tmp_path: Path) -> None:
    meter = MeterIdentity(kind="x", serial="", simulated=True, accuracy=SPEC)
    current = np.random.default_rng(0).uniform(1e-6, 1e-2, 50)
    trace = Trace(sample_hz=1000.0, current_a=current, voltage_v=np.array([3.0]), marker=current > 5e-3, meter=meter)
    write_csv(trace, tmp_path / "kept.csv")
    back = read_csv(tmp_path / "kept.csv", SPEC)
    assert back.meter.simulated
    assert np.allclose(back.current_a, current, rtol=1e-8)
    assert back.marker is not None and back.marker.tolist() == (current > 5e-3).tolist()


@pytest.mark.parametrize("text", ["a,b\n1\n", "a,b\nx,y\n", "a,b\n1,2,3\n", "a,b\n1,inf\n", 'a,b\n"1,2\n'])
def test_pairs_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInputError):
        read_pairs(write(tmp_path, text), "sync file")
    assert read_pairs(write(tmp_path, "a,b\n1000000,2500000\n"), "sync file") == [(1.0, 2.5)]


def test_pairs_need_no_header(tmp_path: Path) -> None:
    """Only a line that is none of numbers is one."""
    assert read_pairs(write(tmp_path, "0,1000000\n\n1000000,2000000\n"), "sync file") == [(0.0, 1.0), (1.0, 2.0)]
    with pytest.raises(BadInputError, match=r"windows file '.*line 1: 'x' is not a number"):
        read_pairs(write(tmp_path, "0,x\n1,2\n"), "windows file")
    with pytest.raises(BadInputError, match="line 2 has a time of more than"):
        read_pairs(write(tmp_path, "a,b\n0,1e308\n"), "windows file")


def accuracy(tmp_path: Path, text: str = 'gain = 0.02\nvoltage_gain = 0.001\nsource = "data sheet"\n') -> Path:
    path = tmp_path / "accuracy.toml"
    path.write_text(text)
    return path


def ask(*arguments: object) -> tuple[int, str, BaseException | None]:
    done = CliRunner().invoke(app, ["energy", *map(str, arguments)])
    return done.exit_code, done.stdout, done.exception


def kept(tmp_path: Path) -> Path:
    """A trace that a simulated meter gave."""
    load = Load(active_a=8e-3, idle_a=1e-3, active_s=0.01, period_s=0.03, runs=6)
    with (
        SimulatedPpk2(Paced(load)) as simulated,
        open_meter("ppk2", MeterSettings(address=simulated.port, voltage_v=3.0)) as meter,
    ):

        def wait() -> None:
            while simulated.sample < 22_000:
                time.sleep(0.002)

        trace = meter.record(wait)
    trace = replace(trace, current_a=trace.current_a[:22_000], marker=trace.marker[:22_000])
    path = tmp_path / "kept.csv"
    write_csv(trace, path)
    return path


@pytest.mark.requirement("LW-PWR-001")
def test_the_verb_on_a_simulated_trace_says_so_everywhere(tmp_path: Path) -> None:
    path = kept(tmp_path)
    spec = accuracy(tmp_path)
    battery = ("--battery-mah", "220~10", "--inferences-per-hour", "3600", "--sleep-ua", "5~0.5", "--usable", "0.8")
    code, text, _ = ask("--trace", path, "--accuracy", spec, "--json", *battery)
    assert code == 0
    found = json.loads(text)
    assert (found["basis"], found["simulated"]) == ("simulated", ["meter"])
    assert found["estimate"]["windows"] == 6
    assert found["estimate"]["energy_j"] == pytest.approx(3.0 * 8e-3 * 0.01, rel=5e-3)
    assert found["meter_accuracy"] == "data sheet"
    assert len(found["trace_digest"]) == 64
    expected = 5e-6 * (1 - 0.01) + found["estimate"]["energy_j"] / 3.0
    assert found["battery"]["mean_current_a"] == pytest.approx(expected, rel=1e-3)
    code, text, _ = ask("--trace", path, "--accuracy", spec, *battery)
    assert code == 0
    assert "SIMULATED METER: nothing of this is a measurement" in text
    figures = [line for line in text.splitlines() if line.startswith(("energy ", "power ", "idle ", "battery life"))]
    assert len(figures) == 4 and all("SIMULATED" in line for line in figures)


def test_a_battery_lasts_as_long_whether_the_supply_was_on_before_or_not(tmp_path: Path) -> None:
    """And the interval of the life has the supply's limit of error: 30 mV of 3 V, over the square root of 3."""
    flags = np.tile(np.repeat([False, True], 100), 6)
    rows = [f"{10e-3 if on else 1e-3},3,{on:d}" for on in (*flags, False)]
    spec = accuracy(tmp_path, "gain = 0.02\nvoltage_offset_v = 0.03\n")
    battery = ("--battery-mah", "220", "--inferences-per-hour", "3600", "--sleep-ua", "5")

    def life(rows: list[str]) -> dict[str, Any]:
        timed = [f"{index * 1e-4:.6f},{row}" for index, row in enumerate(rows)]
        path = write(tmp_path, "\n".join(["time_s,current_a,voltage_v,marker", *timed]) + "\n")
        code, text, _ = ask("--trace", path, "--accuracy", spec, "--json", *battery)
        assert code == 0
        found: dict[str, Any] = json.loads(text)["battery"]
        return found

    on, late = life(rows), life(["0,0,0"] * 1200 + rows)
    assert late["hours"] == pytest.approx(on["hours"], rel=1e-9)
    assert on["mean_current_a"] == pytest.approx(5e-6 * (1 - 0.01) + 10e-3 * 0.01)
    supply = {name: (value, spread) for name, value, spread in on["assumptions"]}["battery_v"]
    assert supply == (pytest.approx(3.0), pytest.approx(0.03 / 3**0.5))
    assert [share["name"] for share in on["shares"]] == ["energy_j", "battery_v"]


def test_before_a_converter_the_batterys_own_voltage_counts(tmp_path: Path) -> None:
    """A 3.7 V battery, a converter of 0.9, a board at 3 V: by hand."""
    spec, path = accuracy(tmp_path), kept(tmp_path)
    on = ("--trace", path, "--accuracy", spec, "--json", "--battery-mah", "220", "--inferences-per-hour", "3600")
    code, text, _ = ask(*on, "--sleep-ua", "5", "--efficiency", "0.9~0.02", "--battery-mv", "3700~100")
    assert code == 0
    found = json.loads(text)
    current = 5e-6 * (1 - found["estimate"]["duration_s"]) + found["estimate"]["energy_j"] / (3.7 * 0.9)
    assert found["battery"]["mean_current_a"] == pytest.approx(current)
    assert ["battery_v", 3.7, 0.1] in found["battery"]["assumptions"]
    assert ["efficiency", 0.9, 0.02] in found["battery"]["assumptions"]


@pytest.mark.parametrize(
    ("option", "reason"),
    [(("--efficiency", "0.9"), "a voltage of its own"), (("--battery-mv", "0"), "battery_v is 0"),
     (("--usable", "1.5"), "usable is 1.5"), (("--efficiency", "80", "--battery-mv", "3700"), "above 0 to 1$")],
)  # fmt: skip
def test_batteries_are_refused_before_anything_is_read(option: tuple[str, ...], reason: str) -> None:
    needed = ("--battery-mah", "220", "--inferences-per-hour", "3600", "--sleep-ua", "5")
    _, _, error = ask("--trace", "none.csv", *needed, *option)
    assert isinstance(error, LeadwireError) and error.exit_code == 2
    assert re.search(reason, error.message)


@pytest.mark.requirement("LW-PWR-001")
@pytest.mark.parametrize("first_s", [0.0, 0.53, 1.7e9])
def test_windows_by_clock_of_a_trace_that_starts_at_any_time(tmp_path: Path, first_s: float) -> None:
    """20 mA from 0.12 to 0.16 s after the first sample and every 0.1 s on, 5 mA else."""
    starts = [0.12, 0.22, 0.32]
    times = np.arange(4000) * 1e-4
    current = np.full(4000, 5e-3)
    for start in starts:
        current[(times >= start) & (times < start + 0.04)] = 20e-3
    rows = [f"{first_s + time:.6f},{ampere:g},3.0" for time, ampere in zip(times, current, strict=True)]
    path = write(tmp_path, "\n".join(["time_s,current_a,voltage_v", *rows]) + "\n")
    (tmp_path / "sync.csv").write_text(
        "device_us,meter_us\n" + "".join(f"{us},{first_s * 1e6 + us:.0f}\n" for us in (0, 200_000, 400_000))
    )
    (tmp_path / "windows.csv").write_text(
        "start_us,end_us\n" + "".join(f"{at * 1e6:.0f},{at * 1e6 + 40_000:.0f}\n" for at in starts)
    )
    clock = ("--marking", "clock", "--windows", tmp_path / "windows.csv", "--sync", tmp_path / "sync.csv")
    code, text, _ = ask("--trace", path, "--accuracy", accuracy(tmp_path), "--json", *clock)
    assert code == 0
    assert json.loads(text)["estimate"]["energy_j"] == pytest.approx(3.0 * 20e-3 * 0.04, rel=2e-3)
    back = read_csv(path, SPEC)
    write_csv(back, tmp_path / "again.csv")
    assert read_csv(tmp_path / "again.csv", SPEC).start_s == pytest.approx(back.start_s) == pytest.approx(first_s)


def test_lost_samples_are_seen_at_any_time_of_day(tmp_path: Path) -> None:
    rows = [f"{1.7e9 + index * 1e-3:.6f},1,3" for index in (*range(50), *range(51, 90))]
    with pytest.raises(BadInputError, match="after the one before"):
        read_csv(write(tmp_path, "\n".join(["time_s,current_a,voltage_v", *rows]) + "\n"), SPEC)


def test_how_many_inferences_lie_between_edges_must_be_said(tmp_path: Path) -> None:
    path, spec = kept(tmp_path), accuracy(tmp_path)
    on = ("--trace", path, "--accuracy", spec, "--marking", "edges", "--json")
    _, _, error = ask(*on)
    assert isinstance(error, BadInputError) and "-n" in error.hint
    five, ten = (json.loads(ask(*on, "-n", count)[1])["estimate"] for count in (5, 10))
    assert (five["inferences_per_window"], ten["inferences_per_window"]) == (5, 10)
    assert five["energy_j"] == pytest.approx(2 * ten["energy_j"])


def test_a_trace_of_a_real_meter_is_a_measurement(tmp_path: Path) -> None:
    path = kept(tmp_path)
    path.write_text(path.read_text().removeprefix("# SIMULATED\n"))
    code, text, _ = ask("--trace", path, "--accuracy", accuracy(tmp_path), "--json")
    assert code == 0 and json.loads(text)["basis"] == "measured"


@pytest.mark.parametrize(
    "arguments",
    [
        (), ("--trace", "none.csv"), ("model.tflite",), ("--meter", "ppk2"), ("--trace", "x", "--meter", "ppk2"),
        ("--battery-mah", "5"), ("--sleep-ua", "5"), ("--battery-mv", "3000"),
        ("--battery-mah", "x~1", "--sleep-ua", "1", "--inferences-per-hour", "1"),
        ("m.tflite", "--meter", "ppk2", "--marker", "9"), ("m.tflite", "--meter", "scpi", "--meter-option", "x"),
    ],
)  # fmt: skip
def test_options_that_do_not_belong_together_are_refused(arguments: tuple[str, ...]) -> None:
    _, _, error = ask(*arguments)
    assert isinstance(error, LeadwireError) and error.exit_code == 2


def test_accuracy_files_are_strict(tmp_path: Path) -> None:
    path = kept(tmp_path)
    for text in ("gain = -1.0", "gain = nan", 'gain = "2 %"', "gain = 0.1\ngian = 0.2", "[x"):
        _, _, error = ask("--trace", path, "--accuracy", accuracy(tmp_path, text))
        assert isinstance(error, LeadwireError) and error.exit_code == 2
    _, _, error = ask("--trace", path)
    assert isinstance(error, LeadwireError) and "accurate" in error.message
