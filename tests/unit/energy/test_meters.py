"""The drivers against simulated meters over a pseudo-terminal: known loads come back, marked as simulated."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from leadwire.energy.estimate import estimate_energy
from leadwire.energy.meters import MeterSettings, meters, open_meter
from leadwire.energy.meters.joulescope import Joulescope
from leadwire.energy.meters.ppk2 import Calibration
from leadwire.energy.simulated import Load, Paced, SimulatedMeter
from leadwire.energy.simulated.lpm01a import SimulatedLpm01a
from leadwire.energy.simulated.ppk2 import OFFSET, RESISTANCE, SimulatedPpk2
from leadwire.energy.trace import Accuracy
from leadwire.energy.windows import windows_by_edges, windows_by_level
from leadwire.errors import BadInputError, DeviceError, DeviceRefusedError, DeviceSilentError, FrameError

LOAD = Load(idle_a=40e-6, active_a=18.7e-3, active_s=0.0123, period_s=0.03, runs=12)
SPEC = Accuracy(gain=0.01, source="test")
VOLTAGE = 3.0


def until(samples: Callable[[], bool], seconds: float = 20.0) -> Callable[[], None]:
    """What runs while the meter records: waits until the simulation has shown all of its load."""

    def wait() -> None:
        deadline = time.monotonic() + seconds
        while not samples():
            assert time.monotonic() < deadline, "the simulated meter stands still"
            time.sleep(0.005)

    return wait


def whole(meter: SimulatedMeter, load: Load) -> Callable[[], bool]:
    end_s = load.lead_s + load.runs * load.period_s + 0.02
    return lambda: meter.sample / meter.rate_hz > end_s


def settings(meter: SimulatedMeter, **more: object) -> MeterSettings:
    return MeterSettings(address=meter.port, voltage_v=VOLTAGE, **more)  # type: ignore[arg-type]


def test_meters_are_found_by_their_modules() -> None:
    assert meters() == ("joulescope", "lpm01a", "ppk2", "scpi", "simulated")
    with pytest.raises(BadInputError, match="no meter 'amp'"):
        open_meter("amp", MeterSettings())


def test_a_ppk2_gives_the_energy_of_the_load() -> None:
    with SimulatedPpk2(Paced(LOAD), marker=3) as simulated, open_meter("ppk2", settings(simulated, marker=3)) as meter:
        trace = meter.record(until(whole(simulated, LOAD)))
    assert trace.meter.simulated and trace.meter.kind == "Nordic PPK2"
    found = estimate_energy(trace, windows_by_level(trace))
    assert found.windows == LOAD.runs
    assert found.energy_j == pytest.approx(LOAD.energy_j(VOLTAGE), rel=2e-3)
    assert found.idle_power_w == pytest.approx(LOAD.idle_a * VOLTAGE, rel=1e-2)
    assert simulated.commands[2:5] == [bytes([0x11, 2]), bytes([0x0D, 3 + 2232 // 256, 2232 % 256]), bytes([0x0C, 1])]


@pytest.mark.requirement("LW-PWR-001")
def test_a_ppk2_with_a_gap_gives_no_trace() -> None:
    with (
        SimulatedPpk2(Paced(LOAD), drop=12_345) as simulated,
        open_meter("ppk2", settings(simulated)) as meter,
        pytest.raises(FrameError, match="lost after sample 12344"),
    ):
        meter.record(until(whole(simulated, LOAD)))


def test_the_ppk2_words_are_read_as_the_published_package_reads_them() -> None:
    """Within a range: after a change of range the package smooths three samples, the driver does not."""
    ppk2_api = pytest.importorskip("ppk2_api.ppk2_api")
    with SimulatedPpk2(Paced(LOAD)) as simulated:
        other = ppk2_api.PPK2_API(simulated.port, timeout=1)
        assert other.get_modifiers()
        assert [other.modifiers["R"][str(i)] for i in range(5)] == list(RESISTANCE)
        assert [other.modifiers["O"][str(i)] for i in range(5)] == list(OFFSET)
        other.use_source_meter()
        other.set_source_voltage(3000)
        other.ser.close()
    text = "".join(f"R{i}: {RESISTANCE[i]}\nO{i}: {OFFSET[i]}\nGS{i}: 0.01\nS{i}: 1e-7\n" for i in range(5)) + "END"
    other._parse_metadata(text)
    own = Calibration(text)
    draw = np.random.default_rng(3)
    for place in range(5):
        words = (draw.integers(0, 1 << 14, 200) | place << 14 | draw.integers(0, 256, 200) << 24).astype(np.uint32)
        theirs, bits = other.get_samples(words.astype("<u4").tobytes())
        ours = own.current_a(words, 3.0) * 1e6
        assert np.allclose(ours[4:], theirs[4:], rtol=1e-12)
        assert bits == (words >> 24).tolist()


def test_hostile_calibrations_become_nominal_values() -> None:
    own = Calibration("R0: 0\nR1: nan\nR2: abc\nO0: inf\nUG1: 1e400\nR9: 5\nEND")
    assert own.factors["R"][:3].tolist() == [1031.64, 101.65, 10.15]
    assert own.factors["O"][0] == 0.0 and own.factors["UG"][1] == 1.0


def test_an_lpm01a_gives_the_energy_of_the_load() -> None:
    load = Load(idle_a=50e-6, active_a=6.4e-3, active_s=0.2, period_s=0.5, runs=5, lead_s=0.1)
    with SimulatedLpm01a(Paced(load, speed=3)) as simulated, open_meter("lpm01a", settings(simulated)) as meter:
        trace = meter.record(until(whole(simulated, load)))
    assert trace.meter.simulated and "SIMULATED" in trace.meter.serial
    assert trace.meter.accuracy.gain == 0.02
    found = estimate_energy(trace, windows_by_edges(trace))
    assert found.windows == 5
    assert found.energy_j == pytest.approx(load.energy_j(VOLTAGE), rel=2e-3)
    assert "volt 3000m" in simulated.commands and "eventsrc d7 fal" in simulated.commands


def test_an_lpm01a_with_a_gap_gives_no_trace() -> None:
    load = Load(active_s=0.2, period_s=0.5, runs=5, lead_s=0.1)
    with (
        SimulatedLpm01a(Paced(load, speed=3), drop=5100) as simulated,
        open_meter("lpm01a", settings(simulated, sample_hz=5000)) as meter,
    ):
        trace = meter.record(until(lambda: simulated.sample > 9000))
        assert len(trace.current_a) >= 9000  # one sample in a second is within the stamp's own rounding
    with (
        SimulatedLpm01a(Paced(load, speed=3)) as simulated,
        open_meter("lpm01a", settings(simulated, sample_hz=5000)) as meter,
        pytest.raises(FrameError, match="are due"),
    ):
        simulated.stream = lambda real=simulated.stream: real().replace(b"1000-06\r\n1000-06\r\n", b"1000-06\r\n")  # type: ignore[method-assign]
        meter.record(until(lambda: simulated.sample > 12_000))


def test_an_lpm01a_refuses_and_is_refused() -> None:
    with SimulatedLpm01a(Paced(LOAD)) as simulated:
        with pytest.raises(BadInputError, match="does not send 3000"):
            open_meter("lpm01a", settings(simulated, sample_hz=3000))
        with pytest.raises(BadInputError, match=r"1\.8 to 3\.3 V"):
            open_meter("lpm01a", MeterSettings(address=simulated.port, voltage_v=5.0))
        with open_meter("lpm01a", settings(simulated)) as meter, pytest.raises(DeviceRefusedError, match="unknown"):
            meter._ask("unknown")  # type: ignore[attr-defined]


class Mute(SimulatedMeter):
    """Something else on the port: silent, or talking without end."""

    def __init__(self, noise: bytes) -> None:
        super().__init__(Paced(LOAD))
        self._noise = noise

    def receive(self, data: bytes) -> bytes:
        return self._noise

    def stream(self) -> bytes:
        return self._noise


@pytest.mark.parametrize("meter", ["ppk2", "lpm01a"])
@pytest.mark.parametrize("noise", [b"", b"\xff" * 999])
def test_something_else_on_the_port_ends_in_an_error(monkeypatch: pytest.MonkeyPatch, meter: str, noise: bytes) -> None:
    monkeypatch.setattr(f"leadwire.energy.meters.{meter}._ANSWER_SECONDS", 0.5)
    started = time.monotonic()
    with Mute(noise) as simulated, pytest.raises(DeviceError):
        open_meter(meter, settings(simulated))
    assert time.monotonic() - started < 10


def test_a_port_that_is_not_there_is_named() -> None:
    for meter in ("ppk2", "lpm01a"):
        with pytest.raises(DeviceError, match="/dev/nothing"):
            open_meter(meter, MeterSettings(address="/dev/nothing", voltage_v=3.0))


SCPI = """
spec: "1.1"
devices:
  meter:
    eom:
      TCPIP INSTR:
        q: "\\n"
        r: "\\n"
    error: ERROR
    dialogues:
      - {q: "*IDN?", r: "ACME,DMM7,123,1.0"}
      - {q: "CONF:CURR"}
      - {q: "INIT"}
      - {q: "FETC?", r: "1.0E-3,2.0E-3,3.0E-3"}
      - {q: "BAD?", r: "1.0E-3,9.91E37"}
      - {q: "WORDS?", r: "over range"}
