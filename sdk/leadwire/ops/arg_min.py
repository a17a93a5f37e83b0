"""ARG_MIN: the index of the smallest value."""

from __future__ import annotations

from .reduction import position

SPEC = position("ARG_MIN", minimum=True)
