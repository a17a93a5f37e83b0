"""The stress matrix: the protocol's conditions on the test recordings, answered by float, the generated C on the host
and, for a part of the beats, the device, TFLite Micro and desktop TFLite. The raw answers go into stress.csv.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from leadwire import reference
from leadwire.artifacts import StressResult, StressWitness, sha256_hex
from leadwire.datasets import Dataset, dataset_of, disturb, extract_beats
from leadwire.datasets.recording import Recording
from leadwire.datasets.wfdb_files import read_noise
from leadwire.device.client import DeviceClient
from leadwire.device.host_pool import HostPool
from leadwire.device.journal import Journal
from leadwire.device.running import RunningBoard
from leadwire.device.samples import run_samples
from leadwire.errors import DatasetError
from leadwire.evidence.stress import STRESS, StressAnswers, write_stress
from leadwire.model.graph import Model
from leadwire.model.tensor import values_of
from leadwire.protocols import Condition, Protocol, StressRule
from leadwire.validate import StressRun, exclude, judge_stress
from leadwire.workspace import file_digest, write_atomically

from .predict import evenly

Inputs = tuple[npt.NDArray[np.float32], ...]
Note = Callable[[str], None]
_FLOAT_ROWS_AT_ONCE = 120_000
"""Inputs that one call of the float model takes: a call costs seconds before its first row, memory after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """The stress set: its undisturbed beats, and for each the place of the beat in its (cut) recording."""

    dataset: Dataset
    recordings: tuple[Recording, ...]
    places: tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class _Asked:
    """One condition on its way: the beats that still have a window under it, their inputs, and the answers."""

    title: str
    level: float | None
    unit: str
    beats: npt.NDArray[np.int64]
    inputs: Inputs
    floats: npt.NDArray[np.float64] | None = None
    rows: reference.Rows | None = None
    host: reference.Rows | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Witnessed:
    """Answers of another INT8 runtime to the beats at `places` of each condition."""

    runtime: Literal["tflm", "tflite"]
    answers: list[reference.Rows]


def run_stress(
    test: Dataset,
    protocol: Protocol,
    model: Model,
    *,
    protocol_folder: Path,
    source: Path,
    quantized: Path,
    library: Path,
    device: Callable[[], RunningBoard],
    folder: Path,
    note: Note,
) -> StressResult:
    """Every condition of `protocol.stress` on the recordings of `test`; writes stress.csv into `folder`.

    DatasetError where the data set has no recordings (arrays), or a noise record cannot be used.
    """
    rule = protocol.stress
    assert rule is not None
    whole = _stress_set(test, protocol, rule)
    dataset = whole.dataset
    everything = np.arange(len(dataset), dtype=np.int64)
    waiting = [_Asked(title="undisturbed", level=None, unit="", beats=everything, inputs=dataset.inputs)]
    done: list[_Asked] = []
    pool = HostPool(library)
    for condition in rule.conditions:
        for level in condition.levels:
            note(f"stress: {condition.title} {level:g} {condition.unit}")
            waiting.append(_disturbed(whole, condition, level, rule.seed, protocol_folder))
            if sum(len(one.beats) for one in waiting) >= _FLOAT_ROWS_AT_ONCE:
                done += _answered(waiting, dataset, model, source, pool)
                waiting = []
    done += _answered(waiting, dataset, model, source, pool)
    sent = [evenly(len(one.beats), rule.device_beats) for one in done]
    note(f"stress: {sum(map(len, sent))} beats on the device")
    answers = _ask_device(done, sent, device(), folder)
    seen = [evenly(len(one.beats), rule.witness_beats) for one in done]
    note(f"stress: {sum(map(len, seen))} beats in TFLite Micro and desktop TFLite")
    witnesses = _ask_witnesses(done, seen, quantized)
    runs, columns = [], []
    for number, (one, of_device, places) in enumerate(zip(done, answers, sent, strict=True)):
        assert one.floats is not None
        assert one.host is not None
        others = {other.runtime: other.answers[number] for other in witnesses}
        runs.append(
            StressRun(
                title=one.title,
                level=one.level,
                unit=one.unit,
                beats=one.beats,
                float_decided=one.floats.astype(np.float32).argmax(axis=1).astype(np.int64),
                int8_decided=_decided(model, one.host),
                device_beats=len(places),
                device_identical=int((of_device == one.host[places]).all(axis=1).sum()),
                witnesses=tuple(
                    StressWitness(
                        runtime=other.runtime,
                        beats=len(seen[number]),
                        identical=int((other.answers[number] == one.host[seen[number]]).all(axis=1).sum()),
                        decisions_changed=int(
                            (_decided(model, other.answers[number]) != _decided(model, one.host[seen[number]])).sum()
                        ),
                    )
                    for other in witnesses
                ),
            )
        )
        columns.append(
            StressAnswers(
                float_outputs=_cells(one.beats, one.floats.astype(">f4")),
                int8=_cells(one.beats, one.host),
                device=_cells(one.beats[places], of_device),
                tflm=_cells(one.beats[seen[number]], others["tflm"]) if "tflm" in others else {},
                tflite=_cells(one.beats[seen[number]], others["tflite"]),
            )
        )
    names = [dataset.label_names[label] for label in dataset.labels]
    data = write_stress(dataset.records, dataset.patients, names, columns)
    write_atomically(folder / STRESS, data)
    return StressResult(
        protocol_digest=protocol.digest,
        model_digest=model.digest,
        seconds=rule.seconds,
        seed=rule.seed,
        predictions_digest=sha256_hex(data),
        conditions=judge_stress(protocol, dataset.labels, dataset.patients, dataset.records, runs),
    )


