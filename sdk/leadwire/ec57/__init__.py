"""ANSI/AAMI EC57 and IEC 60601-2-47: how well an algorithm's annotations agree with the reference.

beats      beat by beat: which annotations are of one beat, the matrix N S V F Q O X, the error of RR intervals
runs       couplets, short and long runs of ectopic beats
episodes   atrial and ventricular fibrillation
figures    sensitivity, positive predictivity and false positive rate from the counts
scoring    records one by one, then gross and average, and what makes a result NON-STANDARD
databases  the records that the standard names
files      folders, lists and single files of WFDB annotations
printed    the result in the columns of the standard's tables

The definitions agree with the reference programs (bxb, rxr, epicmp, sumstats of PhysioNet's WFDB), which are a witness
in the tests and not part of this. docs/manual/ec57.md says where they leave room and what is done there.
"""

from .files import score_paths
from .labels import CODES
from .scoring import Rule, score

__all__ = ["CODES", "Rule", "score", "score_paths"]
