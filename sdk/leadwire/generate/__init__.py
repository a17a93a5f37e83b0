"""Stage generate: a full-integer model becomes C sources, with the bench firmware of a board around them.

A backend is a module of this package with `write_model(model, plan, *, host, golden, source, options) -> ModelPart`; it
is found by its name. `source` is the model's file, which an interpreter reads as it is and aot does not need.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import leadwire
from leadwire.artifacts import Backend, FirmwareProject, MemoryPlan, Personality, sha256_hex
from leadwire.board import Board
from leadwire.errors import BadInputError
from leadwire.mlperf_tiny import mlperf_defines
from leadwire.model.graph import Model

from .firmware import FAST_DEFINES, FirmwarePart, firmware_for
from .project import BackendOptions, GoldenVector, ModelPart, manifest, write_project

_NOTHING = FirmwarePart(files=(), sources=(), include_dirs=(), linker_script=None)


def backends() -> tuple[str, ...]:
    """Names of the backends, in alphabetical order."""
    modules = (importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
    return tuple(sorted(module.__name__.rpartition(".")[2] for module in modules if hasattr(module, "write_model")))


def generate_project(
    model: Model,
    plan: MemoryPlan,
    board: Board,
    out: Path,
    *,
    backend: Backend = "aot",
    self_test_input: bytes | None = None,
    self_test_output: bytes | None = None,
    source: bytes | None = None,
    options: BackendOptions | None = None,
    personality: Personality = "bench",
) -> FirmwareProject:
    """Write the sources of `model` for `board` into the folder `out` and say what is there.

    `self_test_input` and `self_test_output` are the bytes of all inputs and of all outputs in graph order that the
    golden self-test compiles in; the expected output comes from the reference interpreter. Without them the self-test
    of the firmware fails, because it has nothing to compare. A board whose engine is 'host' gets the model part alone,
    with an entry for a shared library, whatever the `personality`. `source` are the bytes of the model's file. The same
    arguments give the same bytes.

    UnsupportedModelError (3) for a model that cannot run as full INT8, BadInputError (2) for arguments that do not
    belong together and an `out` that cannot be written.
    """
    if plan.model_digest != model.digest:
        raise BadInputError(
            f"the memory plan belongs to model {plan.model_digest[:12]}, not to '{model.name}' {model.digest[:12]}",
            hint="plan the memory of this model",
        )
    if backend not in backends():
        raise BadInputError(f"backend '{backend}' does not exist", hint=f"use one of {', '.join(backends())}")
    golden = _golden(model, self_test_input, self_test_output)
    host = board.emulation is not None and board.emulation.engine == "host"
    part: ModelPart = importlib.import_module(f"{__name__}.{backend}").write_model(
        model, plan, host=host, golden=golden, source=source, options=options
    )
    fast = _fast_region(plan, board)
    firmware = _NOTHING if host else firmware_for(board, personality, fast)
    files = dict(part.files) | dict(firmware.files)
    defines: tuple[tuple[str, str], ...] = (("LW_WITH_OPERATOR_TABLE", "1"),)
    if not host:
        ram = next(region.size_bytes for region in board.memory if region.kind == "ram")
        defines += mlperf_defines(model, arena_bytes=part.arena_bytes, ram_bytes=ram, personality=personality)
        defines += tuple(FAST_DEFINES.items()) if fast else ()
    sources = (*part.sources, *firmware.sources)
    include_dirs = (*part.include_dirs, *firmware.include_dirs)
    listing = manifest(
        files,
        {
            "generator": f"leadwire {leadwire.__version__}",
            "backend": backend,
            "model": model.name,
            "model_digest": model.digest,
            "board": board.id,
            "arena_bytes": part.arena_bytes,
            "sources": list(sources),
            "include_dirs": list(include_dirs),
            "linker_script": firmware.linker_script,
            "defines": dict(defines),
            "operators": list(part.operators),
            "self_test": golden is not None,
        },
    )
    write_project(out, files, listing)
    return FirmwareProject(
        root=out,
        backend=backend,
        board_id=board.id,
        model_digest=model.digest,
        plan_arena_bytes=part.arena_bytes,
        sources=sources,
        model_sources=part.sources,
        include_dirs=include_dirs,
        linker_script=firmware.linker_script,
        defines=defines,
        digest=sha256_hex(listing),
        operators=part.operators,
        personality="bench" if host else personality,
    )


def _fast_region(plan: MemoryPlan, board: Board) -> str:
    """The board's region that holds part of the model, '' for none or where the plan is for another board."""
    if plan.fast is None or not plan.fast.used_bytes:
        return ""
    return plan.fast.region if any(region.name == plan.fast.region for region in board.memory) else ""


def _golden(model: Model, given: bytes | None, expected: bytes | None) -> GoldenVector | None:
    if given is None and expected is None:
        return None
    for what, data, size in (("input", given, model.input_bytes), ("output", expected, model.output_bytes)):
        if data is None or len(data) != size:
            found = "is missing" if data is None else f"has {len(data)} bytes"
            raise BadInputError(
                f"the golden {what} of '{model.name}' {found}, the model's {what}s have {size}",
                hint="give golden input and output of the same run of the reference interpreter",
            )
    assert given is not None and expected is not None
    return GoldenVector(input=given, output=expected)
