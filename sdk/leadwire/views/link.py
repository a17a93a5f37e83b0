"""What the verbs of the serial link show."""

from __future__ import annotations

from dataclasses import dataclass

from .console import grid


@dataclass(frozen=True, slots=True)
class Carried:
    """What a proxy saw: bytes from the client, from the board, and faults by kind."""

    from_client_bytes: int
    from_board_bytes: int
    faults: dict[str, int]


def carried(result: Carried) -> None:
    grid(
        [
            ("from the client", f"{result.from_client_bytes:,} B"),
            ("from the board", f"{result.from_board_bytes:,} B"),
            *((kind, f"{count:,}") for kind, count in sorted(result.faults.items())),
        ]
    )
