"""Metadata files, each read by its ecosystem's own tool where a registry carries it, else held to its specification.

esp-idf: `compote manifest lint` of idf-component-manager. platformio: the packer of PlatformIO Core. zephyr, arduino
and cmsis-pack: what their specifications say, and Zephyr's own script and the pack schema where the machine has them
(ZEPHYR_BASE, LEADWIRE_PACK_XSD).
"""

from __future__ import annotations

import json
import os
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from leadwire.artifacts import FirmwareProject
from leadwire.package import Publisher, write_package
from leadwire.reference import has_tflm
from package_example import HOSTILE, ID, program, project, run

pytestmark = pytest.mark.skipif(not has_tflm(), reason="needs tflite-micro, the witness of the bytes")
NAMES = ("ecg", HOSTILE, "int", "心电", "a: b # c, [d] {e} & *f !g | >h '%@`", "--- ---", "1.0", "null")
WITH_PAGE = Publisher(version="2.0.1", vendor="Acme_Heart", url="https://acme.example/ecg?a=1&b=2")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> FirmwareProject:
    return project(tmp_path_factory.mktemp("generated"))


# ------------------------------------------------------------------------------------------------ esp-idf


@pytest.mark.parametrize("publisher", [Publisher(), WITH_PAGE])
def test_esp_idf_manifests_pass_the_component_managers_linter(
    publisher: Publisher, generated: FirmwareProject, tmp_path: Path
) -> None:
    compote = program("compote")
    if compote is None:
        pytest.skip("needs compote: pip install idf-component-manager")
    for position, name in enumerate(NAMES):
        made = write_package(generated, "esp-idf", tmp_path / str(position), name=name, publisher=publisher)
        assert (made.path / "examples" / "hello" / "main" / "idf_component.yml").is_file()
    run(compote, "manifest", "lint", tmp_path)
    manifest = tmp_path / "1" / f"leadwire_{ID}" / "idf_component.yml"
    manifest.write_text(manifest.read_text().replace(f'version: "{publisher.version}"', 'version: "one"'))
    with pytest.raises(AssertionError, match="Invalid version"):
        run(compote, "manifest", "lint", tmp_path)


def test_esp_idf_manifest_says_what_was_given(generated: FirmwareProject, tmp_path: Path) -> None:
    yaml = pytest.importorskip("ruamel.yaml", reason="needs ruamel.yaml: pip install idf-component-manager")
    made = write_package(generated, "esp-idf", tmp_path, name=HOSTILE, publisher=WITH_PAGE)
    manifest = yaml.YAML(typ="safe").load((made.path / "idf_component.yml").read_text())
    assert manifest["version"] == "2.0.1"
    assert manifest["description"].startswith('leadwire model: int "Überwachung" \\$(HOME)')
    assert manifest["url"] == WITH_PAGE.url
    example = yaml.YAML(typ="safe").load((made.path / "examples/hello/main/idf_component.yml").read_text())
    [(name, dependency)] = example["dependencies"].items()
    assert name == f"acme_heart/leadwire_{ID}"
    assert (made.path / "examples/hello/main" / dependency["override_path"]).resolve() == made.path.resolve()


# ------------------------------------------------------------------------------------------------ platformio


