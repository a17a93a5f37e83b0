"""Each run of a project in the audit log of its output folder."""

from __future__ import annotations

from contextlib import AbstractContextManager

from leadwire.evidence import audit
from leadwire.evidence.audited import AuditedRun, audited
from leadwire.project import LoadedProject
from leadwire.workspace import file_digest


def audited_run(project: LoadedProject, until: str, boards: tuple[str, ...]) -> AbstractContextManager[AuditedRun]:
    """The run's lines: begin, then what it notes, then end, fail (with the error) or interrupted."""
    facts = {
        "project": project.settings.name,
        "project_sha256": file_digest(project.path),
        "model_sha256": file_digest(project.model),
        "until": until,
        "boards": boards,
    }
    return audited(audit.log_path(project.output), facts)
