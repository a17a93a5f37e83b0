"""REDUCE_MIN over neighbouring dimensions."""

from __future__ import annotations

from .reduction import extremum

SPEC = extremum("REDUCE_MIN", minimum=True)