def test_platformio_packs_the_library(
    generated: FirmwareProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    pytest.importorskip("platformio", reason="needs PlatformIO Core: pip install platformio")
    from platformio.package.manifest.parser import ManifestParserFactory
    from platformio.package.manifest.schema import ManifestSchema
    from platformio.package.pack import PackagePacker

    listed = {"licenses": [{"licenseId": "Apache-2.0"}]}  # its list of licences is on the network
    monkeypatch.setattr(ManifestSchema, "load_spdx_licenses", staticmethod(lambda: listed))
    for position, name in enumerate(NAMES):
        made = write_package(generated, "platformio", tmp_path / str(position), name=name, publisher=WITH_PAGE)
        packed = PackagePacker(str(made.path)).pack(str(tmp_path / f"{position}.tar.gz"))
        with tarfile.open(packed) as archive:
            assert {Path(path).as_posix() for path in archive.getnames()} >= {"library.json", "src/model.c"}
    manifest = ManifestSchema().load_manifest(
        ManifestParserFactory.new_from_file(str(tmp_path / "1" / f"leadwire_{ID}" / "library.json")).as_dict()
    )
    assert manifest["name"] == f"leadwire_{ID}"
    assert manifest["headers"] == [f"leadwire_{ID}.h"]
    assert {Path(path).name for path in manifest["examples"][0]["files"]} == {"platformio.ini", "main.cpp"}


def test_platformio_manifest_names_files_that_exist(generated: FirmwareProject, tmp_path: Path) -> None:
    made = write_package(generated, "platformio", tmp_path, name=HOSTILE)
    manifest = json.loads((made.path / "library.json").read_bytes())
    assert re.fullmatch(r"[a-zA-Z0-9._-]{1,100}", manifest["name"])
    assert (made.path / manifest["build"]["srcDir"] / manifest["headers"]).is_file()
    for example in manifest["examples"]:
        assert all((made.path / example["base"] / file).is_file() for file in example["files"])
    assert "homepage" not in manifest


# ------------------------------------------------------------------------------------------------ zephyr

BUILD_KEYS = {
    "cmake": str, "kconfig": str, "cmake-ext": bool, "kconfig-ext": bool, "sysbuild-cmake": str,
    "sysbuild-kconfig": str, "sysbuild-cmake-ext": bool, "sysbuild-kconfig-ext": bool, "depends": list,
    "settings": dict,
}  # fmt: skip
MODULE_KEYS = {"name": str, "build": dict, "tests": list, "samples": list, "boards": list, "blobs": list}


def check_keys(found: dict[str, Any], known: dict[str, type]) -> None:
    assert found.keys() <= known.keys()
    for key, value in found.items():
        assert isinstance(value, known[key]), key


@pytest.mark.parametrize("name", NAMES)
def test_zephyr_module_file_keeps_to_the_published_schema(
    name: str, generated: FirmwareProject, tmp_path: Path
) -> None:
    yaml = pytest.importorskip("ruamel.yaml", reason="needs ruamel.yaml: pip install idf-component-manager")
    root = write_package(generated, "zephyr", tmp_path, name=name).path
    module = yaml.YAML(typ="safe").load((root / "zephyr" / "module.yml").read_text())
    check_keys(module, MODULE_KEYS)
    check_keys(module["build"], BUILD_KEYS)
    assert module["name"] == root.name
    assert (root / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    kconfig = (root / module["build"]["kconfig"]).read_text()
    assert (root / module["samples"][0] / "hello" / "sample.yaml").is_file()
    sample = yaml.YAML(typ="safe").load((root / "samples" / "hello" / "sample.yaml").read_text())
    assert set(sample) == {"sample", "common", "tests"}
    [symbol] = re.findall(r"^config ([A-Z0-9_]+)$", kconfig, flags=re.MULTILINE)
    assert f"CONFIG_{symbol}=y" in (root / "samples" / "hello" / "prj.conf").read_text()
    cmake = (root / "zephyr" / "CMakeLists.txt").read_text()
    assert f"if(CONFIG_{symbol})" in cmake
    named = re.findall(r"\$\{ZEPHYR_CURRENT_MODULE_DIR\}/(\S+)", cmake)
    assert len(named) > 6
    assert all((root / path).exists() for path in named)


def test_zephyr_kconfig_and_cmake_are_read(generated: FirmwareProject, tmp_path: Path) -> None:
    """Kconfig by kconfiglib, where it is installed."""
    kconfiglib = pytest.importorskip("kconfiglib", reason="needs kconfiglib: pip install kconfiglib")
    root = write_package(generated, "zephyr", tmp_path, name=HOSTILE).path
    tree = kconfiglib.Kconfig(str(root / "zephyr" / "Kconfig"), warn_to_stderr=False)
    assert list(tree.syms) >= [f"LEADWIRE_{ID.upper()}"]
    tree.load_config(str(root / "samples" / "hello" / "prj.conf"))
    assert tree.syms[f"LEADWIRE_{ID.upper()}"].str_value == "y"


def test_zephyrs_own_script_takes_the_module(generated: FirmwareProject, tmp_path: Path) -> None:
    script = Path(os.environ.get("ZEPHYR_BASE", "")) / "scripts" / "zephyr_module.py"
    if not os.environ.get("ZEPHYR_BASE") or not script.is_file():
        pytest.skip("needs Zephyr: set ZEPHYR_BASE")
    root = write_package(generated, "zephyr", tmp_path, name=HOSTILE).path
    python = program("python3")
    assert python is not None
    run(python, script, "--zephyr-base", os.environ["ZEPHYR_BASE"], "--modules", root, "--kconfig-out",
        tmp_path / "Kconfig.modules", "--cmake-out", tmp_path / "modules.txt")  # fmt: skip
    assert str(root / "zephyr") in (tmp_path / "modules.txt").read_text()
    assert str(root / "zephyr" / "Kconfig") in (tmp_path / "Kconfig.modules").read_text()


# ------------------------------------------------------------------------------------------------ arduino

CATEGORIES = {
    "Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage",
    "Data Processing", "Other",
}  # fmt: skip
REQUIRED = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}


@pytest.mark.parametrize("name", NAMES)
def test_arduino_library_keeps_to_the_specification(name: str, generated: FirmwareProject, tmp_path: Path) -> None:
    root = write_package(generated, "arduino", tmp_path, name=name, publisher=WITH_PAGE).path
    lines = (root / "library.properties").read_text("utf-8").splitlines()
    properties = dict(line.split("=", 1) for line in lines)
    assert len(properties) == len(lines)
    assert properties.keys() == REQUIRED | {"includes", "dot_a_linkage"}
    assert all(properties.values())
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", properties["name"])
    assert not properties["name"].lower().startswith("arduino")
    assert re.fullmatch(r"\d+\.\d+\.\d+", properties["version"])
    assert properties["category"] in CATEGORIES
    assert properties["url"] == WITH_PAGE.url
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", root.name)
    assert (root / "src" / properties["includes"]).is_file()
    assert not [path for path in (root / "src").rglob("*") if path.is_dir()]
    for path in root.rglob("*.ino"):
        assert path.stem == path.parent.name
    for line in (root / "keywords.txt").read_text().splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r"\w+\t(KEYWORD[123]|LITERAL[12])", line), line


