"""A board that runs and a meter that records, both simulated: the whole way, and the stamp on what comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leadwire.energy.battery import Quantity
from leadwire.energy.csv_file import read_csv
from leadwire.energy.meters import MeterSettings
from leadwire.energy.simulated import Load
from leadwire.energy.simulated.lpm01a import SimulatedLpm01a
from leadwire.energy.simulated.ppk2 import SimulatedPpk2
from leadwire.energy.trace import Accuracy
from leadwire.errors import BadInputError, DeviceError
from leadwire.pipeline.alone import choose
from leadwire.pipeline.energy import Battery, Marking, measure_energy
from single_operator import Op, T, write_tflite


class Silent:
    def stage(self, name: str, skipped: bool) -> None: ...
    def note(self, text: str) -> None: ...
    def progress(self, label: str, done: int, total: int) -> None: ...


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    weights = np.random.default_rng(1).integers(-127, 128, (4, 20)).astype(np.int8)
    tensors = [T(shape=(1, 20)), T(shape=(4, 20), array=weights, scale=0.02), T(shape=(1, 4))]
    op = Op(kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,), options="FullyConnectedOptions")
    path = tmp_path / "dense.tflite"
    path.write_bytes(write_tflite(tensors, [op], [0], [2]))
    return path


OPTIONS = choose("virtual-stm32f405", "aot", "auto")
BATTERY = Battery(
    capacity_mah=Quantity(value=220, uncertainty=10), rate_hz=Quantity(value=1.0), sleep_ua=Quantity(value=3.0),
    usable=Quantity(value=0.9), self_discharge_year=Quantity(value=0.01), efficiency=Quantity(value=1.0),
)  # fmt: skip


def test_inferences_marked_one_by_one(dense: Path, tmp_path: Path) -> None:
    load = Load(idle_a=1e-3, active_a=9e-3, active_s=0.0005, period_s=0.001, runs=30, lead_s=0.001)
    kept = tmp_path / "trace.csv"
    with SimulatedPpk2(load, marker=2) as meter:
        settings = MeterSettings(address=meter.port, voltage_v=3.0, marker=2)
        found = measure_energy(
            dense, OPTIONS, "ppk2", settings, Silent(),
            inferences=30, marking=Marking(by="level"), battery=BATTERY, keep=kept,
        )  # fmt: skip
    assert (found.basis, found.simulated) == ("simulated", ("meter", "board"))
    assert found.estimate.windows == 30
    assert found.estimate.energy_j == pytest.approx(load.energy_j(3.0), rel=0.01)
    assert found.board_id == "virtual-stm32f405" and len(found.image_digest) == len(found.model_digest) == 64
    assert found.battery is not None and found.battery.interval.low < found.battery.hours
    back = read_csv(kept, Accuracy(gain=0.2))
    assert back.meter.simulated


def test_a_marker_that_does_not_fit_the_run_is_noticed(dense: Path) -> None:
    load = Load(active_s=0.0005, period_s=0.001, runs=12, lead_s=0.001)
    with SimulatedPpk2(load) as meter, pytest.raises(DeviceError, match="shows 12 windows, the board ran 9"):
        measure_energy(
            dense, OPTIONS, "ppk2", MeterSettings(address=meter.port, voltage_v=3.0), Silent(),
            inferences=9, marking=Marking(by="level"), battery=None,
        )  # fmt: skip


def test_runs_marked_as_mlperf_tiny_marks_them(dense: Path) -> None:
    load = Load(idle_a=1e-3, active_a=5e-3, active_s=0.02, period_s=0.03, runs=5, lead_s=0.01)
    with SimulatedLpm01a(load) as meter:
        found = measure_energy(
            dense, OPTIONS, "lpm01a", MeterSettings(address=meter.port, voltage_v=3.0), Silent(),
            inferences=10, marking=Marking(by="edges"), battery=None,
        )  # fmt: skip
    assert (found.sync, found.estimate.windows, found.estimate.inferences_per_window) == ("marker edges", 5, 10)
    assert found.estimate.energy_j == pytest.approx(load.energy_j(3.0) / 10, rel=0.02)


def test_what_no_meter_can_see_is_refused(dense: Path) -> None:
    for options, marking in ((choose("host", "aot", "auto"), "level"), (OPTIONS, "clock")):
        with pytest.raises(BadInputError):
            measure_energy(
                dense, options, "ppk2", MeterSettings(), Silent(),
                inferences=9, marking=Marking(by=marking), battery=None,
            )  # fmt: skip
