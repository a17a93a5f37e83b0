"""The newcomer's way: one command from the bundled Keras model to a signed report, on the emulated board."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from leadwire.evidence.archive import unpack


def leadwire(*arguments: str | Path, code: int = 0, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "LEADWIRE_DATA"}
    done = subprocess.run(
        [sys.executable, "-m", "leadwire", *map(str, arguments)],
        env=environment, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def demo(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Output folder and JSON of `leadwire run` on the example without data."""
    out = tmp_path_factory.mktemp("demo")
    done = leadwire("run", root / "examples" / "arrhythmia" / "leadwire.toml", "--output", out, "--json")
    return out, json.loads(done.stdout)["boards"][0]


def test_the_verdict_and_what_it_stands_on(demo: tuple[Path, dict[str, Any]]) -> None:
    _, board = demo
    validation, bench = board["validation"], board["benchmark"]
    assert validation["verdict"] == "pass"
    assert validation["dataset_basis"] == "synthetic"
    assert validation["patients"] >= 20
    assert validation["lost_samples"] == 0
    assert validation["host_device"]["compared"] == validation["beats"] == validation["host_device"]["identical"]
    assert {metrics["runtime"] for metrics in validation["metrics"]} >= {"float", "tflite", "host_c", "device"}
    assert [report["basis"] for report in board["budgets"]] == ["planned", "linked", "emulated"]
    assert all(line["limit"] is None or line["used"] <= line["limit"] for b in board["budgets"] for line in b["lines"])
    assert bench["basis"] == "emulated"
    assert bench["constant_instructions"] in (True, False)
    assert bench["instructions_per_inference"] > bench["macs"] > 0
    assert abs(sum(operator["share"] for operator in bench["operators"]) - 1) < 0.01


def test_the_arena_that_tflm_would_need_is_predicted_for_the_example_too(demo: tuple[Path, dict[str, Any]]) -> None:
    pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")
    from arena_record import arena_record, fits
    from leadwire.model.tflite import read_tflite
    from leadwire.tflm_arena import host_record

    path = demo[0] / "arrhythmia.tflite"
    predicted, data = host_record(read_tflite(path)), path.read_bytes()
    assert predicted.total_bytes == arena_record(data).total
    assert fits(data, predicted.required_bytes)
    assert not fits(data, predicted.required_bytes - 16)


def test_device_and_float_agree_on_decisions(demo: tuple[Path, dict[str, Any]]) -> None:
    out, _ = demo
    with np.load(out / "predictions" / "device.npz") as device, np.load(out / "predictions" / "float.npz") as floats:
        raw, outputs = device["raw"], floats["outputs"]
    assert len(np.unique(raw, axis=0)) > 50
    assert (raw.argmax(axis=1) == outputs.argmax(axis=1)).mean() > 0.97


def test_evidence_follows_its_schema(demo: tuple[Path, dict[str, Any]], root: Path) -> None:
    out, _ = demo
    schema = json.loads((root / "validation" / "evidence.schema.json").read_text())
    jsonschema.validate(json.loads((out / "evidence.json").read_text()), schema)


def test_the_page_says_what_it_is(demo: tuple[Path, dict[str, Any]]) -> None:
    out, board = demo
    page = (out / "report.html").read_text()
    text = re.sub(r"<[^>]*>", "", page)  # digests carry places where a line may break
    for wanted in ("EMULATED", "SYNTHETIC", board["image"]["digest"], board["quantized"]["digest"], "NON-STANDARD"):
        assert wanted in text
    assert page.count("<script") == 1, "the page's own, whose digest its policy names"
    outside = ('src="http', "url(http", '<link rel="stylesheet"', 'http-equiv="refresh"')
    assert not [word for word in outside if word in page]


