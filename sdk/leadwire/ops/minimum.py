"""MINIMUM of two tensors of one scale."""

from __future__ import annotations

from .maximum import extremum

SPEC = extremum("MINIMUM", minimum=True)