resources:
  TCPIP0::192.0.2.1::inst0::INSTR: {device: meter}
"""


def scpi(tmp_path: Path, **options: str) -> MeterSettings:
    file = tmp_path / "meter.yaml"
    file.write_text(SCPI)
    return MeterSettings(
        address="TCPIP0::192.0.2.1::inst0::INSTR", voltage_v=3.0, sample_hz=1000.0, accuracy=SPEC,
        options=tuple({"backend": f"{file}@sim", "setup": "CONF:CURR", **options}.items()),
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:read string:UserWarning")
def test_a_scpi_meter_through_pyvisa(tmp_path: Path) -> None:
    pytest.importorskip("pyvisa_sim")
    with open_meter("scpi", scpi(tmp_path)) as meter:
        ran: list[int] = []
        trace = meter.record(lambda: ran.append(1))
    assert ran == [1]
    assert trace.current_a.tolist() == [1e-3, 2e-3, 3e-3]
    assert trace.meter.serial == "ACME,DMM7,123,1.0"
    assert trace.meter.simulated, "known by the backend, whatever the instrument calls itself"
    for fetch, reason in (("BAD?", "out of range"), ("WORDS?", "not numbers")):
        with open_meter("scpi", scpi(tmp_path, fetch=fetch)) as meter, pytest.raises(FrameError, match=reason):
            meter.record(lambda: None)
    with pytest.raises(BadInputError, match="accurate"):
        open_meter("scpi", MeterSettings(address="x", voltage_v=3.0, sample_hz=1.0, options=scpi(tmp_path).options))
    nobody = dataclasses.replace(scpi(tmp_path), address="TCPIP0::192.0.2.9::inst0::INSTR")
    with pytest.raises(DeviceError, match="does not say who"):
        open_meter("scpi", nobody)


class StreamBuffer:
    """The last samples of a Joulescope, as its driver hands them out."""

    def __init__(self, load: Load, rate: float) -> None:
        self._load, self._rate, self._now = load, rate, 0

    @property
    def sample_id_range(self) -> tuple[int, int]:
        self._now += 200_000
        return 0, self._now

    def samples_get(self, start: int, end: int, fields: list[str]) -> dict[str, dict[str, dict[str, object]]]:
        times = np.arange(end - start) / self._rate
        values = {
            "current": self._load.current_a(times).astype(np.float32),
            "voltage": np.full(len(times), 3.0, np.float32),
            "current_lsb": np.zeros(len(times), np.uint8),
            "voltage_lsb": self._load.active(times).astype(np.uint8),
        }
        return {"signals": {name: {"value": values[name]} for name in fields}}


class JoulescopeDouble:
    """The part of the driver's device that is used."""

    def __init__(self, load: Load) -> None:
        self.parameters: dict[str, object] = {}
        self.stream_buffer = StreamBuffer(load, 200_000.0)
        self.calls: list[str] = []

    def __str__(self) -> str:
        return "JS220-SIMULATED"

    def open(self) -> None:
        self.calls.append("open")

    def parameter_set(self, name: str, value: object) -> None:
        self.parameters[name] = value

    def start(self, **_: object) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")


