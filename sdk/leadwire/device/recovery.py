"""A boot loader in MCUboot's serial recovery: the image group of SMP over the same link as the bench firmware."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated

from pydantic import Field, Strict
from smp import message
from smpclient.requests.image_management import ImageStatesRead, ImageUploadWrite
from smpclient.requests.os_management import MCUMgrParametersRead, ResetWrite

from leadwire.errors import DeviceRefusedError, DeviceSilentError, FrameError

from .framing import FRAME_OVERHEAD_BYTES
from .link import Link
from .messages import _Group, _Request

_AROUND_DATA_BYTES = FRAME_OVERHEAD_BYTES + 96
"""Most that a packet of an upload has besides its data: SMP header, CBOR keys, length and digest."""
_KNOCK_SECONDS, _KNOCKS, _RESETS = 0.2, 30, 3
_ERASE_SECONDS = 10.0
"""An answer that waits for a sector to be erased."""


class IdentityResponse(_Group, message.ReadResponse):
    _COMMAND_ID = 32
    uid: Annotated[bytes, Strict(), Field(max_length=64)]


class Identity(_Request, message.ReadRequest):
    """The chip's number, as leadwire's own boot loader gives it; MCUboot has no such message and refuses it."""

    _COMMAND_ID = 32
    _Response = IdentityResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotImage:
    """An image that the boot loader finds right. `digest` in hex, '' where it does not tell."""

    slot: int
    version: str
    digest: str


class RecoveryClient:
    """Context manager around one port, with the errors and retries of `Link`."""

    def __init__(self, port: str, baud: int = 115200, *, attempts: int = 5) -> None:
        self.port = port
        self._baud = baud
        self._attempts = attempts

    def __enter__(self) -> RecoveryClient:
        self._link = Link(self.port, self._baud, timeout_s=1.0, run_timeout_s=_ERASE_SECONDS, attempts=self._attempts)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()

    def enter(self) -> None:
        """Knock until the boot loader answers: after a reset it listens only for a moment before it starts its image.
        Firmware that answers instead, and knows nothing of images, is asked to reset. DeviceSilentError or FrameError
        where nobody answers, DeviceRefusedError where resets do not lead to a boot loader."""
        patience, self._link.timeout_s = self._link.timeout_s, _KNOCK_SECONDS
        resets = 0
        try:
            request = ImageStatesRead(sequence=self._link.next_sequence())  # a late answer to any knock will do
            for knocks_left in reversed(range(_KNOCKS)):
                try:
                    self._link.request("image state", request, attempts=1)
                    return
                except (DeviceSilentError, FrameError):
                    if not knocks_left:
                        raise
                except DeviceRefusedError:
                    if resets == _RESETS:
                        raise
                    resets += 1
                    with suppress(DeviceSilentError, FrameError):
                        self.reset()
        finally:
            self._link.timeout_s = patience

    def images(self) -> tuple[SlotImage, ...]:
        """What the slots hold, after the boot loader has computed their digests."""
        answer = self._link.request("image state", ImageStatesRead(sequence=self._link.next_sequence()), runs=True)
        return tuple(
            SlotImage(slot=image.slot, version=image.version, digest=(image.hash or b"").hex())
            for image in answer.images
        )

    def unique_id(self) -> bytes | None:
        """None where this boot loader does not tell."""
        try:
            return self._link.request("identity", Identity(sequence=self._link.next_sequence())).uid
        except DeviceRefusedError:
            return None

    def upload(self, image: bytes, digest: bytes, progress: Callable[[int], None] = lambda sent: None) -> None:
        """Write the image into the first slot, piece by piece; a lost answer repeats its piece. `digest` is the SHA-256
        of `image`."""
        size = self._piece_bytes()
        offset = 0
        stalled = 0
        while offset < len(image):
            first = offset == 0
            request = ImageUploadWrite(
                off=offset,
                data=image[offset : offset + size],
                image=0 if first else None,
                len=len(image) if first else None,
                sha=digest if first else None,
                sequence=self._link.next_sequence(),
            )
            due = self._link.request("image upload", request, runs=True).off
            stalled = 0 if due is not None and due > offset else stalled + 1
            if due is None or not 0 <= due <= len(image) or stalled > self._attempts:
                raise FrameError(self.port, "image upload", f"goes on at {due} of {len(image)} B", stalled)
            offset = due
            progress(offset)

    def reset(self) -> None:
        self._link.request("reset", ResetWrite(sequence=self._link.next_sequence()))

    def _piece_bytes(self) -> int:
        """Most bytes of an image that fit any request, in whole words."""
        answer = self._link.request("parameters", MCUMgrParametersRead(sequence=self._link.next_sequence()))
        most = (answer.buf_size - _AROUND_DATA_BYTES) & ~3
        if most <= 0:
            raise DeviceRefusedError(self.port, "image upload", f"its buffer of {answer.buf_size} B is too small")
        return min(most, 4096)
