"""What a rig run shows while it goes: a table that changes in place on a terminal, lines elsewhere."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from leadwire.rig.crew import Row
from leadwire.views import rig as views

ROW = Row(name="left", board_id="b", state="running", stage="bench", attempt=1, done=5, total=10, seconds=3.0, note="")


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch):
    def console(terminal: bool) -> io.StringIO:
        screen = io.StringIO()
        monkeypatch.setattr(views, "err", Console(file=screen, force_terminal=terminal, width=120))
        return screen

    return console


def test_a_table_on_a_terminal(console) -> None:
    screen = console(terminal=True)
    with views.LiveBoards() as live:
        live.show((ROW, replace(ROW, name="right", state="error", note="[red]fell silent[/red]")))
        assert live._live is not None
        live._live.refresh()
    shown = screen.getvalue()
    assert "██████······ 5/10" in shown
    assert "[red]fell silent" in shown, "what a device says is shown as it is"


def test_a_line_for_each_change_elsewhere(console) -> None:
    screen = console(terminal=False)
    with views.LiveBoards() as live:
        for done in range(5):
            live.show((replace(ROW, done=done),))
        live.show((replace(ROW, state="pausing", note="it fell silent"),))
        live.show((replace(ROW, stage="flash", attempt=2),))
        live.show((replace(ROW, state="passed", attempt=2),))
    assert screen.getvalue().splitlines() == [
        "  left: bench",
        "  left: pausing  it fell silent",
        "  left: flash, attempt 2",
        "  left: passed, attempt 2",
    ]
