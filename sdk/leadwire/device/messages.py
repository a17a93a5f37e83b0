"""The SMP messages of the link, as `smp` declares messages: header, one CBOR map, strict types.

The leadwire group's classes serve our own client and, because they carry `_Response`, `_ErrorV1` and `_ErrorV2`, the
stock `smpclient.SMPClient.request` as well. `parse_answer` is the only way in for received bytes.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Annotated, Any

from cbor2 import CBORDecodeError, CBORDecoder
from pydantic import Field, Strict, ValidationError
from pydantic_core import ErrorDetails
from smp import error, message
from smp.error import MGMT_ERR
from smp.header import Header
from smpclient.generics import SMPRequest, TEr1, TEr2, TRep

LEADWIRE_GROUP = 64
HEADER = struct.Struct("!BBHHBB")
"""op and version, flags, length, group, sequence, command."""

RC_INVALID = 3
RC_STATUS = 16
"""Added to an lw_status of leadwire.h."""

_OP_BITS = 0b111
_ENVELOPE = {"header", "version", "sequence", "smp_data"}
_STATUS_NAMES = {
    RC_STATUS + 1: "model not initialized",
    RC_STATUS + 2: "arena too small",
    RC_STATUS + 3: "an operator failed",
    RC_STATUS + 4: "golden self-test failed",
    RC_STATUS + 5: "operator index out of range",
    RC_STATUS + 6: "the model's schema version is not the one that TensorFlow Lite Micro reads",
    RC_STATUS + 7: "an operator of the model is missing",
    RC_STATUS + 8: "an input or output is not what the generated header says",
    RC_STATUS + 9: "not supported by this build",
}

RESET_CAUSES = {0: "unknown", 1: "software", 2: "watchdog", 3: "pin", 4: "fault"}
"""lw_reset_cause of port.h."""

U32 = Annotated[int, Strict(), Field(ge=0, le=0xFFFF_FFFF)]
Text = Annotated[str, Strict(), Field(max_length=255)]
Bytes = Annotated[bytes, Strict()]


class _Group:
    _GROUP_ID = LEADWIRE_GROUP


class LeadwireErrorV1(_Group, error.ErrorV1):
    """`{"rc": n}`: MCUmgr's general error."""


class LeadwireErrorV2(_Group, error.ErrorV2[MGMT_ERR]):
    """`{"err": {"group": g, "rc": n}}`; the codes are MCUmgr's general ones."""


class _Request(_Group):
    _ErrorV1 = LeadwireErrorV1
    _ErrorV2 = LeadwireErrorV2


class DescribeResponse(_Group, message.ReadResponse):
    _COMMAND_ID = 0
    firmware: Text
    build: Annotated[bytes, Strict(), Field(min_length=16, max_length=16)]
    model: Text
    digest: Annotated[bytes, Strict(), Field(min_length=32, max_length=32)]
    board: Text
    uid: Annotated[bytes, Strict(), Field(max_length=64)]
    clock_hz: Annotated[int, Strict(), Field(ge=1, le=0xFFFF_FFFF)]
    arena: U32
    used: U32 = 0
    need: U32 = 0
    input_bytes: Annotated[int, Strict(), Field(ge=1, le=0xFFFF_FFFF, alias="in")]
    output_bytes: Annotated[int, Strict(), Field(ge=1, le=0xFFFF_FFFF, alias="out")]
    ops: Annotated[int, Strict(), Field(ge=1, le=0xFFFF)]
    counter: Text
    boot: U32
    cell: Annotated[int, Strict(), Field(ge=0, le=255)] = 0
    reset: U32 = 0


class Describe(_Request, message.ReadRequest):
    _COMMAND_ID = 0
    _Response = DescribeResponse


class InferResponse(_Group, message.WriteResponse):
    """Input incomplete: `off` alone; complete: all the others, `out` being the first of `len` bytes."""

    _COMMAND_ID = 1
    seq: U32
    off: U32 | None = None
    cycles: U32 | None = None
    stack: U32 | None = None
    crc: U32 | None = None
    len: U32 | None = None
    out: Bytes | None = None


class Infer(_Request, message.WriteRequest):
    _COMMAND_ID = 1
    _Response = InferResponse
    seq: U32
    off: U32
    data: bytes
    hold: bool | None = None


class OutputResponse(_Group, message.ReadResponse):
    _COMMAND_ID = 2
    seq: U32
    off: U32
    out: Bytes


class Output(_Request, message.ReadRequest):
    _COMMAND_ID = 2
    _Response = OutputResponse
    seq: U32
    off: U32


class SelfTestResponse(_Group, message.WriteResponse):
    _COMMAND_ID = 3
    ok: Annotated[bool, Strict()]
    cycles: U32


