"""What `leadwire doctor` says where things are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadwire.doctor import diagnose


def test_an_empty_path_has_no_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("LEADWIRE_DATA", raising=False)
    checks = {check.name: check for check in diagnose().checks}
    missing = [name for name in ("Arm GCC", "QEMU", "browser", "recordings") if not checks[name].ok]
    assert missing == ["Arm GCC", "QEMU", "browser", "recordings"]
    assert all(checks[name].found and checks[name].remedy for name in missing)
    assert checks["default toolchain"].ok
    assert checks["default toolchain"].found.startswith("zig ")


def test_a_qemu_that_does_not_answer_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "qemu-system-arm"
    program.write_text("#!/bin/sh\necho nonsense\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    qemu = next(check for check in diagnose().checks if check.name == "QEMU")
    assert not qemu.ok
    assert "does not tell its version" in qemu.found
