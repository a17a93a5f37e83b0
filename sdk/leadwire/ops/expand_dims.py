"""EXPAND_DIMS: one dimension of size 1 more; nothing is copied."""

from __future__ import annotations

from .reshape import no_copy

SPEC = no_copy("EXPAND_DIMS", optional=1)
