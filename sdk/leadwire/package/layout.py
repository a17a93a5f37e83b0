"""Where the sources lie in a package: in their folders, or flat in one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from .contents import Contents
from .render import facade


def in_folders(contents: Contents) -> Contents:
    """As generated (model/, runtime/), with the header of the model's own name beside model.h."""
    path = f"{contents.header_dir}/{contents.header}"
    return replace(
        contents,
        files=tuple(sorted((*contents.files, (path, facade(contents))))),
        headers=tuple(sorted((*contents.headers, path))),
    )


def flat(contents: Contents, folder: str, cxx_suffix: str = ".cc") -> Contents:
    """Everything in one folder, for build systems that search headers in one place only.

    Sources include headers by their bare names, so these stay; a source whose name is taken gets its folder's name in
    front.
    """
    places: dict[str, str] = {}
    taken: set[str] = set()
    ordered = sorted(path for path, _ in contents.files)
    for path in sorted(ordered, key=lambda path: path not in contents.headers):
        name = PurePosixPath(path).name
        if path in contents.headers and name in taken:
            raise ValueError(f"two headers are named {name}")
        if path in contents.sources and not name.endswith(".c"):
            name = PurePosixPath(name).stem + cxx_suffix
        while name in taken:
            name = f"{PurePosixPath(path).parent.name}_{name}"
        taken.add(name)
        places[path] = f"{folder}/{name}"
    header = f"{folder}/{contents.header}"
    moved = ((places[path], data) for path, data in contents.files)
    return replace(
        contents,
        files=tuple(sorted((*moved, (header, facade(contents))))),
        sources=tuple(sorted(places[path] for path in contents.sources)),
        headers=tuple(sorted((*(places[path] for path in contents.headers), header))),
        include_dirs=(folder,),
    )
