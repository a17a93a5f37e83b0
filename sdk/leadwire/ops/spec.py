"""The contract of one operator: rules, MACs, memory behaviour and the kernel calls that `aot` emits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from leadwire.model.graph import Model, Operator

PORTABLE: Final = "portable"
SIMD: Final = "simd"
BACKWARD: Final = "plan:backward"
Extension = Literal["dsp", "mve", "simd"]
"""Instructions that a core may have: 'dsp' are those of Armv7E-M and Armv8-M (SMLAD, SXTB16, SMMLAR), 'mve' the vectors
of Armv8.1-M, 'simd' those of the computer that leadwire runs on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`text` says what must hold ("batch size is 1"), `remedy` what to do when it does not.

    Rules of an operator are tried in order and the first that fails is reported, so that a later one may rely on what
    an earlier one has made sure of.
    """

    text: str
    holds: Callable[[Model, Operator], bool]
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A table the kernel reads from flash: weights, biases, rescales.

    `ctype` as in C ('int8_t', 'int32_t', 'lw_rescale'). A table of structs has one row of values per element.
    """

    suffix: str
    ctype: str
    values: tuple[int, ...]
    comment: str = ""
    row: int = 1
    """Values per element: 1 for numbers, the number of fields for structs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCall:
    """How one operator becomes C.

    `function(&params, <arguments>)`. `source` is the kernel's file under runtime/kernels. `params_type` is the struct
    of leadwire's runtime, `params` its designated initializers in order (field, C expression; BACKWARD is 1 where the
    plan wants the kernel to walk so). `arguments` are tokens in call order: 'in0', 'in1', 'out0', 'out1' (arena
    pointers, or the constant tensor where the input is one; 'in0:bytes' for its bytes whatever its type), 'scratch'
    (the operator's scratch, as 32-bit words; 'scratch:halves' as int16, 'scratch:bytes' as int8) or 'const:<suffix>'.
    `also` are further files of runtime/kernels that it calls, `header` one of runtime/ beside those that all kernels
    need.
    """

    function: str
    source: str
    params_type: str
    params: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...]
    constants: tuple[Constant, ...] = ()
    also: tuple[str, ...] = ()
    header: str = ""


def no_scratch(model: Model, operator: Operator) -> int:
    return 0


def no_reuse(model: Model, operator: Operator) -> tuple[int, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How an input and output 0 of a kernel may overlap, so that every byte is read before something is written there.

    `below`: the output starts at least so many bytes below the input. `above`: or at least so many above it, and the
    kernel then walks backward; None: it cannot. Both may be negative. `position` is the input's.
    """

    below: int
    above: int | None = None
    position: int = 0


def no_overlap(model: Model, operator: Operator) -> Distance | None:
    return None


def no_macs(model: Model, operator: Operator) -> int:
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A second kernel of an operator for cores with `extension`, None: for any, with the bytes of the portable one.

    `packs` names the kernel that it may stand in for where weights take few values: smaller, and slower (packed.py).
    `fits` says whether it can do this operator. `extra_bytes` is what its tables take in flash beyond the portable
    kernel's, `saved` an estimate of the instructions that this saves against the variant that takes none; where that is
    `worth` instructions for each byte, it is taken whatever flash is to spare. `in_place`, `distance` and
    `scratch_bytes` are as in OperatorSpec.
    """

    name: str
    extension: Extension | None
    fits: Callable[[Model, Operator], bool]
    emit: Callable[[Model, Operator], tuple[KernelCall, ...]]
    in_place: Callable[[Model, Operator], tuple[int, ...]] = field(default=no_reuse)
    distance: Callable[[Model, Operator], Distance | None] = field(default=no_overlap)
    scratch_bytes: Callable[[Model, Operator], int] = field(default=no_scratch)
    extra_bytes: Callable[[Model, Operator], int] = field(default=no_scratch)
    saved: Callable[[Model, Operator], int] = field(default=no_macs)
    worth: float = math.inf
    packs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSpec:
    """`emit` None marks a no-copy operator: output and input 0 are the same bytes (RESHAPE).

    `emit` is called only for operators that keep all rules; it returns the calls that do the work, in order.
    `in_place` gives the input positions whose buffer the kernel may overwrite with output 0 (same size or larger).
    `distance` is how an input and output 0 may overlap, None where they must not. `left_out` says when the readers of
    output 0 do its work instead: it is no copy then, and the bytes of input 0 stand for it (padding.py).
    """

    kind: str
    rules: tuple[Rule, ...]
    emit: Callable[[Model, Operator], tuple[KernelCall, ...]] | None
    macs: Callable[[Model, Operator], int] = field(default=no_macs)
    in_place: Callable[[Model, Operator], tuple[int, ...]] = field(default=no_reuse)
    distance: Callable[[Model, Operator], Distance | None] = field(default=no_overlap)
    scratch_bytes: Callable[[Model, Operator], int] = field(default=no_scratch)
    variants: tuple[Variant, ...] = ()
    """Best first; the kernel above is the portable one, whose bytes they all give."""
    left_out: Rule | None = None

    def is_no_copy(self, model: Model, operator: Operator) -> bool:
        return self.emit is None or (self.left_out is not None and self.left_out.holds(model, operator))

    def using(self, variant: str) -> OperatorSpec:
        """This operator done by the variant of that name; ValueError where it has none."""
        if variant == PORTABLE:
            return self
        for found in self.variants:
            if found.name == variant:
                return replace(
                    self,
                    emit=found.emit,
                    in_place=found.in_place,
                    distance=found.distance,
                    scratch_bytes=found.scratch_bytes,
                )
        raise ValueError(f"{self.kind} has no variant '{variant}'")