def test_verify_accepts_the_bundle_and_no_other_byte(demo: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    _, board = demo
    bundle = Path(board["bundle"]["path"])
    verified = json.loads(leadwire("verify", bundle, "--json").stdout)
    assert verified["verdict"] == "pass"
    assert verified["authenticated"] is False
    data = bytearray(bundle.read_bytes())
    inside = zipfile.ZipFile(bundle).getinfo("evidence.json").header_offset + 200
    for position in (10, inside, len(data) // 2, len(data) - 3):
        changed = bytearray(data)
        changed[position] ^= 1
        (tmp_path / "changed.zip").write_bytes(changed)
        done = leadwire("verify", tmp_path / "changed.zip", code=8)
        assert "does not verify" in done.stderr


def same_but_for_the_run(one: dict[str, bytes], other: dict[str, bytes]) -> bool:
    """The same files; the provenance alone may name another run, and its signature with it."""

    def told(files: dict[str, bytes]) -> dict[str, Any]:
        statement = json.loads(base64.b64decode(json.loads(files["provenance.dsse.json"])["payload"]))
        assert len(statement["predicate"]["runDetails"]["metadata"].pop("invocationId")) == 64
        return {**files, "provenance.dsse.json": statement}

    return told(one) == told(other)


@pytest.mark.requirement("LW-EVD-005")
def test_a_run_from_scratch_in_another_folder_gives_the_same_bundle(
    demo: tuple[Path, dict[str, Any]], root: Path, tmp_path: Path
) -> None:
    """Everything again, from the float model on, signed with the same key: on an emulated board no value is measured,
    so that nothing differs but which run it was."""
    out, board = demo
    key = tmp_path / "elsewhere" / ".leadwire" / "demonstration-key.pem"
    key.parent.mkdir(parents=True)
    key.write_bytes((out / ".leadwire" / "demonstration-key.pem").read_bytes())
    leadwire("run", root / "examples" / "arrhythmia" / "leadwire.toml", "--output", tmp_path / "elsewhere")
    first = Path(board["bundle"]["path"])
    second = tmp_path / "elsewhere" / first.name
    one, other = (unpack(path.read_bytes(), source=path) for path in (first, second))
    assert {name for name in one if one[name] != other.get(name)} == {"provenance.dsse.json"}
    assert same_but_for_the_run(one, other)
    for place in (out, tmp_path):
        assert str(place).encode() not in second.read_bytes()


@pytest.mark.requirement("LW-AUD-001")
def test_the_runs_are_in_the_audit_log(demo: tuple[Path, dict[str, Any]]) -> None:
    """The bundle's run is there; cut off its lines and the bundle misses them."""
    out, board = demo
    bundle = board["bundle"]["path"]
    found = json.loads(leadwire("audit", "verify", out, "--bundle", bundle, "--json").stdout)
    assert found["runs"] >= 1 and found["failed"] == 0 and found["unfinished"] == []
    log = out / ".leadwire" / "audit.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    assert {json.loads(line)["event"] for line in lines} == {"begin", "stage", "end"}
    (out / "cut.jsonl").write_bytes(b"")
    leadwire("audit", "verify", out / "cut.jsonl")
    done = leadwire("audit", "verify", out / "cut.jsonl", "--bundle", bundle, code=8)
    assert "lines at its end were taken" in done.stderr


@pytest.mark.requirement("LW-EVD-007")
def test_the_verifier_inside_agrees(demo: tuple[Path, dict[str, Any]], root: Path) -> None:
    """The real bundle: subgroups, operating points and all, by the file that travels in it."""
    bundle = demo[1]["bundle"]["path"]
    done = subprocess.run(
        [sys.executable, "-I", root / "validation" / "verify.py", bundle, "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["figures_compared"] > 800


def test_a_second_run_skips_everything_and_gives_the_same_bytes(demo: tuple[Path, dict[str, Any]], root: Path) -> None:
    out, board = demo
    before = {name: (out / name).read_bytes() for name in ("report.html", "report.pdf", "evidence.json")}
    bundle = Path(board["bundle"]["path"]).read_bytes()
    done = leadwire("run", root / "examples" / "arrhythmia" / "leadwire.toml", "--output", out)
    stages = [line for line in done.stderr.splitlines() if line.startswith("•")]
    skipped = [line for line in stages if "unchanged" in line]
    assert {line.split()[1] for line in skipped} >= {"quantize", "generate", "build", "bench", "predict", "validate"}
    assert "flashing" not in done.stderr
    assert {name: (out / name).read_bytes() for name in before} == before
    again = Path(board["bundle"]["path"]).read_bytes()
    assert same_but_for_the_run(unpack(again, source="again"), unpack(bundle, source="before"))


@pytest.mark.browser
def test_the_page_renders_in_a_browser(demo: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    out, _ = demo
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    picture = tmp_path / "report.png"
    subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
         "--window-size=1200,4000", f"--screenshot={picture}", (out / "report.html").as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert picture.stat().st_size > 100_000
