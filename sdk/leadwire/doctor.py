"""What this installation has: toolchains, emulators, witnesses, data, ports; and what would need the rest."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leadwire import __version__, reference
from leadwire.build.toolchain import find_toolchain
from leadwire.datasets import list_datasets
from leadwire.device.port import list_ports
from leadwire.emulator.qemu import qemu_version
from leadwire.errors import LeadwireError
from leadwire.pipeline.line import tool_versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`ok` False is not an error: `remedy` says what would need it."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    version: str
    checks: tuple[Check, ...]


def diagnose() -> Diagnosis:
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
            _witness(),
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
