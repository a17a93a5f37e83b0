"""MCUboot's serial recovery: the image goes over the serial port that the firmware uses, in SMP messages.

The boot loader takes an image where it has no right one, or within the first moments after a reset. It computes the
image's digest over its flash, which is compared here: that is the read-back.
"""

from __future__ import annotations

import hashlib

from leadwire import __version__
from leadwire.device.recovery import RecoveryClient
from leadwire.errors import BadInputError, DeviceError

from .contents.mcuboot import LEAST_HEADER_BYTES, McubootImage, wrap
from .tool import Job

INSTALL = "comes with leadwire"
ARGUMENTS = {
    "header": "bytes of the image header, default 512: the first flash region of the board begins behind it",
    "baud": "baud rate, default the link's",
}
BOOT_LOADER = True


def write(job: Job) -> None:
    image = image_of(job)
    with _recovery(job) as recovery:
        recovery.enter()
        recovery.upload(image.data, hashlib.sha256(image.data).digest())


def identify(job: Job) -> bytes | None:
    with _recovery(job) as recovery:
        recovery.enter()
        return recovery.unique_id()


def check(job: Job) -> None:
    """The digest that the boot loader computes must be the image's."""
    with _recovery(job) as recovery:
        found = recovery.images()
    wanted = image_of(job).digest
    if not any(image.digest == wanted for image in found):
        held = ", ".join(f"{image.version} {image.digest[:16]}..." for image in found) or "no right image"
        raise DeviceError(
            f"board '{job.board.id}' does not hold the image after flashing: it has {held}, sent was {wanted[:16]}...",
            hint="flash again; if it stays, the boot loader wants a signed image or another header size",
        )


def run(job: Job) -> None:
    with _recovery(job) as recovery:
        recovery.reset()


def image_of(job: Job) -> McubootImage:
    """The image with MCUboot's header and trailer; its version is leadwire's, with the build id's first digits as build
    number."""
    text = job.argument("header", "512")
    size = int(text) if text.isdecimal() else 0
    if not LEAST_HEADER_BYTES <= size < 1 << 16:
        raise BadInputError(
            f"flash tool 'mcuboot': a header of '{text}' bytes cannot be", hint=f"at least {LEAST_HEADER_BYTES}"
        )
    major, minor, revision = (int(part) for part in __version__.split(".")[:3])
    build = int(job.image.build_id[:8], 16)
    return wrap(job.contents.data, header_bytes=size, version=(major, minor, revision, build))


def _recovery(job: Job) -> RecoveryClient:
    baud = job.argument("baud", str(job.board.link.baud))
    if not baud.isdecimal():
        raise BadInputError(f"flash tool 'mcuboot': baud '{baud}' is not a number")
    return RecoveryClient(job.target.boot_port, int(baud))
