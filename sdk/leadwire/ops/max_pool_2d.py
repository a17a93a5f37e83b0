"""MAX_POOL_2D: the largest value of each window."""

from __future__ import annotations

from .pooling import pool

SPEC = pool("MAX_POOL_2D", "lw_max_pool_2d_s8", "max_pool_2d_s8.c")
