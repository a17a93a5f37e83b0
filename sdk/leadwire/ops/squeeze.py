"""SQUEEZE: dimensions of size 1 less; nothing is copied."""

from __future__ import annotations

from .reshape import no_copy

SPEC = no_copy("SQUEEZE", optional=0)
