"""What the verbs of the serial link show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .console import grid, table_of

if TYPE_CHECKING:
    from leadwire.pipeline.soak import Passage, Soak


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


def soaked(result: Soak) -> None:
    grid(
        [
            ("model, board", f"{result.model} on {result.board}, build {result.build_id[:12]}"),
            ("answers", f"{result.inferences:,}: {result.wrong} wrong, {result.missing} missing"),
            ("stretches between resets", f"{len(result.epochs)}"),
            ("digest of inputs and outputs", result.io_digest),
            ("goodput kept", f"{result.goodput_kept:.1%} by bytes, {result.goodput_kept_in_time:.1%} by time"),
        ]
    )
    table_of(
        "the line",
        [
            "faults",
            "inferences",
            "per second",
            "input bytes",
            "sent",
            "of it input",
            "of the line",
            "retries",
            "struck",
        ],
        [_passage(result.clean), _passage(result.line)],
    )


def _passage(one: Passage) -> tuple[str, ...]:
    return (
        one.faults,
        f"{one.inferences:,}",
        f"{one.inferences / one.seconds:.1f}",
        f"{one.input_bytes:,}",
        f"{one.sent_bytes:,}",
        f"{one.of_bytes:.1%}",
        "not paced" if one.of_line is None else f"{one.of_line:.1%}",
        f"{one.retries:,}",
        ", ".join(f"{kind} {count:,}" for kind, count in one.struck) or "none",
    )
