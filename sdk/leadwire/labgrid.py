"""labgrid: the resource that says which board stands there, and the driver that runs models on it.

A test names this module in its environment file (`imports: [leadwire.labgrid]`); the exporter needs no import, it hands
on what its file says. Needs the extra `leadwire[labgrid]`, in an environment of its own: labgrid brings its own fork of
pyserial. docs/manual/rigs.md is the reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attr
from labgrid.driver import Driver
from labgrid.factory import target_factory
from labgrid.protocol import BootstrapProtocol, PowerProtocol
from labgrid.resource import Resource
from labgrid.resource.base import SerialPort
from labgrid.util.proxy import proxymanager

from leadwire.artifacts import FirmwareImage
from leadwire.device.running import RunningBoard
from leadwire.device.target import Target
from leadwire.rig.desk import Desk, Quiet
from leadwire.rig.file import Rig, rig_of_one
from leadwire.rig.identity import Identity, ask, check, locate
from leadwire.rig.workload import prepare

_TEXT = attr.validators.instance_of(str)
_RFC2217_SECONDS = 5.0
"""How long the machine with the port may take to answer while it is opened."""


@target_factory.reg_resource
@attr.s(eq=False)
class LeadwireBoard(Resource):  # type: ignore[misc]
    """Which board is at the serial port beside it: `board` is an id of `leadwire boards` or a board file, `unique_id`
    the chip's number, as `leadwire rig enroll` gives it."""

    board: str = attr.ib(validator=_TEXT)
    unique_id: str = attr.ib(default="", validator=_TEXT)
    probe_serial: str = attr.ib(default="", validator=_TEXT)


@target_factory.reg_driver
@attr.s(eq=False)
class LeadwireDriver(Driver):  # type: ignore[misc]
    """Runs models on a board of labgrid's, on this machine or, through an exporter, on another.

    Bound to a BootstrapProtocol (OpenOCDDriver, DFUDriver and so on), that brings the image onto the board; else the
    board's own flash tool does, over the serial port. With a PowerProtocol the board is power-cycled after it.
    """

    bindings = {  # noqa: RUF012  labgrid reads it so
        "port": {"SerialPort", "NetworkSerialPort"},
        "board": {LeadwireBoard},
        "bootstrap": {BootstrapProtocol, None},
        "power": {PowerProtocol, None},
    }

    @property
    def url(self) -> str:
        """The port as pyserial opens it."""
        if isinstance(self.port, SerialPort):
            return str(self.port.port)
        host, port = proxymanager.get_host_and_port(self.port)
        if self.port.protocol == "raw":
            return f"socket://{host}:{port}"
        return f"rfc2217://{host}:{port}?ign_set_control&timeout={_RFC2217_SECONDS:g}"

    @Driver.check_active  # type: ignore[untyped-decorator]
    def identify(self) -> Identity:
        """Who is there; WrongBoardError where it is another board than the resource says. Nothing is written."""
        (board,) = self._rig(Path()).boards
        place = locate(board)
        return check(board, place, ask(place.port, board.board.link.baud))

    @Driver.check_active  # type: ignore[untyped-decorator]
    @contextmanager
    def desk(self, source: str | Path, *, inputs: int = 20) -> Iterator[Desk]:
        """The board with a model (.tflite) or a project (leadwire.toml), as pytest's `leadwire` fixture gives it."""
        path = Path(source)
        with TemporaryDirectory(prefix="leadwire-") as folder:
            rig = self._rig(Path(folder), inputs)
            workload = prepare(path, rig, rig.boards, Quiet())
            with Desk(rig.boards[0], workload, path, Path(folder) / "validated", Quiet(), self._flasher()) as desk:
                yield desk

    def _rig(self, folder: Path, inputs: int = 20) -> Rig:
        board = self.board
        return rig_of_one(
            board.board,
            self.url,
            folder,
            unique_id=board.unique_id,
            probe_serial=board.probe_serial,
            inputs=inputs,
        )

    def _flasher(self) -> Any:
        from leadwire.flash import flash_image

        return flash_image if self.bootstrap is None else self._bootstrap

    def _bootstrap(self, image: FirmwareImage, target: Target) -> RunningBoard:
        """The identity was checked before; who answers is checked after, by whoever called."""
        self.bootstrap.load(str(image.elf))
        if self.power is not None:
            self.power.cycle()
        return RunningBoard(board=target.board, image=image, port=target.port)
