"""Power and energy: a trace from a meter or a file, the inferences in it, energy per inference with its uncertainty,
and how long a battery lasts.

`trace` (samples, and what the meter is worth), `meters` (one module each), `csv_file`, `windows` (marker or clock),
`estimate` (GUM), `battery`, `simulated` (meters that are not there, for tests). Manual: docs/manual/energy.md.
"""
