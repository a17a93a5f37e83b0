"""Words that several records share, and the digest they name each other by."""

from __future__ import annotations

import hashlib
from typing import Literal

Basis = Literal["planned", "linked", "estimated", "emulated", "measured", "published"]


Verdict = Literal["pass", "fail", "inconclusive"]


Backend = Literal["aot", "tflm"]


QuantizationMode = Literal["int8", "int16x8"]
"""Activations of int8, or of int16 beside int8 weights (TFLite's 16x8): twice the RAM, less error."""


Goal = Literal["size", "balanced", "speed"]


Personality = Literal["bench", "mlperf", "mlperf-energy"]
"""What the firmware around a model speaks: leadwire's link, or the protocol of MLPerf Tiny in one of its two modes."""


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
