"""Every error a user can meet, with its exit code and what to try.

    LeadwireError
    ├── BadInputError            2   a file, option or dataset cannot be used as it is
    │   ├── FileMissingError         no such file, or something else than a file
    │   ├── ConfigError              a TOML file: all its mistakes at once
    │   ├── ModelFileError           a model file that is truncated, corrupted or of another kind
    │   ├── DatasetError             a recording, label or array that cannot be used
    │   ├── NoPortError              a board that leadwire builds no bare-metal firmware for
    │   ├── LeakError                a patient is on both sides of a split
    │   └── TrainingError            a training that went wrong: its loss is no number
    ├── UnsupportedModelError    3   a valid model that cannot run as full INT8 on the device
    ├── BudgetError              4   does not fit the board
    ├── BuildError               5   compiler, linker or toolchain
    ├── DeviceError              6   port, link, identity or answer of a board
    │   ├── PortError                the port cannot be opened or vanished
    │   ├── DeviceSilentError        no answer within the time allowed, retries included
    │   ├── FrameError               answers arrive but are corrupted
    │   ├── DeviceRefusedError       the device answered with an error of its own
    │   ├── WrongDeviceError         another board, firmware or model than the one expected
    │   │   └── WrongBoardError      known before anything was written: nothing was
    │   ├── BusyBoardError           another rig run holds the board
    │   └── KernelMismatchError      kernels for this computer give other bytes than the portable ones
    ├── ValidationError          7   only raised by the CLI: a failed or inconclusive verdict
    │   └── TraceError               requirements that are not traced to a test that passed
    └── EvidenceError            8   a bundle that does not verify

A class takes typed arguments and builds its own sentence in the order: what, where, number against limit.
`hint` says what to try. Only the CLI prints errors and turns them into exit codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar


class LeadwireError(Exception):
    """Root of all errors that are the user's to solve; anything else is a bug of leadwire."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadInputError(LeadwireError):
    exit_code = 2


class FileMissingError(BadInputError):
    def __init__(self, path: Path, *, role: str = "file", hint: str = "") -> None:
        found = "is a folder" if path.is_dir() else "is not a file" if path.exists() else "does not exist"
        super().__init__(
            f"{role} '{path}' {found}",
            hint=hint
            or "check the path; it is taken relative to "
            "the folder of the project file, or to the current folder on the command line",
        )
        self.path = path


class ConfigError(BadInputError):
    """A TOML file with one or more mistakes; `mistakes` holds one line each, 'key: what is wrong'."""

    def __init__(self, path: Path, mistakes: Sequence[str], *, hint: str = "") -> None:
        listed = "\n".join(f"  {mistake}" for mistake in mistakes)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"'{path}' has {count}\n{listed}", hint=hint)
        self.path = path
        self.mistakes = tuple(mistakes)


class ModelFileError(BadInputError):
    def __init__(self, path: Path | str, reason: str, *, hint: str = "") -> None:
        super().__init__(
            f"model '{path}' cannot be read: {reason}",
            hint=hint or "export the model again and compare its size and digest with the original",
        )


class DatasetError(BadInputError):
    def __init__(self, dataset: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"dataset '{dataset}': {reason}", hint=hint)


class NoPortError(BadInputError):
    """`ecosystems` are (ecosystem of `leadwire package`, the board's name there)."""

    def __init__(self, board_id: str, ecosystems: Sequence[tuple[str, str]]) -> None:
        ways = [
            f"'leadwire package MODEL --for {name} --board {board_id}' (there it is {there})"
            for name, there in ecosystems
        ]
        super().__init__(
            f"board '{board_id}' has no bare-metal port: leadwire builds no image for it",
            hint=f"{', or '.join(ways)}; build its bench firmware and give the ELF with --image" if ways else "",
        )


class LeakError(BadInputError):
    def __init__(self, patients: Sequence[str], one: str, other: str) -> None:
        shown = ", ".join(patients[:10]) + (f" and {len(patients) - 10} more" if len(patients) > 10 else "")
        super().__init__(
            f"{len(patients)} patient(s) are in both {one} and {other}: {shown}",
            hint=f"take {one} from patients that are not in {other}",
        )
        self.patients = tuple(patients)


class TrainingError(BadInputError):
    """A training that cannot go on, with the step and the epoch it came to; `where` names them."""

    def __init__(self, where: str, reason: str, *, hint: str = "") -> None:
        super().__init__(
            f"training of {where}: {reason}",
            hint=hint or "lower learning_rate, or look for beats with huge values in the training split",
        )


