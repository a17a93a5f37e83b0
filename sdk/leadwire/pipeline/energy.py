"""Energy of a model on a board, from a meter or from a trace in a file, and the battery life it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from leadwire.artifacts import BatteryLife, EnergyEstimate, EnergyResult, FirmwareImage
from leadwire.device.client import DeviceClient
from leadwire.device.mlperf_client import MlperfClient, link_baud
from leadwire.device.samples import run_samples
from leadwire.energy.battery import DutyCycle, Quantity, battery_life, require_range
from leadwire.energy.csv_file import read_csv, read_pairs, write_csv
from leadwire.energy.estimate import estimate_energy
from leadwire.energy.meters import Meter, MeterSettings, open_meter
from leadwire.energy.trace import Accuracy, Trace
from leadwire.energy.windows import ClockFit, Window, fit_clocks, windows_by_clock, windows_by_edges, windows_by_level
from leadwire.errors import BadInputError, DeviceError
from leadwire.flash import flash_image
from leadwire.mlperf_tiny import benchmark_of, sample_bytes
from leadwire.model.graph import Model
from leadwire.strict import load_toml, parse_table, read_json

from .alone import Options, bench_inputs, build_model, require_image, work_folder
from .sources import is_host, read_model
from .watcher import Watcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """What the command asks for, as in DutyCycle. `battery_v` None: the battery supplies the board without a converter,
    at the voltage of the trace. BadInputError for values outside their physical range."""

    capacity_ah: Quantity
    inferences_hz: Quantity
    sleep_a: Quantity
    usable: Quantity
    self_discharge: Quantity
    efficiency: Quantity
    battery_v: Quantity | None = None

    def __post_init__(self) -> None:
        for name in ("capacity_ah", "inferences_hz", "sleep_a", "usable", "self_discharge", "efficiency", "battery_v"):
            quantity = getattr(self, name)
            if quantity is not None:
                require_range(name, quantity)
        if self.efficiency.value != 1 and self.battery_v is None:
            raise BadInputError(
                "before a converter the battery has a voltage of its own, which no trace of the board shows",
                hint="give --battery-mv, the battery's mean voltage over its discharge",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """How the inferences are found: 'level', 'edges', or 'clock' with files of device windows and sync pairs."""

    by: str = "level"
    per_window: int = 1
    windows: Path | None = None
    sync: Path | None = None


def load_accuracy(path: Path | None) -> Accuracy | None:
    """A TOML file of Accuracy's keys; BadInputError for figures that are none."""
    if path is None:
        return None
    accuracy = load_toml(Accuracy, path, "accuracy file")
    figures = (accuracy.gain, accuracy.offset_a, accuracy.voltage_gain, accuracy.voltage_offset_v, accuracy.clock)
    if not all(0 <= figure < 1e3 for figure in figures):
        raise BadInputError(f"accuracy file '{path}': a limit of error is not negative, and finite")
    return replace(accuracy, source=accuracy.source or str(path))


def read_energy(path: Path) -> EnergyResult:
    """What `leadwire energy --json` wrote; FileMissingError, or ConfigError with every mistake."""
    return parse_table(EnergyResult, read_json(path, "energy record"), path)


def energy_of_trace(
    path: Path,
    accuracy: Accuracy | None,
    marking: Marking,
    *,
    voltage_v: float | None,
    marker: str,
    model: Path | None,
    battery: Battery | None,
) -> EnergyResult:
    """From a file; `model` is what ran, by the user's word."""
    if accuracy is None:
        raise BadInputError(
            "a trace from a file does not say how accurate it is",
            hint="give --accuracy with a TOML file: gain, offset_a, voltage_gain, ... of the meter that recorded it",
        )
    trace = read_csv(path, accuracy, voltage_v=voltage_v, marker=marker)
    digest = "" if model is None else read_model(model).digest
    return _result(trace, marking, battery, model_digest=digest)


