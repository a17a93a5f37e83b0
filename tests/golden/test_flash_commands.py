"""What each flash tool that is a program is told, line by line, with a probe's serial number and without.

A new tool is compared without a new test. LEADWIRE_GOLDEN=write (make golden) writes the files again.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

from flash_example import job_for
from leadwire.flash import tool

GOLDEN = Path(__file__).resolve().parent / "flash_commands"
WRITE = os.environ.get("LEADWIRE_GOLDEN") == "write"
PROGRAMS = [name for name in tool.tools() if hasattr(importlib.import_module(f"leadwire.flash.{name}"), "argv")]


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 10


@pytest.mark.parametrize("name", PROGRAMS)
def test_commands(name: str, tmp_path: Path) -> None:
    job = job_for(name, tmp_path)
    lines = [f"# {job.board.id}"]
    for place in ({}, {"probe_serial": "SERIAL"}):
        job = job_for(name, tmp_path, **place)
        module = tool.load(job.target)
        steps = {
            "identify": module.identify_argv(job, tmp_path / "dump.bin") if hasattr(module, "identify_argv") else None,
            "write": module.argv(job),
            "read back": module.read_argv(job, tmp_path / "dump.bin") if hasattr(module, "read_argv") else None,
            "run": module.run_argv(job) if hasattr(module, "run_argv") else None,
        }
        for step, command in steps.items():
            if command is not None:
                assert all(isinstance(word, str) and word for word in command)
                lines += [f"{step}:", *(f"    {word}" for word in command)]
    lines += [
        f"{script.name}: {line}"
        for script in sorted(tmp_path.glob("*.jlink"))
        for line in script.read_text().split("\n")
    ]
    text = "\n".join(lines).replace(str(tmp_path), "FOLDER").replace(sys.executable, "PYTHON") + "\n"
    golden = GOLDEN / f"{name}.txt"
    if WRITE:
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(text)
    assert golden.is_file(), "new: make golden, then read it"
    assert text == golden.read_text()
