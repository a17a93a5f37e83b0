"""The plan file: what may change, and how far figures may move.

name = "arrhythmia-2026"
title = "Retraining on more patients"
reference = ""                  # SHA-256 of the bundle of the version that others are compared with; empty: any
may_change = ["model", "calibration", "toolchain"]

[[bounds]]                      # old minus new on the same beats, judged by the whole interval, as an endpoint is
name = "VEB sensitivity"
measure = "sensitivity"
label = "V"
max_loss = 0.02
rationale = "half the distance to the pivotal study's performance goal"

[[resources]]
resource = "flash"
max_increase = 0.10             # of the old figure
rationale = "what the boot loader's slot leaves"
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from leadwire.artifacts import sha256_hex
from leadwire.errors import ConfigError
from leadwire.protocols import Measure, beyond_ec57
from leadwire.strict import parse_table, read_toml

Subject = Literal["model", "calibration", "dataset", "protocol", "board", "backend", "toolchain", "environment"]
Resource = Literal["flash", "ram", "arena", "instructions", "latency_p99"]
Text = Annotated[str, Field(min_length=1, max_length=2000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The most that a figure may lose (old - new, a fraction). `label` is the class; empty for accuracy, and for
    macro_f1, the mean over `labels`; EC57's measures are of V and S."""

    name: Text
    measure: Measure
    max_loss: Annotated[float, Field(gt=0.0, lt=1.0)]
    rationale: Text
    label: str = ""
    labels: Annotated[tuple[Text, ...], Field(max_length=256)] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the figure is about; none for accuracy."""
        return (self.label,) if self.label else self.labels


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceBound:
    """The most that a resource may grow, as a fraction of the old figure."""

    resource: Resource
    max_increase: Annotated[float, Field(ge=0.0, le=10.0)]
    rationale: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePlan:
    """One plan file. `digest` is the SHA-256 of its bytes, never a key of the file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
    title: Text
    may_change: tuple[Subject, ...]
    bounds: Annotated[tuple[Bound, ...], Field(min_length=1, max_length=100)]
    resources: Annotated[tuple[ResourceBound, ...], Field(max_length=5)] = ()
    reference: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    digest: str = ""


def load_plan(path: Path) -> ChangePlan:
    """FileMissingError, or ConfigError (2) with all mistakes of the file."""
    table = read_toml(path, "change plan")
    mistakes = ["digest: unknown key; it is computed from the file"] if "digest" in table else []
    bounds = table.get("bounds")
    for i, bound in enumerate(bounds if isinstance(bounds, list) else ()):
        if not isinstance(bound, dict):
            continue
        macro, labels = bound.get("measure") == "macro_f1", bound.get("labels") or []
        if (macro or bound.get("measure") == "accuracy") == bool(bound.get("label")):
            mistakes.append(
                f"bounds[{i}].label: accuracy is over all classes and macro_f1 over those in labels; every other "
                "measure belongs to one"
            )
        if isinstance(labels, list) and (len(set(map(str, labels))) < 2 if macro else labels):
            mistakes.append(f"bounds[{i}].labels: two different classes or more for macro_f1, none for other measures")
        mistakes += beyond_ec57(f"bounds[{i}]", bound)
    for key, name in (("bounds", "name"), ("resources", "resource")):
        items = table.get(key)
        names = [str(item.get(name)) for item in (items if isinstance(items, list) else ()) if isinstance(item, dict)]
        mistakes += [
            f"{key}.{name}: '{one}' appears twice" for one in sorted({one for one in names if names.count(one) > 1})
        ]
    try:
        plan = parse_table(ChangePlan, {**table, "digest": sha256_hex(path.read_bytes())}, path)
    except ConfigError as error:
        raise ConfigError(path, [*error.mistakes, *mistakes]) from error
    if mistakes:
        raise ConfigError(path, mistakes)
    return plan
