"""A kept step is taken again only while the code that made it is the same."""

from __future__ import annotations

import ast
import importlib.metadata
import shutil
from pathlib import Path

import pytest

import leadwire
from leadwire.compress import runner

PACKAGE = Path(leadwire.__file__).parent
MAKES_NO_WEIGHTS = {"artifacts", "datasets", "errors", "strict", "tensorflow_process/worker", "workspace"}
"""What steps import that decides nothing in a model: data has a digest of its own, the others are records and files."""


def digest(package: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(runner, "__file__", str(package / "compress" / "runner.py"))
    return runner.code_digest.__wrapped__()


def test_the_code_that_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "leadwire"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("_data", "__pycache__"))
    found = [digest(package, monkeypatch)]
    for name in (
        "compress/steps/fine_tune.py", "zoo/cnn.py", "weight_levels.py", "tensorflow_process/fake_quant.py",
        "tensorflow_process/keras_files.py", "model/keras_graph.py",
    ):  # fmt: skip
        (package / name).write_text((package / name).read_text() + "\n")
        found.append(digest(package, monkeypatch))
    (package / "validate.py").write_text("")
    assert digest(package, monkeypatch) == found[-1]
    real = importlib.metadata.version
    for changed in ("keras", "numpy", "tensorflow"):
        monkeypatch.setattr(runner, "version", lambda name, own=changed: "0" if name == own else real(name))
        found.append(digest(package, monkeypatch))
    assert len(set(found)) == len(found) == 10


def test_nothing_that_trains_is_left_out() -> None:
    taken = [PACKAGE / part for part in runner._TRAINING_CODE]
    for file in (file for part in taken for file in ((part,) if part.is_file() else part.rglob("*.py"))):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or node.level or not (node.module or "").startswith("leadwire"):
                continue
            for one in node.names:
                module = "/".join((node.module or "").split(".")[1:]) or one.name
                inside = any(
                    (PACKAGE / f"{module}.py") == part or part in (PACKAGE / module, *(PACKAGE / module).parents)
                    for part in taken
                )
                plain = any(module == name or module.startswith(f"{name}/") for name in MAKES_NO_WEIGHTS)
                assert inside or plain, f"{file.name} imports {module}"
