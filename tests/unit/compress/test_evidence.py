"""What a recipe did travels with the evidence of the network it made, and of no other."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from evidence_example import example_evidence
from leadwire.artifacts import ClassFigures, CompressionResult, CompressionRow, Interval, sha256_hex
from leadwire.errors import ConfigError, FileMissingError
from leadwire.evidence.record import Evidence, chain_breaks
from leadwire.pipeline.compress import read_compression
from leadwire.report.page import render_page

RECIPE = 'name = "small"\n[[steps]]\nkind = "quantization_aware"\n'
INTERVAL = Interval(low=-0.001, high=0.004, level=0.95, method="by hand")


def row(label: str, digest: str) -> CompressionRow:
    return CompressionRow(
        label=label, kind=label, model_digest=digest, tflite_digest="b" * 64, parameters=11_297, macs=124_928,
        float_bytes=45_188, tflite_bytes=26_000, packed_bytes=20_000, flash_bytes=20_956, ram_bytes=1_905,
        arena_bytes=1_536, instructions=172_442, cycles=240_000.0, float_f1=0.7391, f1=0.7401, loss=-0.0009,
        loss_interval=INTERVAL, quantization_loss=-0.0009, quantization_loss_interval=None, accuracy=0.9,
        classes=(
            ClassFigures(
                label="V", beats=3219, sensitivity=0.981, sensitivity_interval=INTERVAL, positive_predictivity=0.851,
                positive_predictivity_interval=None,
            ),
        ),
        facts=(("ranges learnt", 10), ("macro F1 on held-out patients after", 0.6)),
    )  # fmt: skip


def result(*rows: CompressionRow) -> CompressionResult:
    return CompressionResult(
        recipe="small", recipe_text=RECIPE, recipe_digest=sha256_hex(RECIPE.encode()), training_digest="c" * 64,
        dataset="mitdb", dataset_digest="d" * 64, test_beats=49_668, test_patients=22, tune_patients=("mitdb-118",),
        classes=("V",), board="virtual-stm32f405", clock_hz=168_000_000, goal="size", mode="int8", rows=rows,
    )  # fmt: skip


def evidence(folder: Path) -> Evidence:
    return example_evidence(folder)[0]


@pytest.mark.requirement("LW-CMP-001")
def test_the_evidence_holds_the_network_of_its_recipe(tmp_path: Path) -> None:
    plain = evidence(tmp_path)
    own = row("quantization_aware", plain.quantized.source_digest)
    sound = dataclasses.replace(plain, compression=result(row("start", "a" * 64), own))
    assert chain_breaks(sound) == chain_breaks(plain) == ()
    other = dataclasses.replace(plain, compression=result(row("start", "a" * 64)))
    assert chain_breaks(other) == (f"the compression names network {'a' * 64}, not {plain.quantized.source_digest}",)
    edited = dataclasses.replace(sound, compression=dataclasses.replace(result(own), recipe_text=RECIPE + "#"))
    assert "the compression names recipe" in chain_breaks(edited)[0]


@pytest.mark.requirement("LW-CMP-001")
def test_the_page_shows_steps_and_recipe(tmp_path: Path) -> None:
    plain = evidence(tmp_path)
    shown = dataclasses.replace(
        plain, compression=result(row("start", "a" * 64), row("aware", plain.quantized.source_digest))
    )
    page = render_page(shown, "e" * 64).decode()
    for words in (
        "the network of this report",
        "mitdb-118",
        "172",
        "ranges learnt 10",
        "kind = &#34;quantization_aware",
    ):
        assert words in page
    assert "no recipe changed it before" in render_page(plain, "e" * 64).decode()


def test_a_record_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "compression.json"
    with pytest.raises(FileMissingError, match="compression record"):
        read_compression(path)
    for text, words in (("{", "not JSON"), ("[]", "not a JSON object"), ('{"recipe": 5}', "recipe_digest: missing")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=words):
            read_compression(path)
    whole = result(row("start", "a" * 64))
    path.write_text(json.dumps(dataclasses.asdict(whole)))
    assert read_compression(path) == whole
