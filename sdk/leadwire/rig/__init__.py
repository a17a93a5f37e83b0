"""Rigs: many boards at once, each the board it is said to be, each on its own.

`file` reads rig.toml, `workload` builds what the boards are to run, `crew` starts one process for each board
(`python -m leadwire.rig`, module `attempt`) and watches over it, `report` and `junit` say what came of it.
"""
