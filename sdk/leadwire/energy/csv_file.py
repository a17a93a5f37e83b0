"""A trace from a file with commas: columns are known by their names, and everything in them is checked.

    time_s | time_ms | time_us | Timestamp(ms)          required, rising in equal steps from any time
    current_a | current_ma | current_ua | Current(uA)   required
    voltage_v | voltage_mv                              else the supply voltage must be given
    marker | D0 .. D7                                   0 or 1

The names on the right are those of Nordic's Power Profiler export. A comment line `# SIMULATED` before the header marks
what a simulated meter gave; it stays marked for ever.
"""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leadwire.errors import BadInputError, FileMissingError

from .trace import Accuracy, Floats, MeterIdentity, Trace

MAX_BYTES = 1 << 30
MAX_SAMPLES = 20_000_000
MAX_LINE = 4096
SIMULATED = "# SIMULATED"
_UNEVEN = 0.01
"""Share of a step by which a time may lie off the even grid."""
_SHORTEST_STEP_S = 1e-9
_MOST_S = 1e10
"""Times since 1970 are among them."""
_PAIRS_HINT = "start_us,end_us of each inference, or device_us,meter_us of each moment both clocks were read"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A quantity in `unit`: its columns' names with their factors, and the largest magnitude that is believed."""

    names: dict[str, float]
    most: float
    unit: str


_KINDS = {
    "time": _Kind(
        names={"time_s": 1.0, "time_ms": 1e-3, "time_us": 1e-6, "timestamp(ms)": 1e-3}, most=_MOST_S, unit="s"
    ),
    "current": _Kind(
        names={"current_a": 1.0, "current_ma": 1e-3, "current_ua": 1e-6, "current(ua)": 1e-6}, most=1e3, unit="A"
    ),
    "voltage": _Kind(names={"voltage_v": 1.0, "voltage_mv": 1e-3}, most=1e3, unit="V"),
}
_MARKERS = ("marker", "d0")


def read_csv(
    path: Path, accuracy: Accuracy, *, voltage_v: float | None = None, marker: str = "", meter: str = "file"
) -> Trace:
    """`marker` names the marker's column (default: 'marker', else D0 where there is one). FileMissingError,
    BadInputError with the line for whatever is not as above."""
    if not path.is_file():
        raise FileMissingError(path, role="trace")
    file = f"trace '{path}'"
    if path.stat().st_size > MAX_BYTES:
        raise BadInputError(f"{file} is larger than {MAX_BYTES} bytes")
    with path.open(encoding="utf-8", newline="") as stream:
        lines = _lines(stream, file)
        simulated, number, header = False, 0, ""
        for line in lines:
            number += 1
            simulated |= line.strip().upper().startswith(SIMULATED)
            if line.strip() and not line.startswith("#"):
                header = line
                break
        if not header:
            raise BadInputError(f"{file} is empty")
        names = next((row for _, row in _rows(iter([header]), file, number - 1)), [])
        columns = _columns([name.strip().lower() for name in names], file, number, marker)
        if "voltage" not in columns and voltage_v is None:
            raise BadInputError(
                f"{file} has no column of the voltage", hint="give the supply voltage with --voltage-mv"
            )
        table, places = _samples(_rows(lines, file, number), file, len(names), columns)
    step_s = _even_step(table["time"], places, file)
    return Trace(
        sample_hz=1.0 / step_s,
        current_a=table["current"],
        voltage_v=table["voltage"] if "voltage" in table else np.array([voltage_v], np.float64),
        marker=table["marker"] == 1.0 if "marker" in table else None,
        meter=MeterIdentity(kind=meter, serial="", simulated=simulated, accuracy=accuracy),
        source=str(path),
        start_s=float(table["time"][0]),
    )


def _lines(stream: object, file: str) -> Iterator[str]:
    readline = stream.readline  # type: ignore[attr-defined]
    number = 0
    try:
        while line := readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise BadInputError(f"{file}, line {number} is longer than {MAX_LINE} characters")
            yield line
    except UnicodeDecodeError:
        raise BadInputError(f"{file} is not UTF-8 text after line {number}") from None


