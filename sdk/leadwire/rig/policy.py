"""What is tried again, and what never is.

Tried again is what link, port, power or a tool may have caused. Never tried again is what another attempt could only
hide or make worse: another board, wrong bytes, a figure over budget, a file that cannot be used.
"""

from __future__ import annotations

from leadwire import errors

_AGAIN: dict[str, str] = {
    errors.PortError.__name__: "the port was not there or vanished",
    errors.DeviceSilentError.__name__: "the board fell silent",
    errors.FrameError.__name__: "answers were damaged",
    errors.DeviceError.__name__: "the flash tool failed, the run was not whole or the board crashed",
    "StageTimeout": "a stage took longer than its time-out and was ended",
    "ProcessDied": "the process that worked on the board ended without a word",
}
_NEVER: dict[str, str] = {
    errors.WrongBoardError.__name__: "another board is plugged in there",
    errors.WrongDeviceError.__name__: "the board carries another firmware or model, or is another one",
    errors.DeviceRefusedError.__name__: "the board itself said no, which it would again",
    errors.BusyBoardError.__name__: "its time to wait is over",
    errors.KernelMismatchError.__name__: "two kernels of this computer give other bytes, which they would again",
    "SameBoard": "two entries of the rig file lead to one board",
    "WrongBytes": "wrong bytes are a result",
    "OverBudget": "a figure over budget is a result",
    "NotValidated": "a verdict is a result",
}


def tried_again(kind: str) -> bool:
    """Whether an attempt that ended with an error of this kind is followed by another."""
    return kind in _AGAIN


def reason(kind: str) -> str:
    return _AGAIN.get(kind) or _NEVER.get(kind) or "it is not the board's doing"


def stated() -> tuple[tuple[str, bool, str], ...]:
    """The policy as it stands in reports and manual: (kind, tried again, why)."""
    return (*((kind, True, why) for kind, why in _AGAIN.items()), *((kind, False, why) for kind, why in _NEVER.items()))
