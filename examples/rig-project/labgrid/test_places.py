"""The same demands on boards that labgrid reserves, wherever they are plugged in."""

import os

import pytest


@pytest.fixture(scope="module", params=["left", "right"])
def board(request, env):
    """The driver of a place; the place is acquired beforehand (labgrid-client acquire)."""
    return env.get_target(request.param).get_driver("LeadwireDriver")


def test_the_board_computes_what_the_reference_does(board):
    with board.desk(os.environ["LEADWIRE_MODEL"]) as desk:
        assert desk.compared.identical == desk.compared.samples
        assert desk.device.info.unique_id == board.board.unique_id
