"""BATCH_TO_SPACE_ND: values back to where SPACE_TO_BATCH_ND took them from."""

from __future__ import annotations

from .space import in_blocks

SPEC = in_blocks("BATCH_TO_SPACE_ND", to_batch=False, edges="crops")
