"""ARG_MAX: the class with the highest score, as an index."""

from __future__ import annotations

from .reduction import position

SPEC = position("ARG_MAX", minimum=False)