def test_a_joulescope_through_its_package() -> None:
    double = JoulescopeDouble(LOAD)
    with Joulescope(MeterSettings(sample_hz=200_000, accuracy=SPEC, marker=1), double) as meter:
        trace = meter.record(lambda: None)
    assert double.calls == ["open", "start", "stop", "close"]
    assert (double.parameters["current_lsb"], double.parameters["voltage_lsb"]) == ("gpi0", "gpi1")
    with pytest.raises(BadInputError, match="no input 2"):
        Joulescope(MeterSettings(accuracy=SPEC, marker=2), double)
    assert trace.meter.simulated
    found = estimate_energy(trace, windows_by_level(trace))
    assert found.windows == LOAD.runs
    assert found.energy_j == pytest.approx(LOAD.energy_j(3.0), rel=1e-3)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for meter, package in (("joulescope", "joulescope"), ("scpi", "pyvisa")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(BadInputError, match=r"leadwire\[power\]|not installed"):
            open_meter(meter, MeterSettings(accuracy=SPEC))


def test_a_port_that_falls_silent_ends_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    with SimulatedLpm01a(Paced(LOAD)) as simulated, open_meter("lpm01a", settings(simulated)) as meter:
        monkeypatch.setattr("leadwire.energy.meters.lpm01a._ANSWER_SECONDS", 0.5)
        simulated.receive = lambda data: b""  # type: ignore[method-assign]
        with pytest.raises(DeviceSilentError):
            meter.record(lambda: None)
