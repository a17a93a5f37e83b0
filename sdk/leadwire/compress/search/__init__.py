"""search: networks and recipes under a budget, by Optuna, with several objectives.

`plan` is the file that says what is searched, `space` what a candidate is, `study` asks and tells Optuna, `front` keeps
what no other candidate beats. Candidates are judged by `leadwire.pipeline.search`.
"""

from __future__ import annotations

from .front import Judged, dominates, pareto_front
from .plan import SearchBudget, SearchPlan, SearchSpace, load_search
from .space import Candidate

__all__ = [
    "Candidate",
    "Judged",
    "SearchBudget",
    "SearchPlan",
    "SearchSpace",
    "dominates",
    "load_search",
    "pareto_front",
]
