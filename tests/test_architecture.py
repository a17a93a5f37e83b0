"""The shape of the house is checked: layers, doors of heavy dependencies, names, light start-up."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "tensorflow", "keras", "ai_edge_litert", "tflite_micro", "numpy", "scipy", "wfdb", "pandas", "serial", "smpclient",
    "unicorn", "capstone", "elftools", "cryptography", "jinja2", "pydantic",
    "flatbuffers", "pyvisa", "joulescope", "reqif", "cyclonedx", "typst",
    "optuna", "ray", "matplotlib", "onnx", "onnxruntime", "torch",
}  # fmt: skip
DOORS = {
    "tensorflow": {"tensorflow_process", "compress", "zoo"},
    "keras": {"tensorflow_process", "compress", "zoo", "imports.keras_layers"},
    "ai_edge_litert": {"reference", "model.options", "model.editing", "tensorflow_process"},
    "tflite_micro": {"reference"},
    "wfdb": {"datasets"},
    "unicorn": {"emulator"},
    "stm32loader": {"flash.stm32loader"},
    "serial": {"device.port"},
    "smpclient": {"device"},
    "cryptography": {"evidence"},
    "reqif": {"trace.reqif"},
    "cyclonedx": {"evidence.bom"},
    "onnx": {"imports"},
    "onnxruntime": {"imports"},
    "torch": {"imports"},
    "optuna": {"compress.search.study"},
    "ray": {"pipeline.search"},
    "matplotlib": {"compress.search.plot"},
    "pyvisa": {"energy.meters.scpi"},
    "joulescope": {"energy.meters.joulescope"},
    "typst": {"report.pdf"},
    "ziglang": set(),
    "elftools": {"build", "emulator"},
}


def modules(root: Path) -> dict[str, Path]:
    package = root / "sdk" / "leadwire"
    return {
        ".".join(path.relative_to(package).with_suffix("").parts): path
        for path in package.rglob("*.py")
        if "_data" not in path.parts
    }


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("arguments", [["-c", "import leadwire"], ["-m", "leadwire", "--help"]])
def test_start_up_loads_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "leadwire" in loaded
    assert loaded & HEAVY == set()


def test_a_refused_model_waits_for_no_statistics(tmp_path: Path) -> None:
    """scipy.stats alone takes as long to load as all the rest of `leadwire analyze`."""
    (tmp_path / "m.tflite").write_bytes(b"no model")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "leadwire", "analyze", str(tmp_path / "m.tflite")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "leadwire.pipeline" in done.stderr and "scipy.stats" not in done.stderr


def test_each_heavy_dependency_has_its_door(root: Path) -> None:
    strays = [
        f"{name} imports {dependency}"
        for name, path in modules(root).items()
        for dependency in imports(path) & DOORS.keys()
        if not any(name == door or name.startswith(f"{door}.") for door in DOORS[dependency])
    ]
    assert strays == []


def test_python_children_do_not_look_into_the_current_folder(root: Path) -> None:
    starts = {
        name: re.findall(r"sys\.executable(?:, (\S+))?", path.read_text()) for name, path in modules(root).items()
    }
    found = {(name, flag.rstrip(",")) for name, flags in starts.items() for flag in flags}
    assert len(found) >= 4
    assert [(name, flag) for name, flag in found if flag not in ('"-P"', '"-I"')] == []


def test_no_drawer_modules(root: Path) -> None:
    drawers = {"utils", "helpers", "common", "misc", "util"}
    assert [name for name in modules(root) if drawers & set(name.split("."))] == []


def test_layers_hold(root: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=root, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_exit_codes_are_unique_and_documented() -> None:
    from leadwire import errors

    direct = errors.LeadwireError.__subclasses__()
    codes = sorted(error.exit_code for error in direct)
    assert codes == [2, 3, 4, 5, 6, 7, 8]
    documented = errors.__doc__ or ""
    for error in direct:
        assert f"{error.__name__}" in documented
        line = next(line for line in documented.splitlines() if error.__name__ in line)
        assert str(error.exit_code) in line


def test_every_record_is_frozen() -> None:
    import dataclasses

    from leadwire import artifacts

    records = [kind for kind in vars(artifacts).values() if dataclasses.is_dataclass(kind)]
    assert len(records) > 15
    assert all(kind.__dataclass_params__.frozen for kind in records)  # type: ignore[union-attr]


def test_dependencies_are_pinned_with_a_range_and_say_why(root: Path) -> None:
    lines = (root / "pyproject.toml").read_text().splitlines()
    start = lines.index("dependencies = [")
    block = lines[start + 1 : lines.index("]", start)]
    for position, line in enumerate(block):
        if line.strip().startswith('"'):
            requirement = json.loads(line.split("#")[0].strip().rstrip(","))
            assert any(mark in requirement for mark in ("==", ">=")), requirement
            explained = "#" in line or any(
                above.strip().startswith("#") for above in block[max(0, position - 2) : position]
            )
            assert explained, f"{requirement} does not say why it is here"


def test_the_verifier_knows_the_schema_of_this_tree(root: Path) -> None:
    """It accepts no other, so whoever changes a record of the evidence runs `make schema`."""
    published = (root / "validation" / "evidence.schema.json").read_bytes()
    known = re.findall(r'^SCHEMA_SHA256 = "(\w+)"$', (root / "validation" / "verify.py").read_text(), re.MULTILINE)
    assert known == [hashlib.sha256(published).hexdigest()], "run: make schema"
