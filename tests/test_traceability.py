"""Requirement → report section → test: no orphan in any direction, and every id that is used exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from leadwire.report.sections import load_sections
from leadwire.trace.matrix import make_matrix
from leadwire.trace.requirements import Requirement, load_requirements

ID = re.compile(r"LW-[A-Z]{3}-\d{3}")


@pytest.fixture(scope="module")
def requirements(root: Path) -> dict[str, Requirement]:
    """Strictly parsed: every requirement names hazards of the file, which are in the terms of ISO 14971."""
    return {one.id: one for one in load_requirements(root / "validation" / "requirements.toml").requirement}


def markers(path: Path) -> set[str]:
    """Ids in @pytest.mark.requirement("...") decorators and pytestmark of one test file, found without importing it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "requirement":
            found |= {
                item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)
            }
    return found


@pytest.fixture(scope="module")
def tested(root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted((root / "tests").rglob("test_*.py")):
        for name in sorted(markers(path)):
            found.setdefault(name, []).append(path.relative_to(root).as_posix())
    return found


def test_requirements_are_complete(requirements: dict[str, Requirement]) -> None:
    for name, item in requirements.items():
        assert ID.fullmatch(name), name
        assert item.cause.strip() and item.situation.strip(), f"{name} says no cause or situation"


def test_every_hazard_is_controlled_and_its_residual_risk_acceptable(root: Path) -> None:
    """The first half of the matrix, without results: what `make test` checks with them."""
    source = load_requirements(root / "validation" / "requirements.toml")
    claims = [(section.anchor, section.requirements) for section in load_sections()]
    findings = [one for one in make_matrix(source, claims, []).findings if one.sentence != "no test names it"]
    assert findings == []


def test_every_requirement_is_answered_by_a_section(requirements: dict[str, Requirement]) -> None:
    answered = {name for section in load_sections() for name in section.requirements}
    missing = sorted(set(requirements) - answered)
    assert not missing, f"no section of validation/report answers {', '.join(missing)}"


def test_sections_answer_only_what_is_required(requirements: dict[str, Requirement]) -> None:
    unknown = {section.file: sorted(set(section.requirements) - set(requirements)) for section in load_sections()}
    assert not any(unknown.values()), f"ids that validation/requirements.toml does not have: {unknown}"


def test_every_requirement_is_verified_by_a_test(
    requirements: dict[str, Requirement], tested: dict[str, list[str]]
) -> None:
    missing = [f"{name}  {item.text}" for name, item in requirements.items() if name not in tested]
    assert not missing, (
        "no test is marked with these requirements; mark the ones that verify them, "
        f'@pytest.mark.requirement("{missing[0][:10]}"):\n' + "\n".join(missing)
    )


def test_tests_name_only_what_is_required(requirements: dict[str, Requirement], tested: dict[str, list[str]]) -> None:
    unknown = {name: files for name, files in tested.items() if name not in requirements}
    assert not unknown, f"ids that validation/requirements.toml does not have: {unknown}"


def test_the_scanner_sees_markers(tmp_path: Path) -> None:
    """The check is checked: an unmarked file yields nothing, a marked one its ids."""
    file = tmp_path / "test_x.py"
    file.write_text(
        'import pytest\n@pytest.mark.requirement("LW-ABC-001")\ndef test_x(): ...\n# requirement("LW-NO-1")\n'
    )
    assert markers(file) == {"LW-ABC-001"}
