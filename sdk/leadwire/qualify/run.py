"""All checks in order, each in a folder of its own; a check that breaks has failed and the next one runs."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from leadwire.errors import BadInputError
from leadwire.evidence.keys import load_private_key
from leadwire.pipeline.watcher import Watcher
from leadwire.workspace import source_date

from . import checks as folder
from .check import CheckResult, Context, Finding, Kind
from .record import WrittenRecord, make_record, write_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A module of `checks`: iq_packages.py is IQ-PACKAGES. TITLE, REQUIREMENTS and `look(context)` are its own."""

    id: str
    kind: Kind
    module: ModuleType

    @property
    def title(self) -> str:
        return str(self.module.TITLE)


def checks() -> tuple[Check, ...]:
    """Every check, installation first."""
    names = sorted(info.name for info in pkgutil.iter_modules(folder.__path__))
    return tuple(
        Check(
            id=re.sub("[^A-Z0-9]", "-", name.upper()),
            kind="IQ" if name.startswith("iq_") else "OQ",
            module=importlib.import_module(f"{folder.__name__}.{name}"),
        )
        for name in names
    )


def qualify_installation(out: Path, key: Path, *, by: str, only: Sequence[str] = (), watcher: Watcher) -> WrittenRecord:
    """Run the checks and write the signed record into `out`; the key is looked at before anything runs.

    The time is now, or what SOURCE_DATE_EPOCH says. BadInputError (2) for a key, folder or check that cannot be used;
    a check that fails is a result.
    """
    load_private_key(key)
    now = source_date() or datetime.now(UTC)
    results = run_checks(watcher, only)
    return write_record(make_record(results, by=by, performed=now.isoformat(timespec="seconds")), out, key)


def run_checks(watcher: Watcher, only: Sequence[str] = ()) -> tuple[CheckResult, ...]:
    """`only`: ids to run; BadInputError (2) for one that there is not."""
    known = checks()
    if unknown := sorted(set(only) - {check.id for check in known}):
        raise BadInputError(
            f"there is no check '{unknown[0]}'", hint=f"checks: {', '.join(check.id for check in known)}"
        )
    return tuple(_run(check, watcher) for check in known if not only or check.id in only)


def _run(check: Check, watcher: Watcher) -> CheckResult:
    watcher.stage(f"{check.id} {check.title}", False)
    with TemporaryDirectory(prefix="leadwire-") as work:
        findings = tuple(_look(check, Context(folder=Path(work), watcher=watcher)))
    return CheckResult(
        id=check.id,
        kind=check.kind,
        title=check.title,
        requirements=tuple(check.module.REQUIREMENTS),
        findings=findings,
    )


def _look(check: Check, context: Context) -> Iterator[Finding]:
    """The findings up to an error, and the error as one."""
    try:
        yield from check.module.look(context)
    except Exception as error:  # noqa: BLE001  whatever breaks a check is what the record is for
        yield Finding(
            what="the check runs to its end",
            expected="it does",
            found=f"{type(error).__name__}: {error}",
            result="fail",
        )
