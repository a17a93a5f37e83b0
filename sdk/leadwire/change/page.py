"""The assessment as a page for people, in the report's style."""

from __future__ import annotations

from leadwire.report.templates import render_plain
from leadwire.resources import VALIDATION

from .assess import ChangeAssessment


def render_page(assessment: ChangeAssessment) -> bytes:
    """UTF-8 HTML without scripts or outside resources."""
    return render_plain(VALIDATION / "change" / "assessment.html.j2", change=assessment)
