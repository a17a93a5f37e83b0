#!/usr/bin/env python3
"""Verify a leadwire evidence bundle with Python alone: this one file, Python 3.11 or newer, nothing to install.

    python3 verify.py NAME.leadwire-evidence.zip --key signer.pem

It shares no code with leadwire. It checks, in this order:

 1. the archive: every byte of it has the one value that it can have, names stay inside their folder;
 2. digests: manifest.sha256, and the subjects of the three kinds of in-toto statement;
 3. signatures: Ed25519 (RFC 8032) by the arithmetic below, and a second time by `cryptography` where that is installed;
 4. structure: evidence.json against evidence.schema.json, which must be the published one (its digest is below);
 5. joins: each record names the model, firmware, project, protocol and board of this bundle;
 6. figures: counts, sensitivities, positive predictivities, intervals (the patient bootstrap draw by draw),
    comparisons of runtimes, and verdicts, all derived again from predictions.csv and protocol.toml.

Exit codes: 0 verified, 2 the file or a key cannot be read, 8 not verified. Nothing is written unless --extract names a
new folder, and then only below it and only after everything was verified. A verifier that came out of a bundle proves
nothing about that bundle: take this file from the release of leadwire, or compare its SHA-256 with the published one.
"""

from __future__ import annotations

import argparse
import base64
import csv
import functools
import hashlib
import io
import json
import math
import operator
import re
import struct
import sys
import tomllib
import zlib
from array import array
from collections import Counter
from pathlib import Path
from statistics import NormalDist

MAX_BYTES = (256 << 20) + (64 << 10)
MAX_JSON_BYTES = 64 << 20
MAX_FILES = 4096
MAX_DRAWS = 50_000_000
TOLERANCE = 1e-9
RESULT = ("statement.dsse.json", "https://in-toto.io/attestation/test-result/v0.1")
MADE = ("provenance.dsse.json", "https://slsa.dev/provenance/v1")
SCHEMA = "urn:leadwire:evidence:1"
SCHEMA_SHA256 = "958497feba928cefc96cc5c67a07fe282112aec019835af0f27deb1c47f95dfb"
REVIEW = "urn:leadwire:review:1"
MEANINGS = ("review", "approval", "responsibility", "authorship")
NEEDED = (
    "report.html", "report.pdf", "evidence.json", "evidence.schema.json", "model.tflite", "firmware.elf",
    "protocol.toml", "calibration.csv", "predictions.csv", "verify.py", "sources/leadwire-project.json",
    "sbom.cdx.json", "vex.cdx.json", "soup.csv",
    "manifest.sha256", "signer.pem", RESULT[0], MADE[0],
)  # fmt: skip
METHODS = {"percentile": "percentile", "bca": "BCa", "bootstrap-t": "t"}
DELTA = "delta method, half a beat added to each kind of change"
STRESS_SIDES = ("float", "int8", "device", "tflm", "tflite")
NORMAL = NormalDist()


class UnreadableError(Exception):
    """The file or a key cannot be read at all."""


class RefusedError(Exception):
    """The bundle does not verify."""


def need(condition: object, reason: str) -> None:
    if not condition:
        raise RefusedError(reason)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ================================================================================================ 1. the archive

NAME = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9_.+-]*[A-Za-z0-9_+-])?(?:/[A-Za-z0-9_](?:[A-Za-z0-9_.+-]*[A-Za-z0-9_+-])?)*"
)
DEVICE = re.compile(r"(?:con|nul|aux|prn|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def open_archive(data: bytes) -> dict[str, bytes]:
    """The members of a ZIP file of stored members, read from its end, as APPNOTE 6.3.9 has it. Every field has one
    value that is accepted, members follow each other without a gap, and so no byte is left that could vary."""
    need(len(data) >= 22 and data[-22:-18] == b"PK\5\6", "not an evidence bundle: no end record in the last 22 bytes")
    disks, count, listed, size, start, comment = struct.unpack("<IHHIIH", data[-18:])
    need(disks == 0 and count == listed and comment == 0, "the archive's end record is not a bundle's")
    need(0 < count <= MAX_FILES, f"{count} files, at most {MAX_FILES} allowed")
    need(start + size + 22 == len(data), "the archive is truncated, or bytes were added")
    files: dict[str, bytes] = {}
    at, end = start, 0
    for _ in range(count):
        need(at + 46 <= len(data) - 22, "the archive's directory is truncated")
        head = struct.unpack("<4sHHHHHHIIIHHHHHII", data[at : at + 46])
        signature, made_by, version, flags, method, clock, date, crc, packed, length, name_size = head[:11]
        extra, note, disk, internal, external, offset = head[11:]
        raw = data[at + 46 : at + 46 + name_size]
        need(re.fullmatch(rb"[ -~]+", raw) is not None, "a file has a name that is not plain ASCII")
        name = raw.decode("ascii")
        check_name(name)
        need(name not in files, f"two files are named {name!r}")
        need(not files or max(files) < name, f"file {name!r} is out of order")
        need(signature == b"PK\1\2", "the archive's directory is damaged")
        need(method == 0 and packed == length, f"file {name!r} is compressed: a bundle's files are stored as they are")
        plain = (made_by, version, flags, clock, date, extra, note, disk, internal, external)
        need(
            plain == (20, 20, 0, 0, 33, 0, 0, 0, 0, 0),
            f"file {name!r} has attributes: a link, a comment, a date or the like",
        )
        need(offset == end, f"there are hidden bytes before file {name!r}")
        first = offset + 30 + name_size
        need(first + length <= start, f"file {name!r} is truncated")
        local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 0, 0, 33, crc, packed, length, name_size, 0) + raw
        need(data[offset:first] == local, f"file {name!r} is described in two ways")
        files[name] = data[first : first + length]
        need(zlib.crc32(files[name]) == crc, f"file {name!r} was changed (CRC-32)")
        at, end = at + 46 + name_size, first + length
    need(at == start + size and end == start, "there are hidden bytes in the archive")
    check_together(files)
    return files


def check_name(name: str) -> None:
    parts = name.split("/")
    safe = NAME.fullmatch(name) and len(parts) <= 8 and all(len(part) <= 100 for part in parts)
    need(safe and not any(map(DEVICE.fullmatch, parts)), f"{name[:80]!r} cannot be the name of a file in a bundle")


def check_together(names: dict[str, bytes]) -> None:
    """No two names that are one file, or a file and a folder, on some system."""
    lower = [name.lower() for name in names]
    need(len(set(lower)) == len(lower), "two files differ in capital letters alone")
    folders = {"/".join(name.split("/")[:depth]) for name in lower for depth in range(1, name.count("/") + 1)}
    need(not folders & set(lower), "a name is both a file and a folder")


# ================================================================================================ JSON


def read_json(data: bytes, name: str) -> object:
    """JSON without doubled keys, NaN or numbers of thousands of digits."""
    need(len(data) <= MAX_JSON_BYTES, f"{name} is larger than {MAX_JSON_BYTES} bytes")

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        need(len(found) == len(pairs), f"{name} has a key twice")
        return found

    def refuse(word: str) -> object:
        raise RefusedError(f"{name} holds {word[:20]}, which is not JSON")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{name} is not JSON: {str(error)[:120]}") from error


def dumped(value: object) -> bytes:
    return (json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n").encode()


# ================================================================================================ 3. signatures

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]


def added(one: Point, other: Point) -> Point:
    """The sum of two points of the twisted Edwards curve in extended coordinates (RFC 8032, 5.1.4)."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(factor: int, point: Point) -> Point:
    result: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = added(result, point)
        point = added(point, point)
        factor >>= 1
    return result


def decoded(data: bytes) -> Point | None:
    """The point that 32 bytes stand for (RFC 8032, 5.1.3), None where they are none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def encoded(point: Point) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decoded((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether [S]B - [k]A is R (RFC 8032, 5.1.7, without the cofactor)."""
    if len(signature) != 64 or (point := decoded(key)) is None or BASE is None:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    if scalar >= ORDER:
        return False
    factor = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    negative = (P - point[0], point[1], point[2], P - point[3])
    return encoded(added(times(scalar, BASE), times(factor, negative))) == signature[:32]


def by_cryptography(key: bytes, signature: bytes, message: bytes) -> bool | None:
    """The same by another's code, None where it is not installed."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


SPKI = bytes.fromhex("302a300506032b6570032100")


def public_key(pem: bytes, name: str) -> bytes:
    """The 32 bytes of an Ed25519 public key in PEM (RFC 8410)."""
    body = re.fullmatch(
        rb"-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=]{1,80})\r?\n-----END PUBLIC KEY-----\r?\n?", pem
    )
    try:
        der = base64.b64decode(body[1], validate=True) if body else b""
    except ValueError:
        der = b""
    need(len(der) == 44 and der.startswith(SPKI), f"{name} is not an Ed25519 public key in PEM")
    return der[12:]


def pem_of(key: bytes) -> bytes:
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(SPKI + key) + b"\n-----END PUBLIC KEY-----\n"


def fingerprint(key: bytes) -> str:
    return sha256(SPKI + key)


def open_envelope(data: bytes, key: bytes, kind: str, name: str) -> dict[str, object]:
    """The in-toto statement of a DSSE envelope with one signature by `key`."""
    envelope = read_json(data, name)
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        (signature,) = envelope["signatures"]
        signed = base64.b64decode(signature["sig"], validate=True)
        again = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"keyid": fingerprint(key), "sig": base64.b64encode(signed).decode()}],
        }
    except (ValueError, TypeError, LookupError) as error:
        raise RefusedError(f"{name} is not a DSSE envelope with one signature") from error
    need(dumped(again) == data, f"{name} is not signed by the key beside it, or was written in another form")
    message = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
    verdicts = [ed25519(key, signed, message), by_cryptography(key, signed, message)]
    need(False not in verdicts, f"the signature of {name} does not match")
    statement = read_json(payload, f"the statement of {name}")
    need(isinstance(statement, dict) and dumped(statement) == payload, f"the statement of {name} is in another form")
    need(statement.get("_type") == "https://in-toto.io/Statement/v1", f"{name} holds no in-toto v1 statement")
    need(statement.get("predicateType") == kind, f"{name} is a statement of another kind")
    return statement


def subjects(statement: dict[str, object]) -> dict[str, str]:
    listed = statement["subject"]
    found = {item["name"]: item["digest"]["sha256"] for item in listed}
    need(len(found) == len(listed), "a statement names a file twice")
    return found


# ================================================================================================ 2. digests


def check_digests(files: dict[str, bytes]) -> tuple[bytes, list[dict[str, object]]]:
    """The signer's key, and the reviews."""
    missing = [name for name in NEEDED if name not in files]
    need(not missing, f"{', '.join(missing)} missing")
    reviews = sorted(name for name in files if name.startswith("reviews/"))
    seals = {"manifest.sha256", "signer.pem", RESULT[0], MADE[0], *reviews}
    content = {name: sha256(data) for name, data in files.items() if name not in seals}
    manifest = "".join(f"{content[name]}  {name}\n" for name in sorted(content)).encode()
    need(files["manifest.sha256"] == manifest, "a file is not the one that manifest.sha256 lists")
    key = public_key(files["signer.pem"], "signer.pem")
    need(files["signer.pem"] == pem_of(key), "signer.pem is in another form")
    signed = {**content, **{name: sha256(files[name]) for name in ("manifest.sha256", "signer.pem")}}
    result = open_envelope(files[RESULT[0]], key, RESULT[1], RESULT[0])
    for name in sorted(signed.keys() | subjects(result).keys()):
        need(subjects(result).get(name) == signed.get(name), f"{name!r} is not the file that was signed")
    made = open_envelope(files[MADE[0]], key, MADE[1], MADE[0])
    built = {name: signed[name] for name in ("firmware.elf", "model.tflite")}
    need(subjects(made) == built, "the provenance is of another firmware or model")
    return key, read_reviews(files, reviews, [key])