# ------------------------------------------------------------------------------------------------ cmsis-pack


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("publisher", [Publisher(), WITH_PAGE])
def test_pack_description_keeps_to_the_specification(
    publisher: Publisher, name: str, generated: FirmwareProject, tmp_path: Path
) -> None:
    made = write_package(generated, "cmsis-pack", tmp_path, name=name, publisher=publisher, archive=True)
    with zipfile.ZipFile(made.path) as archive:
        members = set(archive.namelist())
        [description] = [member for member in members if member.endswith(".pdsc")]
        package = ElementTree.fromstring(archive.read(description))
    vendor, pack = package.findtext("vendor"), package.findtext("name")
    [release] = package.findall("releases/release")
    assert description == f"{vendor}.{pack}.pdsc"
    assert made.path.name == f"{vendor}.{pack}.{release.get('version')}.pack"
    assert package.get("schemaVersion")
    order = [child.tag for child in package]
    assert order == ["vendor", "name", "description", "url", "license", "releases", "components"]
    assert package.findtext("license") in members
    [component] = package.findall("components/component")
    for key in ("Cclass", "Cgroup", "Csub"):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+():/\- .]{0,31}", component.get(key, "")), key
    files = component.findall("files/file")
    for file in files:
        path = file.get("name", "")
        assert path in members or any(member.startswith(path) for member in members if path.endswith("/")), path
    listed = {file.get("name") for file in files}
    assert {member for member in members if member.startswith(("model/", "runtime/"))} <= listed


def test_pack_description_is_valid_by_the_published_schema(generated: FirmwareProject, tmp_path: Path) -> None:
    schema = os.environ.get("LEADWIRE_PACK_XSD")
    if not schema:
        pytest.skip("needs PACK.xsd of the CMSIS-Pack specification: set LEADWIRE_PACK_XSD")
    xmlschema = pytest.importorskip("xmlschema", reason="needs xmlschema: pip install xmlschema")
    known = xmlschema.XMLSchema(schema)
    for position, name in enumerate(NAMES):
        root = write_package(generated, "cmsis-pack", tmp_path / str(position), name=name, publisher=WITH_PAGE).path
        known.validate(str(next(root.glob("*.pdsc"))))
