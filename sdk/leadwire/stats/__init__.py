"""Intervals, tests and the patient bootstrap behind every verdict. Formulas and sources: docs/manual/statistics.md.

Proportions are fractions (0.01 is one percentage point), `level` is the two-sided confidence (0.95). A difference is
always *first minus second*: with float first and INT8 second it is the loss, positive when INT8 is worse. An empty
sample yields the whole range of the parameter, never an exception: nothing seen, nothing excluded.
"""

from __future__ import annotations

from .bootstrap import bootstrap_interval, bootstrap_p_value
from .curves import area_under_curve
from .equivalence import Equivalence, tost
from .multiplicity import fixed_sequence, holm
from .normal import Floats, normal_quantile
from .paired import McNemar, PairedTable, mcnemar, newcombe_paired, obuchowski_p_value, tango, tango_p_value
from .planning import clusters_needed
from .proportions import clopper_pearson, wilson
from .ratios import (
    PatientStatistic,
    excess_loss,
    mean_ratios,
    paired_ratio_delta,
    paired_ratio_p_value,
    ratio,
    ratio_loss,
)
from .resampling import Bootstrap, BootstrapMethod, bootstrap_sums

__all__ = [
    "Bootstrap",
    "BootstrapMethod",
    "Equivalence",
    "Floats",
    "McNemar",
    "PairedTable",
    "PatientStatistic",
    "area_under_curve",
    "bootstrap_interval",
    "bootstrap_p_value",
    "bootstrap_sums",
    "clopper_pearson",
    "clusters_needed",
    "excess_loss",
    "fixed_sequence",
    "holm",
    "mcnemar",
    "mean_ratios",
    "newcombe_paired",
    "normal_quantile",
    "obuchowski_p_value",
    "paired_ratio_delta",
    "paired_ratio_p_value",
    "ratio",
    "ratio_loss",
    "tango",
    "tango_p_value",
    "tost",
    "wilson",
]
