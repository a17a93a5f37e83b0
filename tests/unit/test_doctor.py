"""What doctor says where things are missing, and of TensorFlow Lite Micro and the operators in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leadwire.build.tflm import VARIABLE
from leadwire.doctor import Check, diagnose
from leadwire.errors import FileMissingError
from single_operator import Op, T, write_tflite

REAL = os.environ.get(VARIABLE, "")


def about_tflm(source: Path | None = None) -> list[Check]:
    return [c for c in diagnose(source).checks if c.name.startswith(("TensorFlow Lite Micro", "operators of"))]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "relu.tflite"
    tensors = [T(shape=(1, 8)), T(shape=(1, 8))]
    path.write_bytes(write_tflite(tensors, [Op(kind="RELU", inputs=(0,), outputs=(1,))], [0], [1]))
    return path


def test_without_one_it_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    (check,) = about_tflm(model)
    assert not check.ok
    assert f"{VARIABLE} is not set" in check.found
    assert "headers" in check.remedy


def test_a_folder_that_is_none_and_one_without_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    (check,) = about_tflm()
    assert "is not a folder" in check.found
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (check,) = about_tflm()
    assert "has no headers" in check.found


def test_the_folder_of_a_project_counts_before_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "m.keras").write_bytes(b"")
    project = tmp_path / "leadwire.toml"
    project.write_text(
        'name = "x"\n[model]\npath = "m.keras"\n[dataset]\nsource = "mitdb"\n[target]\nboards = ["host"]\n'
        '[validation]\nprotocol = "p.toml"\n[tflm]\npath = "mine"\n'
    )
    (check,) = about_tflm(project)
    assert str(tmp_path / "mine") in check.found


def test_a_model_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        diagnose(tmp_path / "none.tflite")


@pytest.mark.parametrize(
    ("marker", "content", "below", "kind"),
    [
        ("zephyr/module.yml", "name: tflite-micro\n", "", "Zephyr module"),
        ("idf_component.yml", 'version: "1.4.0"\n', "", "ESP-IDF component"),
        ("library.properties", "name=x\nversion=2.4.0-ALPHA\n", "src", "Arduino library"),
        ("README.md", "", "", "source tree"),
    ],
)
def test_sources_of_an_ecosystem_are_described(
    marker: str, content: str, below: str, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Path
) -> None:
    folder = tmp_path / "tree"
    micro = folder / below / "tensorflow" / "lite" / "micro"
    for path, text in (
        (folder / marker, content),
        (micro / "micro_interpreter.h", ""),
        (micro / "kernels" / "micro_ops.h", "TFLMRegistration Register_RELU();\nTFLMRegistration Register_ADD_N();\n"),
        (micro / "kernels" / "conv.h", "TFLMRegistration Register_CONV_2D();TFLMRegistration Register_CONV_2D_INT8();"),
        (micro / "kernels" / "conv.cc", ""),
        (micro / "kernels" / "esp_nn" / "conv.cpp", ""),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv(VARIABLE, str(folder))
    found, operators = about_tflm(model)
    assert found.ok and found.name.endswith(kind)
    assert "reference or ESP-NN kernels, 3 operators" in found.found
    assert ("1.4.0" in found.found) == (kind == "ESP-IDF component")
    assert operators.ok and operators.found == "all 1 are in it"
    (micro / "kernels" / "micro_ops.h").write_text("")
    assert about_tflm(model)[1].found == "no kernel for RELU"


@pytest.mark.skipif(not REAL, reason=f"needs TensorFlow Lite Micro: {VARIABLE} is not set")
def test_a_real_one_is_described_and_has_the_operators(model: Path) -> None:
    checks = about_tflm(model)
    assert len(checks) >= 2
    assert all(check.ok for check in checks)
    assert "kernels" in checks[0].found
    assert checks[1].found == "all 1 are in it"


@pytest.mark.skipif(not REAL, reason=f"needs TensorFlow Lite Micro: {VARIABLE} is not set")
def test_an_operator_that_a_real_one_lacks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.tflite"
    tensors = [T(shape=(1, 8)), T(shape=(1, 8))]
    path.write_bytes(write_tflite(tensors, [Op(kind="COMPLEX_ABS", inputs=(0,), outputs=(1,))], [0], [1]))
    lacking = [check for check in about_tflm(path) if check.name.startswith("operators of 'odd'")]
    assert lacking
    assert all(not check.ok and "COMPLEX_ABS" in check.found for check in lacking)


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