def _rows(lines: Iterator[str], file: str, number: int) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of all rows that are not empty; `number` lines come before them."""
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            if row:
                yield number + reader.line_num, row
    except csv.Error as error:
        raise BadInputError(f"{file}, line {number + reader.line_num} is no list of commas: {error}") from None


def _columns(names: list[str], file: str, number: int, marker: str) -> dict[str, tuple[int, float]]:
    """(place, factor) of each quantity that has a column, the marker among them."""
    if len(set(names)) != len(names):
        raise BadInputError(f"{file}, line {number}: a column's name is there twice")
    found: dict[str, tuple[int, float]] = {}
    for what, kind in _KINDS.items():
        places = [place for place, name in enumerate(names) if name in kind.names]
        if len(places) > 1 or (not places and what != "voltage"):
            raise BadInputError(
                f"{file}, line {number} has {len(places)} columns of {what}",
                hint=f"name one of the columns {', '.join(kind.names)}",
            )
        if places:
            found[what] = (places[0], kind.names[names[places[0]]])
    wanted = [marker.lower()] if marker else _MARKERS
    place = next((names.index(name) for name in wanted if name in names), None)
    if place is not None:
        found["marker"] = (place, 1.0)
    elif marker:
        raise BadInputError(f"{file}, line {number} has no column '{marker}'")
    return found


def _samples(
    rows: Iterator[tuple[int, list[str]]], file: str, width: int, columns: dict[str, tuple[int, float]]
) -> tuple[dict[str, Floats], npt.NDArray[np.int64]]:
    """The columns in s, A, V and 0 or 1, and the line of each sample."""
    found = {what: array("d") for what in columns}
    places = array("q")
    for line, row in rows:
        if len(row) != width:
            raise BadInputError(f"{file}, line {line} has {len(row)} columns, the header {width}")
        if len(places) >= MAX_SAMPLES:
            raise BadInputError(f"{file} has more than {MAX_SAMPLES} samples")
        places.append(line)
        for what, (place, factor) in columns.items():
            value = _number(row[place], f"{file}, line {line}") * factor
            if what == "marker" and value not in (0.0, 1.0):
                raise BadInputError(f"{file}, line {line}: the marker is '{row[place][:40]}', neither 0 nor 1")
            if what != "marker" and abs(value) > _KINDS[what].most:
                most = f"{_KINDS[what].most:g} {_KINDS[what].unit}"
                raise BadInputError(
                    f"{file}, line {line}: a {what} of {value:g} {_KINDS[what].unit} is more than {most}",
                    hint="check the unit in the column's name",
                )
            found[what].append(value)
    return {what: np.array(values, np.float64) for what, values in found.items()}, np.array(places, np.int64)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInputError(f"{where}: '{text[:40]}' is not a number")
    return value


def _even_step(times: Floats, lines: npt.NDArray[np.int64], file: str) -> float:
    if len(times) < 3:
        raise BadInputError(f"{file} has {len(times)} samples, at least 3 are needed")
    step = float(times[-1] - times[0]) / (len(times) - 1)
    if not step >= _SHORTEST_STEP_S:
        raise BadInputError(f"{file}: its times rise by {step:g} s a sample, {_SHORTEST_STEP_S:g} s is the least")
    off = np.abs(np.diff(times) - step)
    worst = int(off.argmax())
    if off[worst] > _UNEVEN * step + 4 * np.spacing(np.abs(times).max()):
        raise BadInputError(
            f"{file}, line {lines[worst + 1]}: the sample is {float(times[worst + 1] - times[worst]):.9f} s after the "
            f"one before, the mean distance is {step:.9f} s",
            hint="samples were lost, or the export was thinned out: record again",
        )
    return step


def read_pairs(path: Path, role: str) -> list[tuple[float, float]]:
    """Two columns of numbers in microseconds: device windows (start, end) or sync pairs (device, meter). A first line
    without any number is a header. Given back in seconds."""
    if not path.is_file():
        raise FileMissingError(path, role=role)
    file = f"{role} '{path}'"
    if path.stat().st_size > 1 << 26:
        raise BadInputError(f"{file} is larger than 64 MiB")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(_rows(_lines(stream, file), file, 0))
    if rows and not any(_is_number(cell) for cell in rows[0][1]):
        rows = rows[1:]
    pairs = []
    for line, row in rows:
        if len(row) != 2:
            raise BadInputError(f"{file}, line {line} has {len(row)} columns, not 2", hint=_PAIRS_HINT)
        one, other = (_number(cell, f"{file}, line {line}") / 1e6 for cell in row)
        if max(abs(one), abs(other)) > _MOST_S:
            raise BadInputError(f"{file}, line {line} has a time of more than {_MOST_S:g} s", hint=_PAIRS_HINT)
        pairs.append((one, other))
    return pairs


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_csv(trace: Trace, path: Path) -> None:
    """The trace as `read_csv` reads it, marked where it is simulated."""
    from leadwire.workspace import write_atomically

    voltage = np.broadcast_to(trace.voltage_v, trace.current_a.shape)
    names = ["time_s", "current_a", "voltage_v"] + (["marker"] if trace.marker is not None else [])
    rows = [SIMULATED] if trace.meter.simulated else []
    rows.append(",".join(names))
    for index in range(len(trace.current_a)):
        cells = [
            f"{trace.start_s + index * trace.step_s:.9f}",
            f"{trace.current_a[index]:.9g}",
            f"{voltage[index]:.9g}",
        ]
        rows.append(",".join(cells + ([str(int(trace.marker[index]))] if trace.marker is not None else [])))
    write_atomically(path, ("\n".join(rows) + "\n").encode())
