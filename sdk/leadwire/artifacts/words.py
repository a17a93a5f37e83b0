"""Words that several records share, and the digest they name each other by."""

from __future__ import annotations

import hashlib
from typing import Literal

Basis = Literal["planned", "linked", "estimated", "emulated", "measured", "published"]


Verdict = Literal["pass", "fail", "inconclusive"]


Backend = Literal["aot", "tflm"]


QuantizationMode = Literal["int8", "int16x8", "mixed", "dynamic", "fp16"]
"""int8: weights and activations. int16x8: activations of int16 beside int8 weights, twice the RAM, less error. mixed:
int8 with the layers that lose most kept at int16x8 or in float. dynamic: int8 weights, float activations. fp16: float16
weights, float activations. The last two, and mixed with float layers, run on hosts alone."""


Calibrator = Literal["minmax", "percentile", "mse", "entropy"]
"""How an activation's range is set: by the lowest and the highest value, percentiles, the least squared error, or the
least relative entropy of its distribution."""


Goal = Literal["size", "balanced", "speed"]


Personality = Literal["bench", "mlperf", "mlperf-energy"]
"""What the firmware around a model speaks: leadwire's link, or the protocol of MLPerf Tiny in one of its two modes."""


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
