"""Bundles as nobody should send them: torn, packed by other tools, with hostile names, or properly signed nonsense.

Whoever alters a bundle can sign it again with a key of their own, so most of what a reader parses must stand up to
contents that the seals agree with.
"""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

from leadwire.evidence.archive import pack
from leadwire.evidence.contents import digests_of, manifest_of
from leadwire.evidence.envelope import sign_statement, statement_of
from leadwire.evidence.provenance import PREDICATE_TYPE as MADE
from leadwire.evidence.statement import PREDICATE_TYPE as RESULT

SEALS = ("manifest.sha256", "statement.dsse.json", "provenance.dsse.json")
HOSTILE = (
    "../up", "../../../../tmp/up", "/etc/up", "a/../../up", "C:/up", "C:up", "\\\\host\\share\\up", "..\\up", "a//b",
    "./a", "a/./b", "con", "logs/NUL.txt", "a\0b", "a\nb", "-rf", "caf\u00e9", "a" * 300, "/".join("a" * 40), ".ssh/id",
    "", "a/",
)  # fmt: skip
WRONG: tuple[Any, ...] = ("text", -1, 1e308, True, [], {}, [[[]]], {"x": {"y": 1}}, "\u0000", 10**30)


def sealed(files: dict[str, bytes], key: Any, **predicate: Any) -> dict[str, bytes]:
    """The files with manifest and statements over them as they are, signed with `key`, whatever they hold."""
    from leadwire.evidence.keys import public_pem

    kept = {name: data for name, data in files.items() if name not in SEALS} | {"signer.pem": public_pem(key)}
    kept["manifest.sha256"] = manifest_of(kept)
    digests = digests_of(kept)
    built = {name: digests[name] for name in ("firmware.elf", "model.tflite") if name in digests}
    return {
        **kept,
        "statement.dsse.json": sign_statement(statement_of(RESULT, predicate or {"result": "PASSED"}, digests), key),
        "provenance.dsse.json": sign_statement(statement_of(MADE, {}, built), key),
    }


def mutated(files: dict[str, bytes], key: Any, seed: int) -> tuple[str, bytes]:
    """What was done, and the bytes; every kind in turn."""
    draw = random.Random(seed)
    name, mutate = KINDS[seed % len(KINDS)]
    return f"{name}, seed {seed}", mutate(files, key, draw)