def read_reviews(files: dict[str, bytes], names: list[str], keys: list[bytes]) -> list[dict[str, object]]:
    count = len(names) // 2
    expected = sorted(f"reviews/{number}.{end}" for number in range(1, count + 1) for end in ("pem", "dsse.json"))
    need(names == expected and count <= 8, "the reviews are not numbered from 1, each with its key")
    before = {name: sha256(data) for name, data in files.items() if name not in names}
    found = []
    for number in range(1, count + 1):
        pem, envelope = f"reviews/{number}.pem", f"reviews/{number}.dsse.json"
        key = public_key(files[pem], pem)
        need(files[pem] == pem_of(key) and key not in keys, f"review {number} is by a key that signed before")
        keys.append(key)
        before[pem] = sha256(files[pem])
        statement = open_envelope(files[envelope], key, REVIEW, envelope)
        need(subjects(statement) == before, f"review {number} was signed over other files")
        before[envelope] = sha256(files[envelope])
        said = statement["predicate"]
        need(
            set(said) == {"name", "signedOn", "meaning"} and said["meaning"] in MEANINGS,
            f"review {number} is incomplete",
        )
        need(said["name"].isprintable() and said["name"].strip(), f"review {number} has no name")
        need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said["signedOn"]), f"review {number} has no date")
        found.append({**said, "key": key})
    return found


# ================================================================================================ 4. structure

TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


KEYWORDS = {
    "$schema", "$id", "$defs", "$ref", "title", "description", "format", "type", "enum", "const", "anyOf", "pattern",
    "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems",
}  # fmt: skip


def mistakes(value: object, schema: dict[str, object], root: dict[str, object], at: str, depth: int = 0) -> list[str]:
    """Where a value is not as its JSON Schema (2020-12) has it. The schema is the published one; a word of it not
    known here would be one that nobody checks."""
    need(depth < 100, "evidence.schema.json is deeper than any")
    need(schema.keys() <= KEYWORDS, f"evidence.schema.json asks for {sorted(schema.keys() - KEYWORDS)}")
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(TYPES[kind](value) for kind in kinds):
        return [f"{at or '/'} is not of type {' or '.join(kinds)}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at} is none of {schema['enum']}"]
    if "const" in schema and value != schema["const"]:
        return [f"{at} is not {schema['const']!r}"]
    if "anyOf" in schema and not any(not mistakes(value, one, root, at, depth + 1) for one in schema["anyOf"]):
        return [f"{at} is none of the forms allowed"]
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{at} is not of the form {schema['pattern']}"]
    found: list[str] = []
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{at}/{key} is missing" for key in schema.get("required", []) if key not in value]
        rest = schema.get("additionalProperties", True)
        for key, item in value.items():
            if key in known:
                found += mistakes(item, known[key], root, f"{at}/{key}", depth + 1)
            elif rest is False:
                found.append(f"{at}/{key} is unknown")
            elif isinstance(rest, dict):
                found += mistakes(item, rest, root, f"{at}/{key}", depth + 1)
    if isinstance(value, list):
        need(
            schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)),
            f"{at} has {len(value)} items",
        )
        ahead = schema.get("prefixItems", [])
        for place, item in enumerate(value):
            rule = ahead[place] if place < len(ahead) else schema.get("items", {})
            found += mistakes(item, rule, root, f"{at}/{place}", depth + 1) if isinstance(rule, dict) else []
    return found


def read_evidence(files: dict[str, bytes]) -> dict[str, object]:
    """The records, with figures that are not finite back in their places."""
    document = read_json(files["evidence.json"], "evidence.json")
    schema = read_json(files["evidence.schema.json"], "evidence.schema.json")
    need(isinstance(schema, dict) and schema.get("$id") == SCHEMA, f"evidence.schema.json is not {SCHEMA}")
    need(
        sha256(files["evidence.schema.json"]) == SCHEMA_SHA256,
        "evidence.schema.json is not the schema that this verifier was published with: another release's, or changed",
    )
    found = mistakes(document, schema, schema, "")
    need(not found, f"evidence.json does not follow its schema: {'; '.join(found[:3])}")
    plain = (json.dumps(document, sort_keys=True, indent=1, ensure_ascii=True) + "\n").encode()
    need(plain == files["evidence.json"], "evidence.json is in another form than leadwire writes")
    body = document["evidence"]
    for entry in document["not_finite"]:
        *parents, last = [int(part) if part.isdigit() else part for part in entry["at"].split("/")[1:]]
        place = body
        for part in parents:
            place = place[part]
        need(
            place[last] is None and entry["value"] in ("inf", "-inf", "nan"), "not_finite names a figure that is finite"
        )
        place[last] = float(entry["value"])
    return body


# ================================================================================================ 5. joins


def check_joins(evidence: dict[str, object], files: dict[str, bytes]) -> None:
    model, image, board = sha256(files["model.tflite"]), sha256(files["firmware.elf"]), evidence["board"]["id"]
    project, protocol = sha256(files["sources/leadwire-project.json"]), sha256(files["protocol.toml"])
    bench, validation, build = evidence["bench"], evidence["validation"], evidence["image"]
    for who, found, expected in (
        ("model of the INT8 record", evidence["quantized"]["digest"], model),
        ("model of the summary", evidence["model"]["digest"], model),
        ("model of the memory plan", evidence["plan"]["model_digest"], model),
        ("model of the project", evidence["project"]["model_digest"], model),
        ("model of the image", build["model_digest"], model),
        ("model of the benchmark", bench["model_digest"], model),
        ("model on the device", bench["device"]["model_digest"], model),
        ("model of the validation", validation["model_digest"], model),
        ("image's digest", build["digest"], image),
        ("image of the benchmark", bench["image_digest"], image),
        ("image of the validation", validation["image_digest"], image),
        ("project's digest", evidence["project"]["digest"], project),
        ("project of the image", build["project_digest"], project),
        ("protocol of the validation", validation["protocol_digest"], protocol),
        ("build on the device", bench["device"]["build_id"], build["build_id"]),
        ("board of the project", evidence["project"]["board_id"], board),
        ("board of the image", build["board_id"], board),
        ("board of the benchmark", bench["board_id"], board),
        ("board that answered", bench["device"]["board_id"], board),
        *(("board of a budget", one["board_id"], board) for one in evidence["budgets"]),
        *(
            ("size of the model", evidence[one]["size_bytes"], len(files["model.tflite"]))
            for one in ("quantized", "model")
        ),
    ):
        need(found == expected, f"the {who} is {found}, not {expected}")
    check_budgets(evidence, model, image)
    listed = read_json(files["sources/leadwire-project.json"], "the list of sources")["files"]
    held = {
        name.removeprefix("sources/"): sha256(data)
        for name, data in files.items()
        if name.startswith("sources/") and name != "sources/leadwire-project.json"
    }
    need(listed == held, "the sources are not those that the project was generated with")
    for one in build["linked"]:
        need(
            held.get(one["source"], one["digest"]) == one["digest"],
            f"the image was linked from another {one['source']}",
        )
    bill = read_json(files["sbom.cdx.json"], "sbom.cdx.json")
    parts = [bill["metadata"]["component"], *bill["components"]]
    parts += [inner for part in parts for inner in part.get("components", [])]
    digests = {part["bom-ref"]: part["hashes"][0]["content"] for part in parts if part.get("hashes")}
    need(
        digests.get("firmware") == image and digests.get("model") == model,
        "sbom.cdx.json is of another firmware or model",
    )
    named = {part["bom-ref"] for part in parts if part["bom-ref"].startswith("object/")}
    wanted = {f"object/{one['archive'] or 'leadwire'}/{one['name']}" for one in build["linked"]}
    need(named == wanted, "sbom.cdx.json does not list the objects that were linked")
    chosen = evidence["quantized"]["calibration"]["indices"]
    lines = ["position,index", *(f"{place},{index}" for place, index in enumerate(chosen))]
    need(files["calibration.csv"] == ("\n".join(lines) + "\n").encode(), "calibration.csv is another set")


def check_budgets(evidence: dict[str, object], model: str, image: str) -> None:
    """The checkpoints in their order: limits from the board, what is used from plan, image and benchmark. The planned
    flash of a generated model is taken as stated."""
    plan, build, bench, board = (evidence[part] for part in ("plan", "image", "bench", "board"))
    stated, emulation = evidence["budgets"], board["emulation"]
    basis = "emulated" if emulation and emulation["engine"] != "host" else "measured"
    need(bench["basis"] == basis, f"the basis of the benchmark is {bench['basis']}, not {basis}")
    fast = plan["fast"] or {"arena_bytes": 0, "tables": [], "limit_bytes": None}
    limits = {**board["budget"], "fast_bytes": fast["limit_bytes"]}

    def line(resource: str, used: float | None, basis: str) -> list[object]:
        return [resource, used, basis, limits[f"{resource}_bytes"], "B", None]

    flash, ram = build["model_flash_bytes"], build["model_ram_bytes"]
    linked_fast = line("fast", build["model_fast_bytes"], "linked")
    taken = next((one["used"] for budget in stated[:1] for one in budget["lines"][:1]), None)
    slowest, latency = bench["latency_us"]["max"], ["us", basis]
    if emulation and emulation["engine"] == "qemu" and slowest <= (limits["latency_us"] or 0):
        limits["latency_us"], latency = None, ["us", None]  # a lower bound can break the limit and not keep it
    planned = [
        line("flash", evidence["quantized"]["size_bytes"] if plan["resident_bytes"] else taken, "planned"),
        line("ram", plan["arena_bytes"] - fast["arena_bytes"], "planned"),
        line("fast", fast["arena_bytes"] + sum(table["size_bytes"] for table in fast["tables"]), "planned"),
    ]
    linked = [line("flash", flash, "linked"), line("ram", ram + build["stack"]["bytes"], "linked"), linked_fast]
    run = [line("flash", flash, "linked"), line("ram", ram + bench["stack_high_water_bytes"], basis), linked_fast]
    run.append(["latency", slowest, basis, limits["latency_us"], *latency])
    checkpoints = (("planned", model, planned), ("linked", image, linked), (basis, image, run))
    need(len(stated) <= len(checkpoints), "there are more budgets than checkpoints")
    for budget, (name, subject, lines) in zip(stated, checkpoints, strict=False):
        need(budget["basis"] == name, f"a budget is {budget['basis']} where the {name} one must be")
        need(budget["subject_digest"] == subject, f"the {name} budget is of {budget['subject_digest']}, not {subject}")
        keys = ("resource", "used", "basis", "limit", "unit", "required_basis")
        found = [[one[key] for key in keys] for one in budget["lines"]]
        wanted = [one for one in lines if one[0] != "fast" or plan["fast"]]
        need(len(found) == len(wanted), f"the {name} budget has {len(found)} lines, not {len(wanted)}")
        for one, other in zip(found, wanted, strict=True):
            need(one == other, f"the {name} budget's {other[0]} is {other} by this verifier and {one} in evidence.json")


def result_of(evidence: dict[str, object], verdict: str) -> str:
    """PASSED or FAILED: the verdict on the figures together with the budgets, the last one having been run, and
    the device's bytes under stress."""
    budgets = evidence["budgets"]
    over = any(
        line["limit"] is not None and line["used"] > line["limit"] for budget in budgets for line in budget["lines"]
    )
    run = any(budget["basis"] in ("measured", "emulated") for budget in budgets)
    proven = all(
        line["limit"] is None or line["required_basis"] in (None, line["basis"])
        for budget in budgets[-1:]
        for line in budget["lines"]
    )
    conditions = (evidence["stress"] or {"conditions": []})["conditions"]
    same = all(one["device_identical"] == one["device_beats"] for one in conditions)
    witnesses = [other for one in conditions for other in one["witnesses"] if other["runtime"] == "tflm"]
    same = same and all(other["identical"] == other["beats"] for other in witnesses)
    return "PASSED" if verdict == "pass" and not over and run and proven and same else "FAILED"


# ================================================================================================ 6. figures


