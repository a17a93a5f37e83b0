"""Dataset files: built-in ones load, every mistake is named, splits share nobody, digests are enforced."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leadwire.datasets import check_disjoint, list_datasets, load_dataset, read_source, split_names
from leadwire.datasets.source import LEFT_OUT, WfdbSource
from leadwire.errors import BadInputError, ConfigError, DatasetError, FileMissingError, LeakError

DE_CHAZAL_DS1 = "101 106 108 109 112 114 115 116 118 119 122 124 201 203 205 207 208 209 215 220 223 230"
DE_CHAZAL_DS2 = "100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234"

NPZ = """
kind = "npz"
name = "mine"
title = "My beats"
licence = "private"
basis = "real"
input_names = ["ecg"]
label_names = ["N", "V"]
[splits.test]
path = "test.npz"
"""

WFDB_HEAD = """
kind = "wfdb"
name = "mine"
title = "t"
licence = "l"
citation = "c"
url = "https://example.org/"
folder = "mine"
lead = "MLII"
front_end = "beat-template-rr"
"""


def record(name: str, patient: str, split: str, extra: str = "") -> str:
    digests = "".join(f'{kind} = "{"0" * 64}"\n' for kind in ("hea", "dat", "atr"))
    return f'[[records]]\nrecord = "{name}"\npatient = "{patient}"\nsplit = "{split}"\n{digests}{extra}'


def written(folder: Path, text: str) -> Path:
    path = folder / "data.toml"
    path.write_text(text)
    return path


def arrays(folder: Path, **changes: Any) -> None:
    values: dict[str, Any] = {
        "ecg": np.zeros((4, 8, 1), np.float32),
        "labels": np.array([0, 1, 0, 1]),
        "patients": np.array(["a", "a", "b", "b"]),
    }
    values = {key: value for key, value in {**values, **changes}.items() if value is not None}
    np.savez(folder / "test.npz", **values)


@pytest.mark.parametrize("name", list_datasets())
def test_every_built_in_file_loads(name: str) -> None:
    source = read_source(name)
    assert source.name == name
    assert set(split_names(source)) == {"train", "test"}


def test_mitdb_is_the_split_of_de_chazal_less_the_shared_patient() -> None:
    source = read_source("mitdb")
    assert isinstance(source, WfdbSource)
    by_split = {split: [one.record for one in source.records if one.split == split] for split in ("train", "test")}
    assert " ".join(by_split["test"]) == DE_CHAZAL_DS2
    assert " ".join(by_split["train"]) == DE_CHAZAL_DS1.replace("201 ", "")
    left_out = {one.record: one for one in source.records if one.split == LEFT_OUT}
    assert sorted(left_out) == ["102", "104", "107", "201", "217"]
    assert all(one.why for one in left_out.values())
    patient = {one.record: one.patient for one in source.records}
    assert patient["201"] == patient["202"]
    assert len(set(patient.values())) == len(patient) - 1


def test_without_recordings_the_hint_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LEADWIRE_DATA", raising=False)
    with pytest.raises(DatasetError, match="LEADWIRE_DATA is not set") as caught:
        load_dataset(read_source("mitdb"), "test")
    assert "https://physionet.org/content/mitdb/1.0.0/" in caught.value.hint
    monkeypatch.setenv("LEADWIRE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DatasetError, match="does not exist"):
        load_dataset(read_source("mitdb"), "test")
    with pytest.raises(DatasetError, match=r"101\.hea' cannot be read"):
        load_dataset(read_source("mitdb"), "train", folder=tmp_path)


def test_a_changed_recording_is_refused(tmp_path: Path) -> None:
    for suffix in ("hea", "dat", "atr"):
        (tmp_path / f"101.{suffix}").write_bytes(b"not the published file")
    with pytest.raises(DatasetError, match=r"'101\.hea' has SHA-256 .*, expected"):
        load_dataset(read_source("mitdb"), "train", folder=tmp_path)


def test_a_file_with_the_right_digest_and_nonsense_in_it(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"nonsense").hexdigest()
    for suffix in ("hea", "dat", "atr"):
        (tmp_path / f"x.{suffix}").write_bytes(b"nonsense")
    path = written(tmp_path, WFDB_HEAD + record("x", "p", "test").replace("0" * 64, digest))
    with pytest.raises(DatasetError, match="record x cannot be read"):
        load_dataset(read_source(path), "test", folder=tmp_path)


def test_unknown_split(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no split 'none'") as caught:
        load_dataset(read_source("synthetic-ecg"), "none")
    assert "train, test" in caught.value.hint


def test_unknown_reference(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="dataset file 'mit'") as caught:
        read_source("mit")
    assert "mitdb" in caught.value.hint
    with pytest.raises(FileMissingError):
        read_source(tmp_path / "none.toml")
    with pytest.raises(BadInputError, match="is not a dataset file"):
        read_source(tmp_path)


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ('name = "x"', ["kind: must be one of wfdb, synthetic, npz, found None"]),
        ('kind = "csv"', ["found 'csv'"]),
        (NPZ.replace('name = "mine"', 'name = "My Beats"\ncolour = "red"'), ["name: ", "colour: unknown key"]),
        (NPZ.replace('basis = "real"', ""), ["basis: missing"]),
        (NPZ.replace('["N", "V"]', '["N", "N"]'), ["label_names: 'N' is listed more than once"]),
        (NPZ.replace('["ecg"]', '["labels"]'), ["input_names: 'labels' is the name of another array"]),
        (NPZ.replace('name = "mine"', 'name = "mine"\nbase = "/"'), ["base: unknown key"]),
        (NPZ + 'sha256 = "12"', ["sha256: "]),
        (WFDB_HEAD, ["records: missing"]),
        (WFDB_HEAD + record("a", "p", "test") + record("a", "q", "test"), ["'a' is listed more than once"]),
        (WFDB_HEAD + record("a", "p", "none"), ["'a' is in no split, so 'why' must say"]),
        (WFDB_HEAD + record("../../etc/passwd", "p", "test"), ["records[0].record: "]),
        (WFDB_HEAD.replace('"mine"\nlead', '"../mine"\nlead') + record("a", "p", "test"), ["folder: "]),
        (
            WFDB_HEAD.replace("beat-template-rr", "other") + record("a", "p", "test", "x = 1"),
            ["front_end: ", "x: unknown"],
        ),
    ],
)
def test_mistakes_are_named_all_at_once(tmp_path: Path, text: str, mistakes: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_source(written(tmp_path, text))
    for mistake in mistakes:
        assert mistake in str(caught.value)


def test_a_patient_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    path = written(tmp_path, WFDB_HEAD + record("a", "p", "train") + record("b", "p", "test"))
    with pytest.raises(LeakError, match="p") as caught:
        read_source(path)
    assert caught.value.patients == ("p",)


def test_overlapping_simulated_patients_are_a_leak(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "validation/datasets/synthetic-ecg.toml").read_text()
    with pytest.raises(LeakError, match="s0011"):
        read_source(written(tmp_path, text.replace("first_patient = 1000", "first_patient = 11")))


def test_own_arrays(tmp_path: Path) -> None:
    arrays(tmp_path, times_s=np.arange(4), ecg=np.arange(32, dtype=np.int16).reshape(4, 8, 1))
    dataset = load_dataset(read_source(written(tmp_path, NPZ)), "test")
    assert dataset.inputs[0].dtype == np.float32
    assert dataset.inputs[0][3, 7, 0] == 31
    assert dataset.patients == dataset.records == ("a", "a", "b", "b")
    assert dataset.times_s.tolist() == [0, 1, 2, 3]
    assert (dataset.basis, dataset.licence, dataset.input_names) == ("real", "private", ("ecg",))
    assert dataset.strip_mv(0) == ()
    with pytest.raises(LeakError, match="a, b"):
        check_disjoint(dataset, dataset)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patients": None}, "lacks patients"),
        ({"spare": np.zeros(4)}, "has unknown spare"),
        ({"labels": np.array([0.0, 1, 0, 1])}, "labels must be integers"),
        ({"labels": np.array([0, 1, 0, 2])}, "label 2 of beat 3"),
        ({"labels": np.array([0, 1, 0])}, "float32 \\[3, ...\\]"),
        ({"patients": np.array([1.5, 2, 3, 4])}, "patients must be texts or integers"),
        ({"patients": np.array([1, 2, 3])}, "patients has 3 entries for 4 beats"),
        ({"ecg": np.array([["a"] * 2] * 4)}, "'ecg' must be numbers"),
        ({"ecg": np.full((4, 8), np.nan)}, "input 'ecg' of beat 0 .* NaN"),
        ({"ecg": np.full((4, 8), 1e300)}, "input 'ecg' of beat 0 .* infinity"),
        ({"ecg": np.array([[{}], [{}], [{}], [{}]])}, "is not a readable .npz"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_own_arrays_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    arrays(tmp_path, **changes)
    with pytest.raises(DatasetError, match=message):
        load_dataset(read_source(written(tmp_path, NPZ)), "test")


def test_array_files_that_are_missing_broken_or_changed(tmp_path: Path) -> None:
    source = read_source(written(tmp_path, NPZ))
    with pytest.raises(FileMissingError, match="split 'test'"):
        load_dataset(source, "test")
    arrays(tmp_path)
    whole = (tmp_path / "test.npz").read_bytes()
    for broken in (b"", b"PK", whole[: len(whole) // 2], whole[:200] + b"\xff" * 50 + whole[250:]):
        (tmp_path / "test.npz").write_bytes(broken)
        with pytest.raises(DatasetError, match=r"not a readable \.npz"):
            load_dataset(source, "test")
    (tmp_path / "test.npz").write_bytes(whole)
    digest = hashlib.sha256(whole).hexdigest()
    load_dataset(read_source(written(tmp_path, NPZ + f'sha256 = "{digest}"')), "test")
    with pytest.raises(DatasetError, match="does not have the SHA-256"):
        load_dataset(read_source(written(tmp_path, NPZ + f'sha256 = "{"0" * 64}"')), "test")


def test_two_names_for_one_known_patient_are_refused(tmp_path: Path) -> None:
    """MIT-BIH's 201 and 202 are one man: known by their signals, whatever a file calls patients and records."""
    builtin = read_source("mitdb")
    assert isinstance(builtin, WfdbSource)
    signal = {one.record: one.dat for one in builtin.records}

    def own(name: str, patient: str, split: str, like: str) -> str:
        return record(name, patient, split).replace(f'dat = "{"0" * 64}"', f'dat = "{signal[like]}"')

    apart = WFDB_HEAD + own("a", "p1", "train", "201") + own("b", "p2", "test", "202")
    with pytest.raises(ConfigError) as caught:
        read_source(written(tmp_path, apart))
    assert "records: 'a' and 'b' are recordings of one patient, named 'p1' and 'p2'" in caught.value.mistakes
    with pytest.raises(LeakError):
        read_source(written(tmp_path, apart.replace('"p2"', '"p1"')))
    read_source(written(tmp_path, WFDB_HEAD + own("a", "p1", "train", "201") + own("b", "p2", "test", "200")))


def test_attributes_of_own_arrays(tmp_path: Path) -> None:
    arrays(
        tmp_path, ages=np.array([50.0, 50.0, np.nan, np.nan]), sexes=np.array(["F", "F", "M", "M"]),
        leads=np.array(["I", "I", "II", "II"]),
    )  # fmt: skip
    found = load_dataset(read_source(written(tmp_path, NPZ)), "test").attributes
    assert [(one.record, one.age, one.sex, one.lead, one.snr_db) for one in found] == [
        ("a", 50.0, "F", "I", None),
        ("b", None, "M", "II", None),
    ]
    for changes, message in (
        ({"ages": np.array([50, 51, 52, 52])}, "record 'a' has two patients, ages"),
        ({"ages": np.array(["x"] * 4)}, "ages must be numbers"),
        ({"sexes": np.array(["F"])}, "sexes has 1 entries"),
    ):
        arrays(tmp_path, **changes)
        with pytest.raises(DatasetError, match=message):
            load_dataset(read_source(written(tmp_path, NPZ)), "test")
