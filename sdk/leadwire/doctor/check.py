"""What a look at something found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`ok` False is not an error: `remedy` says what would need it, or what to do. `code` names a finding of a port for
    programs and for the manual ('port-busy'), empty where nothing is wrong."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    version: str
    checks: tuple[Check, ...]