class Beats:
    """predictions.csv: decisions and output bytes by runtime and beat; the first largest output decides."""

    def __init__(self, data: bytes, labels: list[str]) -> None:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
        header, body = rows[0], rows[1:]
        fixed = ["index", "record", "patient", "time_s", "reference"]
        names = list(dict.fromkeys(column.partition(":")[0] for column in header[5:]))
        need(
            header == fixed + [f"{name}:{label}" for name in names for label in labels],
            "predictions.csv has other columns",
        )
        need(all(len(row) == len(header) for row in body), "predictions.csv has a row of another length")
        need([row[0] for row in body] == list(map(str, range(len(body)))), "predictions.csv lacks a beat")
        self.records = [row[1] for row in body]
        self.patients = [row[2] for row in body]
        self.times = [float(row[3]) for row in body]
        self.reference = [labels.index(row[4]) for row in body]
        self.decided: dict[str, dict[int, int]] = {}
        self.values: dict[str, dict[int, list[float]]] = {}
        self.bytes: dict[str, dict[int, list[int]]] = {}
        self.wide: dict[str, bool] = {}
        for place, name in enumerate(names):
            cells = {beat: row[5 + place * len(labels) :][: len(labels)] for beat, row in enumerate(body)}
            given = {beat: row for beat, row in cells.items() if any(row)}
            values = {beat: list(map(float, row)) for beat, row in given.items()}
            need(all(math.isfinite(one) for row in values.values() for one in row), "an output is not finite")
            self.values[name] = values
            self.decided[name] = {beat: row.index(max(row)) for beat, row in values.items()}
            if all(re.fullmatch(r"-?[0-9]{1,5}", cell) for row in given.values() for cell in row):
                self.bytes[name] = {beat: list(map(int, row)) for beat, row in given.items()}
                self.wide[name] = any(one > 127 for row in values.values() for one in row)  # int16