def _decided(model: Model, rows: reference.Rows) -> npt.NDArray[np.int64]:
    return np.asarray(values_of(model.output_tensors, rows).argmax(axis=1), dtype=np.int64)


def _cells(beats: npt.NDArray[np.int64], rows: npt.NDArray[np.generic]) -> dict[int, bytes]:
    return {int(beat): row.tobytes() for beat, row in zip(beats, rows, strict=True)}


# ---------------------------------------------------------------------------------------------- beats


def noise_digests(protocol: Protocol, folder: Path) -> list[str]:
    """SHA-256 of the noise records that a protocol names; missing ones are told when they are read."""
    named = [one.record for one in (protocol.stress.conditions if protocol.stress else ()) if one.record]
    files = [folder / f"{record}.{ending}" for record in named for ending in ("hea", "dat")]
    return [file_digest(path) for path in files if path.is_file()]


def check_recordings(test: Dataset) -> None:
    if not test.recordings:
        raise DatasetError(
            test.name,
            "has no recordings to disturb: it gives finished inputs",
            hint="leave [stress] out of the protocol, or set validation.stress = false in the project file",
        )


def _stress_set(test: Dataset, protocol: Protocol, rule: StressRule) -> _Set:
    check_recordings(test)
    recordings = [disturb.cut(one, rule.seconds) for one in test.recordings]
    usable = [one for one in recordings if len(one.beats) > 2]
    dataset, _ = exclude(
        dataset_of(usable, name=test.name, split=test.split, basis=test.basis, licence=test.licence), protocol
    )
    by_name = {one.record: one for one in usable}
    places = []
    for record, time_s in zip(dataset.records, dataset.times_s, strict=True):
        one = by_name[record]
        places.append(int(np.searchsorted(one.beats, round(float(time_s) * one.sample_rate_hz))))
    return _Set(dataset=dataset, recordings=tuple(usable), places=tuple(places))


