"""Each run of a project in the audit log: when it began, every stage, and how it ended, however it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from leadwire import __version__
from leadwire.errors import LeadwireError
from leadwire.evidence import audit
from leadwire.project import LoadedProject
from leadwire.workspace import file_digest


@dataclass(frozen=True, slots=True)
class AuditedRun:
    """A run in the log; `invocation` is the digest of the line that opened it, which the bundle's provenance names."""

    log: Path
    invocation: str

    def note(self, event: str, **facts: object) -> None:
        audit.append(self.log, event, {"run": self.invocation, **facts})


@contextmanager
def audited_run(project: LoadedProject, until: str, boards: tuple[str, ...]) -> Iterator[AuditedRun]:
    """The run's lines: begin, then what it notes, then end, fail (with the error) or interrupted."""
    log = audit.log_path(project.output)
    facts = {
        "project": project.settings.name,
        "project_sha256": file_digest(project.path),
        "model_sha256": file_digest(project.model),
        "until": until,
        "boards": boards,
        "leadwire": __version__,
    }
    run = AuditedRun(log, audit.append(log, "begin", facts))
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
