"""TensorFlow Lite Micro as the user has it: a folder with headers and libtensorflow-microlite.a.

The folder is given, or named by LEADWIRE_TFLM. Headers lie in it or in its include/, the library anywhere below it;
with libraries for several machines the one for the board is taken. What the folder leaves open is read from the
library: which operators it has and whose kernels they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leadwire.build.archive import Library, read_library
from leadwire.build.cores import Core
from leadwire.errors import BuildError

VARIABLE = "LEADWIRE_TFLM"
LIBRARY = "libtensorflow-microlite.a"
HEADER = Path("tensorflow/lite/micro/micro_interpreter.h")
_DENSE = Path("tensorflow/lite/micro/kernels/fully_connected.h")
_FLATBUFFERS = Path("flatbuffers/flatbuffers.h")
_DEPTH = 6
_REGISTER = re.compile(r"_ZN6tflite(?:5micro)?\d+Register_([A-Z0-9_]+)Ev")
"""In tflite, and since October 2026 in tflite::micro."""
_VERSION = re.compile(r"^\s*version\s*[:=]\s*[\"']?([0-9A-Za-z.+~_-]{1,64})", re.MULTILINE)
_WHOLE_VERSION = re.compile(r"\A\s*([0-9A-Za-z.+~_-]{1,64})\s*\Z")
_OF_ONE_TYPE = re.compile(r"_INT\d+$")

TflmKernels = Literal["reference", "CMSIS-NN", "ESP-NN"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tflm:
    """`operators` are TFLite's names of those in the library. `version` is what the folder says, else the library's
    digest: TensorFlow Lite Micro has no releases. `every_scale`: by its headers, FULLY_CONNECTED reads a scale for each
    output, as it does since September 2024; the glue of a model that has them does not compile otherwise."""

    folder: Path
    include: tuple[Path, ...]
    library: Path
    library_digest: str
    machine: str
    version: str
    kernels: TflmKernels
    operators: frozenset[str]
    every_scale: bool

    @property
    def defines(self) -> tuple[str, ...]:
        """What the glue must be compiled with: structures look as in the library, registrations are those it has."""
        kernels = {"CMSIS-NN": ("-DCMSIS_NN",), "ESP-NN": ("-DESP_NN",)}.get(self.kernels, ())
        return ("-DTF_LITE_STATIC_MEMORY", "-DTF_LITE_STRIP_ERROR_STRINGS", "-DNDEBUG", *kernels)

    @property
    def described(self) -> str:
        return f"TensorFlow Lite Micro {self.version}, {self.kernels} kernels, {len(self.operators)} operators"


def find_tflm(folder: Path | str | None = None, core: Core | None = None) -> Tflm:
    """The library for a core (None: for this computer) in `folder`, or in the folder that LEADWIRE_TFLM names.

    BuildError: no folder, no headers, no library, none for that machine, more than one.
    """
    named = str(folder) if folder is not None else os.environ.get(VARIABLE, "")
    if not named:
        raise BuildError(
            f"backend tflm needs TensorFlow Lite Micro, and {VARIABLE} is not set",
            hint=f"set {VARIABLE} to a folder with its headers and {LIBRARY}",
        )
    root = Path(named).expanduser()
    if not root.is_dir():
        raise BuildError(f"TensorFlow Lite Micro: '{root}' is not a folder", hint=f"check {VARIABLE} or [tflm] path")
    include = _include(root)
    library = _choose(root, core)
    return Tflm(
        folder=root,
        include=include,
        library=library.path.resolve(),
        library_digest=library.digest,
        machine=library.machine,
        version=read_version(root) or f"library {library.digest[:12]}",
        kernels=_kernels(library.symbols),
        operators=_operators(library.symbols),
        every_scale=reads_every_scale(include),
    )


def require_operators(tflm: Tflm, kinds: Iterable[str]) -> None:
    """BuildError naming every operator kind that the library lacks."""
    missing = sorted(set(kinds) - tflm.operators)
    if missing:
        raise BuildError(
            f"'{tflm.library}' has no kernel for {', '.join(missing)}",
            f"it has {', '.join(sorted(tflm.operators)) or 'none'}",
            hint="build TensorFlow Lite Micro with these kernels, take a newer one, or use the backend aot",
        )


def _include(root: Path) -> tuple[Path, ...]:
    base = next((each for each in (root / "include", root) if (each / HEADER).is_file()), None)
    if base is None:
        raise BuildError(
            f"'{root}' has no headers of TensorFlow Lite Micro: {HEADER} is neither there nor in include/",
            hint="copy the headers of its source tree there, with those of flatbuffers, gemmlowp and ruy",
        )
    below = ("", "third_party/flatbuffers/include", "third_party/gemmlowp", "third_party/ruy")
    include = tuple((base / each).resolve() for each in below if (base / each).is_dir())
    if not any((each / _FLATBUFFERS).is_file() for each in include):
        raise BuildError(
            f"'{base}' has no headers of flatbuffers, which those of TensorFlow Lite Micro include",
            hint=f"copy the folder flatbuffers next to tensorflow, so that there is {base / _FLATBUFFERS}",
        )
    return include


def _choose(root: Path, core: Core | None) -> Library:
    paths = sorted(path for path in root.rglob(LIBRARY) if len(path.relative_to(root).parts) <= _DEPTH)
    if not paths:
        raise BuildError(f"'{root}' has no {LIBRARY}", hint="build TensorFlow Lite Micro's target 'microlite' for it")
    libraries = [read_library(path) for path in paths]
    fitting = [library for library in libraries if _fits(library, core)]
    if not fitting:
        wanted = "this computer" if core is None else f"{core.name}, {_abi(_is_hard(core))}"
        found = "\n".join(f"{one.path}: {one.machine}, {_abi(one.hard_float)}" for one in libraries)
        raise BuildError(
            f"'{root}' has no {LIBRARY} for {wanted}", found, hint="build it for that machine and float ABI"
        )
    if len(fitting) > 1:
        listed = "\n".join(str(one.path) for one in fitting)
        raise BuildError(
            f"'{root}' has more than one {LIBRARY} that fits", listed, hint="name the folder of one of them"
        )
    return fitting[0]


def _fits(library: Library, core: Core | None) -> bool:
    if core is None:
        return library.machine == {"x86_64": "x86-64", "AMD64": "x86-64"}.get(_machine(), _machine())
    if core.gcc_flags is None:
        return library.machine == "riscv"
    return library.machine == "arm" and library.hard_float == _is_hard(core)


def _machine() -> str:
    import platform

    return platform.machine()


def _is_hard(core: Core) -> bool:
    return "-mfloat-abi=hard" in (core.gcc_flags or ())


def _abi(hard: bool | None) -> str:
    return {True: "hard float", False: "soft float", None: "float ABI as usual"}[hard]


def _kernels(symbols: frozenset[str]) -> TflmKernels:
    if "arm_convolve_wrapper_s8" in symbols or any("Register_CONV_2D_INT8" in symbol for symbol in symbols):
        return "CMSIS-NN"
    return "ESP-NN" if any(symbol.startswith("esp_nn_") for symbol in symbols) else "reference"


def _operators(symbols: frozenset[str]) -> frozenset[str]:
    kinds = (found[1] for symbol in symbols if (found := _REGISTER.fullmatch(symbol)))
    return frozenset(kind for kind in kinds if not _OF_ONE_TYPE.search(kind))


def reads_every_scale(include: Iterable[Path]) -> bool:
    """Whether the headers below these folders are from after September 2024, see `Tflm`."""
    header = next((path for each in include if (path := each / _DENSE).is_file()), None)
    return header is not None and "is_per_channel" in header.read_text(encoding="utf-8", errors="replace")


def read_version(root: Path) -> str:
    for name in ("VERSION", "idf_component.yml", "library.properties", "library.json"):
        path = root / name
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")[:65536]
            found = (
                re.fullmatch(r"\s*([0-9A-Za-z.+~_-]{1,64})\s*", text) if name == "VERSION" else _VERSION.search(text)
            )
            if found:
                return found[1]
    return ""
