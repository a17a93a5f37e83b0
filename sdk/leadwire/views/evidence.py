"""What the verbs about evidence show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from .console import grid, out, table_of

if TYPE_CHECKING:
    from leadwire.evidence.audit import AuditReport
    from leadwire.evidence.bundle import VerifiedBundle
    from leadwire.evidence.review import Review


def verified(result: VerifiedBundle) -> None:
    out.print(Text("every byte verifies", style="bold green"))
    grid(
        [
            ("bundle", str(result.path)),
            ("sha-256", result.digest),
            ("evidence of", f"{result.name} on {result.board_id}"),
            ("verdict", result.verdict),
            *(("", reason) for reason in result.reasons),
            ("stamps", ", ".join(result.stamps) or "none"),
            ("signature", result.trust),
            *((review.meaning, _review(review)) for review in result.reviews),
            ("run", result.invocation or "no audit log was kept"),
            ("files", ", ".join(name for name, _ in result.files if "/" not in name)),
            ("", f"and {sum('/' in name for name, _ in result.files)} in folders (sources, logs)"),
        ]
    )
    if result.derived:
        table_of(
            f"{len(result.derived)} statistics derived again from predictions.csv, all as stated",
            ["statistic", "stated", "derived"],
            [(one.what, *one.texts) for one in result.derived],
            left=1,
        )


def _review(review: Review) -> str:
    known = "a trusted key" if review.authenticated else "a key that is NOT authenticated"
    return f"{review.name} on {review.signed_on}, by {known}: {review.key}"


def audited(result: AuditReport) -> None:
    out.print(Text("the chain is whole", style="bold green"))
    grid(
        [
            ("audit log", str(result.path)),
            ("entries", str(result.entries)),
            ("runs", f"{result.runs}, {result.failed} failed or interrupted"),
            *([("cut by a crash", f"{result.torn} line(s), and recorded")] if result.torn else []),
            *(("without an end", one) for one in result.unfinished),
            ("bundles of it", ", ".join(result.anchored) or "none given (--bundle)"),
            ("head", result.head),
        ]
    )
