"""leadwire.toml: the template parses, every mistake is named at once, the stand-in is chosen by LEADWIRE_DATA."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from leadwire.errors import BadInputError, ConfigError, FileMissingError
from leadwire.project import load_project, write_template

FULL = """
name = "x"
[model]
path = "m.keras"
[dataset]
source = "mitdb"
[target]
boards = ["host"]
[validation]
protocol = "local.toml"
[without_data]
source = "synthetic"
protocol = "p"
device_beats = 7
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.keras").write_bytes(b"")
    (tmp_path / "leadwire.toml").write_text(FULL)
    return tmp_path


def test_the_template_is_a_valid_project(tmp_path: Path) -> None:
    path = write_template(tmp_path / "My ECG 2", model='we"ird.keras', dataset="mitdb")
    (path.parent / 'we"ird.keras').write_bytes(b"")
    loaded = load_project(path)
    assert loaded.settings.name == "my-ecg"
    assert loaded.model.name == 'we"ird.keras'
    assert loaded.settings.target.boards == ("virtual-stm32f405",)
    with pytest.raises(BadInputError, match="exists already"):
        write_template(path.parent, model="m", dataset="d")


def test_the_template_names_every_setting(tmp_path: Path) -> None:
    text = write_template(tmp_path, model="m.keras", dataset="mitdb").read_text()
    uncommented = "\n".join(
        line.removeprefix("# ")
        if line.startswith(
            (
                "# folder",
                "# port",
                "# images",
                "# flash",
                "# ram",
                "# latency",
                "# [",
                "# source",
                "# protocol",
                "# path",
                "# section",
                "# alignment",
                "# arena",
                "# compression",
                "# keep",
                "# target_sqnr",
                "# percentile",
                "# fast_memory",
                "# fast_bytes",
            )
        )
        else line
        for line in text.splitlines()
    )
    table = tomllib.loads(uncommented)
    from dataclasses import fields

    from leadwire import project

    for section, kind in (
        ("model", project.ModelSettings),
        ("dataset", project.DatasetSettings),
        ("target", project.TargetSettings),
        ("calibration", project.CalibrationSettings),
        ("bench", project.BenchSettings),
        ("validation", project.ValidationSettings),
        ("signing", project.SigningSettings),
        ("tflm", project.TflmSettings),
    ):
        assert set(table[section]) == {field.name for field in fields(kind)}, section


def test_the_template_with_all_its_comments_taken_off_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from leadwire.datasets import list_datasets
    from leadwire.protocols import builtin_protocols

    monkeypatch.delenv("LEADWIRE_DATA", raising=False)
    path = write_template(tmp_path, model="m.keras", dataset="mitdb")
    (tmp_path / "m.keras").write_bytes(b"")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(re.sub(r"^# (?=\[|\w+ = )", "", line) for line in lines if "folder =" not in line))
    loaded = load_project(path)
    assert loaded.standing_in
    assert loaded.dataset in list_datasets()
    assert loaded.protocol in builtin_protocols()


def test_the_stand_in_serves_only_where_no_data_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADWIRE_DATA", raising=False)
    without = load_project(folder / "leadwire.toml")
    assert (without.standing_in, without.dataset, without.protocol, without.device_beats) == (True, "synthetic", "p", 7)
    monkeypatch.setenv("LEADWIRE_DATA", "/data")
    with_data = load_project(folder / "leadwire.toml")
    assert (with_data.standing_in, with_data.dataset) == (False, "mitdb")
    assert with_data.protocol == str(folder / "local.toml")


def test_all_mistakes_at_once(folder: Path) -> None:
    (folder / "leadwire.toml").write_text(
        FULL.replace('name = "x"', 'nmae = "x"\nbench = {inputs = 0}').replace(
            "device_beats = 7", 'device_beats = "many"'
        )
        + "[colour]\nred = 1\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_project(folder / "leadwire.toml")
    text = str(caught.value)
    for expected in (
        "name: missing",
        "nmae: unknown key",
        "bench.inputs:",
        "without_data.device_beats:",
        "colour: unknown key",
    ):
        assert expected in text
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('name = "x"', 'name = "X/../y"', "name:"),
        ('boards = ["host"]', 'boards = ["host", "host"]', "each board once"),
        ('boards = ["host"]', "boards = []", "target.boards"),
        ('boards = ["host"]', 'boards = ["host"]\nram_bytes = 0', "target.ram_bytes"),
        ('source = "mitdb"', 'source = "mitdb"\ntest_split = "train"', "calibration.split"),
        ("[validation]", "[bench]\ninputs = 0\nwarmup = -1\n[validation]", "bench.inputs"),
        ("[validation]", '[bench]\ninputs = "5"\n[validation]', "bench.inputs: input should be a valid integer"),
    ],
)
def test_values_that_types_cannot_refuse(folder: Path, old: str, new: str, named: str) -> None:
    (folder / "leadwire.toml").write_text(FULL.replace(old, new))
    with pytest.raises(ConfigError, match=named):
        load_project(folder / "leadwire.toml")


def test_missing_and_broken_files(folder: Path) -> None:
    with pytest.raises(FileMissingError):
        load_project(folder / "absent.toml")
    (folder / "m.keras").unlink()
    with pytest.raises(FileMissingError, match=r"m\.keras"):
        load_project(folder / "leadwire.toml")
    (folder / "leadwire.toml").write_bytes(b"name = \xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_project(folder / "leadwire.toml")
    (folder / "leadwire.toml").write_text("name = = 1")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_project(folder / "leadwire.toml")
    (folder / "leadwire.toml").write_text("x = " + "[" * 5000)
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_project(folder / "leadwire.toml")


def test_backends_to_compare_are_others_and_tflm_lies_beside_the_file(folder: Path) -> None:
    path = folder / "leadwire.toml"
    path.write_text(FULL.replace('["host"]', '["host"]\ncompare = ["tflm"]') + '[tflm]\npath = "lib/tflm"\n')
    loaded = load_project(path)
    assert loaded.settings.target.compare == ("tflm",)
    assert loaded.tflm == folder / "lib" / "tflm"


@pytest.mark.parametrize("compare", ['["aot"]', '["tflm", "tflm"]'])
def test_a_backend_is_not_compared_with_itself(folder: Path, compare: str) -> None:
    path = folder / "leadwire.toml"
    path.write_text(FULL.replace('["host"]', f'["host"]\ncompare = {compare}'))
    with pytest.raises(ConfigError, match=r"target\.compare: each backend once"):
        load_project(path)
