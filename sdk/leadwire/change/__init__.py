"""Stage `diff`: what changed between two evidence bundles, and whether it stays within a plan fixed beforehand.

For a predetermined change control plan (FDA, Marketing Submission Recommendations for a Predetermined Change Control
Plan for AI-Enabled Device Software Functions, December 2024): the plan is a file, the assessment follows from bundles.
"""

from .assess import ChangeAssessment, FigureChange, ResourceChange, SubjectChange, compare_bundles
from .page import render_page
from .plan import ChangePlan, load_plan

__all__ = [
    "ChangeAssessment",
    "ChangePlan",
    "FigureChange",
    "ResourceChange",
    "SubjectChange",
    "compare_bundles",
    "load_plan",
    "render_page",
]
