"""A board that runs and a meter that records, both simulated: the whole way, and the stamp on what comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leadwire.bench import pattern_input
from leadwire.device.client import DeviceClient
from leadwire.energy.battery import Quantity
from leadwire.energy.csv_file import read_csv
from leadwire.energy.meters import MeterSettings, open_meter
from leadwire.energy.simulated import Load, Paced
from leadwire.energy.simulated.lpm01a import SimulatedLpm01a
from leadwire.energy.simulated.ppk2 import SimulatedPpk2
from leadwire.energy.trace import Accuracy
from leadwire.errors import BadInputError, DeviceError
from leadwire.flash import flash_image
from leadwire.pipeline.alone import build_model, choose, require_image
from leadwire.pipeline.energy import Battery, Marking, measure_energy
from single_operator import Op, T, write_tflite
from small_network import INPUT_BYTES, small_network


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
    capacity_ah=Quantity(value=0.22, uncertainty=0.01), inferences_hz=Quantity(value=1.0), sleep_a=Quantity(value=3e-6),
    usable=Quantity(value=0.9), self_discharge=Quantity(value=0.01), efficiency=Quantity(value=1.0),
)  # fmt: skip


def test_inferences_marked_one_by_one(dense: Path, tmp_path: Path) -> None:
    load = Load(idle_a=1e-3, active_a=9e-3, active_s=0.0005, period_s=0.001, runs=30, lead_s=0.001)
    kept = tmp_path / "trace.csv"
    with SimulatedPpk2(Paced(load), marker=2) as meter:
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
    with SimulatedPpk2(Paced(load)) as meter, pytest.raises(DeviceError, match="shows 12 windows, the board ran 9"):
        measure_energy(
            dense, OPTIONS, "ppk2", MeterSettings(address=meter.port, voltage_v=3.0), Silent(),
            inferences=9, marking=Marking(by="level"), battery=None,
        )  # fmt: skip


def test_runs_marked_as_mlperf_tiny_marks_them(dense: Path) -> None:
    """The load is over in a small part of the time that the board needs: a meter stopped earlier cuts its edges off."""
    load = Load(idle_a=1e-3, active_a=5e-3, active_s=0.004, period_s=0.006, runs=5, lead_s=0.002)
    with SimulatedLpm01a(Paced(load)) as meter:
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


class Stages(Silent):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def stage(self, name: str, skipped: bool) -> None:
        self.seen.append(name)


@pytest.mark.parametrize(("meter", "reason"), [("nope", "no meter 'nope'"), ("ppk2", "voltage is not given")])
def test_what_a_meter_lacks_is_known_before_anything_is_built(dense: Path, meter: str, reason: str) -> None:
    stages = Stages()
    with pytest.raises(BadInputError, match=reason):
        measure_energy(dense, OPTIONS, meter, MeterSettings(), stages, inferences=9, marking=Marking(), battery=None)
    assert stages.seen == ["meter"]


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.tflite"
    path.write_bytes(small_network())
    return path


@pytest.mark.requirement("LW-PWR-001")
def test_energy_of_the_real_firmware_follows_its_core_and_its_marker(network: Path, tmp_path: Path) -> None:
    """Marker pin, core and time are the emulated board's: the energy of an inference is its cycles at the current of a
    running core, what lies between is less, for there the core waits."""
    settings = MeterSettings(voltage_v=3.0, marker=5, options=(("run_ma", "40"), ("wait_ma", "10")))
    kept = tmp_path / "trace.csv"
    found = measure_energy(
        network, OPTIONS, "simulated", settings, Silent(),
        inferences=12, marking=Marking(by="level"), battery=BATTERY, keep=kept,
    )  # fmt: skip
    with flash_image(require_image(build_model(network, OPTIONS, tmp_path, Silent())), OPTIONS.target) as running:
        with DeviceClient(running.port) as client:
            cycles = client.infer(1, pattern_input(INPUT_BYTES)).cycles
        assert running.activity is not None
    seconds = cycles / OPTIONS.board.clock_hz
    estimate = found.estimate
    assert (found.basis, found.simulated) == ("simulated", ("meter", "board"))
    assert (estimate.windows, found.sync) == (12, "marker level")
    assert estimate.duration_s == pytest.approx(seconds, abs=2 / found.sample_hz)
    assert estimate.energy_j == pytest.approx(0.040 * 3.0 * seconds, rel=0.02)
    assert abs(estimate.energy_j - 0.040 * 3.0 * seconds) < estimate.expanded_j
    assert 0.010 * 3.0 * 0.95 < estimate.idle_power_w < 0.040 * 3.0 * 0.8
    assert found.battery is not None and found.battery.interval.low < found.battery.hours < found.battery.interval.high
    assert read_csv(kept, Accuracy(gain=0.2)).meter.simulated


def test_runs_of_the_real_firmware_under_mlperf_tiny(network: Path) -> None:
    """The pulses that mark a run are shorter than a sample; the LPM01A tells them as events."""
    settings = MeterSettings(voltage_v=3.0, options=(("kind", "lpm01a"), ("run_ma", "30"), ("wait_ma", "8")))
    found = measure_energy(
        network, OPTIONS, "simulated", settings, Silent(),
        inferences=20, marking=Marking(by="edges"), battery=None,
    )  # fmt: skip
    estimate = found.estimate
    assert (found.sync, estimate.windows, estimate.inferences_per_window) == ("marker edges", 5, 20)
    assert estimate.energy_j == pytest.approx(0.030 * 3.0 * estimate.duration_s, rel=0.05)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"kind": "amp"}, "no simulated meter 'amp'"), ({"run_ma": "x"}, "no current"), ({"wait_ma": "-1"}, "no current")],
)
def test_options_of_the_simulated_meter_that_make_no_sense(options: dict[str, str], reason: str) -> None:
    with pytest.raises(BadInputError, match=reason):
        open_meter("simulated", MeterSettings(voltage_v=3.0, options=tuple(options.items())))