def pcg64(seed: int):
    """The 64-bit words of PCG64 (O'Neill, HMC-CS-2014-0905: XSL-RR 128/64), seeded as numpy's SeedSequence does."""
    mask = 0xFFFFFFFF
    words = [seed >> 32 * place & mask for place in range(max(1, (seed.bit_length() + 31) // 32))]
    constant = 0x43B0D7E5

    def mixed(value: int) -> int:
        nonlocal constant
        value ^= constant
        constant = constant * 0x931E8875 & mask
        value = value * constant & mask
        return value ^ value >> 16

    def joined(one: int, other: int) -> int:
        value = (0xCA01F9DD * one - 0x4973F715 * other) & mask
        return value ^ value >> 16

    pool = [mixed(words[place] if place < len(words) else 0) for place in range(4)]
    for source in range(4):
        for target in range(4):
            if source != target:
                pool[target] = joined(pool[target], mixed(pool[source]))
    for word in words[4:]:
        for target in range(4):
            pool[target] = joined(pool[target], mixed(word))
    constant, halves = 0x8B51F9DD, []
    for place in range(8):
        value = pool[place % 4] ^ constant
        constant = constant * 0x58F38DED & mask
        value = value * constant & mask
        halves.append(value ^ value >> 16)
    first, second, third, fourth = (halves[place] | halves[place + 1] << 32 for place in range(0, 8, 2))
    wide, factor = (1 << 128) - 1, 0x2360ED051FC65DA44385DF649FCCF645
    step = ((third << 64 | fourth) << 1 | 1) & wide
    state = ((step + (first << 64 | second)) * factor + step) & wide
    while True:
        state = (state * factor + step) & wide
        value, turn = (state >> 64 ^ state) & 0xFFFFFFFFFFFFFFFF, state >> 122
        yield (value >> turn | value << (64 - turn)) & 0xFFFFFFFFFFFFFFFF


def resampled(per_patient: list[list[int]], draws: list[array]) -> list[array]:
    """Column sums over the patients of each resample. The counts of a patient are packed into one long integer, so that
    one addition sums all columns."""
    columns = len(per_patient[0])
    packed = [int.from_bytes(array("Q", row).tobytes(), sys.byteorder) for row in per_patient]
    sums = []
    for drawn in draws:
        total = sum([packed[place] for place in drawn])
        sums.append(array("Q", total.to_bytes(8 * columns, sys.byteorder)))
    return sums


def quantile(ordered: list[float], share: float) -> float:
    """Linear between the order statistics (Hyndman and Fan's type 7)."""
    place = (len(ordered) - 1) * share
    below = min(int(place), len(ordered) - 1)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def bootstrap(
    drawn: list[float], estimate: float, without_one: list[float], level: float, method: str, margin: float = math.nan
):
    """Limits over resampled patients (Efron 1979; BCa: Efron 1987) and the one-sided p of `margin` or more; None where
    too many resamples are undefined."""
    tail = (1 - level) / 2
    defined = sorted(value for value in drawn if math.isfinite(value))
    if len(without_one) < 2 or len(defined) < (1 - tail) * len(drawn):
        return None
    if method == "percentile":
        return (quantile(defined, tail), quantile(defined, 1 - tail)), p_of(defined, margin, 0.0, 0.0)
    lower = sum(value < estimate for value in defined) + sum(value == estimate for value in defined) / 2
    bias = NORMAL.inv_cdf(min(max(lower, 0.5), len(defined) - 0.5) / len(defined))
    kept = [value for value in without_one if math.isfinite(value)]
    mean = math.fsum(kept) / len(kept) if kept else 0.0
    spread = math.fsum((mean - value) ** 2 for value in kept)
    skew = math.fsum((mean - value) ** 3 for value in kept)
    pull = skew / (6 * spread**1.5) if spread > 0 else 0.0

    def corrected(z: float) -> float:
        moved = bias + z
        room = 1 - pull * moved
        return NORMAL.cdf(bias + moved / room) if room > 0 else float(moved > 0)

    z = NORMAL.inv_cdf(tail)
    limits = quantile(defined, corrected(z)), quantile(defined, corrected(-z))
    return limits, p_of(defined, margin, bias, pull)


def slopes(statistic, row) -> list[float]:
    """The derivatives of a statistic by the columns of `row`: a sum of ratios, each with its weight."""
    if statistic is share_of:
        weights = [1.0]
    else:
        classes = len(row) // 4 if statistic is loss_of else len(row) // 8
        weights = [1 / classes, -1 / classes] * classes
        weights += [-weight for weight in weights] if statistic is excess_of else []
    found = []
    for place, weight in enumerate(weights):
        part, whole = row[2 * place : 2 * place + 2]
        found += [weight / whole, -weight * part / whole / whole]
    return found


def equal_parts(parts: list[float]) -> float:
    """How many equal parts weigh as much as these (Kish 1965); without end where there are none."""
    whole = math.fsum(parts)
    return whole * whole / math.fsum(one * one for one in parts) if whole else math.inf


def bootstrap_t(per_patient: list, draws: list[array], sums: list, statistic, level: float, margin: float):
    """Student's ratio resampled (Efron 1979, Hall 1988) and Student's t, the wider limit on each side, with the p of
    `margin` or more; None where fewer than two patients have beats of the figure, or too many resamples are
    undefined. The estimate's standard error is the jackknife's, a resample's is linearised and at least a hundredth of
    the estimate's linearised one."""
    tail, patients = (1 - level) / 2, len(per_patient)
    total = [sum(column) for column in zip(*per_patient, strict=True)]
    if not all(total[1::2]):
        return None
    wholes = range(1, len(total), 2)
    shares = [sum(row[at] / total[at] for at in wholes) / len(wholes) for row in per_patient]
    without = [statistic([all_ - one for all_, one in zip(total, row, strict=True)]) for row in per_patient]
    without = [value for value in without if math.isfinite(value)]
    estimate = statistic(total)
    if sum(one > 0 for one in shares) < 2 or len(without) < 2 or not math.isfinite(estimate):
        return None
    mean = math.fsum(without) / len(without)
    error = math.sqrt((len(without) - 1) / len(without) * math.fsum((value - mean) ** 2 for value in without))
    small = patients / (patients - 1)

    def squares(row) -> list[float]:
        steep = slopes(statistic, row)
        return [sum(map(operator.mul, steep, own)) ** 2 if any(own) else 0.0 for own in per_patient]

    pulls = squares(total)
    floor = 1e-4 * small * math.fsum(pulls)
    ratios = []
    for row, drawn in zip(sums, draws, strict=True):
        value = statistic(row)
        if math.isfinite(value):
            of = squares(row)
            own = math.sqrt(small * sum([of[place] for place in drawn]) + floor)
            ratios.append((value - estimate) / own if own else 0.0)
    if len(ratios) < (1 - tail) * len(sums):
        return None
    ratios.sort()
    effective = max(3.0, min(equal_parts(shares), equal_parts([math.sqrt(one) for one in pulls])))
    narrow = math.sqrt((effective - 1) / effective)
    own, most = student_quantile(tail, effective - 1), student_quantile(tail, 1.7)
    share = NORMAL.cdf(-own / narrow)
    low = estimate - error * max(own, min(quantile(ratios, 1 - share), most))
    high = estimate + error * max(own, min(-quantile(ratios, share), most))
    least = 0.0 if statistic is share_of else -1.0 if statistic is loss_of else -2.0
    limits = max(low, least), min(high, -least or 1.0)
    fewest = 1 / (len(ratios) + 1)
    if not error or math.isnan(margin):
        return limits, fewest if estimate < margin else 1.0
    far = (margin - estimate) / error
    below = sum(value < -far for value in ratios)
    place = float(below > 0)
    if 0 < below < len(ratios):
        step = ratios[below] - ratios[below - 1]
        place = (below - 1 + (-far - ratios[below - 1]) / step) / (len(ratios) - 1)
    if 0 < place < 1:
        place = student_above(-NORMAL.inv_cdf(place) * narrow, effective - 1)
    return limits, max(fewest, student_above(far, effective - 1), min(place, student_above(far, 1.7)))


def p_of(defined: list[float], margin: float, bias: float, pull: float) -> float:
    """The alpha at which the upper limit would lie at the margin, at least 1 / (B + 1)."""
    size = len(defined)
    least, below = 1 / (size + 1), sum(value < margin for value in defined)
    if not below:
        return 1.0
    if below == size:
        return least
    place = below - 1 + (margin - defined[below - 1]) / (defined[below] - defined[below - 1])
    share = min(max(place / (size - 1), least), 1 - least)
    if bias or pull:
        moved = NORMAL.inv_cdf(share) - bias
        room = 1 + pull * moved
        share = NORMAL.cdf(moved / room - bias) if room > 0 else float(moved > 0)
    return max(least, 1 - share)


def ec57_runs(beats: list[tuple[int, str, str]], members: str, side: int) -> Counter:
    """Runs of one side (1 the reference, 2 the test) from 5:00 on: how often one of each length, up to 6, met which
    longest of the other side within 150 ms around it. A beat is looked at once."""
    found: Counter = Counter()
    free, place, other = 0, 0, 3 - side
    while place < len(beats):
        if beats[place][0] < 300_000_000 or beats[place][side] not in members:
            place += 1
            continue
        end = place
        while end < len(beats) and beats[end][side] in members:
            end += 1
        while beats[free][0] < beats[place][0] - 150_000:
            free += 1
        line = ""
        while free < len(beats) and beats[free][0] <= beats[end - 1][0] + 150_000:
            line += "x" if beats[free][other] in members else " "
            free += 1
        found[min(6, end - place), min(6, max(map(len, line.split()), default=0))] += 1
        place = end
    return found


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def share_of(row) -> float:
    return ratio(row[0], row[1])


def value_of(row, side: int) -> float:
    """The figure of float (side 0) or INT8 (side 2): the mean of one ratio for each class that it is about. Added one
    after the other, not by `sum`, which rounds otherwise from Python 3.12 on."""
    total = 0.0
    for at in range(side, len(row), 4):
        total += ratio(row[at], row[at + 1])
    return total / (len(row) // 4)


def loss_of(row) -> float:
    """The figure of float less that of INT8; undefined unless both are defined."""
    return value_of(row, 0) - value_of(row, 2)


def excess_of(row) -> float:
    """The loss under a condition less the loss of the same beats undisturbed."""
    half = len(row) // 2
    return loss_of(row[:half]) - loss_of(row[half:])


def wilson(hits: int, whole: int, z: float) -> tuple[float, float]:
    """Wilson 1927."""
    if whole == 0:
        return 0.0, 1.0
    root = z * math.sqrt(hits * (whole - hits) / whole + z * z / 4)
    low, high = ((hits + z * z / 2 + side * root) / (whole + z * z) for side in (-1, 1))
    return (low if hits else 0.0), (high if hits < whole else 1.0)


def tango_score(b: int, c: int, n: int, delta: float) -> float:
    middle = (2 * n - b + c) * delta - b - c
    root = math.sqrt(max(0.0, middle**2 + 8 * n * c * delta * (1 - delta)))
    variance = n * ((root - middle) / (2 * n) + delta * (1 - delta))
    far = b - c - n * delta
    return far / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, far) if far else 0.0


def tango(b: int, c: int, n: int, z: float) -> tuple[float, float]:
    """Tango 1998: the differences whose score statistic, restricted to them, is z or -z."""
    if n == 0:
        return -1.0, 1.0

    def score(delta: float) -> float:
        return tango_score(b, c, n, delta)

    limits = []
    for goal, end in ((z, -1.0), (-z, 1.0)):
        near, far = (b - c) / n, end
        while near != far and abs(near - far) > 1e-15:
            middle = (near + far) / 2
            if middle in (near, far):
                break
            inside = score(middle) < goal if end < 0 else score(middle) > goal
            near, far = (middle, far) if inside else (near, middle)
        limits.append(far)
    return limits[0], limits[1]


def newcombe(a: int, b: int, c: int, d: int, z: float) -> tuple[float, float]:
    """Newcombe 1998, method 10."""
    n = a + b + c + d
    if n == 0:
        return -1.0, 1.0
    (l1, u1), (l2, u2) = wilson(a + b, n, z), wilson(a + c, n, z)
    p1, p2 = (a + b) / n, (a + c) / n
    cross = float(a * d - b * c)
    cross = max(cross - n / 2, 0.0) if cross > 0 else cross
    area = (a + b) * (c + d) * (a + c) * (b + d)
    phi = cross / math.sqrt(area) if area else 0.0

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))

    return max(-1.0, p1 - p2 - reach(p1 - l1, u2 - p2)), min(1.0, p1 - p2 + reach(u1 - p1, p2 - l2))


def delta_error(rows: Counter, centre: float, unseen: list) -> float:
    """The standard error of the difference of two ratios, linearised (Moskowitz and Pepe 2006), half a beat added to
    each kind of change; NaN where it is not defined."""
    weights = Counter({kind: float(count) for kind, count in rows.items()})
    for kind in unseen:
        weights[kind] += 0.5
    columns = range(len(unseen[0]))
    total = [math.fsum(weight * kind[place] for kind, weight in weights.items()) for place in columns]
    if not math.isfinite(centre) or not all(total[1::2]):
        return math.nan
    variance = 0.0
    for kind, weight in weights.items():
        pulls = [(kind[at] - total[at] / total[at + 1] * kind[at + 1]) / total[at + 1] for at in columns[::2]]
        variance += weight * ((sum(pulls[::2]) - sum(pulls[1::2])) / (len(pulls) // 2)) ** 2
    return math.sqrt(variance)


def mcnemar(b: int, c: int) -> tuple[float, float]:
    """McNemar's test, mid-p (Fagerland 2013) and exact, in whole numbers."""
    n, few = b + c, min(b, c)
    below = sum(math.comb(n, k) for k in range(few + 1))
    exact = min(1.0, 2 * below / 2**n)
    return (1.0 if b == c else (2 * below - math.comb(n, few)) / 2**n), exact


def obuchowski(differences: list[int]) -> float | None:
    """Equality with patients for independent (Obuchowski 1998)."""
    patients, square = len(differences), sum(one * one for one in differences)
    if patients < 2:
        return None
    if not square:
        return 1.0
    return math.erfc(math.sqrt((patients - 1) / patients * sum(differences) ** 2 / square / 2))


@functools.cache
def student_above(t: float, degrees: float) -> float:
    """The probability of Student's t above `t`: half the regularised incomplete beta function of degrees / (degrees +
    t^2) with degrees / 2 and 1 / 2, as a continued fraction (Abramowitz and Stegun 26.5.8)."""
    if t < 0:
        return 1 - student_above(-t, degrees)
    a, b, x = degrees / 2, 0.5, degrees / (degrees + t * t)
    if t == 0:
        return 0.5
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(t * t / (degrees + t * t))
    )

    def fraction(a: float, b: float, x: float) -> float:
        value = 0.0
        for m in range(400, 0, -1):
            odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            value = even / (1 + odd / (1 + value))
        return 1 / (1 + (-(a + b) * x / (a + 1)) / (1 + value))

    if x < (a + 1) / (a + b + 2):
        return front * fraction(a, b, x) / a / 2
    return (1 - front * fraction(b, a, 1 - x) / b) / 2


@functools.cache
def student_quantile(above: float, degrees: float) -> float:
    """The t that has `above` above it, below one half."""
    low, high = 0.0, 1.0
    while student_above(high, degrees) > above:
        low, high = high, 2 * high
    while high - low > 1e-14 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if student_above(middle, degrees) > above else (low, middle)
    return high


def corrected(results: list[tuple[str, float | None]], rule: dict) -> list[tuple[str, float | None]]:
    """Verdict and adjusted p of endpoints with verdict and p, by the protocol's rule for several endpoints."""
    how, alpha = rule.get("multiplicity", "all"), rule.get("one_sided_alpha", 0.025)
    if how == "all":
        return [(verdict, None) for verdict, _ in results]
    found, shown, most = [], True, 0.0
    for verdict, p in results:
        known = 1.0 if p is None else p
        if how == "hierarchical":
            most = max(most, known if verdict == "pass" else 1.0)
            adjusted, keeps = most, shown
            shown = shown and verdict == "pass"
        else:
            others = sorted(1.0 if one is None else one for _, one in results)
            adjusted = max(min(1.0, (len(others) - i) * one) for i, one in enumerate(others) if one <= known)
            keeps = adjusted <= alpha
        kept = "inconclusive" if verdict == "pass" and not keeps else verdict
        found.append((verdict, None) if p is None else (kept, adjusted))
    return found


def group_of(rule: dict, one: dict) -> tuple[float, str]:
    """The place in order and the name of the group that a record's attributes put it into."""
    value = one[{"noise": "snr_db"}.get(rule["by"], rule["by"])]
    edges = rule.get("edges", [])
    unit = "dB" if rule["by"] == "noise" else "years"
    if value is None or value == "":
        return (math.inf if edges and value is None else 0.0), "unknown"
    if not edges:
        return 0.0, str(value)
    rank = sum(edge <= value for edge in edges)
    if rank == 0:
        return 0.0, f"below {edges[0]:g} {unit}"
    upper = f" to {edges[rank]:g} {unit}" if rank < len(edges) else f" {unit} and more"
    return float(rank), f"{edges[rank - 1]:g}{upper}"


def reached(ordered: list[tuple[float, int]], times: Counter, rank: int) -> float:
    """The value at a rank where each beat counts as often as its patient was drawn."""
    for value, owner in ordered:
        rank -= times[owner]
        if rank <= 0:
            return value
    return math.nan


def classes_of(rule: dict) -> list[str]:
    """The classes that an endpoint is about; none for accuracy."""
    return rule.get("labels", []) or [label for label in (rule.get("label"),) if label]


class Figures:
    """Derives the figures and compares them; `compared` counts what agreed."""

    def __init__(self, validation: dict, protocol: dict, beats: Beats) -> None:
        self.validation, self.protocol, self.beats = validation, protocol, beats
        self.labels = protocol["labels"]
        self.rules = {rule["label"]: rule for rule in protocol.get("classes", [])}
        rule = protocol.get("statistics", {})
        self.level = 1 - 2 * rule.get("one_sided_alpha", 0.025)
        self.resamples, self.seed = rule.get("resamples", 2000), rule.get("seed", 1)
        self.method = rule.get("method", "bootstrap-t")
        self.resampling = f"patient bootstrap {METHODS[self.method]}, B={self.resamples}, seed {self.seed}"
        self.z = NORMAL.inv_cdf(0.5 + self.level / 2)
        self.compared = 0
        self.drawn: dict[int, list[array]] = {}

    def agree(self, stated: object, found: object, what: str) -> None:
        numbers = [one for one in (stated, found) if isinstance(one, (int, float)) and not isinstance(one, bool)]
        if len(numbers) == 2:
            same = abs(stated - found) <= TOLERANCE or (stated != stated and found != found) or stated == found
        else:
            same = stated == found
        need(same, f"{what} is {found!r} by this verifier and {stated!r} in evidence.json")
        self.compared += 1

    def interval(self, stated: dict | None, found: tuple[float, float] | None, method: str, what: str) -> None:
        need((stated is None) == (found is None), f"{what} is {'missing' if stated is None else 'too much'}")
        if stated is not None and found is not None:
            self.agree(stated["low"], found[0], f"the lower limit of {what}")
            self.agree(stated["high"], found[1], f"the upper limit of {what}")
            self.agree(stated["level"], self.level, f"the level of {what}")
            self.agree(stated["method"], method, f"the method of {what}")

    # ---- what a beat adds to a figure

    def parts(self, measure: str, label: str, reference: int, decision: int) -> tuple[int, int]:
        if measure == "accuracy":
            return int(reference == decision), 1
        place = self.labels.index(label)
        excused = self.rules.get(label, {}).get("not_false_positive", [])
        if measure.startswith("ec57_"):
            measure, excused = measure[5:], {"V": "FQ", "S": "Q"}[label]
        hit, of_class = int(reference == place == decision), int(reference == place)
        called = int(decision == place and self.labels[reference] not in excused)
        if measure == "sensitivity":
            return hit, of_class
        return (hit, called) if measure == "positive_predictivity" else (2 * hit, of_class + called)

    def kinds(self, rule: dict) -> list[tuple[str, str]]:
        """The ratios whose mean an endpoint is about: one, or one for each of the classes of macro_f1."""
        if rule["measure"] == "macro_f1":
            return [("f1", label) for label in rule["labels"]]
        return [(rule["measure"], rule.get("label", ""))]

    def pair(self, kinds: list[tuple[str, str]], reference: int, one: int, other: int) -> tuple[int, ...]:
        """What a beat adds: for each ratio numerator and denominator of float, then of INT8."""
        sides = ([self.parts(*kind, reference, called) for called in (one, other)] for kind in kinds)
        return tuple(part for both in sides for side in both for part in side)

    # ---- patients drawn with replacement

    def draws(self, patients: int) -> list[array]:
        """The patients of each resample, as many as there are; draw k is the upper half of the k-th word."""
        if patients not in self.drawn:
            need(
                patients * self.resamples <= MAX_DRAWS,
                f"{self.resamples} resamples of {patients} patients are too many",
            )
            words = pcg64(self.seed)
            self.drawn[patients] = [
                array("I", [(next(words) >> 32) * patients >> 32 for _ in range(patients)])
                for _ in range(self.resamples)
            ]
        return self.drawn[patients]

    def bootstrapped(self, per_patient: list[list[int]], statistic, sums: list | None = None):
        """The total of each column, and the limits of the statistic; `sums` where the columns were drawn already."""
        total, found = self.judged_over_patients(per_patient, statistic, sums)
        return total, found and found[0]

    def judged_over_patients(self, per_patient: list[list[int]], statistic, sums: list | None, margin=math.nan):
        """The same, with the p of a statistic of `margin` or more beside the limits."""
        total = [sum(column) for column in zip(*per_patient, strict=True)]
        if len(per_patient) < 2:
            return total, None
        draws = self.draws(len(per_patient))
        sums = resampled(per_patient, draws) if sums is None else sums
        if self.method == "bootstrap-t":
            return total, bootstrap_t(per_patient, draws, sums, statistic, self.level, margin)
        without = [statistic([all_ - one for all_, one in zip(total, row, strict=True)]) for row in per_patient]
        values = [statistic(row) for row in sums]
        return total, bootstrap(values, statistic(total), without, self.level, self.method, margin)

    def by_patient(self, kinds: list[tuple[str, str]], decided: dict[int, int], paired: bool) -> list[list[int]]:
        """Sums of what the beats add, by patient in the order of names: of float and INT8 where `paired`, else of INT8,
        with the beats that float decides alike at the end."""
        floats = self.beats.decided["float"]
        cells = Counter(
            (self.beats.patients[beat], self.beats.reference[beat], decision, floats[beat])
            for beat, decision in decided.items()
        )
        sums: dict[str, list[int]] = {}
        for (patient, reference, decision, other), count in sorted(cells.items()):
            if paired:
                row = self.pair(kinds, reference, other, decision)
            else:
                parts = [part for kind in kinds for part in self.parts(*kind, reference, decision)]
                row = (*parts, int(decision == other), 1)
            mine = sums.setdefault(patient, [0] * len(row))
            for place, part in enumerate(row):
                mine[place] += count * part
        return [sums[patient] for patient in sorted(sums)]

    # ---- figures of one runtime

    def proportion(self, stated: dict, name: str, pair: list[list[int]], sums: list | None, what: str) -> None:
        total, limits = self.bootstrapped(pair, share_of, sums)
        (part, whole), method = total, self.resampling
        self.agree(stated["name"], name, f"the name of {what}")
        self.agree(stated["numerator"], part, f"the numerator of {what}")
        self.agree(stated["denominator"], whole, f"the denominator of {what}")
        self.agree(stated["estimate"], ratio(part, whole), what)
        if whole and (limits is None or limits[0] == limits[1]):
            limits, method = wilson(part, whole, self.z), "Wilson score over beats"
        self.interval(stated["interval"], limits if whole else None, method, f"the interval of {what}")

    def metrics(self, stated: dict) -> None:
        name, size = stated["runtime"], len(self.labels)
        decided = self.beats.decided[name]
        pairs = Counter((self.beats.reference[beat], decision) for beat, decision in decided.items())
        matrix = [[pairs[row, column] for column in range(size)] for row in range(size)]
        self.agree(stated["confusion"], matrix, f"the confusion matrix of {name}")
        named = [("accuracy", "", stated["accuracy"])]
        for kind in ("sensitivity", "positive_predictivity"):
            self.agree(len(stated[kind]), size, f"the number of {kind} figures of {name}")
            named += [(kind, label, stated[kind][place]) for place, label in enumerate(self.labels)]
        rows = self.by_patient([(kind, label) for kind, label, _ in named], decided, paired=False)
        sums = resampled(rows, self.draws(len(rows)))
        titles = [f"{label} {kind}".replace("_", " ").strip() for kind, label, _ in named]
        titles.append("same decision, float and INT8")
        agreement = [("agreement of float and", "INT8", self.validation["agreement_float_int8"])]
        for place, (kind, label, one) in enumerate(named + agreement * (name == self.validation["judged_runtime"])):
            cut = slice(2 * place, 2 * place + 2)
            own, drawn = [row[cut] for row in rows], [row[cut] for row in sums]
            self.proportion(one, titles[place], own, drawn, f"the {kind} {label} of {name}")

    def comparison(self, stated: dict) -> None:
        one, other = stated["runtimes"]
        first, second = (self.beats.decided.get(name, {}) for name in (one, other))
        common, what = sorted(first.keys() & second.keys()), f"in {one} against {other}"
        self.agree(stated["compared"], len(common), f"the number of beats {what}")
        self.agree(
            stated["decisions_changed"],
            sum(first[beat] != second[beat] for beat in common),
            f"changed decisions {what}",
        )
        if one in self.beats.bytes and other in self.beats.bytes:
            left, right = self.beats.bytes[one], self.beats.bytes[other]
            steps = Counter(
                abs(a - b) for beat in common for a, b in zip(left[beat], right[beat], strict=True) if a != b
            )
            self.agree(stated["identical"], sum(left[beat] == right[beat] for beat in common), f"equal beats {what}")
            self.agree(stated["values"], len(common) * len(self.labels), f"the number of values {what}")
            self.agree(stated["differing_values"], sum(steps.values()), f"differing values {what}")
            self.agree(stated["max_abs_lsb"], max(steps, default=0), f"the largest difference {what}")
            self.agree(stated["lsb_histogram"], [list(item) for item in sorted(steps.items())], f"the histogram {what}")

    # ---- endpoints

    def endpoint(self, stated: dict, rule: dict, beats: dict[int, int], where: str = "") -> str:
        """The verdict of an endpoint over `beats`, with nothing corrected for others."""
        verdict, _, needed = self.uncorrected(stated, rule, beats, where)
        self.agree(stated["patients_needed"], needed, f"the patients needed for {where}{rule['name']}")
        self.agree(stated["verdict"], verdict, f"the verdict of {where}{rule['name']}")
        self.agree(stated["adjusted_p_value"], None, f"the adjusted p of {where}{rule['name']}")
        return verdict

    def endpoints(self, judged: dict[int, int]) -> set[str]:
        """The verdicts, by the protocol's rule for several endpoints."""
        stated, rules = self.validation["endpoints"], self.protocol["endpoints"]
        alone = [self.uncorrected(one, rule, judged) for one, rule in zip(stated, rules, strict=True)]
        statistics = self.protocol.get("statistics", {})
        found = corrected([(verdict, p) for verdict, p, _ in alone], statistics)
        alpha = statistics.get("one_sided_alpha", 0.025)
        for one, rule, (was, _, needed), (verdict, adjusted) in zip(stated, rules, alone, found, strict=True):
            self.agree(one["verdict"], verdict, f"the verdict of {one['endpoint']}")
            self.agree(one["adjusted_p_value"], adjusted, f"the adjusted p of {one['endpoint']}")
            if was == "pass" != verdict:  # taken back: beside the others it is tested at a part of alpha
                share = alpha / len(rules)
                needed = self.for_width(one, rule, judged, share) if statistics["multiplicity"] == "holm" else None
            self.agree(one["patients_needed"], needed, f"the patients needed for {one['endpoint']}")
        return {verdict for verdict, _ in found}

    def of_endpoint(self, rule: dict, beats: dict[int, int]) -> dict[int, int]:
        """Those of `beats` that an endpoint is judged on."""
        beats = self.of_population(rule.get("population", ""), beats)
        if rule["measure"].startswith("ec57_"):
            beats = {beat: decision for beat, decision in beats.items() if self.beats.times[beat] >= 300}
        return beats

    def for_width(self, stated: dict, rule: dict, beats: dict[int, int], alpha: float | None = None) -> int | None:
        """Patients like these at which the upper limit, at `alpha`, would be below the margin with the protocol's
        power. Figures are those of `stated`, which were found to be right."""
        patients = len({self.beats.patients[beat] for beat in self.of_endpoint(rule, beats)})
        loss, judged = stated["loss"]["estimate"], stated["judged"]
        room = rule["margin"] - loss
        if judged is None or not math.isfinite(loss) or room <= 0 or not patients:
            return None
        z = self.z if alpha is None else NORMAL.inv_cdf(1 - alpha)
        power = NORMAL.inv_cdf(self.protocol.get("statistics", {}).get("power", 0.8))
        factor = (z + power) / self.z * max(0.0, judged["high"] - loss) / room
        return max(1, math.ceil(patients * factor * factor))

    def needed(self, stated: dict, rule: dict, beats: dict[int, int], verdict: str) -> int | None:
        """Patients that would end an inconclusive result: for the protocol's minimum, and for the interval's width."""
        if verdict != "inconclusive":
            return None
        mine = self.of_endpoint(rule, beats)
        everyone = len({self.beats.patients[beat] for beat in mine})
        demands = [(everyone, self.protocol["minimum_patients"])]
        for label in classes_of(rule):
            of = [beat for beat in mine if self.labels[self.beats.reference[beat]] == label]
            demand = self.rules.get(label, {})
            demands.append((len(of), demand.get("minimum_beats", 0)))
            demands.append((len({self.beats.patients[beat] for beat in of}), demand.get("minimum_patients", 0)))
        minimum = max((-(-everyone * wanted // found) for found, wanted in demands if 0 < found < wanted), default=0)
        judged = stated["judged"]
        if judged is None or judged["high"] < rule["margin"]:
            return minimum or None
        width = self.for_width(stated, rule, beats)
        return None if width is None else max(width, minimum)

    def uncorrected(
        self, stated: dict, rule: dict, beats: dict[int, int], where: str = ""
    ) -> tuple[str, float | None, int | None]:
        """Verdict, p and patients needed of an endpoint over `beats`, the judged decisions, as far as they are of its
        population."""
        name, kinds, given = f"{where}{rule['name']}", self.kinds(rule), beats
        beats = self.of_endpoint(rule, beats)
        rows = self.by_patient(kinds, beats, paired=True) or [[0] * 4 * len(kinds)]
        total, over_patients = self.judged_over_patients(rows, loss_of, None, rule["margin"])
        by_patient = over_patients and over_patients[0]
        loss = loss_of(total)
        self.agree(stated["endpoint"], rule["name"], f"the name of {name}")
        self.agree(stated["float_value"], value_of(total, 0), f"the float value of {name}")
        self.agree(stated["int8_value"], value_of(total, 2), f"the INT8 value of {name}")
        self.agree(stated["loss"]["estimate"], loss, f"the loss of {name}")
        self.agree(stated["margin"], rule["margin"], f"the margin of {name}")
        self.agree(stated["loss"]["name"], f"loss of {rule['name']}", f"the name of the loss of {name}")
        self.interval(stated["loss"]["interval"], by_patient, self.resampling, f"the patient interval of {name}")
        by_beat, p_beats, equality = self.by_beat(kinds, beats, loss, rule["margin"])
        self.agree(len(stated["beat_level"]), len(by_beat), f"the number of beat-level intervals of {name}")
        methods = [DELTA] if len(by_beat) == 1 else ["Tango score", "Newcombe method 10"]
        for one, found, method in zip(stated["beat_level"], by_beat, methods, strict=True):
            self.interval(one, found, method, f"the beat-level interval ({method}) of {name}")
        self.agree(stated["mcnemar_mid_p"], equality[0], f"McNemar's mid-p of {name}")
        self.agree(stated["mcnemar_exact"], equality[1], f"McNemar's exact p of {name}")
        one_sided = [row[0] - row[2] for row in rows if row[1]]
        clustered = None if equality[0] is None else obuchowski(one_sided)
        self.agree(stated["clustered_p"], clustered, f"Obuchowski's p of {name}")
        p_value = max(over_patients[1], p_beats) if over_patients and math.isfinite(loss) else None
        self.agree(stated["p_value"], p_value, f"the p of {name}")
        judged = by_patient and (min(by_patient[0], by_beat[0][0]), max(by_patient[1], by_beat[0][1]))
        hull = f"hull of {self.resampling} and {methods[0]}"
        self.interval(stated["judged"], judged, hull, f"the judged interval of {name}")
        if judged is None or not math.isfinite(loss):
            verdict = "inconclusive"
        elif judged[0] > rule["margin"]:
            verdict = "fail"
        else:
            enough = not self.too_small(rule, beats)
            verdict = "pass" if judged[1] < rule["margin"] and enough else "inconclusive"
        self.worst(stated, kinds, beats, total, loss, name)
        return verdict, p_value, self.needed(stated, rule, given, verdict)

    def worst(self, stated: dict, kinds: list, beats: dict[int, int], total: list[int], loss: float, name: str) -> None:
        """The three records that most of the loss would vanish with, a tenth of it or more each."""
        sums: dict[str, list[int]] = {}
        for beat, decision in beats.items():
            reference, other = self.beats.reference[beat], self.beats.decided["float"][beat]
            row = self.pair(kinds, reference, other, decision)
            mine = sums.setdefault(self.beats.records[beat], [0] * 4 * len(kinds))
            mine[:] = [one + part for one, part in zip(mine, row, strict=True)]
        gone = []
        for record, row in sums.items() if loss > 0 else ():
            less = loss - loss_of([all_ - one for all_, one in zip(total, row, strict=True)])
            if less >= loss / 10 - 1e-12:
                gone.append((-less, record))
        gone.sort()
        self.agree(
            [one for one, _ in stated["worst_records"]], [record for _, record in gone[:3]], f"the worst of {name}"
        )
        for (_, said), (less, record) in zip(stated["worst_records"], gone, strict=False):
            self.agree(said, -less, f"the part of {record} in {name}")

    def of_population(self, name: str, beats: dict[int, int]) -> dict[int, int]:
        if not name:
            return beats
        (rule,) = [one for one in self.protocol["populations"] if one["name"] == name]
        return {
            beat: decision
            for beat, decision in beats.items()
            if self.belongs(rule, self.beats.records[beat], self.beats.patients[beat])
        }

    def by_beat(self, kinds: list[tuple[str, str]], beats: dict[int, int], loss: float, margin: float):
        """Closed forms that take beats as independent, their p of a loss of `margin`, and McNemar's two."""
        float_decided, reference = self.beats.decided["float"], self.beats.reference
        rows = Counter(
            self.pair(kinds, reference[beat], float_decided[beat], decision) for beat, decision in beats.items()
        )
        rows = Counter({row: count for row, count in rows.items() if any(row)})
        measure = kinds[0][0]
        if measure in ("accuracy", "sensitivity", "ec57_sensitivity"):
            a, b, c, d = (rows[hit, 1, other, 1] for hit, other in ((1, 1), (1, 0), (0, 1), (0, 0)))
            n = a + b + c + d
            p_value = NORMAL.cdf(tango_score(b, c, n, margin)) if n else 1.0
            return [tango(b, c, n, self.z), newcombe(a, b, c, d, self.z)], p_value, mcnemar(b, c)
        hit, miss = ((2, 2), (0, 1)) if measure == "f1" else ((1, 1), (0, 0))
        changes = [(*hit, *miss), (*miss, *hit), (0, 1, 0, 0), (0, 0, 0, 1)]
        none = (0, 0, 0, 0)
        unseen = [none * at + one + none * (len(kinds) - 1 - at) for at in range(len(kinds)) for one in changes]
        error = delta_error(rows, loss, unseen)
        if error != error:
            return [(-1.0, 1.0)], 1.0, (None, None)
        half = self.z * error
        p_value = NORMAL.cdf((loss - margin) / error) if error else float(loss >= margin)
        return [(max(-1.0, loss - half), min(1.0, loss + half))], p_value, (None, None)

    def too_small(self, rule: dict, judged: dict[int, int]) -> bool:
        if len({self.beats.patients[beat] for beat in judged}) < self.protocol["minimum_patients"]:
            return True
        for label in classes_of(rule):
            of_class = [beat for beat in judged if self.labels[self.beats.reference[beat]] == label]
            owners, demand = {self.beats.patients[beat] for beat in of_class}, self.rules.get(label, {})
            if len(of_class) < demand.get("minimum_beats", 0) or len(owners) < demand.get("minimum_patients", 0):
                return True
        return False

    # ---- which beats

    def exclusions(self) -> None:
        """No beat is there that the protocol excludes."""
        rules = self.protocol.get("exclusions", [])
        stated = [one["reason"] for one in self.validation["excluded"]]
        self.agree(stated, [rule["reason"] for rule in rules], "the list of exclusions")
        for rule in rules:
            conditions = [
                (rule.get("records"), self.beats.records),
                (rule.get("patients"), self.beats.patients),
                (rule.get("labels"), [self.labels[place] for place in self.beats.reference]),
                ([True] * bool(rule.get("before_s")), [time < rule.get("before_s", 0) for time in self.beats.times]),
            ]
            met = zip(*([value in wanted for value in values] for wanted, values in conditions if wanted), strict=True)
            need(not any(map(all, met)), f"beats are there that protocol.toml excludes: {rule['reason']}")

    def subgroups(self, judged: dict[int, int]) -> bool:
        """Every endpoint in every group; whether one that binds is shown to be harmed."""
        attributes = self.validation["attributes"]
        patient_of = {self.beats.records[beat]: self.beats.patients[beat] for beat in judged}
        listed = [[one["record"], one["patient"]] for one in attributes]
        self.agree(listed, [list(item) for item in sorted(patient_of.items())], "the list of attributes")
        expected, harmed = [], False
        for rule in self.protocol.get("subgroups", []):
            groups: dict[tuple[float, str], set[str]] = {}
            for one in attributes:
                groups.setdefault(group_of(rule, one), set()).add(one["record"])
            expected += [(rule, name, groups[rank, name]) for rank, name in sorted(groups)]
        stated = self.validation["subgroups"]
        names = [[one["subgroup"], one["group"]] for one in stated]
        self.agree(names, [[rule["name"], name] for rule, name, _ in expected], "the list of subgroups")
        for one, (rule, name, records) in zip(stated, expected, strict=True):
            where = f"{rule['name']} {name}: "
            beats = {beat: decision for beat, decision in judged.items() if self.beats.records[beat] in records}
            self.agree(one["beats"], len(beats), f"{where}the number of beats")
            self.agree(one["patients"], len({self.beats.patients[beat] for beat in beats}), f"{where}the patients")
            verdicts = [
                self.endpoint(item, endpoint, beats, where)
                for item, endpoint in zip(one["endpoints"], self.protocol["endpoints"], strict=True)
            ]
            harmed |= rule.get("judged", False) and "fail" in verdicts
        return harmed

    # ---- probabilities

    def reliability(self, stated: dict) -> None:
        """Beats by tenths of their largest probability; int8 b stands for (b + 128) / 256, int16 w for w / 32768."""
        name = stated["runtime"]
        zero, steps = ((0, 32768) if self.beats.wide[name] else (-128, 256)) if name in self.beats.bytes else (0, 1)
        bins: dict[int, list[tuple[float, bool]]] = {}
        for beat, values in self.beats.values[name].items():
            most = (max(values) - zero) / steps
            right = self.beats.decided[name][beat] == self.beats.reference[beat]
            bins.setdefault(min(int(most * 10), 9), []).append((most, right))
        found = [
            [place / 10, (place + 1) / 10, len(of), sum(one[1] for one in of)] for place, of in sorted(bins.items())
        ]
        listed = [[one[key] for key in ("low", "high", "beats", "right")] for one in stated["bins"]]
        self.agree(listed, found, f"the calibration curve of {name}")
        for one, (place, of) in zip(stated["bins"], sorted(bins.items()), strict=True):
            self.agree(
                one["confidence"], math.fsum(p for p, _ in of) / len(of), f"the confidence of {name} in bin {place}"
            )

    def operating_points(self, runtime: str) -> None:
        judged = self.beats.bytes.get(runtime, {})
        present = {self.labels[self.beats.reference[beat]] for beat in self.beats.decided[runtime]}
        usable = len({value for row in judged.values() for value in row}) > 1 and "float" not in self.beats.bytes
        rules = self.protocol.get("operating_points", []) if usable and len(present) > 1 else []
        rules = [rule for rule in rules if rule["label"] in present]
        stated = self.validation["operating_points"]
        self.agree([one["name"] for one in stated], [rule["name"] for rule in rules], "the list of operating points")
        for one, rule in zip(stated, rules, strict=True):
            self.operating_point(one, rule, judged)

    def operating_point(self, stated: dict, rule: dict, judged: dict[int, list[int]]) -> None:
        """A threshold fixed on the float model, and what becomes of it on INT8."""
        name, place, beats = f"operating point {rule['name']}", self.labels.index(rule["label"]), sorted(judged)
        float_of = {beat: self.beats.values["float"][beat][place] for beat in beats}
        byte_of = {beat: judged[beat][place] for beat in beats}
        of_class = [beat for beat in beats if self.beats.reference[beat] == place]

        def at_target(ordered: list[float]) -> float:
            return ordered[max(1, math.ceil(rule["sensitivity"] * len(ordered) - 1e-9)) - 1]

        def real(byte: int) -> float:
            return stated["scale"] * (byte - stated["zero_point"])

        threshold = at_target(sorted((float_of[beat] for beat in of_class), reverse=True))
        end = 32768 if any(byte > 127 for row in judged.values() for byte in row) else 128
        step = next((byte for byte in range(-end, end) if real(byte) >= threshold * (1 - 1e-9)), end)
        own = real(at_target(sorted((byte_of[beat] for beat in of_class), reverse=True)))
        self.agree(stated["threshold"], threshold, f"the threshold of {name}")
        self.agree(stated["int8_step"], step, f"the INT8 step of {name}")
        self.agree(stated["drift"]["estimate"], own - threshold, f"the drift of {name}")
        members, patients = set(of_class), sorted({self.beats.patients[beat] for beat in beats})
        for what, wanted in (("sensitivity", True), ("specificity", False)):
            sums = {patient: [0, 0, 0, 0] for patient in patients}
            for beat in beats:
                if (beat in members) is wanted:
                    hits = (float_of[beat] >= threshold) is wanted, (byte_of[beat] >= step) is wanted
                    row = sums[self.beats.patients[beat]]
                    row[:] = [one + part for one, part in zip(row, (hits[0], 1, hits[1], 1), strict=True)]
            rows = list(sums.values())
            total, limits = self.bootstrapped(rows, loss_of)
            for side, cut in (("float", slice(0, 2)), ("INT8", slice(2, 4))):
                title, own = f"{side} {what}", [row[cut] for row in rows]
                self.proportion(stated[f"{side.lower()}_{what}"], title, own, None, f"the {title} of {name}")
            loss, title = stated[f"{what}_loss"], f"loss of {what}"
            self.agree(loss["name"], title, f"the name of the {title} of {name}")
            self.agree(loss["estimate"], loss_of(total), f"the {title} of {name}")
            self.interval(loss["interval"], limits, self.resampling, f"the {title} of {name}")
        owner = {patient: number for number, patient in enumerate(patients)}
        sides = []
        for value in (float_of.__getitem__, lambda beat: real(byte_of[beat])):
            ordered = sorted(of_class, key=value, reverse=True)
            sides.append([(value(beat), owner[self.beats.patients[beat]]) for beat in ordered])
        drawn = []
        for row in self.draws(len(patients)):
            times = Counter(row)
            need_ = sum(times[number] for _, number in sides[0])
            if need_:
                rank = max(1, math.ceil(rule["sensitivity"] * need_ - 1e-9))
                drawn.append(reached(sides[1], times, rank) - reached(sides[0], times, rank))
        tail = (1 - self.level) / 2
        enough = len(patients) > 1 and len(drawn) >= (1 - tail) * self.resamples
        drawn.sort()
        found = (quantile(drawn, tail), quantile(drawn, 1 - tail)) if enough else None
        method = f"patient bootstrap percentile, B={self.resamples}, seed {self.seed}"
        self.agree(stated["drift"]["name"], "drift of the threshold", f"the name of the drift of {name}")
        self.interval(stated["drift"]["interval"], found, method, f"the drift of {name}")

    # ---- equivalence of outputs

    def equivalences(self, runtime: str) -> set[str]:
        """Two one-sided t tests of the mean difference of an output, patients for independent."""
        judged, stated = self.beats.bytes.get(runtime, {}), self.validation["equivalences"]
        rules = self.protocol.get("equivalences", [])
        usable = len({value for row in judged.values() for value in row}) > 1 and "float" not in self.beats.bytes
        listed = [rule["name"] for rule in rules] if usable else []
        self.agree([one["name"] for one in stated], listed, "the list of equivalences")
        alpha = self.protocol.get("statistics", {}).get("one_sided_alpha", 0.025)
        verdicts = {"inconclusive"} if len(stated) < len(rules) else set()
        for one, rule in zip(stated, rules, strict=False):
            name, place, sums = f"equivalence {rule['name']}", self.labels.index(rule["label"]), {}
            for beat, row in judged.items():
                int8 = one["scale"] * (row[place] - one["zero_point"])
                sums.setdefault(self.beats.patients[beat], []).append(self.beats.values["float"][beat][place] - int8)
            patients, beats = len(sums), sum(map(len, sums.values()))
            mean = math.fsum(value for values in sums.values() for value in values) / beats
            found, p_value = (-1.0, 1.0), 1.0
            if patients > 1:
                square = math.fsum((math.fsum(values) - mean * len(values)) ** 2 for values in sums.values())
                error = math.sqrt(patients / (patients - 1) * square) / beats
                half = student_quantile(alpha, patients - 1) * error
                found = (mean - half, mean + half)
                inside = rule["margin"] - abs(mean)
                p_value = student_above(inside / error, patients - 1) if error else float(inside <= 0)
            self.agree(one["difference"]["estimate"], mean, name)
            self.agree(one["difference"]["name"], f"difference of {rule['name']}", f"the name of {name}")
            self.interval(one["difference"]["interval"], found, "t over patients", name)
            self.agree(one["p_value"], p_value, f"the p of {name}")
            self.agree([one["margin"], one["label"]], [rule["margin"], rule["label"]], f"the margin of {name}")
            verdict = "pass" if p_value < alpha and patients >= self.protocol["minimum_patients"] else "inconclusive"
            verdict = "fail" if found[0] > rule["margin"] or found[1] < -rule["margin"] else verdict
            self.agree(one["verdict"], verdict, f"the verdict of {name}")
            verdicts.add(verdict)
        return verdicts

    # ---- ANSI/AAMI EC57, at the reference's beats

    def ec57(self, runtime: str) -> None:
        times, records = self.beats.times, self.beats.records
        last, usable = {}, set(self.labels) <= set("NSVFQ")
        for record, time in zip(records, times, strict=True):
            usable &= time > last.get(record, -1.0)
            last[record] = time
        usable = usable and max(last.values()) >= 300
        names = list(dict.fromkeys(("float", "tflite", runtime))) if usable else []
        self.agree([one["test"] for one in self.validation["ec57"]], names, "the list of EC57's runtimes")
        for stated in self.validation["ec57"]:
            who, decided = f"EC57 of {stated['test']}", self.beats.decided[stated["test"]]
            need(stated["deviations"], f"{who} is not called NON-STANDARD")
            of_record: dict[str, list[tuple[int, str, str]]] = {}
            for beat in self.beats.decided[runtime]:
                called, reference = self.labels[decided[beat]], self.labels[self.beats.reference[beat]]
                of_record.setdefault(records[beat], []).append((round(times[beat] * 1e6), reference, called))
            self.agree([one["record"] for one in stated["records"]], sorted(of_record), f"the records of {who}")
            total, shares, runs = Counter(), [], Counter()
            for one in stated["records"]:
                beats, where = of_record[one["record"]], f"{who}, record {one['record']}"
                pairs = Counter((reference, called) for time, reference, called in beats if time >= 300_000_000)
                total += pairs
                shares.append(self.ec57_figures(one["figures"], pairs, where))
                self.ec57_matrix(one["matrix"], pairs, where)
                for kind, members in zip(one["runs"], ("VF", "S"), strict=True):
                    for key, side, flipped in (("sensitivity", 1, False), ("positive_predictivity", 2, True)):
                        found = ec57_runs(beats, members, side)
                        table = [[found[(t, r) if flipped else (r, t)] for t in range(7)] for r in range(7)]
                        self.agree(kind[key], table, f"the {kind['kind']} runs of {where}")
                        runs.update({(members, key, r, t): table[r][t] for r in range(7) for t in range(7)})
                need(not one["rr_error_ms"] and not one["shutdown_s"], f"{where} has an RR error or a shutdown")
                quiet = [value for item in one["episodes"] for key, value in item.items() if key != "kind"]
                need(not any(quiet), f"{where} has episodes")
            self.ec57_matrix(stated["matrix"], total, who)
            self.ec57_figures(stated["gross"], total, who)
            for kind, members in zip(stated["runs"], ("VF", "S"), strict=True):
                for key in ("sensitivity", "positive_predictivity"):
                    table = [[runs[members, key, r, t] for t in range(7)] for r in range(7)]
                    self.agree(kind[key], table, f"all {kind['kind']} runs of {who}")
            averaged = [one["name"] for one in stated["average"]]
            self.agree(averaged, [one["name"] for one in stated["gross"]], f"the averages of {who}")
            for place, one in enumerate(stated["average"]):
                defined = [ratio(*share[place]) for share in shares if share[place][1]]
                mean = math.fsum(defined) / len(defined) if defined else math.nan
                self.agree(one["estimate"], mean, f"the average {one['name']} of {who}")

    def ec57_matrix(self, stated: list, pairs: Counter, where: str) -> None:
        self.agree(
            stated, [[pairs[row, column] for column in "NSVFQOX"] for row in "NSVFQOX"], f"the matrix of {where}"
        )

    def ec57_figures(self, stated: list, pairs: Counter, where: str) -> list[tuple[int, int]]:
        def of(rows: str, columns: str) -> int:
            return sum(pairs[row, column] for row in rows for column in columns)

        beats, v, s, false = of("NSVFQ", "NSVFQ"), of("V", "V"), of("S", "S"), of("NS", "V")
        found = [(beats, beats), (beats, beats), (v, of("V", "NSVFQ")), (v, v + false), (s, of("S", "NSVFQ"))]
        found += [(s, of("NSVF", "S")), (false, false + of("NSFQ", "NSFQ"))]
        names = [
            f"{beat} {what}" for beat in ("QRS", "VEB", "SVEB") for what in ("sensitivity", "positive predictivity")
        ]
        self.agree([one["name"] for one in stated], [*names, "VEB false positive rate"], f"the figures of {where}")
        for one, (part, whole) in zip(stated, found, strict=True):
            self.agree([one["numerator"], one["denominator"]], [part, whole], f"{one['name']} of {where}")
            self.agree(one["estimate"], ratio(part, whole), f"{one['name']} of {where}")
        return found

    # ---- the whole

    def check(self) -> str:
        stated, beats = self.validation, self.beats
        self.agree(stated["protocol_name"], self.protocol["name"], "the protocol's name")
        self.agree(stated["labels"], self.labels, "the classes")
        for name in ("float", "tflite", "device"):
            answered = len(beats.decided.get(name, {}))
            need(answered == len(beats.reference) or (name == "device" and answered), f"beats of {name} are missing")
        self.agree(stated["beats"], len(beats.reference), "the number of beats")
        self.agree(stated["patients"], len(set(beats.patients)), "the number of patients")
        self.agree(stated["device_beats"], len(beats.decided["device"]), "the number of beats of the device")
        runtime = self.judged_runtime()
        self.agree(stated["judged_runtime"], runtime, "the judged runtime")
        self.agree(
            sorted(one["runtime"] for one in stated["metrics"]),
            sorted(set(beats.decided) & {one["runtime"] for one in stated["metrics"]}),
            "the list of runtimes",
        )
        for one in stated["metrics"]:
            self.metrics(one)
        for one in (stated["host_device"], stated["tflite_device"], *stated["identities"]):
            self.comparison(one)
        self.same_arithmetic()
        need(runtime in [one["runtime"] for one in stated["metrics"]], f"the figures of {runtime} are missing")
        self.exclusions()
        ruined = self.records(runtime)
        self.changed(runtime)
        self.margins(runtime)
        rules = self.protocol["endpoints"]
        self.agree([one["endpoint"] for one in stated["endpoints"]], [one["name"] for one in rules], "the endpoints")
        judged = beats.decided[runtime]
        verdicts = self.endpoints(judged) | self.equivalences(runtime)
        self.ec57(runtime)
        ruined |= self.subgroups(judged)
        for one in stated["reliability"]:
            self.reliability(one)
        self.operating_points(runtime)
        verdict = self.overall(verdicts, ruined)
        self.agree(stated["verdict"], verdict, "the verdict")
        need(
            (verdict == "pass") != bool(stated["reasons"]), "a pass has reasons against it, or another verdict has none"
        )
        return verdict

    def same_arithmetic(self) -> None:
        stated = [set(one["runtimes"]) for one in self.validation["identities"]]
        present = sorted({"tflm", "host_c", "device"} & set(self.beats.decided))
        for one in present:
            for other in present[present.index(one) + 1 :]:
                need(stated.count({one, other}) == 1, f"{one} and {other} are not compared once")
        witness = self.protocol.get("host_device", {}).get("witness", "tflm")
        self.agree(self.validation["host_device"]["runtimes"], [witness, "device"], "the witness")
        self.agree(self.validation["tflite_device"]["runtimes"], ["tflite", "device"], "the desktop's comparison")

    def judged_runtime(self) -> str:
        """The generated C on the host speaks for beats that the device was not sent, if they agree on all it was."""
        rule, device = self.protocol.get("host_device", {}), self.beats.decided["device"]
        host = self.beats.decided.get("host_c", {})
        if not rule.get("extend_with_host_c", False) or len(host) <= len(device):
            return "device"
        left, right = self.beats.bytes.get("host_c", {}), self.beats.bytes.get("device", {})
        same = sum(left.get(beat) == right.get(beat) and beat in left for beat in device)
        return "host_c" if same == len(device) >= rule.get("minimum_device_beats", 1) else "device"

    def records(self, runtime: str) -> bool:
        """Whether a record loses more than the protocol allows."""
        sides = [self.beats.decided[name] for name in ("float", "tflite", runtime)]
        of_record: dict[str, list[int]] = {}
        for beat in sides[2]:
            of_record.setdefault(self.beats.records[beat], []).append(beat)
        stated = self.validation["records"]
        self.agree([one["record"] for one in stated], sorted(of_record), "the list of records")
        limit, ruined = self.protocol.get("record_limit"), False
        for one in stated:
            mine = of_record[one["record"]]
            shares = [ratio(sum(side[b] == self.beats.reference[b] for b in mine), len(mine)) for side in sides]
            self.agree(one["beats"], len(mine), f"the beats of record {one['record']}")
            self.agree(one["patient"], self.beats.patients[mine[0]], f"the patient of record {one['record']}")
            for key, share in zip(("float_accuracy", "host_accuracy", "device_accuracy"), shares, strict=True):
                self.agree(one[key], share, f"the {key} of record {one['record']}")
            if limit and len(mine) >= limit.get("minimum_beats", 100):
                ruined |= shares[0] - shares[2] > limit["max_accuracy_loss"] + TOLERANCE
            ruined |= self.classes(one, mine, sides[0], sides[2])
        return ruined

    def classes(self, stated: dict, beats: list[int], one: dict[int, int], other: dict[int, int]) -> bool:
        """A record's beats by class, and whether it loses more of a class than the protocol allows."""
        limit = self.protocol.get("record_limit", {})
        about = {label for rule in self.protocol["endpoints"] for label in classes_of(rule)}
        found, ruined = [], False
        for place, label in enumerate(self.labels):
            of = [beat for beat in beats if self.beats.reference[beat] == place]
            right = [sum(side[beat] == place for beat in of) for side in (one, other)]
            found += [{"label": label, "beats": len(of), "float_right": right[0], "int8_right": right[1]}] if of else []
            allowed = limit.get("max_sensitivity_loss")
            if allowed is not None and label in about and len(of) >= limit.get("minimum_class_beats", 50):
                ruined |= (right[0] - right[1]) / len(of) > allowed + TOLERANCE
        self.agree(stated["classes"], found, f"the classes of record {stated['record']}")
        return ruined

    def changed(self, runtime: str) -> None:
        one, other = self.beats.decided["float"], self.beats.decided[runtime]
        changed = {beat for beat in other if one[beat] != other[beat]}
        self.agree(self.validation["changed_total"], len(changed), "the number of changed decisions")
        for item in self.validation["changed"]:
            beat = item["index"]
            need(beat in changed, f"beat {beat} is listed as changed and is not")
            classes = [self.labels[side] for side in (self.beats.reference[beat], one[beat], other[beat])]
            found = [item["record"], item["reference"], item["float_class"], item["int8_class"]]
            self.agree(found, [self.beats.records[beat], *classes], f"the changed decision of beat {beat}")

    def margins(self, runtime: str) -> None:
        """How close the float decisions were, in steps of INT8's output, and how many of each closeness changed."""
        stated, floats = self.validation["float_int8"], self.beats.values["float"]
        if stated is None:
            return
        ends = {end for one in stated["margins"] for end in (one["low"], one["high"]) if end is not None}
        counts: dict[tuple, list[int]] = {}
        for beat, decision in self.beats.decided[runtime].items():
            first, second = sorted(floats[beat], reverse=True)[:2]
            lead = (first - second) / stated["step"]
            low = max((end for end in ends if end <= lead), default=-1)
            cell = counts.setdefault((low, min((end for end in ends if end > lead), default=None)), [0, 0])
            cell[0] += 1
            cell[1] += decision != self.beats.decided["float"][beat]
        found = [[*span, *counts[span]] for span in sorted(counts, key=lambda span: span[0])]
        listed = [[one["low"], one["high"], one["beats"], one["changed"]] for one in stated["margins"]]
        self.agree(listed, found, "how close the decisions were")

    # ---- the stress matrix

    def stress(self, stated: dict | None, data: bytes | None) -> None:
        """Every figure under every condition, from stress.csv; the first condition is the undisturbed one."""
        need((stated is None) == (data is None), "stress.csv and the stress matrix go together, and one is missing")
        if stated is None or data is None:
            return
        need(sha256(data) == stated["predictions_digest"], "stress.csv is not the file that evidence.json names")
        rule, wanted = self.protocol["stress"], [["undisturbed", None]]
        for one in rule["conditions"]:
            title = one["kind"].replace("_", " ")
            title += f" {one['frequency_hz']:g} Hz" if "frequency_hz" in one else ""
            title += f" {one['record']}:{one.get('signal', 0)}" if "record" in one else ""
            wanted += [[title, level] for level in one["levels"]]
        self.agree(
            [[one["title"], one["level"]] for one in stated["conditions"]], wanted, "the list of stress conditions"
        )
        self.agree([stated["seconds"], stated["seed"]], [rule.get("seconds", 0), rule.get("seed", 1)], "the stress set")
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
        names = [f"{number}:{side}" for number in range(len(wanted)) for side in STRESS_SIDES]
        need(rows[0] == ["record", "patient", "reference", *names], "stress.csv has other columns")
        body = rows[1:]
        need(all(len(row) == len(rows[0]) for row in body), "stress.csv has a row of another length")
        undisturbed: dict[int, tuple[int, int]] = {}
        for number, one in enumerate(stated["conditions"]):
            decided, sent, same, witnesses = self.stress_column(body, 3 + len(STRESS_SIDES) * number)
            self.agree(one["witnesses"], witnesses, f"TFLite's answers under {one['title']}")
            undisturbed = undisturbed or decided
            need(len(undisturbed) == len(body), "stress.csv lacks an undisturbed beat")
            what = f"stress {one['title']} {'' if one['level'] is None else one['level']}".strip()
            counts = [len(decided), len({body[beat][1] for beat in decided}), sent, same]
            listed = [one["beats"], one["patients"], one["device_beats"], one["device_identical"]]
            self.agree(listed, counts, f"the number of beats of {what}")
            self.stress_figures(one, body, decided, undisturbed, what)

    def stress_column(self, body: list[list[str]], start: int) -> tuple[dict, int, int, list[dict]]:
        """Float and INT8 decision by beat, the beats sent to the device, those that came back the same, and what
        TFLite Micro and desktop TFLite answered."""
        size, decided, sent, same = len(self.labels), {}, 0, 0

        def called(cell: str) -> int:
            raw = struct.unpack(f"<{size}{'b' if len(cell) == 2 * size else 'h'}", bytes.fromhex(cell))
            return raw.index(max(raw))

        others = {
            name: {"runtime": name, "beats": 0, "identical": 0, "decisions_changed": 0} for name in STRESS_SIDES[3:]
        }
        for beat, row in enumerate(body):
            real, host, device, *witnesses = row[start : start + len(STRESS_SIDES)]
            asked = any((device, *witnesses))
            need(bool(real) == bool(host) and (host or not asked), f"beat {beat} of stress.csv has half an answer")
            if host:
                outputs = struct.unpack(f">{size}f", bytes.fromhex(real))
                need(all(map(math.isfinite, outputs)), "an output under stress is not finite")
                decided[beat] = outputs.index(max(outputs)), called(host)
                sent, same = sent + bool(device), same + (device == host)
                for other, cell in zip(others.values(), witnesses, strict=True):
                    if cell:
                        other["beats"] += 1
                        other["identical"] += cell == host
                        other["decisions_changed"] += called(cell) != decided[beat][1]
        return decided, sent, same, [other for other in others.values() if other["beats"]]

    def stress_figures(self, stated: dict, body: list[list[str]], decided: dict, undisturbed: dict, what: str) -> None:
        endpoints = self.protocol["endpoints"]
        self.agree(
            [one["endpoint"] for one in stated["figures"]],
            [one["name"] for one in endpoints],
            f"the endpoints of {what}",
        )
        cells = Counter((*body[beat][:3], *both, *undisturbed[beat]) for beat, both in decided.items())
        of_patient: dict[str, list[int]] = {}
        kinds = [self.kinds(rule) for rule in endpoints]
        starts = [8 * sum(map(len, kinds[:place])) for place in range(len(kinds) + 1)]
        populations = {one["name"]: one for one in self.protocol.get("populations", [])}
        for (record, patient, label, *calls), count in cells.items():
            mine = of_patient.setdefault(patient, [0] * starts[-1])
            for place, rule in enumerate(endpoints):
                if self.belongs(populations.get(rule.get("population", "")), record, patient):
                    reference = self.labels.index(label)
                    both = [self.pair(kinds[place], reference, *calls[side : side + 2]) for side in (0, 2)]
                    for offset, part in enumerate((*both[0], *both[1]), starts[place]):
                        mine[offset] += count * part
        rows = [of_patient[patient] for patient in sorted(of_patient)]
        sums = resampled(rows, self.draws(len(rows))) if len(rows) > 1 else None
        for place, one in enumerate(stated["figures"]):
            name = f"{one['endpoint']} under {what}"
            half = 4 * len(kinds[place])
            for key, width, statistic in (("loss", half, loss_of), ("excess", 2 * half, excess_of)):
                title = f"{'excess ' * (key == 'excess')}loss of {one['endpoint']}"
                self.agree(one[key]["name"], title, f"the name of the {key} of {name}")
                cut = slice(starts[place], starts[place] + width)
                drawn = None if sums is None else [row[cut] for row in sums]
                total, limits = self.bootstrapped([row[cut] for row in rows], statistic, drawn)
                self.agree(one[key]["estimate"], statistic(total), f"the {key} of {name}")
                self.interval(one[key]["interval"], limits, self.resampling, f"the {key} of {name}")
            self.agree(one["float_value"], value_of(total[:half], 0), f"the float value of {name}")
            self.agree(one["int8_value"], value_of(total[:half], 2), f"the INT8 value of {name}")

    def belongs(self, population: dict | None, record: str, patient: str) -> bool:
        if population is None:
            return True
        wanted = [*population.get("records", []), *population.get("patients", [])]
        listed = record in population.get("records", []) or patient in population.get("patients", [])
        without = record in population.get("without_records", []) or patient in population.get("without_patients", [])
        return (listed or not wanted) and not without

    def overall(self, endpoints: set[str], ruined: bool) -> str:
        rule, stated = self.protocol.get("host_device", {}), self.validation
        broken = any(
            one["max_abs_lsb"] > rule.get("max_abs_lsb", 0)
            or 1e6 * one["differing_values"] > rule.get("max_differing_ppm", 0) * one["values"]
            or one["decisions_changed"] > rule.get("max_decisions_changed", 0)
            for one in stated["identities"]
            if set(one["runtimes"]) <= {"tflm", "host_c", "device"}
        )
        if broken or ruined or stated["lost_samples"] or "fail" in endpoints:
            return "fail"
        sent = len(self.beats.decided["device"])
        demanded = min(rule.get("minimum_device_beats", 1), len(self.beats.reference))
        unseen = stated["host_device"]["compared"] < sent or sent < demanded
        unseen |= stated["protocol_state"]["state"] == "changed"
        return "inconclusive" if unseen or "inconclusive" in endpoints else "pass"


# ================================================================================================ the whole


def verify(data: bytes, trusted: bytes | None, reviewers: list[bytes]) -> tuple[dict[str, object], dict[str, bytes]]:
    """What was found, and the files; RefusedError for anything that does not verify."""
    try:
        files = open_archive(data)
        key, reviews = check_digests(files)
        need(trusted in (None, key), f"signed by key {fingerprint(key)}, not by the key given")
        for wanted in reviewers:
            need(wanted in [one["key"] for one in reviews], f"no review by the key {fingerprint(wanted)}")
        evidence = read_evidence(files)
        check_joins(evidence, files)
        protocol = tomllib.loads(files["protocol.toml"].decode("utf-8"))
        figures = Figures(evidence["validation"], protocol, Beats(files["predictions.csv"], protocol["labels"]))
        verdict = figures.check()
        figures.stress(evidence["stress"], files.get("stress.csv"))
        statement = read_json(base64.b64decode(json.loads(files[RESULT[0]])["payload"]), RESULT[0])
        result = result_of(evidence, verdict)
        need(statement["predicate"]["result"] == result, f"the signed result is not {result}")
        made = read_json(base64.b64decode(json.loads(files[MADE[0]])["payload"]), MADE[0])
        logs = {one["name"]: one["digest"]["sha256"] for one in made["predicate"]["runDetails"]["byproducts"]}
        held = {name: sha256(data) for name, data in files.items() if name.startswith("logs/")}
        need(logs == held, "the logs are not those of the provenance")
    except RefusedError:
        raise
    except MemoryError:
        raise RefusedError("the bundle asks for more memory than there is") from None
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        struct.error,
        csv.Error,
    ) as error:
        raise RefusedError(
            f"a part of the bundle is not of the form it must have ({type(error).__name__}: {error})"[:300]
        ) from error
    return {
        "bundle_sha256": sha256(data),
        "name": evidence["name"],
        "board": evidence["board"]["id"],
        "verdict": verdict,
        "result": result,
        "figures_compared": figures.compared,
        "files": len(files),
        "signer": fingerprint(key),
        "signer_authenticated": trusted is not None,
        "signature_checked_by": ["this file"]
        + ["cryptography"] * (by_cryptography(bytes(32), bytes(64), b"") is not None),
        "reviews": [
            {**one, "key": fingerprint(one["key"]), "authenticated": one["key"] in reviewers} for one in reviews
        ],
    }, files


def extract(files: dict[str, bytes], folder: Path) -> None:
    """Write the files of a verified bundle below a folder that does not exist yet."""
    folder.mkdir(parents=True)
    inside = folder.resolve()
    for name, data in files.items():
        path = inside.joinpath(*name.split("/"))
        need(path.is_relative_to(inside), f"{name!r} leads out of the folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)


def load(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from error
    if len(data) > limit:
        raise UnreadableError(f"{path} is larger than {limit} bytes")
    return data


def load_key(path: Path) -> bytes:
    try:
        return public_key(load(path, 16384), str(path))
    except RefusedError as error:
        raise UnreadableError(str(error)) from error


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify a leadwire evidence bundle with Python alone.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", type=Path, help="public key (PEM) of the issuer, got from the issuer")
    parser.add_argument(
        "--reviewer", type=Path, action="append", default=[], help="key of a person who must have signed"
    )
    parser.add_argument(
        "--extract", type=Path, metavar="FOLDER", help="write the files into a new folder, if all verifies"
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    given = parser.parse_args(arguments)
    try:
        data = load(given.bundle, MAX_BYTES)
        trusted = load_key(given.key) if given.key else None
        found, files = verify(data, trusted, [load_key(path) for path in given.reviewer])
        if given.extract:
            extract(files, given.extract)
    except (UnreadableError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except RefusedError as error:
        print(f"error: evidence {str(given.bundle)!r} does not verify: {error}", file=sys.stderr)
        return 8
    if given.json:
        print(json.dumps(found, indent=2, sort_keys=True))
        return 0
    print(f"verified: {found['files']} files, {found['figures_compared']} figures and verdicts derived again")
    print(f"evidence of {found['name']} on {found['board']}: {found['result']}, validation {found['verdict']}")
    print(f"bundle SHA-256 {found['bundle_sha256']}")
    print(f"signer {found['signer']}, signature checked by {' and '.join(found['signature_checked_by'])}")
    if not given.key:
        print("the signer is NOT authenticated: give --key with the issuer's public key, got from the issuer")
    for one in found["reviews"]:
        known = "" if one["authenticated"] else " (NOT authenticated: give --reviewer)"
        print(f"{one['meaning']} by {one['name']} on {one['signedOn']}, key {one['key']}{known}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
