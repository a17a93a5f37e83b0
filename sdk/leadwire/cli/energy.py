"""The verb of power and energy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leadwire.errors import BadInputError

from .app import BackendName, BoardId, Json, Port, Toolchain, Work, app, options_of, show, watcher

if TYPE_CHECKING:
    from leadwire.energy.battery import Quantity
    from leadwire.pipeline.energy import Battery


@app.command()
def energy(
    model: Annotated[Path | None, typer.Argument(help="A full-INT8 .tflite file; with --trace: what ran.")] = None,
    board: BoardId = "virtual-stm32f405",
    backend: BackendName = "aot",
    toolchain: Toolchain = "auto",
    port: Port = "",
    meter: Annotated[str, typer.Option("--meter", help="ppk2, lpm01a, joulescope, scpi or simulated.")] = "",
    address: Annotated[str, typer.Option("--meter-address", help="The meter's serial port or VISA name.")] = "",
    option: Annotated[
        list[str] | None, typer.Option("--meter-option", help="KEY=VALUE, for scpi and simulated.")
    ] = None,
    accuracy: Annotated[
        Path | None, typer.Option("--accuracy", help="TOML file with the meter's limits of error.")
    ] = None,
    voltage_mv: Annotated[float, typer.Option("--voltage-mv", help="The board's supply.", min=0, max=60_000)] = 0,
    sample_hz: Annotated[float, typer.Option("--sample-hz", help="Samples a second.", min=0, max=1e7)] = 0,
    supplied: Annotated[
        bool, typer.Option("--supplied", help="The board has its own supply: the meter only measures.")
    ] = False,
    marker: Annotated[str, typer.Option("--marker", help="Digital input (number), or column of a trace.")] = "",
    marking: Annotated[str, typer.Option("--marking", help="level, edges or clock.")] = "level",
    inferences: Annotated[
        int | None,
        typer.Option(
            "--inferences", "-n", help="How many, with edges in each run; with a meter 20.", min=1, max=1_000_000
        ),
    ] = None,
    trace: Annotated[Path | None, typer.Option("--trace", help="A trace from a file (CSV) instead of a meter.")] = None,
    windows: Annotated[Path | None, typer.Option("--windows", help="start_us,end_us by the device's clock.")] = None,
    sync: Annotated[Path | None, typer.Option("--sync", help="device_us,meter_us of at least three moments.")] = None,
    keep: Annotated[Path | None, typer.Option("--keep", help="Write the trace into this file (CSV).")] = None,
    battery_mah: Annotated[str, typer.Option("--battery-mah", help="Capacity, as VALUE or VALUE~UNCERTAINTY.")] = "",
    rate: Annotated[str, typer.Option("--inferences-per-hour", help="On battery; VALUE or VALUE~UNCERTAINTY.")] = "",
    sleep_ua: Annotated[str, typer.Option("--sleep-ua", help="Current between; VALUE or VALUE~UNCERTAINTY.")] = "",
    usable: Annotated[str, typer.Option("--usable", help="Share of the capacity; VALUE or VALUE~UNCERTAINTY.")] = "1",
    self_discharge: Annotated[str, typer.Option("--self-discharge", help="Share of the capacity a year.")] = "0",
    efficiency: Annotated[str, typer.Option("--efficiency", help="Of the converter, at most 1.")] = "1",
    battery_mv: Annotated[
        str, typer.Option("--battery-mv", help="The battery's mean voltage, before a converter.")
    ] = "",
    work: Work = None,
    as_json: Json = False,
) -> None:
    """Energy per inference with its uncertainty, from a meter or a trace, and the battery life it leaves."""
    from leadwire.energy.meters import MeterSettings
    from leadwire.pipeline.energy import Marking, energy_of_trace, load_accuracy, measure_energy
    from leadwire.views import energy as views

    on_battery = _battery(battery_mah, rate, sleep_ua, usable, self_discharge, efficiency, battery_mv)
    limits = load_accuracy(accuracy)
    voltage_v = voltage_mv / 1000 if voltage_mv else None
    if trace is not None:
        if meter:
            raise BadInputError("--trace and --meter are two sources", hint="give one of them")
        if marking == "edges" and inferences is None:
            raise BadInputError(
                "how many inferences lie between two edges is not in the trace", hint="give -n, as the board ran them"
            )
        per_window = inferences if inferences and marking == "edges" else 1
        found = Marking(by=marking, per_window=per_window, windows=windows, sync=sync)
        result = energy_of_trace(
            trace, limits, found, voltage_v=voltage_v, marker=marker, model=model, battery=on_battery
        )
    elif model is None or not meter:
        raise BadInputError("energy needs a model and a meter, or a trace", hint="MODEL --meter NAME, or --trace FILE")
    else:
        settings = MeterSettings(
            address=address,
            voltage_v=voltage_v,
            sample_hz=sample_hz or None,
            supply=not supplied,
            marker=_input(marker),
            accuracy=limits,
            options=tuple(_pair(text) for text in option or ()),
        )
        with watcher() as progress:
            result = measure_energy(
                model,
                options_of(board, backend, toolchain, port, work),
                meter,
                settings,
                progress,
                inferences=inferences or 20,
                marking=Marking(by=marking),
                battery=on_battery,
                keep=keep,
            )
    show(result, as_json, views.result)


def _input(text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or int(text) > 7:
        raise BadInputError(f"digital input '{text}' does not exist", hint="0 to 7")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInputError(f"meter option '{text}' is not KEY=VALUE")
    return key, value


def _battery(
    mah: str, rate: str, sleep: str, usable: str, loss: str, efficiency: str, millivolts: str
) -> Battery | None:
    if not mah:
        if rate or sleep or millivolts:
            raise BadInputError("a battery needs its capacity", hint="give --battery-mah")
        return None
    if not rate or not sleep:
        raise BadInputError(
            "battery life needs the rate of inferences and the current between them",
            hint="give --inferences-per-hour and --sleep-ua",
        )
    from leadwire.pipeline.energy import Battery

    return Battery(
        capacity_ah=_quantity("--battery-mah", mah).scaled(1e-3),
        inferences_hz=_quantity("--inferences-per-hour", rate).scaled(1 / 3600),
        sleep_a=_quantity("--sleep-ua", sleep).scaled(1e-6),
        usable=_quantity("--usable", usable),
        self_discharge=_quantity("--self-discharge", loss),
        efficiency=_quantity("--efficiency", efficiency),
        battery_v=_quantity("--battery-mv", millivolts).scaled(1e-3) if millivolts else None,
    )


def _quantity(option: str, text: str) -> Quantity:
    """'220' or '220~10': a value and its standard uncertainty."""
    from math import isfinite

    from leadwire.energy.battery import Quantity

    value, _, uncertainty = text.partition("~")
    try:
        found = Quantity(value=float(value), uncertainty=float(uncertainty or 0))
    except ValueError:
        raise BadInputError(f"{option} '{text[:40]}' is not VALUE or VALUE~UNCERTAINTY", hint="220~10") from None
    if not isfinite(found.value) or not isfinite(found.uncertainty):
        raise BadInputError(f"{option} '{text[:40]}' is not finite")
    return found
