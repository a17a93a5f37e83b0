"""SUM over neighbouring dimensions, as MEAN without the division."""

from __future__ import annotations

from .mean import reduction

SPEC = reduction("SUM", divided=False)
