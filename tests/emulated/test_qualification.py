"""This installation gives the known answers: every check of `leadwire qualify`, as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadwire.evidence.keys import generate_key
from leadwire.pipeline.watcher import Quiet
from leadwire.qualify import qualify_installation, read_record


@pytest.mark.requirement("LW-QUA-001")
def test_every_check_passes_here(tmp_path: Path) -> None:
    """Where kernels, templates or the example changed: `make golden` writes the known answers again; read the diff."""
    generate_key(tmp_path / "key.pem")
    written = qualify_installation(tmp_path / "out", tmp_path / "key.pem", by="the tests", watcher=Quiet())
    wrong = [
        f"{check.id} {one.what}: expected {one.expected}, found {one.found}"
        for check in written.record.checks
        for one in check.findings
        if one.result == "fail"
    ]
    assert not wrong
    assert read_record(tmp_path / "out", tmp_path / "key.pem").verdict == "pass"
