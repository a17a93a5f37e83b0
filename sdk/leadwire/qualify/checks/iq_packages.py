"""The packages that leadwire names as its dependencies are installed, in the versions it was tested with."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from leadwire import __version__
from leadwire.qualify.check import Context, Finding, equal, note

TITLE = "Python and packages"
REQUIREMENTS = ("LW-QUA-001",)


def look(context: Context) -> Iterator[Finding]:
    yield note("leadwire", __version__)
    yield note("machine", f"{platform.system()} {platform.release()}, {platform.machine()}")
    yield Finding(
        what="Python",
        expected="3.11 or newer",
        found=platform.python_version(),
        result="pass" if sys.version_info >= (3, 11) else "fail",
    )
    yield equal("distribution's version", __version__, version("leadwire"))
    for text in requires("leadwire") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield Finding(
                what=requirement.name, expected=str(requirement.specifier), found="not installed", result="fail"
            )
            continue
        fits = requirement.specifier.contains(found, prereleases=True)
        yield Finding(
            what=requirement.name, expected=str(requirement.specifier), found=found, result="pass" if fits else "fail"
        )
