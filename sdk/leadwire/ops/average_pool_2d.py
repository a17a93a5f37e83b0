"""AVERAGE_POOL_2D: the mean of each window's values inside the input, halves away from 0."""

from __future__ import annotations

from .pooling import pool

SPEC = pool("AVERAGE_POOL_2D")
