"""What a check finds, and what it is given to work with."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from leadwire.pipeline.watcher import Watcher
from leadwire.resources import EXAMPLES, VALIDATION

FOLDER = VALIDATION / "qualification"
Kind = Literal["IQ", "OQ"]
Result = Literal["pass", "fail", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. A `note` is neither: what could not be looked at here, or what a reader should know."""

    what: str
    expected: str
    found: str
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """`requirements` are ids of validation/requirements.toml. The result is the worst of the findings; a check without
    findings fails."""

    id: str
    kind: Kind
    title: str
    requirements: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def result(self) -> Result:
        results = {one.result for one in self.findings}
        if "fail" in results or not results:
            return "fail"
        return "pass" if "pass" in results else "note"


@dataclass(frozen=True, kw_only=True)
class Context:
    """`folder` is the check's own, empty at first; the example is the bundled one. `seen` collects what was found where
    an answer is known, so that a release can write them down."""

    folder: Path
    watcher: Watcher
    seen: dict[str, str | int | None] = field(default_factory=dict)

    @property
    def example(self) -> Path:
        """The float model."""
        return EXAMPLES / "arrhythmia" / "arrhythmia.keras"

    @property
    def model(self) -> Path:
        """The INT8 model that was made of it where leadwire was released."""
        return FOLDER / "arrhythmia.tflite"

    def known(self, key: str, what: str, found: str | int | None) -> Finding:
        """Compared with the answer of this key in known.toml."""
        self.seen[key] = found
        return equal(what, _known().get(key, "an answer in known.toml"), found)


@cache
def _known() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "known.toml").read_text(encoding="utf-8"))


def equal(what: str, expected: object, found: object) -> Finding:
    """Pass where both are written the same."""
    return Finding(
        what=what, expected=str(expected), found=str(found), result="pass" if str(expected) == str(found) else "fail"
    )


def within(what: str, expected: float, found: float, tolerance: float) -> Finding:
    """Pass within the tolerance; a figure that is not a number fails."""
    return Finding(
        what=what,
        expected=f"{expected:.7g} ± {tolerance:.2g}",
        found=f"{found:.7g}",
        result="pass" if abs(expected - found) <= tolerance else "fail",
    )


def note(what: str, found: str) -> Finding:
    return Finding(what=what, expected="", found=found, result="note")
