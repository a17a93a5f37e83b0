"""The report as JUnit XML, as CI systems read it: a suite for each board, a case for each stage."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

from leadwire.device.running import Flashed
from leadwire.errors import ValidationError

from .records import BoardResult, RigReport

CASES = ("identify", "flash", "bench", "bytes", "budget", "validate", "confirm")
"""In the order in which they can fail; what the run did not come to is skipped."""
_REACHED = {"power": 0, "identify": 0, "lock": 0, "flash": 1, "bench": 2, "validate": 5, "confirm": 6}
_FAILURES = {"bytes": "WrongBytes", "budget": "OverBudget", "validate": "NotValidated"}
_NOT_ASKED = "the rig file does not ask for it"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


def junit(report: RigReport) -> bytes:
    """The document. `failure` is a result that is not as it must be, `error` a board that could not be measured."""
    root = Xml.Element("testsuites", name=_text(report.rig), time=f"{report.seconds:.3f}")
    for board in report.boards:
        root.append(_suite(report, board))
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(report: RigReport, board: BoardResult) -> Xml.Element:
    suite = Xml.Element("testsuite", name=f"{_text(report.rig)}.{_text(board.name)}", time=f"{board.seconds:.3f}")
    properties = Xml.SubElement(suite, "properties")
    for name, value in _facts(report, board):
        Xml.SubElement(properties, "property", name=name, value=_text(value))
    stopped = _stopped_at(board)
    for position, name in enumerate(CASES):
        case = Xml.SubElement(suite, "testcase", classname=f"{report.rig}.{board.name}", name=name)
        if name == "bench":
            case.set("time", f"{board.seconds:.3f}")
        if board.state == "failed":
            if (text := _failed(board, name)) is not None:
                _problem(case, "failure", _FAILURES[name], text)
            elif name == "validate" and not _validated(board):
                Xml.SubElement(case, "skipped", message=_NOT_ASKED)
        elif stopped is not None and position == stopped:
            problem = board.problem
            kind, text = (problem.kind, problem.message) if problem else (board.state, f"the board is {board.state}")
            _problem(case, "error", kind, text)
        elif stopped is not None and position > stopped:
            Xml.SubElement(case, "skipped", message="the run did not come to it")
        elif name == "validate" and not _validated(board):
            Xml.SubElement(case, "skipped", message=_NOT_ASKED)
    cases = list(suite.iter("testcase"))
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("tests", str(len(cases)))
    return suite


def _stopped_at(board: BoardResult) -> int | None:
    """Position of the case that an error belongs to, None where the whole was measured."""
    return None if board.state in ("passed", "failed") else _REACHED.get(board.stage, 0)


def _validated(board: BoardResult) -> bool:
    return board.measured is None or board.measured.validation is not None


def _failed(board: BoardResult, case: str) -> str | None:
    measured = board.measured
    if measured is None:
        return None
    compared = measured.compared
    if case == "bytes" and compared.identical < compared.samples:
        wrong = compared.samples - compared.identical
        return f"{wrong} of {compared.samples} outputs differ, the first at sample {compared.first_difference}"
    if case == "budget" and not measured.budget.fits:
        return board.problem.message if board.problem else "over budget"
    if case == "validate" and measured.validation is not None and measured.validation.verdict != "pass":
        return ValidationError(measured.validation.verdict, measured.validation.reasons).message
    return None


def _problem(case: Xml.Element, tag: str, kind: str, text: str) -> None:
    first, _, rest = text.partition("\n")
    Xml.SubElement(case, tag, type=kind, message=_text(first)).text = _text(rest or first)


def _facts(report: RigReport, board: BoardResult) -> list[tuple[str, str]]:
    facts = [("board", board.board_id), ("state", board.state), ("model", report.model_digest)]
    facts += [("attempts", str(len(board.attempts)))]
    if board.measured is not None:
        benchmark = board.measured.benchmark
        facts += [
            ("unique_id", board.measured.after.unique_id),
            ("port", board.measured.after.port),
            *_flashed(board.measured.flashed),
            ("image", benchmark.image_digest),
            ("io_digest", benchmark.io_digest),
            ("latency_us_p50", f"{benchmark.latency_us.p50:.1f}"),
            ("basis", benchmark.basis),
        ]
        if board.measured.validation is not None:
            facts += [("verdict", board.measured.validation.verdict)]
    return facts


def _flashed(flashed: Flashed | None) -> list[tuple[str, str]]:
    if flashed is None:
        return []
    said = {"flash_tool": flashed.tool, "known_by": flashed.known_by, "read_back": flashed.read_back_digest}
    return [(name, value) for name, value in said.items() if value]


def _text(value: str) -> str:
    """Without what XML cannot hold."""
    return _NOT_XML.sub("�", value)
