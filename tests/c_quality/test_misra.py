"""MISRA C:2012 over all C of the project by cppcheck's addon, against a committed table of deviations, both ways.

The rules' texts are not free and not needed: the addon reports numbers. `make lint-c` runs this folder alone.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from c_sources import GENERATED, TEMPLATES, Group, c_groups

HERE = Path(__file__).resolve().parent
TABLE = HERE / "misra.toml"
CATEGORIES = ("advisory", "required", "tool")

pytestmark = pytest.mark.skipif(not shutil.which("cppcheck"), reason="needs cppcheck, which is not installed")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """A rule's number, or cppcheck's name of a finding, and the line of a file it is found in."""

    rule: str
    file: str
    number: int
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """An entry of the table."""

    rule: str
    category: str
    where: list[str]
    reason: str
    line: str = ""

    def files_for(self, finding: Finding) -> list[str]:
        """The patterns of `where` under which the finding is allowed."""
        if finding.rule != self.rule or not re.search(self.line, finding.line):
            return []
        return [pattern for pattern in self.where if fnmatch(finding.file, pattern)]


def deviations() -> tuple[Deviation, ...]:
    return tuple(Deviation(**entry) for entry in tomllib.loads(TABLE.read_text())["deviation"])


def findings(group: Group) -> set[Finding]:
    """What cppcheck finds in the files of a group and in the headers they include."""
    command = [
        "cppcheck", "--std=c99", "--platform=unix32", f"--library={HERE / 'stdint.cfg'}", "--addon=misra", "--quiet",
        "--enable=style,warning,portability", "--template={file}:{line}:{id}",
        *(f"-I{folder}" for folder in group.includes),
    ]  # fmt: skip
    with TemporaryDirectory(prefix="leadwire-misra-") as notes:  # which it would leave beside the sources
        build = f"--cppcheck-build-dir={notes}"
        done = subprocess.run([*command, build, *map(str, group.sources)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    found = set()
    for text in done.stderr.splitlines():
        match = re.fullmatch(r"(.+):(\d+):(\S+)", text)
        assert match, f"{group.name}: {text}"
        path, number = Path(match[1]), int(match[2])
        top = next((top for top in (TEMPLATES, GENERATED.parent) if path.is_relative_to(top)), path.parent)
        found.add(
            Finding(
                rule=match[3].removeprefix("misra-c2012-"),
                file=str(path.relative_to(top)),
                number=number,
                line=path.read_text(encoding="utf-8").splitlines()[number - 1].strip(),
            )
        )
    return found


def mistakes(found: Iterable[Finding], table: Sequence[Deviation]) -> list[str]:
    """Findings that the table does not allow, and what it allows that is not found."""
    used: set[tuple[int, str]] = set()
    told = []
    for finding in sorted(found):
        allowed = [(index, pattern) for index, each in enumerate(table) for pattern in each.files_for(finding)]
        used |= set(allowed)
        if not allowed:
            told.append(f"new: {finding.rule} in {finding.file}:{finding.number}: {finding.line}")
    for index, each in enumerate(table):
        for pattern in each.where:
            if (index, pattern) not in used:
                told.append(f"no longer found: {each.rule} in {pattern} ('{each.line}')")
    return told


@pytest.mark.requirement("LW-ENG-001")
def test_every_finding_is_in_the_table_and_the_reverse() -> None:
    groups = c_groups()
    assert len(groups) >= 8
    with ThreadPoolExecutor(2) as pool:
        found = set().union(*pool.map(findings, groups))
    told = mistakes(found, deviations())
    assert not told, "\n".join(told)


def test_entries_are_complete() -> None:
    for each in deviations():
        assert each.category in CATEGORIES, each
        assert each.reason.endswith(".") and len(each.reason) > 30, each
        assert re.fullmatch(r"\d{1,2}\.\d{1,2}|[a-zA-Z]+", each.rule), each


def test_a_violation_is_found_and_a_stale_entry_too(tmp_path: Path) -> None:
    """The check checked: on a file with one goto (15.1), and with a table that allows what does not occur."""
    source = TEMPLATES / "runtime" / "kernels" / "copy_s8.c"
    copy = tmp_path / "copy_s8.c"
    copy.write_text(source.read_text().replace("    output += params", "    goto on;\non:\n    output += params"))
    group = Group(name="test", sources=(copy,), includes=(TEMPLATES / "runtime",))
    assert "15.1" in {each.rule for each in findings(group)}
    stale = Deviation(rule="17.2", category="required", where=["runtime/*"], reason="Recursion.")
    finding = Finding(rule="15.1", file="runtime/a.c", number=1, line="goto on;")
    assert len(mistakes([finding], [stale])) == 2
    allowed = Deviation(rule="15.1", category="advisory", where=["runtime/*"], line="goto", reason="None.")
    assert mistakes([finding], [allowed]) == []
    assert len(mistakes([finding], [Deviation(rule="15.1", category="advisory", where=["app/*"], reason="None.")])) == 2
