"""What README and manual say can be done: links lead somewhere, verbs exist, commands run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MANUAL = Path(__file__).resolve().parent.parent / "docs" / "manual"
PAGES = ("README.md", *(f"docs/manual/{page.name}" for page in sorted(MANUAL.glob("*.md"))))


def commands(text: str) -> list[str]:
    """Lines of the shell blocks of a page, without comments and continued lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(root: Path, page: str) -> None:
    text = (root / page).read_text()
    targets = [target for target in re.findall(r"\]\(([^)#]+)", text) if "://" not in target]
    named = re.findall(r"`((?:docs|sdk|boards|validation|examples|tests|benchmarks)/[\w./-]+)`", text)
    for target in targets:
        assert (root / page).parent.joinpath(target).exists(), target
    for name in named:
        assert (root / name).exists(), name


def test_every_verb_is_in_the_readme_and_every_named_verb_exists(root: Path) -> None:
    from typer.main import get_command

    from leadwire.cli import app

    verbs = set(get_command(app).commands)  # type: ignore[attr-defined]
    text = (root / "README.md").read_text()
    table = "\n".join(line for line in text.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"(?:leadwire |`)(\w+)(?: [A-Z][\w.]*)*(?: --board ID)?`", table))
    assert named == verbs


def test_make_targets_named_exist(root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    for target in set(re.findall(r"\bmake (\w+)", (root / "README.md").read_text())) - {"and"}:
        assert f"\n{target}:" in makefile, target


def test_the_commands_for_a_newcomer_run(root: Path, tmp_path: Path) -> None:
    """All but the make targets (they are the test run itself and the demo) and those that need a download."""
    shutil.copy(root / "examples" / "arrhythmia" / "arrhythmia.keras", tmp_path / "model.keras")
    environment = {key: value for key, value in os.environ.items() if key != "LEADWIRE_DATA"}
    ran = 0
    for command in commands((root / "README.md").read_text()):
        if command.startswith(("make ", "export ")) or "examples/" in command or " run " in command:
            continue
        words = shlex.split(command)
        assert words[0] == ".venv/bin/leadwire", command
        done = subprocess.run(
            [sys.executable, "-m", "leadwire", *words[1:]],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        ran += 1
    assert ran >= 1
