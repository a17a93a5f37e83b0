"""PADV2: a constant around the input."""

from __future__ import annotations

from .pad import pad

SPEC = pad("PADV2", values=1)
