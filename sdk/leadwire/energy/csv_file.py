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
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from leadwire.errors import BadInputError, DatasetError, FileMissingError

from .trace import Accuracy, MeterIdentity, Trace

MAX_BYTES = 1 << 30
MAX_SAMPLES = 20_000_000
MAX_LINE = 4096
SIMULATED = "# SIMULATED"
_UNEVEN = 0.01
"""Share of a step by which a time may lie off the even grid."""
_TIME = {"time_s": 1.0, "time_ms": 1e-3, "time_us": 1e-6, "timestamp(ms)": 1e-3}
_CURRENT = {"current_a": 1.0, "current_ma": 1e-3, "current_ua": 1e-6, "current(ua)": 1e-6}
_VOLTAGE = {"voltage_v": 1.0, "voltage_mv": 1e-3}


def read_csv(
    path: Path, accuracy: Accuracy, *, voltage_v: float | None = None, marker: str = "", meter: str = "file"
) -> Trace:
    """`marker` names the marker's column (default: 'marker', else D0 where there is one). FileMissingError,
    DatasetError (2) with the line for whatever is not as above."""
    if not path.is_file():
        raise FileMissingError(path, role="trace")
    if path.stat().st_size > MAX_BYTES:
        raise DatasetError(str(path), f"is larger than {MAX_BYTES} bytes")
    with path.open(encoding="utf-8", newline="") as stream:
        try:
            return _read(_lines(stream, path), path, accuracy, voltage_v, marker, meter)
        except UnicodeDecodeError as error:
            raise DatasetError(str(path), f"is not UTF-8 text at byte {error.start}") from None
        except csv.Error as error:
            raise DatasetError(str(path), f"is not a list of commas: {error}") from None


def _lines(stream: object, path: Path) -> Iterator[str]:
    readline = stream.readline  # type: ignore[attr-defined]
    number = 0
    while line := readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise DatasetError(str(path), f"line {number} is longer than {MAX_LINE} characters")
        yield line


def _read(
    lines: Iterator[str], path: Path, accuracy: Accuracy, voltage_v: float | None, marker: str, meter: str
) -> Trace:
    simulated, number, header = False, 0, ""
    for line in lines:
        number += 1
        simulated |= line.strip().upper().startswith(SIMULATED)
        if line.strip() and not line.startswith("#"):
            header = line
            break
    names = [name.strip().lower() for name in next(csv.reader([header], strict=True), [])]
    columns = _columns(names, path, number, marker)
    if columns["voltage"] is None and voltage_v is None:
        raise DatasetError(str(path), "has no column of the voltage", hint="give the supply voltage with --voltage-mv")
    table = _numbers(lines, path, number, len(names), columns)
    times = table[0] * _TIME[names[columns["time"] or 0]]
    step_s = _even_step(times, path)
    voltage = table[2] * _VOLTAGE[names[columns["voltage"]]] if columns["voltage"] is not None else None
    flags = None
    if columns["marker"] is not None:
        if not np.isin(table[3], (0.0, 1.0)).all():
            raise DatasetError(str(path), f"column '{names[columns['marker']]}' has values other than 0 and 1")
        flags = table[3] == 1.0
    return Trace(
        sample_hz=1.0 / step_s,
        current_a=table[1] * _CURRENT[names[columns["current"] or 0]],
        voltage_v=np.array([voltage_v], np.float64) if voltage is None else voltage,
        marker=flags,
        meter=MeterIdentity(kind=meter, serial="", simulated=simulated, accuracy=accuracy),
        source=str(path),
        start_s=float(times[0]),
    )


def _columns(names: list[str], path: Path, number: int, marker: str) -> dict[str, int | None]:
    if len(set(names)) != len(names):
        raise DatasetError(str(path), f"line {number}: a column's name is there twice")
    found: dict[str, int | None] = {}
    for what, known in (("time", _TIME), ("current", _CURRENT), ("voltage", _VOLTAGE)):
        places = [place for place, name in enumerate(names) if name in known]
        if len(places) > 1 or (not places and what != "voltage"):
            raise DatasetError(
                str(path),
                f"line {number} has {len(places)} columns of {what}",
                hint=f"name one of the columns {', '.join(known)}",
            )
        found[what] = places[0] if places else None
    wanted = [marker.lower()] if marker else ["marker", "d0"]
    place = next((names.index(name) for name in wanted if name in names), None)
    if marker and place is None:
        raise DatasetError(str(path), f"line {number} has no column '{marker}'")
    found["marker"] = place
    return found


def _numbers(
    lines: Iterator[str], path: Path, number: int, width: int, columns: dict[str, int | None]
) -> list[np.ndarray]:
    """Arrays of time, current, voltage and marker, the latter two empty where there is no column."""
    wanted = [columns[what] for what in ("time", "current", "voltage", "marker")]
    found: list[list[float]] = [[], [], [], []]
    for row in csv.reader(lines, strict=True):
        number += 1
        if not row:
            continue
        if len(row) != width:
            raise DatasetError(str(path), f"line {number} has {len(row)} columns, the header {width}")
        if len(found[0]) >= MAX_SAMPLES:
            raise DatasetError(str(path), f"has more than {MAX_SAMPLES} samples")
        for place, values in zip(wanted, found, strict=True):
            if place is None:
                continue
            try:
                value = float(row[place])
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise DatasetError(str(path), f"line {number}: '{row[place][:40]}' is not a number")
            values.append(value)
    return [np.array(values, np.float64) for values in found]


def _even_step(times: np.ndarray, path: Path) -> float:
    if len(times) < 3:
        raise DatasetError(str(path), f"has {len(times)} samples, at least 3 are needed")
    step = float(times[-1] - times[0]) / (len(times) - 1)
    if not step > 0:
        raise DatasetError(str(path), "its times do not rise")
    off = np.abs(np.diff(times) - step)
    worst = int(off.argmax())
    if off[worst] > _UNEVEN * step + 4 * np.spacing(np.abs(times).max()):
        raise DatasetError(
            str(path),
            f"sample {worst + 2} is {float(times[worst + 1] - times[worst]):.9f} s after the one before, the mean "
            f"distance is {step:.9f} s",
            hint="samples were lost, or the export was thinned out: record again",
        )
    return step


def read_pairs(path: Path, role: str) -> list[tuple[float, float]]:
    """Two columns of numbers in microseconds below one header line: device windows (start, end) or sync pairs (device,
    meter). Given back in seconds."""
    if not path.is_file():
        raise FileMissingError(path, role=role)
    if path.stat().st_size > 1 << 26:
        raise DatasetError(str(path), "is larger than 64 MiB")
    try:
        rows = [row for row in csv.reader(path.read_text(encoding="utf-8").splitlines(), strict=True) if row]
        pairs = [(float(one) / 1e6, float(other) / 1e6) for one, other in rows[1:]]
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise BadInputError(
            f"{role} '{path}' does not hold two columns of numbers below a header: {error}"[:300],
            hint="start_us,end_us of each inference, or device_us,meter_us of each moment both clocks were read",
        ) from None
    if not all(math.isfinite(value) for pair in pairs for value in pair):
        raise BadInputError(f"{role} '{path}' holds a number that is not finite")
    return pairs


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