class SelfTest(_Request, message.WriteRequest):
    _COMMAND_ID = 3
    _Response = SelfTestResponse


class ProfileResponse(_Group, message.WriteResponse):
    _COMMAND_ID = 4
    seq: U32
    cycles: list[U32]
    next: U32 | None = None


class Profile(_Request, message.WriteRequest):
    _COMMAND_ID = 4
    _Response = ProfileResponse
    seq: U32
    first: U32 | None = None


class TensorResponse(_Group, message.ReadResponse):
    _COMMAND_ID = 5
    op: U32
    off: U32
    len: U32
    out: Bytes


class Tensor(_Request, message.ReadRequest):
    _COMMAND_ID = 5
    _Response = TensorResponse
    op: U32
    off: U32


class StatusResponse(_Group, message.ReadResponse):
    _COMMAND_ID = 6
    runs: U32
    io_crc: U32
    stack: U32


class Status(_Request, message.ReadRequest):
    _COMMAND_ID = 6
    _Response = StatusResponse


class StreamResponse(_Group, message.WriteResponse):
    _COMMAND_ID = 7
    id: U32
    cell: Annotated[int, Strict(), Field(ge=32, le=255)]
    answer: Annotated[int, Strict(), Field(ge=32, le=255)]
    window: Annotated[int, Strict(), Field(ge=32, le=1 << 20)]
    kept: Annotated[int, Strict(), Field(ge=1, le=0xFFFF)]
    runs: U32
    io_crc: U32


class OpenStream(_Request, message.WriteRequest):
    _COMMAND_ID = 7
    _Response = StreamResponse
    id: U32
    cell: int


class MalformedAnswerError(ValueError):
    """A whole frame arrived, yet it is not the message it claims to be."""


class RefusalError(Exception):
    """The device answered with an error: `rc` as in MCUmgr (3 invalid, 8 not supported), or 16 + lw_status."""

    def __init__(self, rc: int) -> None:
        names = {int(code): code.name for code in MGMT_ERR} | _STATUS_NAMES
        super().__init__(f"rc {rc} ({names.get(rc, 'unknown code')})")
        self.rc = rc


def is_answer_to(request: SMPRequest[TRep, TEr1, TEr2], data: bytes) -> bool:
    """Whether header, group, command and sequence say so; late answers to earlier requests do not."""
    if len(data) < HEADER.size:
        return False
    wanted = request.header
    op, _, _, group, sequence, command = HEADER.unpack_from(data)
    return (op & _OP_BITS, group, command) == (wanted.op + 1, wanted.group_id, wanted.command_id) and (
        sequence == wanted.sequence
    )


def parse_answer(request: SMPRequest[TRep, TEr1, TEr2], data: bytes) -> TRep:
    """The response in `data`, every field checked; `is_answer_to` must hold.

    Raises MalformedAnswerError (header, CBOR or fields are wrong) or RefusalError (an error of the device, in the form
    of either SMP version).
    """
    body = data[HEADER.size :]
    if HEADER.unpack_from(data)[2] != len(body):
        raise MalformedAnswerError(f"header gives {HEADER.unpack_from(data)[2]} bytes of CBOR, {len(body)} came")
    fields = _decode_map(body)
    code = fields["err"].get("rc") if isinstance(fields.get("err"), dict) else fields.get("rc")
    if type(code) is int and code != 0:
        raise RefusalError(code)
    try:
        return request._Response(header=Header.loads(data[: HEADER.size]), smp_data=data, **fields)
    except ValidationError as error:
        raise MalformedAnswerError("; ".join(_describe(detail) for detail in error.errors())) from None
    except (ValueError, TypeError) as error:
        raise MalformedAnswerError(str(error)) from None


def _decode_map(body: bytes) -> dict[str, Any]:
    """CBOR as the protocol allows it: one map with text keys, depth at most 3, definite lengths, nothing after it."""
    stream = BytesIO(body)
    decoder = CBORDecoder(
        stream, read_size=1, max_depth=3, allow_indefinite=False, allow_duplicate_keys=False, strict_hashable_types=True
    )
    try:
        fields = decoder.decode()
    except (CBORDecodeError, ValueError) as error:
        raise MalformedAnswerError(f"not CBOR: {error}") from None
    if stream.tell() != len(body):
        raise MalformedAnswerError(f"{len(body) - stream.tell()} bytes after the CBOR map")
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        raise MalformedAnswerError("not a map with text keys")
    if taken := _ENVELOPE & fields.keys():
        raise MalformedAnswerError(f"unknown fields {sorted(taken)}")
    return fields


def _describe(detail: ErrorDetails) -> str:
    return f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"