def _disturbed(whole: _Set, condition: Condition, level: float, seed: int, protocol_folder: Path) -> _Asked:
    noise = None
    if condition.kind == "noise_record":
        noise = read_noise(protocol_folder / condition.record, condition.signal, condition.sha256)
    found: dict[tuple[str, int], tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = {}
    for recording in whole.recordings:
        one = extract_beats(_apply(recording, condition, level, seed, noise))
        for row, place in enumerate(one.kept):
            found[recording.record, int(place)] = one.beat[row], one.features[row]
    keys = list(zip(whole.dataset.records, whole.places, strict=True))
    beats = np.asarray([beat for beat, key in enumerate(keys) if key in found], dtype=np.int64)
    pairs = [found[keys[beat]] for beat in beats]
    inputs = (np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs]))
    return _Asked(title=condition.title, level=level, unit=condition.unit, beats=beats, inputs=inputs)


def _apply(
    recording: Recording,
    condition: Condition,
    level: float,
    seed: int,
    noise: tuple[npt.NDArray[np.float64], float] | None,
) -> Recording:
    if noise is not None:
        values, rate_hz = noise
        time = np.arange(len(recording.signal_mv)) / recording.sample_rate_hz * rate_hz
        repeated = np.interp(time % len(values), np.arange(len(values)), values)
        return disturb.add_noise(recording, repeated, level)
    match condition.kind:
        case "mains":
            return disturb.add_mains(recording, condition.frequency_hz or 50.0, level, seed)
        case "saturation":
            return disturb.saturate(recording, level)
        case "lead_off":
            return disturb.lift_lead(recording, level, seed)
        case "gain":
            return disturb.amplify(recording, level)
        case "sampling_rate":
            return disturb.misclock(recording, level)
        case kind:
            return disturb.add_noise(recording, disturb.modelled_noise(kind, recording, seed), level)


# ---------------------------------------------------------------------------------------------- answers


def _answered(waiting: Sequence[_Asked], dataset: Dataset, model: Model, source: Path, pool: HostPool) -> list[_Asked]:
    """The float model is asked for all of them in one call, the generated C one by one."""
    joined = tuple(np.concatenate([one.inputs[place] for one in waiting]) for place in range(len(dataset.input_names)))
    floats = reference.run_float(source, joined, dataset.input_names)
    done, start = [], 0
    for one in waiting:
        rows = reference.quantize_inputs(model, one.inputs, dataset.input_names)
        end = start + len(one.beats)
        done.append(replace(one, floats=floats[start:end], rows=rows, host=pool.run(rows), inputs=()))
        start = end
    return done


def _ask_device(
    done: Sequence[_Asked], sent: Sequence[npt.NDArray[np.int64]], device: RunningBoard, folder: Path
) -> list[reference.Rows]:
    """INT8 rows of each condition's part for the device, in one run over the link."""
    rows = [
        one.rows[place].tobytes()
        for one, places in zip(done, sent, strict=True)
        if one.rows is not None
        for place in places
    ]
    if device.count_instructions is not None:
        device.count_instructions(False)
    with DeviceClient(device.port, device.board.link.baud) as client:
        client.expect(device.image)
        run = run_samples(
            client, rows, lambda done, total: None, image=device.image, journal=Journal(folder / "stress.journal")
        )
    answers = np.frombuffer(b"".join(run.outputs), dtype=np.int8).reshape(len(rows), -1)
    return list(np.split(answers, np.cumsum([len(places) for places in sent])[:-1]))


def _ask_witnesses(
    done: Sequence[_Asked], seen: Sequence[npt.NDArray[np.int64]], quantized: Path
) -> tuple[_Witnessed, ...]:
    """INT8 rows of each condition's part for the witnesses; TFLite Micro is left out where there is none."""
    rows = np.concatenate([one.rows[places] for one, places in zip(done, seen, strict=True) if one.rows is not None])
    edges = np.cumsum([len(places) for places in seen])[:-1]
    found = [_Witnessed(runtime="tflite", answers=np.split(reference.run_tflite(quantized, rows), edges))]
    if reference.has_tflm():
        found.insert(0, _Witnessed(runtime="tflm", answers=np.split(reference.run_tflm(quantized, rows), edges)))
    return tuple(found)
