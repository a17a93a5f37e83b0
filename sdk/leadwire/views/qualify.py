"""What `qualify` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from .console import VERDICT_STYLE, grid, out, table_of

if TYPE_CHECKING:
    from leadwire.qualify.record import ReadRecord, Verdict, WrittenRecord


def written(result: WrittenRecord) -> None:
    record = result.record
    _verdict(record.verdict, len(record.checks), record.not_run)
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


def _verdict(verdict: Verdict, ran: int, not_run: tuple[str, ...]) -> None:
    part = f": {ran} of {ran + len(not_run)} checks ran" if not_run else ""
    out.print(Text(f"qualification: {verdict}{part}", style=VERDICT_STYLE[verdict]))


def read(result: ReadRecord) -> None:
    _verdict(result.verdict, len(result.ran), result.not_run)
    grid(
        [
            ("leadwire", result.leadwire_version),
            ("performed", f"{result.performed} by {result.by}"),
            ("on", result.host),
            ("ran", ", ".join(result.ran) or "nothing"),
            ("not run", ", ".join(result.not_run) or "nothing"),
            ("failed", ", ".join(result.failed) or "nothing"),
            (
                "signature",
                f"{'trusted key' if result.authenticated else 'the signer is NOT authenticated: key'} {result.signer}",
            ),
        ]
    )
