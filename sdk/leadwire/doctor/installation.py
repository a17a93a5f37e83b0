"""What this installation has: toolchains, emulators, witnesses, data, ports; and what would need the rest."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from leadwire import __version__, reference
from leadwire.build.cores import CORES, Core
from leadwire.build.tflm import VARIABLE, Tflm, find_tflm
from leadwire.build.tflm_tree import TflmTree, find_tree
from leadwire.build.toolchain import find_toolchain
from leadwire.datasets import list_datasets
from leadwire.device.port import list_ports
from leadwire.emulator.qemu import RISCV_PROGRAM, qemu_version
from leadwire.errors import BuildError, LeadwireError
from leadwire.model.graph import Model
from leadwire.model.tflite import read_tflite
from leadwire.pipeline.environment import tool_versions
from leadwire.project import load_project

from .check import Check, Diagnosis

_TFLM = "TensorFlow Lite Micro"
_TFLM_MACHINES: tuple[tuple[str, Core | None], ...] = (
    ("Arm hard float", CORES["cortex-m4f"]),
    ("Arm soft float", CORES["cortex-m4"]),
    ("this computer", None),
)
"""One core for each kind of library that there is."""


def diagnose(source: Path | None = None) -> Diagnosis:
    """`source`: a project, whose [tflm] path counts, or a model; whether TFLite Micro has its operators is told too."""
    folder, model = _asked(source)
    return Diagnosis(
        version=__version__,
        checks=(
            Check(
                name="leadwire",
                ok=True,
                found=f"{__version__}, {platform.python_implementation()} "
                f"{platform.python_version()} on {platform.system()} {platform.machine()}",
            ),
            Check(
                name="packages", ok=True, found=", ".join(f"{name} {number}" for name, number in tool_versions()[1:])
            ),
            _tool("default toolchain", lambda: find_toolchain("zig").version),
            _tool("Arm GCC", lambda: find_toolchain("arm-none-eabi-gcc").version),
            _tool("QEMU", qemu_version),
            _tool("QEMU for RISC-V", partial(qemu_version, RISCV_PROGRAM)),
            _witness(),
            *_tflm_checks(folder, model),
            _browser(),
            _data(),
            Check(name="datasets", ok=True, found=", ".join(list_datasets())),
            _ports(),
        ),
    )


def _tool(name: str, version: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, found=version())
    except LeadwireError as error:
        return Check(name=name, ok=False, found=error.message, remedy=error.hint)


def _witness() -> Check:
    ok = reference.has_tflm()
    return Check(
        name="witness of the device's bytes",
        ok=ok,
        found="TensorFlow Lite Micro's interpreter" if ok else "none",
        remedy=""
        if ok
        else "the package tflite-micro exists for Linux on x86-64 alone; without it, device and host run "
        "the same generated C, which is no independent witness",
    )


def _asked(source: Path | None) -> tuple[Path | None, Model | None]:
    """The TFLite Micro folder that a project names, and the model: the one given or the project's quantized one."""
    if source is None:
        return None, None
    if source.suffix != ".toml":
        return None, read_tflite(source)
    project = load_project(source)
    quantized = project.output / f"{project.settings.name}.tflite"
    return project.tflm, read_tflite(quantized) if quantized.exists() else None


def _tflm_checks(folder: Path | None, model: Model | None) -> tuple[Check, ...]:
    """Each library of the folder that some machine here can be linked with, and what it lacks for the model."""
    checks = []
    absent: BuildError | None = None
    for label, core in _TFLM_MACHINES:
        try:
            found = find_tflm(folder, core)
        except BuildError as error:
            absent = absent or error
            continue
        checks.append(Check(name=f"{_TFLM}, {label}", ok=True, found=f"{found.described} in {found.library}"))
        if model is not None:
            checks.append(_operators(found, model, label))
    if checks or absent is None:
        return tuple(checks)
    named = folder or Path(os.environ.get(VARIABLE) or "/nonexistent")
    tree = find_tree(named.expanduser())
    if tree is not None:
        place = f"{tree.described} in {tree.folder}; a library must be built of it for 'bench' and 'run'"
        checks = [Check(name=f"{_TFLM}, {tree.kind}", ok=True, found=place)]
        return (*checks, *(() if model is None else (_operators(tree, model, tree.kind),)))
    return (Check(name=_TFLM, ok=False, found=absent.message, remedy=absent.hint),)


def _operators(found: Tflm | TflmTree, model: Model, label: str) -> Check:
    kinds = {operator.kind for operator in model.operators}
    name = f"operators of '{model.name}', {label}"
    missing = sorted(kinds - found.operators)
    if missing:
        return Check(
            name=name,
            ok=False,
            found=f"no kernel for {', '.join(missing)}",
            remedy="build TensorFlow Lite Micro with these kernels, take a newer one, or use the backend aot",
        )
    if model.per_channel_dense and not found.every_scale:
        return Check(
            name=name,
            ok=False,
            found=f"it reads one scale of each FULLY_CONNECTED, {model.describe(model.per_channel_dense[0])} has more",
            remedy="take a version from after September 2024, or quantize with per-tensor Dense layers",
        )
    return Check(name=name, ok=True, found=f"all {len(kinds)} are in it")


def _browser() -> Check:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return Check(
        name="browser", ok=found is not None, found=found or "none", remedy="only leadwire's own tests need one"
    )


def _data() -> Check:
    folder = os.environ.get("LEADWIRE_DATA", "")
    ok = bool(folder) and Path(folder).is_dir()
    found = folder if ok else f"'{folder}' is not a folder" if folder else "LEADWIRE_DATA is not set"
    return Check(
        name="recordings",
        ok=ok,
        found=found,
        remedy="download https://physionet.org/content/mitdb/1.0.0/ to FOLDER/mitdb and set LEADWIRE_DATA=FOLDER",
    )


def _ports() -> Check:
    ports = list_ports()
    return Check(
        name="serial ports",
        ok=bool(ports),
        found=", ".join(ports) or "none",
        remedy="connect a board; emulated boards bring their own port",
    )