class UnsupportedModelError(LeadwireError):
    """`where` names the operator or layer, `reason` the rule it breaks, `hint` the remedy."""

    exit_code = 3

    def __init__(self, where: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{where}: {reason}", hint=hint)


class BudgetError(LeadwireError):
    """Over budget at a checkpoint; `table` is the rendered BudgetReport."""

    exit_code = 4

    def __init__(self, subject: str, board_id: str, table: str, *, hint: str = "") -> None:
        super().__init__(f"'{subject}' does not fit {board_id}\n{table}", hint=hint)


class BuildError(LeadwireError):
    exit_code = 5

    def __init__(self, what: str, output: str = "", *, hint: str = "") -> None:
        tail = "\n".join(f"  {line}" for line in output.strip().splitlines()[-20:])
        super().__init__(what + (f"\n{tail}" if tail else ""), hint=hint)


class DeviceError(LeadwireError):
    exit_code = 6


class PortError(DeviceError):
    def __init__(self, port: str, reason: str, *, hint: str = "") -> None:
        super().__init__(
            f"port '{port}': {reason}",
            hint=hint
            or "list the ports with 'leadwire doctor', check the cable and that no other program holds the port",
        )


class DeviceSilentError(DeviceError):
    def __init__(self, port: str, request: str, seconds: float, attempts: int) -> None:
        super().__init__(
            f"no answer from '{port}' to {request} within {seconds:g} s, {attempts} attempt(s)",
            hint="check baud rate, power and that the leadwire bench firmware is the one running; "
            "reset the board and run again",
        )


class FrameError(DeviceError):
    def __init__(self, port: str, request: str, reason: str, attempts: int) -> None:
        super().__init__(
            f"corrupted answers from '{port}' to {request}: {reason}, {attempts} attempt(s)",
            hint="check ground, cable length and baud rate",
        )


class DeviceRefusedError(DeviceError):
    def __init__(self, port: str, request: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"'{port}' refused {request}: {reason}", hint=hint)


class WrongDeviceError(DeviceError):
    def __init__(self, port: str, what: str, found: str, expected: str) -> None:
        super().__init__(
            f"'{port}' carries another {what}: found {found}, expected {expected}",
            hint="flash the image of this project with 'leadwire flash', or select the right port",
        )


class WrongBoardError(WrongDeviceError):
    """The identity lock: raised before anything is erased. `name` is the board's in its rig."""

    def __init__(self, port: str, what: str, found: str, expected: str, *, name: str = "") -> None:
        super().__init__(port, what, found or "none", expected)
        self.message = f"rig board '{name}': " * bool(name) + f"{self.message}; nothing was written"
        self.args = (self.message,)
        self.hint = "plug in the board that is meant; 'leadwire rig enroll' asks this one who it is, for the rig file"


class BusyBoardError(DeviceError):
    def __init__(self, name: str, what: str, holder: str, seconds: float) -> None:
        super().__init__(
            f"rig board '{name}' is in use: {what} is held by {holder}, waited {seconds:g} s",
            hint="let the other run end, or end it; a lock is gone as soon as its process is",
        )


class KernelMismatchError(DeviceError):
    def __init__(self, library: Path, instructions: str, differing: Sequence[int], checked: int) -> None:
        super().__init__(
            f"'{library}': the kernels for this processor ({instructions}) and the portable ones give other bytes on "
            f"{len(differing)} of {checked} samples, the first is number {differing[0]}",
            hint="take HostModel.from_tflite(..., kernels='portable'), and report the model and the processor",
        )
        self.differing = tuple(differing)


class ValidationError(LeadwireError):
    exit_code = 7

    def __init__(self, verdict: str, reasons: Sequence[str], *, hint: str = "") -> None:
        listed = "\n".join(f"  {reason}" for reason in reasons)
        super().__init__(f"validation verdict: {verdict}" + (f"\n{listed}" if listed else ""), hint=hint)


class TraceError(ValidationError):
    def __init__(self, title: str, findings: Sequence[str], *, hint: str = "") -> None:
        super().__init__("fail", findings)
        listed = "\n".join(f"  {finding}" for finding in findings[:40])
        more = f"\n  and {len(findings) - 40} more" if len(findings) > 40 else ""
        self.message = f"the traceability of '{title}' has {len(findings)} gap(s)\n{listed}{more}"
        self.args = (self.message,)
        self.hint = hint or "docs/manual/traceability.md says what each kind of gap is and how it is closed"


class EvidenceError(LeadwireError):
    exit_code = 8

    def __init__(self, bundle: Path | str, reason: str, *, hint: str = "") -> None:
        super().__init__(
            f"evidence '{bundle}' does not verify: {reason}",
            hint=hint or "treat the bundle as altered; ask its issuer for the original",
        )
