"""What the verbs of protocols show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import grid

if TYPE_CHECKING:
    from leadwire.pipeline.freeze import FrozenProtocol


def frozen(one: FrozenProtocol) -> None:
    rows = [
        ("protocol", f"{one.name}  {one.protocol}"),
        ("sha-256", one.digest),
        ("state", one.state),
        ("lock", str(one.lock)),
        *(
            (f"frozen before as {amendment.digest[:16]}", f"amended: {amendment.reason}")
            for amendment in one.amendments
        ),
    ]
    grid(rows)
