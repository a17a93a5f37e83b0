"""Stage flash: bring an image onto a board and make sure that the board runs this image and no other."""

from __future__ import annotations

import hashlib

from leadwire.artifacts import FirmwareImage
from leadwire.board import Board
from leadwire.device.running import RunningBoard
from leadwire.errors import BadInputError, DeviceError, FileMissingError


def flash_image(image: FirmwareImage, board: Board, *, port: str = "") -> RunningBoard:
    """The board, running and checked by `describe`; leave it as a context manager.

    `port` is the serial port of a real board; emulated boards bring their own. BadInputError when the image was built
    for another board or is not the file that was built, WrongDeviceError when the board says it runs something else,
    DeviceError when it cannot be programmed or has crashed. On any error nothing is left running.
    """
    from leadwire.device.client import DeviceClient

    from . import tool

    _check_image(image, board)
    started = tool.start(image, board, port)
    running = RunningBoard(
        board=board,
        image=image,
        port=started.port,
        counter_reads=started.counter_reads,
        count_instructions=started.count_instructions,
        stop=started.stop,
    )
    if not started.talks:
        return running
    try:
        with DeviceClient(started.port, board.link.baud) as client:
            client.expect(image)
    except BaseException as error:
        try:
            if isinstance(error, DeviceError):
                started.check()
        finally:
            started.stop()
        raise
    return running


def _check_image(image: FirmwareImage, board: Board) -> None:
    if image.board_id != board.id:
        raise BadInputError(
            f"the image was built for board '{image.board_id}', not for '{board.id}'",
            hint="build it again for this board",
        )
    if not image.elf.is_file():
        raise FileMissingError(image.elf, role="firmware image")
    digest = hashlib.sha256(image.elf.read_bytes()).hexdigest()
    if digest != image.digest:
        raise BadInputError(
            f"firmware image '{image.elf}' is not the file that was built: digest {digest[:16]}..., "
            f"expected {image.digest[:16]}...",
            hint="build it again",
        )
