"""The stage package: names, contents, folders, archives, evidence."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_example import example_evidence
from leadwire.artifacts import FirmwareProject
from leadwire.errors import BadInputError, EvidenceError, FileMissingError
from leadwire.evidence.bundle import Bundle, write_bundle
from leadwire.evidence.keys import generate_key
from leadwire.package import Publisher, ecosystems, write_package
from leadwire.package.contents import read_contents
from leadwire.package.layout import flat
from leadwire.package.names import one_line, package_id, plain
from package_example import HOSTILE, ID, project

ALL = ("arduino", "cmake", "cmsis-pack", "esp-idf", "platformio", "zephyr")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> FirmwareProject:
    return project(tmp_path_factory.mktemp("generated"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, str]:
    """A signed bundle, and the digest of its model."""
    folder = tmp_path_factory.mktemp("bundle")
    evidence, attachments = example_evidence(folder)
    generate_key(folder / "key.pem")
    made = write_bundle(
        evidence, attachments, b"<!DOCTYPE html><title>x</title>", printed=b"%PDF", out=folder, key=folder / "key.pem"
    )
    return made, evidence.quantized.digest


def contents_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_there_is_a_module_for_each_ecosystem_of_the_contract() -> None:
    assert ecosystems() == ALL


@given(st.text())
def test_names_are_safe_whatever_people_write(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", package_id(text))
    assert len(package_id(text)) <= 32
    assert re.fullmatch(r"[A-Za-z0-9_.,+()\- ]+", plain(text))
    assert len(one_line(text).splitlines()) == 1
    one_line(text).encode("utf-8")


def test_names_keep_what_they_can() -> None:
    assert package_id(HOSTILE) == ID
    assert package_id("ECG-Klassifikator 2") == "ecg_klassifikator_2"
    assert package_id("心电") == "model"
    assert plain("Überwachung (v2)") == "Uberwachung (v2)"
    assert one_line("心电\n\x00Ä") == "心电..Ä"


@pytest.mark.parametrize("ecosystem", ALL)
def test_a_package_says_what_is_in_it(ecosystem: str, generated: FirmwareProject, tmp_path: Path) -> None:
    made = write_package(generated, ecosystem, tmp_path, name=HOSTILE)
    assert made.path == tmp_path / f"leadwire_{ID}"
    files = contents_of(made.path)
    listed = dict(line.split("  ", 1)[::-1] for line in files.pop("manifest.sha256").decode().splitlines())
    assert listed == {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    facts = json.loads(files["leadwire-package.json"])
    assert facts["model_digest"] == generated.model_digest
    assert facts["project_digest"] == generated.digest
    assert facts["evidence"] is None
    assert b"Apache License" in files["LICENSE"]
    names = {Path(path).name for path in files}
    assert {"model.c", "model.h", "leadwire.h", f"leadwire_{ID}.h", "fully_connected_s8.c", "README.md"} <= names
    assert not [path for path in files if path.startswith(("app/", "port/"))]
    generated_c = [
        data for path, data in contents_of(generated.root).items() if path.startswith(("model/", "runtime/"))
    ]
    assert set(generated_c) <= set(files.values())


@pytest.mark.parametrize("ecosystem", ALL)
def test_archives_are_the_folder_and_the_same_bytes_every_time(
    ecosystem: str, generated: FirmwareProject, tmp_path: Path
) -> None:
    folder = write_package(generated, ecosystem, tmp_path, name=HOSTILE)
    one = write_package(generated, ecosystem, tmp_path / "1", name=HOSTILE, archive=True)
    two = write_package(generated, ecosystem, tmp_path / "2", name=HOSTILE, archive=True)
    assert one.path.read_bytes() == two.path.read_bytes()
    assert hashlib.sha256(one.path.read_bytes()).hexdigest() == one.archive_digest
    assert one.digest == folder.digest
    with zipfile.ZipFile(one.path) as archive:
        assert archive.testzip() is None
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        top = "" if ecosystem == "cmsis-pack" else f"leadwire_{ID}/"
        assert {name.removeprefix(top): archive.read(name) for name in archive.namelist()} == contents_of(folder.path)


def test_a_pack_is_named_as_the_specification_wants(generated: FirmwareProject, tmp_path: Path) -> None:
    publisher = Publisher(version="2.10.3", vendor="Acme_Heart")
    made = write_package(generated, "cmsis-pack", tmp_path, name="ecg", publisher=publisher, archive=True)
    assert made.path.name == "Acme_Heart.leadwire_ecg.2.10.3.pack"


def test_a_package_replaces_an_older_one_and_nothing_else(generated: FirmwareProject, tmp_path: Path) -> None:
    made = write_package(generated, "cmake", tmp_path, name="ecg")
    outside = tmp_path / "mine.txt"
    outside.write_text("mine")
    manifest = made.path / "manifest.sha256"
    (made.path / "old.c").write_text("old")
    manifest.write_text(manifest.read_text() + f"{'0' * 64}  old.c\n{'0' * 64}  ../mine.txt\n{'0' * 64}  {outside}\n")
    again = write_package(generated, "cmake", tmp_path, name="ecg")
    assert not (made.path / "old.c").exists()
    assert outside.read_text() == "mine"
    assert again.digest == made.digest

    (tmp_path / "x" / "leadwire_ecg").mkdir(parents=True)
    (tmp_path / "x" / "leadwire_ecg" / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInputError, match="is not a leadwire package"):
        write_package(generated, "cmake", tmp_path / "x", name="ecg")
    with pytest.raises(BadInputError, match="cannot write the package"):
        write_package(generated, "cmake", outside, name="ecg")
    with pytest.raises(BadInputError, match="cannot write the package"):
        write_package(generated, "cmake", outside, name="ecg", archive=True)


@pytest.mark.parametrize(
    ("publisher", "match"),
    [
        (Publisher(version="1.0"), "MAJOR.MINOR.PATCH"),
        (Publisher(version="1.0.0\nname=x"), "MAJOR.MINOR.PATCH"),
        (Publisher(version="01.0.0"), "MAJOR.MINOR.PATCH"),
        (Publisher(vendor="../etc"), "vendor"),
        (Publisher(vendor="a__b"), "vendor"),
        (Publisher(vendor="a_"), "vendor"),
        (Publisher(vendor="Ärzte"), "vendor"),
        (Publisher(url="javascript:alert(1)"), "url"),
        (Publisher(url='https://x/"><b'), "url"),
        (Publisher(url="https://x/\nname=y"), "url"),
    ],
)
def test_a_publisher_that_metadata_cannot_carry(
    publisher: Publisher, match: str, generated: FirmwareProject, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=match):
        write_package(generated, "arduino", tmp_path, name="ecg", publisher=publisher)
    assert not list(tmp_path.iterdir())


def test_an_ecosystem_that_is_not_there(generated: FirmwareProject, tmp_path: Path) -> None:
    for name in ("mbed", "esp_idf", "contents", "../cmake", ""):
        with pytest.raises(BadInputError) as raised:
            write_package(generated, name, tmp_path, name="ecg")
        assert "esp-idf" in raised.value.hint


def test_sources_that_changed_after_generation_are_not_packaged(tmp_path: Path) -> None:
    made = project(tmp_path / "p", "ecg")
    source = tmp_path / "p" / "model" / "model.c"
    text = source.read_bytes()
    source.write_bytes(text + b"\n")
    with pytest.raises(BadInputError, match=r"model\.c' changed"):
        write_package(made, "cmake", tmp_path / "out", name="ecg")
    source.unlink()
    with pytest.raises(BadInputError, match="cannot be read"):
        write_package(made, "cmake", tmp_path / "out", name="ecg")
    source.write_bytes(text)
    listing = tmp_path / "p" / "leadwire-project.json"
    listing.write_bytes(listing.read_bytes() + b" ")
    with pytest.raises(BadInputError, match="changed since"):
        write_package(made, "cmake", tmp_path / "out", name="ecg")
    listing.unlink()
    with pytest.raises(BadInputError, match="cannot be read"):
        write_package(made, "cmake", tmp_path / "out", name="ecg")
    assert not (tmp_path / "out").exists()


def test_flat_names_do_not_collide(generated: FirmwareProject) -> None:
    contents = read_contents(generated, "ecg", Publisher(), None)
    moved = flat(contents, "src", cxx_suffix=".cpp")
    assert len(moved.files) == len(contents.files) + 1
    assert {"src/self_test.c", "src/runtime_self_test.c"} <= set(moved.sources)
    assert {Path(path).parent.as_posix() for path, _ in moved.files} == {"src"}
    cxx = dataclasses.replace(
        contents,
        files=(*contents.files, ("model/engine.cc", b"")),
        sources=(*contents.sources, "model/engine.cc"),
    )
    assert cxx.cxx and not contents.cxx
    assert "src/engine.cpp" in flat(cxx, "src", cxx_suffix=".cpp").sources


def test_the_evidence_of_this_model_is_named(
    generated: FirmwareProject, bundle: tuple[Bundle, str], tmp_path: Path
) -> None:
    made, digest = bundle
    about = dataclasses.replace(generated, model_digest=digest)
    package = write_package(about, "zephyr", tmp_path, name="ecg", evidence=made.path)
    facts = json.loads((package.path / "leadwire-package.json").read_bytes())["evidence"]
    assert facts["digest"] == made.digest == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert facts["authenticated"] is False
    assert facts["verdict"] in ("pass", "fail", "inconclusive")
    readme = (package.path / "README.md").read_text()
    assert made.digest in readme and f"verdict **{facts['verdict']}**" in readme and "not authenticated" in readme


def test_evidence_that_does_not_belong_or_does_not_verify(
    generated: FirmwareProject, bundle: tuple[Bundle, str], tmp_path: Path
) -> None:
    made, digest = bundle
    with pytest.raises(EvidenceError, match="it is about model"):
        write_package(generated, "zephyr", tmp_path, name="ecg", evidence=made.path)
    about = dataclasses.replace(generated, model_digest=digest)
    broken = bytearray(made.path.read_bytes())
    broken[len(broken) // 2] ^= 1
    (tmp_path / "broken.zip").write_bytes(broken)
    with pytest.raises(EvidenceError):
        write_package(about, "zephyr", tmp_path, name="ecg", evidence=tmp_path / "broken.zip")
    with pytest.raises(FileMissingError):
        write_package(about, "zephyr", tmp_path, name="ecg", evidence=tmp_path / "none.zip")
    with pytest.raises(BadInputError, match="without a bundle"):
        write_package(about, "zephyr", tmp_path, name="ecg", key=tmp_path / "key.pem")
    assert not (tmp_path / "leadwire_ecg").exists()


def test_the_licence_is_the_projects(root: Path) -> None:
    assert (root / "LICENSE").read_bytes() == (root / "firmware_templates" / "packages" / "LICENSE").read_bytes()
