"""What is done, in the audit log: when it began, what it notes, and how it ended, however it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadwire import __version__
from leadwire.errors import LeadwireError

from . import audit


@dataclass(frozen=True, slots=True)
class AuditedRun:
    """A run in the log; `invocation` is the digest of the line that opened it, which a bundle's provenance names."""

    log: Path
    invocation: str

    def note(self, event: str, **facts: object) -> None:
        audit.append(self.log, event, {"run": self.invocation, **facts})


@contextmanager
def audited(log: Path, facts: dict[str, Any]) -> Iterator[AuditedRun]:
    """The lines of a run: begin with `facts`, then what it notes (its 'end' included), or fail with the error, or
    interrupted. BadInputError (2) where the log cannot be written: then nothing is done."""
    run = AuditedRun(log, audit.append(log, "begin", {**facts, "leadwire": __version__}))
    try:
        yield run
    except LeadwireError as error:
        run.note("fail", kind=type(error).__name__, exit_code=error.exit_code, message=error.message[:2000])
        raise
    except Exception as error:
        run.note("fail", kind=type(error).__name__, exit_code=1, message=str(error)[:2000])
        raise
    except BaseException as error:
        run.note("interrupted", kind=type(error).__name__)
        raise
