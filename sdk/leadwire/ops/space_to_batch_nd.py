"""SPACE_TO_BATCH_ND: every n-th value together, so that a dilated convolution becomes one without dilation."""

from __future__ import annotations

from .space import in_blocks

SPEC = in_blocks("SPACE_TO_BATCH_ND", to_batch=True, edges="paddings")
