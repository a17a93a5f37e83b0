"""docs/manual/ports.md: every port with every core an emulator has it on, and boards of one core that agree."""

from __future__ import annotations

from pathlib import Path

from leadwire.board import list_boards, load_board


def tables(page: str) -> list[dict[str, list[str]]]:
    """Board to cells, for each section."""
    found: list[dict[str, list[str]]] = []
    for section in page.split("\n## ")[1:]:
        rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
        found.append({cells[0].strip("`"): cells for cells in rows})
    return found


def count(cells: list[str]) -> int:
    return int(cells[2].replace(",", ""))


def test_the_page_has_every_port_and_agrees_with_itself(root: Path) -> None:
    emulated = [board for board in map(load_board, list_boards()) if board.basis == "emulated"]
    wanted = {(board.port, board.core) for board in emulated}
    found = tables((root / "docs" / "manual" / "ports.md").read_text(encoding="utf-8"))
    assert len(found) >= 2
    for table in found:
        boards = {name: load_board(name) for name in table}
        assert {(board.port, board.core) for board in boards.values()} == wanted
        for core in {board.core for board in boards.values()}:
            counts = [count(table[name]) for name, board in boards.items() if board.core == core]
            assert max(counts) - min(counts) < 40, f"{core}: {counts}"  # ticks, and interrupts of the system timer
        by_core = {board.core: count(table[name]) for name, board in boards.items()}
        assert by_core["cortex-m0"] > by_core["cortex-m3"] > by_core["cortex-m4f"]
