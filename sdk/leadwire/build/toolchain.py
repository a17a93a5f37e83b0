"""The C compilers: which command lines, which version, and what happens when one is missing or fails.

Both compile each source on its own, in the project's folder and by relative path, without debug information, so that
the same sources give the same bytes in any folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from leadwire.artifacts import Backend
from leadwire.build.cores import Core
from leadwire.errors import BuildError
from leadwire.resources import FIRMWARE_TEMPLATES

ToolchainName = Literal["auto", "zig", "arm-none-eabi-gcc"]
ENTRY = "lw_reset_handler"
TIME_LIMIT_S = 600.0

WARNINGS = (
    "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Wvla", "-Wdouble-promotion",
    "-Wdate-time", "-Werror",
)  # fmt: skip
CODE = ("-std=c99", "-fomit-frame-pointer", "-O2", "-g0", "-ffunction-sections", "-fdata-sections", "-fno-common")
CXX_WARNINGS = tuple(flag for flag in WARNINGS if flag != "-Wstrict-prototypes")
CXX_CODE = ("-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", *CODE[1:])
FIRMWARE = ("-ffreestanding", "-fno-exceptions", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables")
LINK = (
    "-Wl,--gc-sections", "-Wl,--build-id=none", f"-Wl,-e,{ENTRY}", "-Wl,-z,max-page-size=4096", "-Wl,--print-map",
)  # fmt: skip


def cache_folder() -> Path:
    """Where compilers keep what may be deleted at any time: LEADWIRE_CACHE, or ~/.cache/leadwire."""
    chosen = os.environ.get("LEADWIRE_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "leadwire"


@dataclass(frozen=True, slots=True)
class Toolchain(ABC):
    """One compiler driver; `command` is the argv that starts it."""

    command: tuple[str, ...]
    version: str

    @abstractmethod
    def target(self, core: Core) -> tuple[str, ...]:
        """Flags for compiling and linking for a core."""

    @property
    def cxx_command(self) -> tuple[str, ...]:
        return self.command

    @property
    def stack_flags(self) -> tuple[str, ...]:
        """Flags that make the compiler tell the stack frame of each function."""
        return ()

    @property
    def libraries(self) -> tuple[str, ...]:
        return ()

    @property
    def cxx_libraries(self) -> tuple[str, ...]:
        """What a C++ library is linked with."""
        return ()

    @property
    def support(self) -> tuple[Path, ...]:
        """C sources that stand in for the C library that a C++ library is linked with."""
        return ()

    def compile_flags(self, core: Core) -> tuple[str, ...]:
        return (*self.target(core), *CODE, *FIRMWARE, *self.stack_flags, *WARNINGS)

    def compile_cxx_flags(self, core: Core) -> tuple[str, ...]:
        return (*self.target(core), *CXX_CODE, *FIRMWARE, *self.stack_flags, *CXX_WARNINGS)

    def compile(self, flags: Sequence[str], source: str, folder: Path, output: Path) -> None:
        """Compiles one source of `folder`; BuildError with the compiler's words when it fails."""
        command = self.cxx_command if source.endswith(".cc") else self.command
        run([*command, *flags, "-c", source, "-o", str(output)], folder, f"'{source}' does not compile")

    def link(
        self, core: Core, script: str, objects: Sequence[Path], folder: Path, output: Path, library: Path | None = None
    ) -> str:
        """Links the objects in the order given, by names relative to their folder, and what a C++ `library` needs of
        the C and C++ libraries. The linker's map; BuildError when it fails."""
        group = ("-Wl,--start-group", str(library), *self.cxx_libraries, "-Wl,--end-group")
        libraries = self.libraries if library is None else group
        arguments = [*self.target(core), *LINK, "-T", script, *map(str, objects), *libraries, "-o", str(output)]
        return run([*self.command, *arguments], folder, "the firmware does not link")


