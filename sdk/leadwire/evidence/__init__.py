"""Evidence: the record of a whole run, its JSON document, and the signed bundle that carries it.

record (what is known) → document (evidence.json) → archive (one file) ← statement (who vouches for it, keys).
`bundle` puts them together and takes them apart again; from `predictions` (predictions.csv) `recompute` derives the
figures and `judgement` the verdicts a second time.
"""
