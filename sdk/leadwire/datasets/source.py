"""Dataset files: what a data set consists of, who is in which split, and the digests of what is read.

Built-in ones are validation/datasets/<id>.toml; a user's own is any TOML file of one of the three kinds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from leadwire import resources
from leadwire.errors import BadInputError, ConfigError, DatasetError, FileMissingError, LeakError
from leadwire.strict import parse_table, read_toml

Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=2000)]
Id: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FrontEndName: TypeAlias = Literal["beat-template-rr"]
LEFT_OUT = "none"
"""The split of a record that is in no split; `why` says for what reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WfdbRecord:
    """One recording; `hea`, `dat` and `atr` are the SHA-256 of its files."""

    record: Name
    patient: Name
    split: Name
    hea: Digest
    dat: Digest
    atr: Digest
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WfdbSource:
    """Recordings in WFDB format with reference beat annotations. `folder` is their folder below LEADWIRE_DATA."""

    kind: Literal["wfdb"]
    name: Id
    title: Text
    licence: Text
    citation: Text
    url: Text
    folder: Name
    lead: Text
    front_end: FrontEndName
    records: Annotated[tuple[WfdbRecord, ...], Field(min_length=1, max_length=10_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticSplit:
    """`first_patient` numbers the simulated patients: the number and `seed` of the file decide everything of one."""

    first_patient: Annotated[int, Field(ge=0, le=10**6)]
    patients: Annotated[int, Field(ge=1, le=1000)]
    beats: Annotated[int, Field(ge=8, le=5000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticSource:
    """Simulated patients of a dynamical model of the ECG; `beats` of each go through the front end."""

    kind: Literal["synthetic"]
    name: Id
    title: Text
    licence: Text
    citation: Text
    front_end: FrontEndName
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    splits: Annotated[dict[Name, SyntheticSplit], Field(min_length=1, max_length=16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NpzSplit:
    """`path` is relative to the dataset file; `sha256` is checked where given."""

    path: Text
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NpzSource:
    """A user's own arrays: one .npz per split with an array per input name, `labels` and `patients`; `records` and
    `times_s` (seconds) where there are any.
    """

    kind: Literal["npz"]
    name: Id
    title: Text
    licence: Text
    basis: Literal["real", "synthetic"]
    input_names: Annotated[tuple[Text, ...], Field(min_length=1, max_length=16)]
    label_names: Annotated[tuple[Text, ...], Field(min_length=2, max_length=256)]
    splits: Annotated[dict[Name, NpzSplit], Field(min_length=1, max_length=16)]
    base: Path = field(default=Path())
    """The folder of the dataset file; never a key of it."""


DatasetSource: TypeAlias = WfdbSource | SyntheticSource | NpzSource
_KINDS: dict[str, type[WfdbSource] | type[SyntheticSource] | type[NpzSource]] = {
    "wfdb": WfdbSource,
    "synthetic": SyntheticSource,
    "npz": NpzSource,
}


def list_datasets() -> tuple[str, ...]:
    """Ids of the built-in dataset files."""
    return tuple(sorted(path.stem for path in (resources.VALIDATION / "datasets").glob("*.toml")))


def read_source(reference: str | Path) -> DatasetSource:
    """A dataset file by path ('my/data.toml') or by the id of a built-in one ('mitdb').

    Raises FileMissingError, ConfigError with all mistakes of the file, or LeakError where a patient is in two splits.
    """
    path = dataset_path(reference)
    table = read_toml(path, "dataset file")
    kind = _KINDS.get(str(table.get("kind", "")))
    if kind is None:
        raise ConfigError(path, [f"kind: must be one of {', '.join(_KINDS)}, found {table.get('kind')!r}"])
    mistakes = ["base: unknown key"] if kind is NpzSource and "base" in table else []
    extra: dict[str, Any] = {"base": path.resolve().parent} if kind is NpzSource else {}
    try:
        source = parse_table(kind, {**table, **extra}, path)
    except ConfigError as error:
        raise ConfigError(path, [*error.mistakes, *mistakes]) from error
    mistakes += _contradictions(source)
    if mistakes:
        raise ConfigError(path, mistakes)
    _refuse_leaks(source)
    return source


def split_names(source: DatasetSource) -> tuple[str, ...]:
    """The splits that can be loaded, in the order of the file."""
    if isinstance(source, WfdbSource):
        return tuple(dict.fromkeys(one.split for one in source.records if one.split != LEFT_OUT))
    return tuple(source.splits)


def dataset_path(reference: str | Path) -> Path:
    text = str(reference)
    if text.endswith(".toml"):
        return Path(reference)
    if re.fullmatch(r"[a-z][a-z0-9-]{0,47}", text) and text in list_datasets():
        return resources.VALIDATION / "datasets" / f"{text}.toml"
    if Path(reference).exists():
        raise BadInputError(
            f"dataset '{text}' is not a dataset file",
            hint="name a .toml file that describes it; validation/datasets holds examples",
        )
    raise FileMissingError(
        Path(reference), role="dataset file", hint=f"give a .toml file or one of {', '.join(list_datasets())}"
    )


def _contradictions(source: DatasetSource) -> list[str]:
    """What the types cannot say."""
    if isinstance(source, WfdbSource):
        twice = _repeated(one.record for one in source.records)
        return (
            [f"records: '{record}' is listed more than once" for record in twice]
            + [
                f"records: '{one.record}' is in no split, so 'why' must say for what reason"
                for one in source.records
                if one.split == LEFT_OUT and not one.why
            ]
            + list(_two_names(source))
        )
    if isinstance(source, NpzSource):
        return [
            f"{key}: '{name}' is listed more than once"
            for key, names in (("input_names", source.input_names), ("label_names", source.label_names))
            for name in _repeated(names)
        ] + [
            f"input_names: '{name}' is the name of another array of the file"
            for name in source.input_names
            if name in ("labels", "patients", "records", "times_s", "ages", "sexes", "leads")
        ]
    return []


def _two_names(source: WfdbSource) -> Iterator[str]:
    """Recordings that a built-in dataset file knows to be of one patient, and this one gives to two. They are known by
    the digest of their signal: MIT-BIH's 201 and 202 are the same man, whatever a file calls them."""
    given: dict[str, WfdbRecord] = {}
    known = _known_patients()
    for one in source.records:
        patient = known.get(one.dat)
        if patient is not None and one.split != LEFT_OUT:
            other = given.setdefault(patient, one)
            if other.patient != one.patient:
                yield (
                    f"records: '{other.record}' and '{one.record}' are recordings of one patient, "
                    f"named '{other.patient}' and '{one.patient}'"
                )


@cache
def _known_patients() -> dict[str, str]:
    """Patient by SHA-256 of the signal file, of the built-in dataset files."""
    tables = [read_toml(dataset_path(name), "dataset file") for name in list_datasets()]
    return {one["dat"]: one["patient"] for table in tables if table.get("kind") == "wfdb" for one in table["records"]}


def patients_of(source: DatasetSource, split: str) -> tuple[str, ...] | None:
    """The patients of a split as its dataset file names them; None where only the data do (arrays).

    BadInputError for an unknown split."""
    if split not in split_names(source):
        raise DatasetError(source.name, f"has no split '{split}'", hint=f"splits: {', '.join(split_names(source))}")
    return None if isinstance(source, NpzSource) else tuple(sorted(_patients(source, split)))


def _repeated(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)


def _refuse_leaks(source: DatasetSource) -> None:
    """Splits of arrays name their patients in the arrays: those are compared when loaded (`check_disjoint`)."""
    splits = split_names(source)
    for i, one in enumerate(splits):
        for other in splits[i + 1 :]:
            shared = sorted(_patients(source, one) & _patients(source, other))
            if shared:
                raise LeakError(shared, f"split '{one}' of {source.name}", f"split '{other}'")


def _patients(source: DatasetSource, split: str) -> set[str]:
    if isinstance(source, WfdbSource):
        return {one.patient for one in source.records if one.split == split}
    if isinstance(source, SyntheticSource):
        return set(synthetic_patients(source.splits[split]))
    return set()


def synthetic_patients(split: SyntheticSplit) -> tuple[str, ...]:
    return tuple(f"s{number:04d}" for number in range(split.first_patient, split.first_patient + split.patients))
