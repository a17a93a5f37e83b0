"""The built-in protocols, and what a protocol file says when it leaves things out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from leadwire import resources
from leadwire.protocols import builtin_protocols, load_protocol

SMALLEST = """
name = "smallest"
title = "t"
intended_population = "p"
labels = ["no", "yes"]
minimum_patients = 2
[[endpoints]]
name = "accuracy"
measure = "accuracy"
margin = 0.01
rationale = "r"
"""


@pytest.mark.parametrize("name", builtin_protocols())
def test_every_builtin_protocol_loads_under_its_own_name(name: str) -> None:
    path = resources.VALIDATION / "protocols" / f"{name}.toml"
    protocol = load_protocol(name)
    assert protocol.name == name
    assert protocol.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_protocol(path) == load_protocol(str(path)) == protocol
    assert all(endpoint.rationale for endpoint in protocol.endpoints)


def test_the_real_protocol_leaves_no_room_between_host_and_device() -> None:
    protocol = load_protocol("arrhythmia-mitdb")
    rule = protocol.host_device
    assert (rule.witness, rule.max_abs_lsb, rule.max_differing_ppm, rule.max_decisions_changed) == ("tflm", 0, 0.0, 0)
    assert protocol.statistics.level == pytest.approx(0.95)
    assert protocol.minimum_patients >= 20
    assert protocol.class_rule("V").not_false_positive == ("F", "Q")
    assert protocol.class_rule("S").not_false_positive == ("Q",)
    judged = {(endpoint.measure, endpoint.label) for endpoint in protocol.endpoints}
    assert judged >= {
        (measure, label) for measure in ("sensitivity", "positive_predictivity") for label in ("V", "S")
    } | {("accuracy", "")}


def test_the_smallest_file_gets_the_strict_defaults(tmp_path: Path) -> None:
    path = tmp_path / "smallest.toml"
    path.write_text(SMALLEST)
    protocol = load_protocol(path)
    assert protocol.statistics.one_sided_alpha == 0.025
    assert protocol.statistics.resamples == 2000
    assert protocol.host_device.max_abs_lsb == 0
    assert not protocol.host_device.extend_with_host_c
    assert protocol.record_limit is None
    assert protocol.class_rule("yes").minimum_beats == 0


def test_any_changed_byte_changes_the_digest(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text(SMALLEST)
    other.write_text(SMALLEST + "# a comment\n")
    assert load_protocol(one).endpoints == load_protocol(other).endpoints
    assert load_protocol(one).digest != load_protocol(other).digest
