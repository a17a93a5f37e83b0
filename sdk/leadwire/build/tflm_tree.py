"""TensorFlow Lite Micro as sources: a Zephyr module, an ESP-IDF component, an Arduino library, or its own tree.

Such a folder is compiled by its ecosystem's build, along with a package of ours; leadwire reads from it what the glue
depends on. Which of several kernels are compiled is the build's choice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from leadwire.build.tflm import HEADER, read_version, reads_every_scale

_KINDS = (
    ("zephyr/module.yml", "Zephyr module"),
    ("idf_component.yml", "ESP-IDF component"),
    ("library.properties", "Arduino library"),
)
_KERNELS = (("", "reference"), ("cmsis_nn", "CMSIS-NN"), ("esp_nn", "ESP-NN"))
_DECLARED = re.compile(r"\bRegister_([A-Z0-9_]+?)(?:_INT\d+)?\(\)")
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TflmTree:
    """`operators` are those that the headers declare; `every_scale` as in `Tflm`."""

    folder: Path
    kind: str
    version: str
    kernels: tuple[str, ...]
    operators: frozenset[str]
    every_scale: bool

    @property
    def described(self) -> str:
        kernels = " or ".join(self.kernels) or "no known"
        version = f" {self.version}" if self.version else ""
        return f"TensorFlow Lite Micro{version} as sources, {kernels} kernels, {len(self.operators)} operators"


def find_tree(folder: Path) -> TflmTree | None:
    """What lies in `folder`, None where its sources are not there."""
    base = next((each for each in (folder, folder / "src") if (each / HEADER).is_file()), None)
    if base is None:
        return None
    kernels = base / HEADER.parent / "kernels"
    headers = (path.read_text("utf-8", "replace")[:_LIMIT] for path in sorted(kernels.glob("*.h")))
    return TflmTree(
        folder=folder,
        kind=next((kind for name, kind in _KINDS if (folder / name).is_file()), "source tree"),
        version=read_version(folder),
        kernels=tuple(name for below, name in _KERNELS if any((kernels / below).glob("conv.c*"))),
        operators=frozenset(kind for text in headers for kind in _DECLARED.findall(text)),
        every_scale=reads_every_scale((base,)),
    )