def measure_energy(
    path: Path,
    options: Options,
    meter: str,
    settings: MeterSettings,
    watcher: Watcher,
    *,
    inferences: int,
    marking: Marking,
    battery: Battery | None,
    keep: Path | None = None,
) -> EnergyResult:
    """Open the meter (what it lacks is known first), build, flash, and record while the board runs `inferences`.

    With 'level' the bench firmware marks each; with 'edges' MLPerf Tiny's energy mode marks five runs of `inferences`.
    """
    if is_host(options.board):
        raise BadInputError("board 'host' is not fed by a meter", hint="choose a board")
    if marking.by == "clock":
        raise BadInputError("--marking clock is for traces from files", hint="use level or edges")
    options = replace(options, personality="mlperf-energy" if marking.by == "edges" else "bench")
    watcher.stage("meter", False)
    with open_meter(meter, settings) as opened, work_folder(options) as folder:
        built = build_model(path, options, folder, watcher)
        image = require_image(built)
        watcher.stage("flash", False)
        with flash_image(image, options.target) as running:
            opened.follow(running)
            watcher.stage("energy", False)
            record = _record_edges if marking.by == "edges" else _record_level
            trace, runs = record(opened, running.port, options, image, built.model, inferences)
    if keep is not None:
        write_csv(trace, keep)
    per_window = inferences if marking.by == "edges" else 1
    result = _result(
        trace,
        replace(marking, per_window=per_window),
        battery,
        model_digest=image.model_digest,
        image=image,
        emulated=options.board.basis != "measured",
    )
    if result.estimate.windows != runs:
        raise DeviceError(
            f"the marker shows {result.estimate.windows} windows, the board ran {runs}",
            hint="check the marker's wire and its digital input (--marker), and that nothing else runs on the board",
        )
    return result


def _record_level(
    meter: Meter, port: str, options: Options, image: FirmwareImage, model: Model, inferences: int
) -> tuple[Trace, int]:
    samples = bench_inputs(model, pattern=False, count=inferences)
    with DeviceClient(port, options.board.link.baud) as client:
        client.expect(image)
        return meter.record(lambda: _discard(run_samples(client, samples))), inferences


def _record_edges(
    meter: Meter, port: str, options: Options, image: FirmwareImage, model: Model, inferences: int
) -> tuple[Trace, int]:
    loops = 5
    with MlperfClient(port, link_baud(image, options.board.link.baud), run_timeout_s=900.0) as client:
        client.expect(image)
        client.load(bytes(sample_bytes(model, benchmark_of(model))))

        def run() -> None:
            for _ in range(loops):
                client.infer(inferences, 0)

        return meter.record(run), loops


def _discard(_: object) -> None:
    return None


def _result(
    trace: Trace,
    marking: Marking,
    battery: Battery | None,
    *,
    model_digest: str,
    image: FirmwareImage | None = None,
    emulated: bool = False,
) -> EnergyResult:
    windows, fit = _windows(trace, marking)
    estimate = estimate_energy(trace, windows, per_window=marking.per_window)
    simulated = (*(("meter",) if trace.meter.simulated else ()), *(("board",) if emulated else ()))
    return EnergyResult(
        basis="simulated" if simulated else "measured",
        simulated=simulated,
        board_id="" if image is None else image.board_id,
        model_digest=model_digest,
        image_digest="" if image is None else image.digest,
        build_id="" if image is None else image.build_id,
        meter=trace.meter.kind,
        meter_serial=trace.meter.serial,
        meter_accuracy=trace.meter.accuracy.source,
        trace_source=trace.source,
        trace_digest=trace.digest(),
        sample_hz=trace.sample_hz,
        samples=len(trace.current_a),
        sync={"level": "marker level", "edges": "marker edges", "clock": "device clock"}[marking.by],
        clock_drift=None if fit is None else fit.drift,
        clock_residual_s=None if fit is None else fit.residual_s,
        estimate=estimate,
        battery=None if battery is None else _life(estimate, trace.meter.accuracy, battery),
    )


def _windows(trace: Trace, marking: Marking) -> tuple[tuple[Window, ...], ClockFit | None]:
    find: dict[str, Callable[[Trace], tuple[Window, ...]]] = {"level": windows_by_level, "edges": windows_by_edges}
    if marking.by in find:
        return find[marking.by](trace), None
    if marking.by != "clock" or marking.windows is None or marking.sync is None:
        raise BadInputError(
            f"inferences cannot be found by '{marking.by}'",
            hint="level, edges, or clock with --windows and --sync",
        )
    pairs = read_pairs(marking.sync, "sync file")
    fit = fit_clocks([device for device, _ in pairs], [meter for _, meter in pairs])
    return windows_by_clock(trace, fit, read_pairs(marking.windows, "windows file")), fit


def _life(estimate: EnergyEstimate, accuracy: Accuracy, battery: Battery) -> BatteryLife:
    supply = Quantity(value=estimate.voltage_v, uncertainty=accuracy.voltage_standard(estimate.voltage_v))
    return battery_life(
        DutyCycle(
            energy_j=Quantity(value=estimate.energy_j, uncertainty=estimate.combined_j),
            inference_s=Quantity(value=estimate.duration_s),
            inferences_hz=battery.inferences_hz,
            sleep_a=battery.sleep_a,
            battery_v=battery.battery_v or supply,
            capacity_ah=battery.capacity_ah,
            usable=battery.usable,
            self_discharge=battery.self_discharge,
            efficiency=battery.efficiency,
        )
    )
