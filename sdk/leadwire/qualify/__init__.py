"""Installation and operational qualification of leadwire itself, on this machine, with known answers.

For ISO 13485:2016 4.1.6 (validation of software used in the quality management system) and IEC 62304 5.1.10. One file
of `checks` is one check; what it must find is written in it with its source, or in
`validation/qualification/known.toml`, which `python -m leadwire.qualify` writes for a release.
docs/manual/qualification.md says what the tool is meant for, what can go wrong, and what performance qualification is
left to its user.
"""

from .record import QualificationRecord, ReadRecord, WrittenRecord, read_record
from .run import checks, chosen, qualify_installation, run_checks

__all__ = [
    "QualificationRecord",
    "ReadRecord",
    "WrittenRecord",
    "checks",
    "chosen",
    "qualify_installation",
    "read_record",
    "run_checks",
]
