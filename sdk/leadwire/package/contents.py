"""What every package holds: the model part of a generated project, and the facts its metadata files state."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import leadwire
from leadwire.artifacts import Backend, FirmwareProject, sha256_hex
from leadwire.errors import BadInputError

from .bench import Bench
from .evidence import EvidenceReference
from .names import one_line, package_id, plain

_HEADERS = (".h", ".hpp")
_CXX = (".cc", ".cpp", ".cxx")
_VERSION = re.compile(r"(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})")
_VENDOR = re.compile(r"(?=.{2,32}\Z)[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#@!&()*+,=%-]{1,200}")
NO_URL = "https://example.invalid/"
"""Where metadata must name a page and none was given: a domain that never exists (RFC 2606)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Who publishes the package, under which version; `url` is empty where there is no page."""

    version: str = "1.0.0"
    vendor: str = "leadwire"
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """`files` are (path, contents), sorted; `sources`, `headers` and `include_dirs` are paths among them.

    `id` is safe in every identifier, `name` is `leadwire_<id>`, `title` the model's name on one line of UTF-8, `plain`
    the same in ASCII without any sign that a metadata format could trip over. `cxx`: there are C++ sources.
    """

    id: str
    name: str
    title: str
    plain: str
    publisher: Publisher
    backend: Backend
    generator: str
    model_digest: str
    project_digest: str
    files: tuple[tuple[str, bytes], ...]
    sources: tuple[str, ...]
    headers: tuple[str, ...]
    include_dirs: tuple[str, ...]
    evidence: EvidenceReference | None
    bench: Bench | None = None

    @property
    def cxx(self) -> bool:
        return any(path.endswith(_CXX) for path in self.sources)

    @property
    def header(self) -> str:
        """The one header an application includes; it lies beside model.h."""
        return f"{self.name}.h"

    @property
    def header_dir(self) -> str:
        return next(str(PurePosixPath(path).parent) for path in self.headers if PurePosixPath(path).name == "model.h")

    @property
    def public_headers(self) -> tuple[str, ...]:
        """Headers an application sees; the others are the sources' own."""
        names = (self.header, "model.h", "leadwire.h")
        return tuple(path for path in self.headers if PurePosixPath(path).name in names)


def read_contents(
    project: FirmwareProject,
    name: str,
    publisher: Publisher,
    evidence: EvidenceReference | None,
    bench: Bench | None = None,
) -> Contents:
    """The model part of a project on disk: every file of its folders but those of the bench firmware.

    BadInputError (2) for a publisher that metadata cannot carry, and for files that changed since they were generated.
    """
    _check_publisher(publisher)
    listing = project.root / "leadwire-project.json"
    digests = _digests(project, listing)
    folders = _model_folders(project)
    paths = sorted(path for path in digests if PurePosixPath(path).parts[0] in folders)
    files = tuple((path, _read(project.root, path, digests[path])) for path in paths)
    return Contents(
        id=package_id(name),
        name=f"leadwire_{package_id(name)}",
        title=one_line(name),
        plain=plain(name),
        publisher=publisher,
        backend=project.backend,
        generator=f"leadwire {leadwire.__version__} {project.backend}",
        model_digest=project.model_digest,
        project_digest=project.digest,
        files=files,
        sources=tuple(sorted(project.model_sources)),
        headers=tuple(path for path in paths if path.endswith(_HEADERS)),
        include_dirs=tuple(folder for folder in project.include_dirs if PurePosixPath(folder).parts[0] in folders),
        evidence=evidence,
        bench=bench,
    )


def _model_folders(project: FirmwareProject) -> set[str]:
    """Folders of sources and headers (a backend may have headers alone in one) without the bench firmware's."""
    firmware = set(project.sources) - set(project.model_sources)
    return {PurePosixPath(path).parts[0] for path in (*project.model_sources, *project.include_dirs)} - {
        PurePosixPath(path).parts[0] for path in firmware
    }


def _check_publisher(publisher: Publisher) -> None:
    if not _VERSION.fullmatch(publisher.version):
        raise BadInputError(
            f"package version {publisher.version!r} is not MAJOR.MINOR.PATCH", hint="give three numbers, such as 1.4.0"
        )
    if not _VENDOR.fullmatch(publisher.vendor):
        raise BadInputError(
            f"vendor {publisher.vendor!r} cannot be part of a file name",
            hint="a letter first, then letters, digits and single '_', 2 to 32 in all",
        )
    if publisher.url and not _URL.fullmatch(publisher.url):
        raise BadInputError(
            f"url {publisher.url!r} cannot stand in a metadata file",
            hint="http:// or https://, without spaces or quotes",
        )


def _digests(project: FirmwareProject, listing: Path) -> dict[str, str]:
    """SHA-256 of the project's files, from its manifest."""
    try:
        data = listing.read_bytes()
    except OSError as error:
        raise BadInputError(
            f"generated project '{project.root}' cannot be read: {error.strerror}", hint="generate it again"
        ) from error
    if sha256_hex(data) != project.digest:
        raise BadInputError(f"'{listing}' changed since it was generated", hint="generate the project again")
    return dict(json.loads(data)["files"])


def _read(root: Path, path: str, digest: str) -> bytes:
    try:
        data = (root / path).read_bytes()
    except OSError as error:
        raise BadInputError(
            f"generated file '{root / path}' cannot be read: {error.strerror}", hint="generate the project again"
        ) from error
    if sha256_hex(data) != digest:
        raise BadInputError(f"'{root / path}' changed since it was generated", hint="generate the project again")
    return data