class Zig(Toolchain):
    """Clang, LLD and compiler_rt of the pinned ziglang wheel.

    C++ is compiled with the headers of its libc++ and musl for Linux, but freestanding and with the enums of the bare
    EABI, as the Arm GCC made the library; nothing of musl is linked.
    """

    def target(self, core: Core) -> tuple[str, ...]:
        return ("-target", core.zig_target, f"-mcpu={core.zig_cpu}", "-fno-sanitize=all")

    @property
    def cxx_command(self) -> tuple[str, ...]:
        return (*self.command[:-1], "c++")

    @property
    def support(self) -> tuple[Path, ...]:
        return tuple(sorted((FIRMWARE_TEMPLATES / "libc").glob("*.c")))

    def compile_cxx_flags(self, core: Core) -> tuple[str, ...]:
        abi = ("-fshort-enums",) if core.gcc_flags is not None else ()
        target = ("-target", core.zig_cxx_target, f"-mcpu={core.zig_cpu}", "-fno-sanitize=all", *abi)
        return (*target, *CXX_CODE, *FIRMWARE, "-fno-stack-protector", *self.stack_flags, *CXX_WARNINGS)

    @property
    def stack_flags(self) -> tuple[str, ...]:
        return ("-fstack-size-section",)  # -fstack-usage files get lost in zig's cache


class ArmGcc(Toolchain):
    """Arm's GNU toolchain from the PATH, for a second opinion."""

    def target(self, core: Core) -> tuple[str, ...]:
        if core.gcc_flags is None:
            raise BuildError(f"arm-none-eabi-gcc does not compile for {core.name}", hint="use the toolchain 'zig'")
        return (*core.gcc_flags, "-nostdlib", "-nostartfiles")

    @property
    def stack_flags(self) -> tuple[str, ...]:
        return ("-fstack-usage",)

    @property
    def libraries(self) -> tuple[str, ...]:
        return ("-lgcc",)

    @property
    def cxx_libraries(self) -> tuple[str, ...]:
        return ("-lstdc++_nano", "-lm", "-lc_nano", "-lgcc")


def fitting(name: ToolchainName, backend: Backend) -> ToolchainName:
    """What 'auto' stands for: an interpreter's library was compiled by the Arm GCC, whose C library it may want."""
    if name != "auto":
        return name
    return "arm-none-eabi-gcc" if backend == "tflm" else "zig"


def find_toolchain(name: ToolchainName) -> Toolchain:
    """The installed toolchain of that name; BuildError with the remedy where there is none."""
    if name == "zig":
        if find_spec("ziglang") is None:
            raise BuildError("the Zig toolchain is not installed", hint="pip install 'ziglang==0.17.0'")
        command: tuple[str, ...] = (sys.executable, "-P", "-m", "ziglang")
        version = run([*command, "version"], Path.cwd(), "the Zig toolchain does not start").strip()
        return Zig((*command, "cc"), f"zig {version}")
    if name == "arm-none-eabi-gcc":
        found = shutil.which(name)
        if found is None:
            raise BuildError(
                "arm-none-eabi-gcc is not on the PATH",
                hint="apt install gcc-arm-none-eabi, or use the toolchain 'zig' that comes with leadwire",
            )
        version = run([found, "-dumpfullversion"], Path.cwd(), "arm-none-eabi-gcc does not start").strip()
        return ArmGcc((found,), f"arm-none-eabi-gcc {version}")
    raise BuildError(f"toolchain '{name}' is not known", hint="use 'zig' or 'arm-none-eabi-gcc'")


def run(argv: Sequence[str], folder: Path, failure: str, *, hint: str = "") -> str:
    """Runs a tool in `folder` and returns its standard output; BuildError `failure` with the tail of what it said of
    errors otherwise, or where it said nothing, of its output."""
    cache = cache_folder() / "zig"
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}  # no date is used
    environment |= {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache), "LC_ALL": "C"}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{failure}: no end after {TIME_LIMIT_S:g} s") from error
    except OSError as error:
        raise BuildError(f"{failure}: {error}", hint="set LEADWIRE_CACHE to a folder that can be written") from error
    output, errors = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    if done.returncode != 0:
        raise BuildError(failure, errors if errors.strip() else output, hint=hint)
    return output
