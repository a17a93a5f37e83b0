"""A device for tests: a thread at the far end of a pseudo-terminal that speaks the link protocol with a trivial model.

It is written against docs/manual/link-protocol.md with `smp.packet`, `struct` and `cbor2`, not with leadwire's code, so
that it is a second reading of the protocol. Faults come in through `tamper` (what leaves the wire) and a few switches.
`counter_log` is what an emulator would see of its cycle counter: (count, executed instructions) at each read.
"""

from __future__ import annotations

import os
import select
import struct
import threading
import tty
import zlib
from collections.abc import Callable
from types import TracebackType
from typing import Any

import cbor2
from smp import packet

HEADER = struct.Struct("!BBHHBB")
DIGEST = bytes(range(32))
BUILD = bytes(range(100, 116))
CLOCK_HZ = 16_000_000
CYCLES_PER_RUN = 4_000

Answer = dict[str, Any]


def model_output(data: bytes, output_bytes: int) -> bytes:
    """The trivial model: byte i is the sum of the input plus 7 i, modulo 256."""
    return bytes((sum(data) + 7 * i) & 0xFF for i in range(output_bytes))


class RefusalError(Exception):
    def __init__(self, rc: int) -> None:
        self.rc = rc


class FakeDevice:
    """Context manager; `port` is what a client opens.

    tamper(n, lines): what is sent instead of the n-th answer's bytes (n from 0); b"" loses it.
    boot_text: sent before anything else, and again after a reset. reset_after_runs: resets once, after that many runs.
    vanish_after: closes the port instead of sending this answer. deaf: reads, but answers nothing.
    """

    def __init__(
        self,
        *,
        input_bytes: int = 24,
        output_bytes: int = 5,
        operators: int = 3,
        buffer_bytes: int = 256,
        page_bytes: int = 96,
        tamper: Callable[[int, bytes], bytes] = lambda index, lines: lines,
        describe: Answer | None = None,
        boot_text: bytes = b"",
        reset_after_runs: int | None = None,
        vanish_after: int | None = None,
        deaf: bool = False,
        cycles: Callable[[bytes], int] = lambda data: CYCLES_PER_RUN,
        old_errors: bool = False,
    ) -> None:
        self.input_bytes, self.output_bytes, self.operators = input_bytes, output_bytes, operators
        self.buffer_bytes, self.page_bytes = buffer_bytes, page_bytes
        self.tamper, self.overrides, self.boot_text = tamper, describe or {}, boot_text
        self.reset_after_runs, self.vanish_after, self.deaf = reset_after_runs, vanish_after, deaf
        self.cycles, self.old_errors = cycles, old_errors
        self.requests: list[tuple[int, int, Answer]] = []
        self.counter = 0xFFFF_FF00
        self.executed = 0
        self.counter_log: list[tuple[int, int]] = []
        self.answers = 0
        self.total_runs = 0
        self.power_on()

    def power_on(self) -> None:
        self.runs = self.io_crc = 0
        self.input, self.next_offset, self.input_seq = b"", 0, None
        self.stored: tuple[tuple[int, int, int], Answer] | None = None
        self.output = b""
        self.profile_cycles: list[int] = []
        self.tensor_bytes = (-1, b"")
        self.held = False

    def spend(self, cycles: int) -> int:
        """Reads the 32-bit counter, executes three instructions for every four cycles, reads it again."""
        self.counter_log.append((self.counter, self.executed))
        self.counter = (self.counter + cycles) & 0xFFFF_FFFF
        self.executed += cycles * 3 // 4
        self.counter_log.append((self.counter, self.executed))
        return cycles

    # ---------------------------------------------------------------- thread

    def __enter__(self) -> FakeDevice:
        self._fd, slave = os.openpty()
        tty.setraw(slave)
        self.port, self._slave = os.ttyname(slave), slave
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5)
        for fd in {self._fd, self._slave} - {-1}:
            os.close(fd)

    def _serve(self) -> None:
        os.write(self._fd, self.boot_text)
        received, lines = b"", []
        while not self._stop.is_set():
            if not select.select([self._fd], [], [], 0.02)[0]:
                continue
            received += os.read(self._fd, 4096)
            while b"\n" in received:
                line, received = received.split(b"\n", 1)
                lines = [line + b"\n"] if line.startswith(packet.START_DELIMITER) else [*lines, line + b"\n"]
                message = self._reassemble(lines)
                if message is not None:
                    lines = []
                    if not self._reply(message):
                        return

    @staticmethod
    def _reassemble(lines: list[bytes]) -> bytes | None:
        decoder = packet.decode()
        next(decoder)
        try:
            for line in lines:
                decoder.send(line)
        except StopIteration as done:
            return bytes(done.value)
        return None

    def _reply(self, message: bytes) -> bool:
        """Answers one request; False ends the device."""
        op, _, length, group, sequence, command = HEADER.unpack_from(message)
        assert length == len(message) - HEADER.size
        fields = cbor2.loads(message[HEADER.size :])
        self.requests.append((group, command, fields))
        if self.deaf:
            return True
        try:
            answer = self._handle(group, command, op & 7, fields)
        except RefusalError as refusal:
            answer = {"rc": refusal.rc} if self.old_errors else {"err": {"group": group, "rc": refusal.rc}}
        body = cbor2.dumps(answer)
        header = HEADER.pack((op & 0x18) | (op & 7) + 1, 0, len(body), group, sequence, command)
        index, self.answers = self.answers, self.answers + 1
        if index == self.vanish_after:
            os.close(self._fd)  # the far end stays open, or the next pseudo-terminal of any process takes over its name
            self._fd = -1
            return False
        os.write(self._fd, self.tamper(index, b"".join(packet.encode(header + body, line_length=128))))
        if (group, command) == (0, 5):
            self.power_on()
            os.write(self._fd, self.boot_text)
        return True

    # ---------------------------------------------------------------- protocol

    def _handle(self, group: int, command: int, op: int, fields: Answer) -> Answer:
        handlers: dict[tuple[int, int, int], Callable[[Answer], Answer]] = {
            (0, 0, 2): lambda f: {"r": f["d"]},
            (0, 5, 2): lambda f: {},
            (0, 6, 0): lambda f: {"buf_size": self.buffer_bytes, "buf_count": 1},
            (64, 0, 0): self._describe,
            (64, 1, 2): self._infer,
            (64, 2, 0): lambda f: {
                "seq": f["seq"],
                "off": f["off"],
                "out": self.output[f["off"] : f["off"] + self.page_bytes],
            },
            (64, 3, 2): lambda f: {"ok": True, "cycles": CYCLES_PER_RUN},
            (64, 4, 2): self._profile,
            (64, 5, 0): self._tensor,
            (64, 6, 0): lambda f: {"runs": self.runs, "io_crc": self.io_crc, "stack": 512},
        }
        if (group, command, op) not in handlers:
            raise RefusalError(8)
        return handlers[group, command, op](fields)

    def _describe(self, fields: Answer) -> Answer:
        return {
            "firmware": "leadwire 0.1.0 aot",
            "build": BUILD,
            "model": "trivial",
            "digest": DIGEST,
            "board": "virtual-stm32f405",
            "uid": b"\x01\x02\x03",
            "clock_hz": CLOCK_HZ,
            "arena": 1024,
            "in": self.input_bytes,
            "out": self.output_bytes,
            "ops": self.operators,
            "counter": "dwt",
            "boot": 0,
        } | self.overrides

    def _infer(self, fields: Answer) -> Answer:
        seq, offset, data, hold = fields["seq"], fields["off"], fields["data"], fields.get("hold", False)
        key = (seq, offset, zlib.crc32(data))
        if not hold and self.stored is not None and self.stored[0] == key:
            return self.stored[1]
        if offset == 0:
            self.input, self.input_seq, self.held = b"", seq, False
        elif (seq, offset) != (self.input_seq, len(self.input)) or self.held:
            raise RefusalError(3)
        self.input += data
        if len(self.input) > self.input_bytes:
            raise RefusalError(3)
        if len(self.input) < self.input_bytes or hold:
            self.held = len(self.input) == self.input_bytes
            return {"seq": seq, "off": len(self.input)}
        answer = self._run(seq)
        self.stored = (key, answer)
        if self.total_runs == self.reset_after_runs:
            self.power_on()
        return answer

    def _run(self, seq: int) -> Answer:
        self.output = model_output(self.input, self.output_bytes)
        self.io_crc = zlib.crc32(self.input + self.output, self.io_crc)
        self.runs += 1
        self.total_runs += 1
        return {
            "seq": seq,
            "cycles": self.spend(self.cycles(self.input)),
            "stack": 512,
            "crc": zlib.crc32(self.output),
            "len": self.output_bytes,
            "out": self.output[: self.page_bytes],
        }

    def _profile(self, fields: Answer) -> Answer:
        first = fields.get("first", 0)
        if first == 0:
            if not self.held:
                raise RefusalError(3)
            self.held = False
            self.profile_cycles = [self.spend(100 * (i + 1)) for i in range(self.operators)]
        page = self.profile_cycles[first : first + 8]
        more = {"next": first + 8} if first + 8 < self.operators else {}
        return {"seq": fields["seq"], "cycles": page} | more

    def _tensor(self, fields: Answer) -> Answer:
        op, offset = fields["op"], fields["off"]
        if op >= self.operators:
            raise RefusalError(3)
        if offset == 0:
            if not self.held:
                raise RefusalError(3)
            self.held = False
            self.tensor_bytes = (op, model_output(self.input, 50 * (op + 1)))
        held_op, tensor = self.tensor_bytes
        if held_op != op:
            raise RefusalError(3)
        return {"op": op, "off": offset, "len": len(tensor), "out": tensor[offset : offset + self.page_bytes]}
