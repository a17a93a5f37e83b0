"""What `qualify` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from .console import VERDICT_STYLE, grid, out, table_of

if TYPE_CHECKING:
    from leadwire.qualify.record import ReadRecord, WrittenRecord


def written(result: WrittenRecord) -> None:
    record = result.record
    out.print(Text(f"qualification: {record.verdict}", style=VERDICT_STYLE[record.verdict]))
    table_of(
        "checks",
        ["check", "what", "result", "findings"],
        [(one.id, one.title, one.result, str(len(one.findings))) for one in record.checks],
        left=3,
    )
    wrong = [
        (check.id, f"{one.what}: expected {one.expected}, found {one.found}")
        for check in record.checks
        for one in check.findings
        if one.result == "fail"
    ]
    grid([*wrong, ("record", str(result.page)), ("for programs", str(result.document)), ("signed by", result.signer)])


def read(result: ReadRecord) -> None:
    out.print(Text(f"qualification: {result.verdict}", style=VERDICT_STYLE[result.verdict]))
    grid(
        [
            ("leadwire", result.leadwire_version),
            ("performed", f"{result.performed}" + (f" by {result.by}" if result.by else "")),
            ("on", result.host),
            ("failed", ", ".join(result.failed) or "nothing"),
            (
                "signature",
                f"{'trusted key' if result.authenticated else 'the signer is NOT authenticated: key'} {result.signer}",
            ),
        ]
    )
