"""MAX_POOL_2D: the largest value of each window."""

from __future__ import annotations

from .pooling import pool

SPEC = pool("MAX_POOL_2D")
