"""The report as PDF/A-2b (ISO 19005-2): the page itself, set for paper by Typst.

The document is made from the rendered page, so it says what the page says, section by section and figure by figure;
how it looks is in `validation/report/document.typ`. Fonts are those that come with Typst and are embedded.
"""

from __future__ import annotations

from datetime import UTC, datetime

from leadwire.evidence.record import Evidence
from leadwire.report.sections import FOLDER

from .drawings import take_drawings
from .tree import parse_page
from .typst_code import typst_code, typst_string

_NO_DATE = datetime(1980, 1, 1, tzinfo=UTC)  # PDF/A must carry a date; the bundle's own files bear this one as well
_FOOTED = 16  # hexadecimal digits of a digest in the footer


def render_pdf(page: bytes, evidence: Evidence) -> bytes:
    """The page of `render_page` as a PDF. The same page and evidence give the same bytes.

    The document's date is `evidence.created`; where none was fixed it is 1 January 1980.
    """
    import typst

    text, drawings = take_drawings(page.decode("utf-8"))
    source = "\n".join(
        (
            (FOLDER / "document.typ").read_text(encoding="utf-8"),
            f"#let drawings = ({''.join(f'{typst_string(drawing)}, ' for drawing in drawings)})",
            f"#show: report.with(title: {typst_string(_title(evidence))}, foot: {typst_string(_foot(evidence))}, "
            f"running: {typst_string(' · '.join(stamp.word for stamp in evidence.stamps))})",
            f"#{typst_code(parse_page(text))}",
        )
    )
    created = datetime.fromisoformat(evidence.created) if evidence.created else _NO_DATE
    document = typst.compile(
        source.encode("utf-8"),
        format="pdf",
        pdf_standards=["a-2b"],
        timestamp=int(created.timestamp()),
        font_paths=typst.Fonts(include_system_fonts=False),
    )
    assert isinstance(document, bytes)
    return document


def _title(evidence: Evidence) -> str:
    words = (f"{evidence.name} on {evidence.board.id}: {evidence.verdict}", *(stamp.word for stamp in evidence.stamps))
    return " · ".join(words)


def _foot(evidence: Evidence) -> str:
    """What the figures are tied to, on every page."""
    subjects = (
        ("model", evidence.model.digest),
        ("firmware", evidence.image.digest),
        ("protocol", evidence.validation.protocol_digest),
    )
    return " · ".join(f"{name} {digest[:_FOOTED]}" for name, digest in subjects)
