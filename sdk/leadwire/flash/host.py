"""Board 'host': the model as a shared library in this process; nothing to flash and nothing to talk to."""

from __future__ import annotations

from leadwire.errors import BadInputError

from .tool import Job, Started


def start(job: Job) -> Started:
    """The library is called, not spoken to: BadInputError where a port is given."""
    if job.target.port:
        raise BadInputError(f"board '{job.board.id}' has no serial port", hint="leave out --port")
    return Started(port="", talks=False)
