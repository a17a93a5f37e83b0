"""What a bad serial line does to bytes, without any input or output: bytes in, bytes and events out, seeded.

Each kind of fault has its own stream of random numbers and strikes by the position of the byte, so that the same seed
gives the same faults however the bytes arrive in pieces.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from leadwire.errors import BadInputError

BITS_PER_BYTE = 10
"""On the line: start bit, eight data bits, stop bit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Probabilities for each byte, per direction. `corrupt`: another value instead; `flip`: one bit turned; `drop`:
    lost; `duplicate`: comes twice; `stall`: the line stands still for `stall_s` before it; `reset`: the board is reset
    before it (only bytes on their way to the board); `unplug`: the port vanishes before it, for `unplug_s` (likewise).

    `boot_noise`: so many random bytes come before anything else, and after each reset. `pace_baud` > 0 lets bytes pass
    at that rate. `board_baud` > 0 is the rate at which the board really talks: a client that opens the port with
    another one gets, and sends, the garbage that a wrong rate makes.
    """

    corrupt: float = 0.0
    flip: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    stall: float = 0.0
    stall_s: float = 0.05
    reset: float = 0.0
    unplug: float = 0.0
    unplug_s: float = 0.5
    boot_noise: int = 0
    pace_baud: int = 0
    board_baud: int = 0

    def __post_init__(self) -> None:
        for name in (*_RATES, "stall_s", "unplug_s"):
            value = getattr(self, name)
            most = 1.0 if name in _RATES else 60.0
            if not 0.0 <= value <= most:
                raise BadInputError(f"fault '{name}' is {value:g}, not between 0 and {most:g}")
        for name in ("boot_noise", "pace_baud", "board_baud"):
            if not 0 <= getattr(self, name) <= 100_000_000:
                raise BadInputError(f"'{name}' is {getattr(self, name)}, not between 0 and 100000000")

    @property
    def described(self) -> str:
        """What differs from a good line: 'corrupt 0.001, pace_baud 115200'."""
        different = (
            f"{one.name} {getattr(self, one.name):g}" for one in fields(self) if getattr(self, one.name) != one.default
        )
        return ", ".join(different) or "none"


_RATES = ("corrupt", "flip", "drop", "duplicate", "stall", "reset", "unplug")

PROFILES: dict[str, Faults] = {
    "none": Faults(),
    "corrupt": Faults(corrupt=1e-3),
    "bits": Faults(flip=1e-3),
    "drops": Faults(drop=2e-4, duplicate=2e-4),
    "stalls": Faults(stall=1e-4, stall_s=0.1),
    "resets": Faults(reset=2e-5, boot_noise=40),
    "unplugs": Faults(unplug=2e-5, unplug_s=0.3),
    "storm": Faults(
        corrupt=1e-3,
        drop=1e-4,
        duplicate=1e-4,
        stall=2e-5,
        stall_s=0.1,
        reset=5e-6,
        unplug=5e-6,
        unplug_s=0.3,
        boot_noise=40,
    ),
}
"""Profiles by name, for `--faults`."""


def choose_faults(text: str) -> Faults:
    """A profile by name, or 'name=value' pairs with commas between, which change the profile before them:
    'corrupt', 'drop=1e-3,pace_baud=115200', 'storm,unplug=0'. BadInputError names what there is."""
    chosen = Faults()
    kinds = {one.name: int if isinstance(one.default, int) else float for one in fields(Faults)}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals and name in PROFILES:
            chosen = PROFILES[name]
            continue
        if not equals or name not in kinds:
            raise BadInputError(
                f"there is no fault profile '{part}'",
                hint=f"profiles: {', '.join(PROFILES)}; or NAME=VALUE with {', '.join(kinds)}",
            )
        try:
            number = kinds[name](value)
        except ValueError:
            raise BadInputError(f"fault '{name}': '{value}' is not a number") from None
        chosen = replace(chosen, **{name: number})  # type: ignore[arg-type]
    return chosen


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to the line between two bytes: 'stall', 'reset' or 'unplug'."""

    kind: str


class FaultLine:
    """One direction of a bad line. `struck` counts each kind of fault, `passed` the bytes that were fed."""

    def __init__(self, faults: Faults, seed: int | str, *, events: bool) -> None:
        """`events`: this direction has 'reset' and 'unplug'."""
        self.struck: Counter[str] = Counter()
        self.passed = 0
        kinds = [kind for kind in _RATES if events or kind not in ("reset", "unplug")]
        self._rates = {kind: getattr(faults, kind) for kind in kinds if getattr(faults, kind) > 0}
        self._chance = {kind: random.Random(f"{seed}/{kind}") for kind in self._rates}
        self._next = {kind: self._gap(kind) for kind in self._rates}

    def feed(self, data: bytes) -> list[bytes | Event]:
        """What comes out at the other end, in order."""
        out: list[bytes | Event] = []
        pending = bytearray()
        end, done = self.passed + len(data), 0
        while True:
            at = min(self._next.values(), default=end)
            if at >= end:
                break
            pending += data[done : at - self.passed]
            done = at - self.passed
            struck = data[done : done + 1]
            for kind in self._rates:
                if self._next[kind] != at:
                    continue
                self._next[kind] = at + 1 + self._gap(kind)
                self.struck[kind] += 1
                if kind in ("stall", "reset", "unplug"):
                    out += [bytes(pending), Event(kind)] if pending else [Event(kind)]
                    pending.clear()
                else:
                    struck = self._strike(kind, struck)
            pending += struck
            done += 1
        pending += data[done:]
        self.passed = end
        return [*out, bytes(pending)] if pending else out

    def _gap(self, kind: str) -> int:
        """Bytes until the next fault of a kind: geometrically distributed, so each byte has the same probability."""
        rate = self._rates[kind]
        if rate >= 1.0:
            return 0
        return int(math.log(1.0 - self._chance[kind].random()) / math.log1p(-rate))

    def _strike(self, kind: str, struck: bytes) -> bytes:
        chance = self._chance[kind]
        if kind == "drop":
            return b""
        if kind == "duplicate":
            return struck * 2
        change = 1 << chance.randrange(8) if kind == "flip" else chance.randrange(1, 256)
        return bytes(byte ^ change for byte in struck)


def noise(count: int, seed: int | str) -> bytes:
    """Random bytes such as a line carries while a board has no clock yet."""
    return random.Random(f"{seed}/noise").randbytes(count)


def as_read_at(data: bytes, sent_baud: int, read_baud: int) -> bytes:
    """What a receiver at `read_baud` makes of 8N1 bytes sent back to back at `sent_baud`: it waits for a falling edge,
    looks at the middle of each of its own bit times, and takes the byte whether or not the stop bit is there."""
    bits = [bit for byte in data for bit in _frame(byte)]
    step = sent_baud / read_baud
    found = bytearray()
    edge = 0
    while True:
        while edge < len(bits) and (bits[edge] or (edge > 0 and not bits[edge - 1])):
            edge += 1
        if edge >= len(bits):
            return bytes(found)
        looks = [int(edge + (place + 0.5) * step) for place in range(10)]
        seen = [bits[look] if look < len(bits) else 1 for look in looks]
        if seen[0] == 0:
            found.append(sum(bit << place for place, bit in enumerate(seen[1:9])))
            edge = max(edge + 1, looks[9])
        else:
            edge += 1  # a pulse shorter than half a bit: no start bit


def _frame(byte: int) -> Iterable[int]:
    return (0, *(byte >> place & 1 for place in range(8)), 1)
