"""The whole line on the bundled example: its verdict, and a bundle that verifies until one byte of it changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from leadwire.errors import LeadwireError
from leadwire.evidence.bundle import verify_bundle
from leadwire.evidence.keys import generate_key
from leadwire.pipeline import run_project
from leadwire.project import load_project
from leadwire.qualify.check import Context, Finding, equal

TITLE = "From Keras file to signed evidence"
REQUIREMENTS = ("LW-EVD-001", "LW-VAL-002", "LW-VAL-003")
_PROJECT = """
name = "qualification"
output = "out"
[model]
path = "arrhythmia.keras"
[dataset]
source = "synthetic-ecg"
test_split = "test"
[calibration]
split = "train"
count = 300
seed = 1
stratify = "class+patient"
[target]
boards = ["virtual-stm32f405"]
backend = "aot"
toolchain = "zig"
[bench]
inputs = 5
warmup = 1
[validation]
protocol = "arrhythmia-synthetic"
device_beats = 0
[signing]
key = "key.pem"
"""


def look(context: Context) -> Iterator[Finding]:
    folder = context.folder
    (folder / "leadwire.toml").write_text(_PROJECT, encoding="utf-8")
    (folder / "arrhythmia.keras").write_bytes(context.example.read_bytes())
    generate_key(folder / "key.pem")
    generate_key(folder / "other.pem")
    outcome = run_project(load_project(folder / "leadwire.toml"), until="report", watcher=context.watcher).boards[0]
    assert outcome.validation is not None and outcome.bundle is not None
    validation = outcome.validation
    yield context.known("evidence_dataset", "digest of the test set", validation.dataset_digest)
    yield context.known("evidence_verdict", "verdict", validation.verdict)
    yield context.known("evidence_beats", "beats", validation.beats)
    yield equal("beats with equal bytes on host and device", validation.beats, validation.host_device.identical)
    yield equal("samples lost", 0, validation.lost_samples)
    bundle = outcome.bundle.path
    yield equal("the bundle", "verifies", _verified(bundle, folder / "key.pem"))
    yield equal("the bundle with another's key", "refused, exit 8", _verified(bundle, folder / "other.pem"))
    data = bundle.read_bytes()
    for part in range(8):
        changed = bytearray(data)
        position = (2 * part + 1) * len(data) // 16
        changed[position] ^= 1
        (folder / "changed.zip").write_bytes(changed)
        found = _verified(folder / "changed.zip", folder / "key.pem")
        yield equal(f"the bundle with a changed byte, part {part + 1} of 8", "refused, exit 8", found)


def _verified(bundle: Path, key: Path) -> str:
    try:
        verify_bundle(bundle, key)
    except LeadwireError as error:
        return f"refused, exit {error.exit_code}"
    return "verifies"
