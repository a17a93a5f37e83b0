"""The policy names every error of a device; JUnit says of each board what CI systems ask."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import pytest

from leadwire import errors
from leadwire.rig import policy
from leadwire.rig.junit import CASES, junit
from leadwire.rig.records import Attempt, BoardResult, Problem, RigReport

HOSTILE = "silent \x00\x1b[31m <&\"'> \ud800 ]]> last"


def all_kinds(kind: type[errors.LeadwireError]) -> set[str]:
    return {kind.__name__} | {name for sub in kind.__subclasses__() for name in all_kinds(sub)}


def test_every_error_of_a_device_is_in_the_policy() -> None:
    stated = {kind for kind, _, _ in policy.stated()}
    assert all_kinds(errors.DeviceError) <= stated


@pytest.mark.requirement("LW-RIG-001")
def test_another_board_and_wrong_bytes_are_never_tried_again() -> None:
    for kind in ("WrongBoardError", "WrongDeviceError", "WrongBytes", "OverBudget", "ConfigError", "NobodyKnowsThis"):
        assert not policy.tried_again(kind)
    for kind in ("DeviceSilentError", "PortError", "FrameError", "StageTimeout", "ProcessDied"):
        assert policy.tried_again(kind)


def result(name: str, state: str, stage: str, message: str = "") -> BoardResult:
    problem = Problem(kind="DeviceSilentError", message=message) if message else None
    attempts = (Attempt(number=1, stage=stage, seconds=1.0, problem=problem),) if stage else ()
    return BoardResult(name=name, board_id="b", state=state, attempts=attempts, problem=problem)  # type: ignore[arg-type]


def report(*boards: BoardResult) -> RigReport:
    return RigReport(
        rig="night",
        model_digest="0" * 64,
        witness="w",
        inputs=1,
        complete=True,
        boards=boards,
        retry_policy=(),
        seconds=1,
    )


def test_junit_counts_what_it_says() -> None:
    document = junit(report(result("good", "passed", "confirm"), result("lost", "error", "bench", HOSTILE)))
    root = Xml.fromstring(document)
    good, lost = root.findall("testsuite")
    assert [case.get("name") for case in good.findall("testcase")] == list(CASES)
    assert (good.get("errors"), good.get("failures"), good.get("skipped")) == ("0", "0", "0")
    cases = {case.get("name"): case for case in lost.findall("testcase")}
    error = cases["bench"].find("error")
    assert error is not None
    assert error.get("type") == "DeviceSilentError"
    assert "silent" in (error.get("message") or "")
    assert "last" in (error.get("message") or "")
    assert cases["flash"].find("*") is None
    assert cases["bytes"].find("skipped") is not None
    for tag, count in (("errors", "error"), ("skipped", "skipped"), ("tests", "testcase")):
        assert root.get(tag) == str(len(root.findall(f".//{count}")))


def test_a_board_that_was_not_reached_is_an_error_and_not_a_pass() -> None:
    root = Xml.fromstring(junit(report(result("idle", "waiting", ""))))
    assert root.get("errors") == "1"
    assert root.get("skipped") == str(len(CASES) - 1)


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["passed"], 0),
        (["passed", "failed"], 7),
        (["failed", "error"], 6),
        (["passed", "waiting"], 6),
        (["passed", "interrupted"], 6),
    ],
)
def test_exit_codes(states: list[str], code: int) -> None:
    assert report(*(result(f"b{i}", state, "bench") for i, state in enumerate(states))).exit_code == code
