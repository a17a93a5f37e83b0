"""requirements.toml: hazards in the terms of ISO 14971, and the requirements that control their risks.

A risk is the severity of the harm together with the probability of its occurrence; `policy` says up to which
probability each severity is acceptable. A requirement is a risk control measure; its fingerprint changes with its text,
so that a test result tells which text it verified.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field

from leadwire.errors import ConfigError
from leadwire.strict import load_toml

Text = Annotated[str, Field(min_length=1, max_length=2000)]
Id = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+){1,4}$", max_length=40)]
Severity = Literal["negligible", "minor", "serious", "critical", "catastrophic"]
Probability = Literal["improbable", "remote", "occasional", "probable", "frequent"]
PROBABILITIES: tuple[str, ...] = get_args(Probability)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """A potential source of harm (ISO 14971, 3.4), the situation in which somebody meets it (3.5), the harm (3.3), and
    its probability before and after the risk control measures."""

    id: Id
    hazard: Text
    situation: Text
    harm: Text
    severity: Severity
    probability: Probability
    residual_probability: Probability


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A risk control measure. `hazards` are those it controls; `cause` and `situation` the sequence of events that it
    cuts; `sections` the anchors of report sections that answer it, where the section does not claim it itself."""

    id: Id
    text: Text
    hazards: Annotated[tuple[Id, ...], Field(min_length=1, max_length=50)]
    cause: str = ""
    situation: str = ""
    sections: Annotated[tuple[Text, ...], Field(max_length=50)] = ()

    @property
    def fingerprint(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of id and text."""
        return hashlib.sha256(f"{self.id}\n{self.text}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The highest acceptable probability of harm for each severity."""

    negligible: Probability = "frequent"
    minor: Probability = "probable"
    serious: Probability = "occasional"
    critical: Probability = "remote"
    catastrophic: Probability = "improbable"

    def accepts(self, severity: Severity, probability: Probability) -> bool:
        return PROBABILITIES.index(probability) <= PROBABILITIES.index(getattr(self, severity))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """One file. `title` says of what."""

    title: Text
    hazard: Annotated[tuple[Hazard, ...], Field(min_length=1, max_length=1000)]
    requirement: Annotated[tuple[Requirement, ...], Field(min_length=1, max_length=5000)]
    policy: Policy = Policy()


def load_requirements(path: Path) -> Requirements:
    """FileMissingError, or ConfigError (2) with all mistakes of the file."""
    loaded = load_toml(Requirements, path, "requirements file")
    if mistakes := list(_contradictions(loaded)):
        raise ConfigError(path, mistakes)
    return loaded


def _contradictions(loaded: Requirements) -> Iterator[str]:
    ids = [*(one.id for one in loaded.hazard), *(one.id for one in loaded.requirement)]
    for name in dict.fromkeys(ids):
        if ids.count(name) > 1:
            yield f"id '{name}' appears {ids.count(name)} times"
    known = {one.id for one in loaded.hazard}
    for requirement in loaded.requirement:
        for name in requirement.hazards:
            if name not in known:
                yield f"requirement {requirement.id}: there is no hazard '{name}'"
