"""REDUCE_MAX over neighbouring dimensions: global maximum pooling."""

from __future__ import annotations

from .reduction import extremum

SPEC = extremum("REDUCE_MAX", minimum=False)
