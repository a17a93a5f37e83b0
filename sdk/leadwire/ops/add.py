"""ADD: its factors are formed in double."""

from __future__ import annotations

from .add_dsp import DSP, MVE, SIMD_VARIANT, rescales_of
from .addition import addition

SPEC = addition("ADD", sign_b=1, rescales_of=rescales_of, variants=(SIMD_VARIANT, MVE, DSP))
