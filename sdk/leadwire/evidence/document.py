"""evidence.json: the record as a deterministic JSON document, its strict reader, and its schema.

    {"evidence": {...}, "not_finite": [{"at": "/quantized/layer_errors/3/sqnr_db", "value": "inf", "reason": "..."}]}

JSON has no infinity: such a figure is null in the document and listed with its place (a JSON pointer, RFC 6901), its
value (inf, -inf or nan) and the reason. Sorted keys, ASCII, a line feed at the end; paths are names inside the bundle.
`read_document` accepts exactly the bytes that `write_document` writes.
"""

from __future__ import annotations

import dataclasses
import json
import math
import numbers
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from leadwire.errors import EvidenceError

from .record import FORMAT, Evidence

SCHEMA_ID = f"urn:leadwire:evidence:{FORMAT.rpartition('/')[2]}"
MODEL_FILE = "model.tflite"
FIRMWARE_FILE = "firmware.elf"
_REASONS = {
    "inf": "no error to divide by: both sides are equal",
    "-inf": "no signal: the figure's numerator is zero",
    "nan": "not defined for these counts",
}


def write_document(evidence: Evidence) -> bytes:
    """The bytes of evidence.json. Numbers take the declared type of their field first: 3 in a float field is 3.0."""
    typed = _adapter().validate_python(_restored(_document(_without_paths(evidence))))
    return (json.dumps(_document(typed), **_STYLE) + "\n").encode()


def _document(evidence: Evidence) -> dict[str, Any]:
    not_finite: list[dict[str, str]] = []
    body = _plain(evidence, "", not_finite)
    return {"evidence": body, "not_finite": not_finite}


_STYLE: dict[str, Any] = {"sort_keys": True, "indent": 1, "ensure_ascii": True, "allow_nan": False}


def _without_paths(evidence: Evidence) -> Evidence:
    """The same record with paths as they are inside the bundle: where a file lay on one machine is no evidence."""
    return dataclasses.replace(
        evidence,
        quantized=dataclasses.replace(evidence.quantized, path=Path(MODEL_FILE)),
        image=dataclasses.replace(
            evidence.image,
            elf=Path(FIRMWARE_FILE),
            flash_files=tuple(
                dataclasses.replace(file, path=Path(file.path.name)) for file in evidence.image.flash_files
            ),
        ),
        project=dataclasses.replace(evidence.project, root=Path()),
    )


def _plain(value: Any, at: str, not_finite: list[dict[str, str]]) -> Any:
    """Dataclasses, tuples and mappings of names as JSON values; numpy numbers become Python's."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _plain(getattr(value, field.name), f"{at}/{field.name}", not_finite) for field in fields}
    if isinstance(value, (tuple, list)):
        return [_plain(item, f"{at}/{index}", not_finite) for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {str(name): _plain(item, f"{at}/{name}", not_finite) for name, item in value.items()}
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        number = float(value)
        if math.isfinite(number):
            return number
        not_finite.append({"at": at, "reason": _REASONS[str(number)], "value": str(number)})
        return None
    raise TypeError(f"{at}: {type(value).__name__} has no place in evidence.json")


def read_document(data: bytes, *, source: Path | str = "evidence.json") -> Evidence:
    """The record of an evidence.json; EvidenceError (8) where the bytes are not those that leadwire writes."""
    try:
        document = json.loads(data.decode("ascii"))
        evidence: Evidence = _adapter().validate_python(_restored(document))
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise EvidenceError(source, f"evidence.json: {where}: {first['msg']}") from error
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise EvidenceError(source, f"evidence.json is not an evidence document: {error}") from error
    if write_document(evidence) != data:
        raise EvidenceError(source, "evidence.json has unknown keys or is not in leadwire's own form")
    return evidence


def _restored(document: Any) -> Any:
    """The evidence part with its infinities back in place."""
    if not isinstance(document, dict) or set(document) != {"evidence", "not_finite"}:
        raise ValueError("expected the keys evidence and not_finite")
    body = document["evidence"]
    for entry in document["not_finite"]:
        *parents, last = [int(part) if part.isdigit() else part for part in entry["at"].split("/")[1:]]
        place = body
        for part in parents:
            place = place[part]
        place[last] = float(entry["value"])
    return body


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Evidence)


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of evidence.json, made from the records; committed as validation/evidence.schema.json."""
    schema = _adapter().json_schema(ref_template="#/$defs/{model}")
    definitions = schema.pop("$defs")
    definitions["Evidence"] = schema
    entry = {
        "additionalProperties": False,
        "properties": {
            "at": {"description": "JSON pointer (RFC 6901) of a null figure", "pattern": "^/", "type": "string"},
            "reason": {"type": "string"},
            "value": {"enum": ["inf", "-inf", "nan"]},
        },
        "required": ["at", "reason", "value"],
        "type": "object",
    }
    return {
        "$defs": {name: _closed(definition) for name, definition in definitions.items()},
        "$id": SCHEMA_ID,
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "additionalProperties": False,
        "properties": {
            "evidence": {"$ref": "#/$defs/Evidence"},
            "not_finite": {"items": entry, "type": "array"},
        },
        "required": ["evidence", "not_finite"],
        "title": "leadwire evidence",
        "type": "object",
    }


def _closed(node: Any) -> Any:
    """No unknown keys, no missing keys, and a number may be null (see `not_finite`)."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items() if key != "default"}
    if closed.get("type") == "number":
        closed["type"] = ["number", "null"]
    if "properties" in closed and closed.get("type") == "object":
        closed |= {"additionalProperties": False, "required": sorted(closed["properties"])}
    return closed


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"
