"""TFLite Micro's arena, computed from the model: what `arena_used_bytes` will say and what must be provided.

The arena holds, from its start, tensors and scratch buffers (`greedy`), and from its end downwards what lasts: the
interpreter's objects, a record for each tensor and operator, each kernel's data (`kernels`, `layout`). Preparing the
model needs room between the two for a while: the tensors that a kernel looks at, the notes of scratch requests and the
planner's tables. With small tensors that is more than the arena holds afterwards, and `arena_used_bytes` does not tell.
So this module does in order what AllocateTensors does, and keeps the highest water mark.
"""

from __future__ import annotations

from .kernels import REFUSED, Extension, Kernels
from .layout import Abi
from .plan import plan_tflm
from .prediction import ArenaPrediction, ArenaShare, host_record, predict_arena
from .sizes import ArenaSizes, arena_sizes, trust_arena

__all__ = [
    "REFUSED",
    "Abi",
    "ArenaPrediction",
    "ArenaShare",
    "ArenaSizes",
    "Extension",
    "Kernels",
    "arena_sizes",
    "host_record",
    "plan_tflm",
    "predict_arena",
    "trust_arena",
]
