"""Stage package: the model part of a generated project becomes what a firmware ecosystem takes as it is.

An ecosystem is a module of this package with `layout(contents) -> files` and the name of its ARCHIVE; it is found by
its name, '_' written as '-'. Its templates are the folder of that name in firmware_templates/packages.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from leadwire.artifacts import Backend, FirmwareProject, sha256_hex
from leadwire.board import Board
from leadwire.errors import BadInputError
from leadwire.workspace import write_atomically

from .archive import pack
from .bench import FOLDERS, Bench, bench_firmware
from .contents import Contents, Publisher, read_contents
from .evidence import EvidenceReference, refer_to
from .folder import write_folder
from .render import licence

__all__ = [
    "FOLDERS",
    "Bench",
    "FirmwarePackage",
    "Publisher",
    "bench_firmware",
    "ecosystem_module",
    "ecosystems",
    "write_package",
]

FACTS, MANIFEST, LICENCE = "leadwire-package.json", "manifest.sha256", "LICENSE"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwarePackage:
    """A package on disk: `path` is its folder or its archive. `files` are (path, SHA-256) inside of it.

    `digest` is the SHA-256 of its manifest, which covers every file; `archive_digest` that of the archive file.
    """

    ecosystem: str
    backend: Backend
    name: str
    version: str
    path: Path
    files: tuple[tuple[str, str], ...]
    digest: str
    archive_digest: str | None
    model_digest: str
    project_digest: str
    evidence: EvidenceReference | None


def ecosystems() -> tuple[str, ...]:
    """Names of the ecosystems, in alphabetical order."""
    return tuple(sorted(_modules()))


def write_package(
    project: FirmwareProject,
    ecosystem: str,
    out: Path,
    *,
    name: str,
    publisher: Publisher | None = None,
    archive: bool = False,
    evidence: Path | None = None,
    key: Path | None = None,
    board: Board | None = None,
) -> FirmwarePackage:
    """Write the package of `project` as the folder `out`/leadwire_<id>, or with `archive` as one file in `out`.

    `name` is what people call the model; any text will do. `evidence` is a bundle about this model, `key` the public
    key of a signer who is trusted. With a `board` its bench
    firmware is in the package. The same arguments give the same bytes.

    BadInputError (2) for an unknown ecosystem, facts that metadata cannot carry and a folder that is not leadwire's to
    replace; EvidenceError (8) for a bundle that does not verify or is about another model.
    """
    module = ecosystem_module(ecosystem)
    if key is not None and evidence is None:
        raise BadInputError("a signer's key was given without a bundle", hint="add --evidence BUNDLE")
    reference = refer_to(evidence, project.model_digest, key) if evidence is not None else None
    bench = bench_firmware(ecosystem, project, board) if board is not None else None
    contents = read_contents(project, name, publisher or Publisher(), reference, bench)
    files: dict[str, bytes] = {**module.layout(contents), LICENCE: licence()}
    files[FACTS] = _facts(ecosystem, contents)
    files[MANIFEST] = "".join(f"{sha256_hex(files[path])}  {path}\n" for path in sorted(files)).encode()
    path, archive_digest = out / contents.name, None
    if archive:
        path = out / _archive_name(module, contents)
        data = pack(files, "" if getattr(module, "AT_ROOT", False) else contents.name)
        archive_digest = sha256_hex(data)
        _write(path, data)
    else:
        write_folder(path, files, facts=FACTS, manifest=MANIFEST)
    return FirmwarePackage(
        ecosystem=ecosystem,
        backend=contents.backend,
        name=contents.name,
        version=contents.publisher.version,
        path=path,
        files=tuple((path, sha256_hex(data)) for path, data in sorted(files.items())),
        digest=sha256_hex(files[MANIFEST]),
        archive_digest=archive_digest,
        model_digest=contents.model_digest,
        project_digest=contents.project_digest,
        evidence=reference,
    )


def ecosystem_module(ecosystem: str) -> ModuleType:
    """The module of an ecosystem; BadInputError (2) names what there is."""
    modules = _modules()
    if ecosystem not in modules:
        raise BadInputError(f"there are no packages for '{ecosystem}'", hint=f"one of: {', '.join(sorted(modules))}")
    return modules[ecosystem]


def _modules() -> dict[str, ModuleType]:
    found = (importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
    return {
        module.__name__.rpartition(".")[2].replace("_", "-"): module for module in found if hasattr(module, "layout")
    }


def _archive_name(module: ModuleType, contents: Contents) -> str:
    return str(
        module.ARCHIVE.format(name=contents.name, version=contents.publisher.version, vendor=contents.publisher.vendor)
    )


def _facts(ecosystem: str, contents: Contents) -> bytes:
    """leadwire-package.json: what the package was made from, by SHA-256. Without a bundle its evidence is null."""
    evidence = contents.evidence
    facts = {
        "format": 1,
        "ecosystem": ecosystem,
        "name": contents.name,
        "title": contents.title,
        "version": contents.publisher.version,
        "vendor": contents.publisher.vendor,
        "generator": contents.generator,
        "backend": contents.backend,
        "license": "Apache-2.0",
        "model_digest": contents.model_digest,
        "project_digest": contents.project_digest,
        "bench": None
        if contents.bench is None
        else {"board": contents.bench.board_id, "build_id": contents.bench.build_id},
        "evidence": None
        if evidence is None
        else {
            "name": evidence.name,
            "digest": evidence.digest,
            "signer": evidence.signer,
            "authenticated": evidence.authenticated,
            "board": evidence.board_id,
            "verdict": evidence.verdict,
        },
    }
    return (json.dumps(facts, indent=2, sort_keys=True) + "\n").encode("ascii")


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except OSError as error:
        raise BadInputError(
            f"cannot write the package '{path}': {error.strerror or error}", hint="choose a folder that can be written"
        ) from error
