"""All checks in order, each in a folder of its own; a check that breaks has failed and the next one runs."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from types import ModuleType

from leadwire.errors import BadInputError
from leadwire.evidence.keys import load_private_key
from leadwire.pipeline.watcher import Watcher
from leadwire.workspace import source_date

from . import checks as folder
from .check import CheckResult, Context, Finding, Kind
from .record import WrittenRecord, make_record, unwritable, write_record


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


def qualify_installation(
    out: Path, key: Path, *, by: str, only: Sequence[str] | None = None, watcher: Watcher
) -> WrittenRecord:
    """Run the checks, or those with the ids `only`, and write the signed record into `out`; name, ids, key and folder
    are looked at before anything runs.

    The time is now, or what SOURCE_DATE_EPOCH says. BadInputError (2) for what cannot be used; a check that fails is a
    result.
    """
    if not by.strip():
        raise BadInputError("a qualification record names who performed it", hint='give --by "Name"')
    wanted = chosen(only)
    load_private_key(key)
    _probe(out)
    now = source_date() or datetime.now(UTC)
    results = run_checks(watcher, wanted)
    left_out = [check.id for check in checks() if check not in wanted]
    record = make_record(results, by=by.strip(), performed=now.isoformat(timespec="seconds"), not_run=left_out)
    return write_record(record, out, key)


def chosen(only: Sequence[str] | None = None) -> tuple[Check, ...]:
    """The checks with these ids in their own order, all for None; BadInputError (2) for none, or one there is not."""
    known = checks()
    if only is None:
        return known
    hint = f"checks: {', '.join(check.id for check in known)}"
    if not only:
        raise BadInputError("no check is named", hint=hint)
    if unknown := sorted(set(only) - {check.id for check in known}):
        raise BadInputError(f"there is no check '{unknown[0]}'", hint=hint)
    return tuple(check for check in known if check.id in only)


def run_checks(watcher: Watcher, wanted: Sequence[Check]) -> tuple[CheckResult, ...]:
    return tuple(_run(check, watcher) for check in wanted)


def _probe(out: Path) -> None:
    """The checks take minutes, and their record must not be lost at the end."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise unwritable(out, error) from error


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