def _torn(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    whole = pack(files)
    return whole[: draw.randrange(len(whole))]


def _spliced(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    whole = bytearray(pack(files))
    at, size = draw.randrange(len(whole)), draw.randrange(1, 4000)
    if draw.random() < 0.5:
        whole[at:at] = draw.randbytes(size)
    else:
        del whole[at : at + size]
    return bytes(whole)


def _byte(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    whole = bytearray(pack(files))
    whole[draw.randrange(len(whole))] ^= draw.randrange(1, 256)
    return bytes(whole)


def _noise(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    return draw.choice((b"PK\3\4", b"PK\5\6", b"", b"PK\6\6")) + draw.randbytes(draw.randrange(3000))


def _by_zipfile(files: dict[str, bytes], change: Callable[[zipfile.ZipFile], None], method: int = 0) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(_info(name), data, method)
        change(archive)
    return stream.getvalue()


def _info(name: str, *, attributes: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename, info.create_system, info.external_attr = name, 0, attributes
    return info


def _hostile_name(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    return _by_zipfile(files, lambda archive: archive.writestr(_info(draw.choice(HOSTILE)), b"x"))


def _raw_name(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    """A hostile name in the very form that a bundle's archive has, sealed by whoever made it."""
    name = draw.choice(HOSTILE).encode("utf-8")[:60].ljust(3, b"_")
    whole = pack(sealed({**files, "q" * len(name): b"x"}, key))
    return whole.replace(b"q" * len(name), name)


def _link(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    target = draw.choice((b"/etc/passwd", b"../../up", b"report.html"))
    return _by_zipfile(files, lambda archive: archive.writestr(_info("zz", attributes=0o120777 << 16), target))


def _doubled(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    name = draw.choice(sorted(files))
    whole = pack(files)
    first = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 1, 1, len(name), 0) + name.encode() + b"x"
    return first + whole if draw.random() < 0.5 else _by_zipfile(files, lambda archive: _again(archive, name))


def _again(archive: zipfile.ZipFile, name: str) -> None:
    archive.NameToInfo.pop(name, None)
    archive.writestr(_info(name), b"another")


def _bomb(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    return _by_zipfile({**files, draw.choice(("model.tflite", "bomb")): bytes(20 << 20)}, lambda archive: None, 8)


def _huge_size(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    whole = bytearray(pack(files))
    at = whole.index(b"PK\1\2") + draw.choice((20, 24, 42))
    whole[at : at + 4] = struct.pack("<I", draw.choice((0xFFFFFFFF, 0x7FFFFFFF, 1 << 30)))
    return bytes(whole)


def _missing(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    gone = draw.choice(sorted(set(files) - {*SEALS, "signer.pem"}))
    return pack(sealed({name: data for name, data in files.items() if name != gone}, key))


def _wrong_type(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    """One value of evidence.json is of another type, and everything else in its own form."""
    document = json.loads(files["evidence.json"])
    places = list(_places(document["evidence"]))
    holder, at = places[draw.randrange(len(places))]
    was = holder[at]
    holder[at] = draw.choice([value for value in WRONG if _differs(value, was)])
    text = json.dumps(document, sort_keys=True, indent=1) + "\n"
    return pack(sealed({**files, "evidence.json": text.encode()}, key))


def _differs(value: Any, was: Any) -> bool:
    numbers = (int, float)
    if isinstance(was, numbers) and not isinstance(was, bool):
        return isinstance(value, bool) or not isinstance(value, numbers)
    return type(value) is not type(was) and not (was is None or isinstance(was, dict))


def _places(value: Any) -> Any:
    """Every (container, key) with a value that has one type."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if item is not None and not isinstance(item, dict):
            yield value, key
        yield from _places(item)


def _huge_json(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    name = draw.choice(("evidence.json", "evidence.schema.json", "sources/leadwire-project.json"))
    text = draw.choice(
        (
            b"[" * 200_000,
            b'{"evidence":' * 100_000,
            b'{"evidence": ' + b"9" * 100_000 + b', "not_finite": []}',
            b'{"evidence": {}, "not_finite": [], "evidence": {}}',
            b'{"evidence": NaN, "not_finite": []}',
            b'{"evidence": {}, "not_finite": [{"at": "/a/b/c", "value": "nan", "reason": ""}]}',
            b'{"evidence": {"x": 1e999}, "not_finite": []}',
            b"\xff\xfe{}",
            b"[" + b"1," * 2_000_000 + b"1]",
            b"null",
            b"",
        )
    )
    return pack(sealed({**files, name: text}, key))


def _nonsense(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    """Bytes of one file replaced, sealed properly: what was signed for is not what it must be."""
    name = draw.choice(("predictions.csv", "protocol.toml", "calibration.csv", "evidence.json", "evidence.schema.json"))
    data = bytearray(files[name])
    for _ in range(draw.randrange(1, 6)):
        data[draw.randrange(len(data))] = draw.randrange(256)
    if bytes(data) == files[name]:
        data += b"\n"
    return pack(sealed({**files, name: bytes(data)}, key))


def _other_statement(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    sealed_files = sealed(files, key)
    name = draw.choice(SEALS[1:])
    digests = digests_of(files)
    subject: Any = draw.choice((None, 1, "x", [], [1], [{}], [{"name": 1, "digest": {"sha256": []}}], {"a": 1}))
    statement = statement_of(draw.choice((RESULT, MADE, "x")), draw.choice(({}, [], 1)), digests)  # type: ignore[arg-type]
    return pack({**sealed_files, name: sign_statement({**statement, "subject": subject}, key)})


def _review(files: dict[str, bytes], key: Any, draw: random.Random) -> bytes:
    stray = draw.choice(("reviews/1.pem", "reviews/2.dsse.json", "reviews/x", "reviews/1.dsse.json"))
    return pack({**files, stray: draw.choice((b"", b"{}", files["signer.pem"], files["statement.dsse.json"]))})


KINDS: tuple[tuple[str, Callable[[dict[str, bytes], Any, random.Random], bytes]], ...] = tuple(
    (mutate.__name__.strip("_").replace("_", " "), mutate)
    for mutate in (
        _torn, _spliced, _byte, _noise, _hostile_name, _raw_name, _link, _doubled, _bomb, _huge_size, _missing,
        _wrong_type, _huge_json, _nonsense, _other_statement, _review,
    )
)  # fmt: skip
