"""The Python packages that leadwire runs on: what its own requirements bring, with versions and digests, and those of
them that bytes and figures depend on."""

from __future__ import annotations

import hashlib
import platform
import re
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version

from packaging.requirements import InvalidRequirement, Requirement

from leadwire.evidence.record import InstalledPackage

TOOLS = (
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "tflite-micro",
    "numpy",
    "scipy",
    "wfdb",
    "ziglang",
    "unicorn",
    "smpclient",
)
_ISSUES = re.compile(r"(?i)issue|bug|tracker")


def tool_versions() -> tuple[tuple[str, str], ...]:
    """The packages that bytes and figures depend on, with their versions; those not installed are left out."""
    found = [("python", platform.python_version())]
    for name in TOOLS:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


@cache
def installed_packages() -> tuple[InstalledPackage, ...]:
    """leadwire's requirements and theirs, sorted by name; optional ones and what else is installed are left out."""
    found: dict[str, InstalledPackage] = {}
    pending = ["leadwire"]
    while pending:
        name = _canonical(pending.pop())
        if name in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = _described(name, package)
        pending += _required(package)
    return tuple(found[name] for name in sorted(found) if name != "leadwire")


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _required(package: Distribution) -> list[str]:
    names = []
    for text in package.requires or ():
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            names.append(one.name)
    return names


def _described(name: str, package: Distribution) -> InstalledPackage:
    about = package.metadata
    urls = [tuple(part.strip() for part in url.split(",", 1)) for url in about.get_all("Project-URL") or ()]
    fields = (about.get_all(field) for field in ("Author", "Maintainer", "Author-email", "Maintainer-email"))
    maker = next((found[0] for found in fields if found and found[0].strip()), "")
    return InstalledPackage(
        name=name,
        version=package.version,
        digest=_digest(package),
        maker=" ".join(maker.split())[:200],
        anomalies=next((url[1] for url in urls if len(url) == 2 and _ISSUES.search(url[0])), ""),
    )


def _digest(package: Distribution) -> str:
    """SHA-256 over the names and SHA-256 of the package's own files, as its RECORD lists them; what an installer adds
    on one machine (scripts, notes, compiled files) is left out. Empty where there is no RECORD."""
    lines = sorted(
        f"{file.as_posix()} {file.hash.value}"
        for file in package.files or ()
        if file.hash is not None and ".." not in file.parts and not file.is_absolute() and file.suffix != ".pyc"
        and file.name not in ("INSTALLER", "REQUESTED", "direct_url.json", "RECORD")
    )  # fmt: skip
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""
