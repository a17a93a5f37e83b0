"""ADD, with kernels for several cores."""

from __future__ import annotations

from .add_dsp import DSP, MVE, SIMD_VARIANT
from .addition import addition

SPEC = addition("ADD", sign_b=1, variants=(SIMD_VARIANT, MVE, DSP))
