"""The cores that firmware is compiled for, and what each compiler must be told about them.

Zig's bare cpu names leave the FPU off even for the hard-float ABI, so the features are written out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from leadwire.ops.spec import Extension


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """`zig_cxx_target` is a target for which zig has headers of a C++ library; its objects keep to the same ABI.

    `exception_frame_bytes`: what the core pushes on interrupt entry at worst, alignment included (Arm DDI 0403E
    B1.5.7: 8 words, 26 with floating point, and 4 bytes of padding). `gcc_flags` None: not a target of Arm's gcc.
    """

    name: str
    zig_target: str
    zig_cxx_target: str
    zig_cpu: str
    gcc_flags: tuple[str, ...] | None
    exception_frame_bytes: int
    extensions: frozenset[Extension] = frozenset()


_WITH: Mapping[Extension, tuple[str, ...]] = {
    "dsp": ("cortex-m4", "cortex-m4f", "cortex-m7f", "cortex-m33f", "cortex-m55"),
    "mve": ("cortex-m55",),
}


def _arm(name: str, zig_cpu: str, fpu: str = "") -> Core:
    abi = ("-mfloat-abi=hard", f"-mfpu={fpu}") if fpu else ("-mfloat-abi=soft",)
    return Core(
        name=name,
        zig_target="thumb-freestanding-eabihf" if fpu else "thumb-freestanding-eabi",
        zig_cxx_target="thumb-linux-musleabihf" if fpu else "thumb-linux-musleabi",
        zig_cpu=zig_cpu,
        gcc_flags=(f"-mcpu={name.removesuffix('f')}", "-mthumb", *abi),
        exception_frame_bytes=108 if fpu else 36,
        extensions=frozenset(extension for extension, names in _WITH.items() if name in names),
    )


def _riscv(name: str, zig_cpu: str) -> Core:
    return Core(
        name=name,
        zig_target="riscv32-freestanding-none",
        zig_cxx_target="riscv32-linux-musl",
        zig_cpu=zig_cpu,
        gcc_flags=None,
        exception_frame_bytes=0,
    )


CORES: Mapping[str, Core] = MappingProxyType(
    {
        core.name: core
        for core in (
            _arm("cortex-m0", "cortex_m0"),
            _arm("cortex-m3", "cortex_m3"),
            _arm("cortex-m4", "cortex_m4"),
            _arm("cortex-m4f", "cortex_m4+vfp4d16sp", "fpv4-sp-d16"),
            _arm("cortex-m7f", "cortex_m7+fp_armv8d16", "fpv5-d16"),
            _arm("cortex-m33f", "cortex_m33+dsp+fp_armv8d16sp", "fpv5-sp-d16"),
            _arm("cortex-m55", "cortex_m55+mve_fp+fp_armv8d16", "auto"),  # with MVE, integer and floating point
            _riscv("rv32imc", "generic_rv32+m+c"),
            _riscv("rv32imac", "generic_rv32+m+a+c"),
        )
    }
)
