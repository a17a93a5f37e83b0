"""The matrix as ReqIF (OMG, schema of 2011-04-01), for requirement tools: hazards, requirements, tests, and the
relations 'controls' and 'verifies'. The only door to the package `reqif`.

Identifiers and dates follow from the content: the same matrix gives the same bytes.
"""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

from leadwire import __version__
from leadwire.artifacts import sha256_hex

from .matrix import Matrix
from .tables import NOT_XML

_TYPES: dict[str, tuple[str, ...]] = {
    "Hazard": ("id", "hazard", "situation", "harm", "severity", "probability", "residual probability"),
    "Requirement": ("id", "text", "fingerprint", "sections", "state"),
    "Test": ("id", "result", "results file", "results sha256", "firmware sha256", "evidence sha256"),
}
_NO_DATE = "1980-01-01T00:00:00+00:00"  # a date must be there; the bundle's own files bear this one as well


def to_reqif(matrix: Matrix, created: datetime | None = None) -> bytes:
    """`created` dates the header and all objects; None: 1 January 1980."""
    from reqif.models.reqif_core_content import ReqIFCoreContent
    from reqif.models.reqif_data_type import ReqIFDataTypeDefinitionString
    from reqif.models.reqif_namespace_info import ReqIFNamespaceInfo
    from reqif.models.reqif_req_if_content import ReqIFReqIFContent
    from reqif.models.reqif_reqif_header import ReqIFReqIFHeader
    from reqif.models.reqif_specification_type import ReqIFSpecificationType
    from reqif.object_lookup import ReqIFObjectLookup
    from reqif.reqif_bundle import ReqIFBundle
    from reqif.unparser import ReqIFUnparser

    date = created.isoformat() if created else _NO_DATE
    tests = {_test_id(one.test): one for row in matrix.rows for one in row.tests}
    objects = [
        *(
            _object(
                "Hazard",
                one.id,
                (
                    one.id,
                    one.hazard,
                    one.situation,
                    one.harm,
                    one.severity,
                    one.probability,
                    one.residual_probability,
                ),
                date,
            )
            for one in matrix.source.hazard
        ),
        *(
            _object(
                "Requirement",
                row.requirement,
                (row.requirement, row.text, row.fingerprint, " ".join(row.sections), row.state),
                date,
            )
            for row in matrix.rows
        ),
        *(
            _object(
                "Test",
                name,
                (one.test, one.state, one.file, one.digest, one.firmware or matrix.firmware, matrix.evidence),
                date,
            )
            for name, one in sorted(tests.items())
        ),
    ]
    links = [("controls", row.requirement, hazard) for row in matrix.rows for hazard in row.hazards]
    links += [
        ("verifies", name, row.requirement)
        for row in matrix.rows
        for name in dict.fromkeys(_test_id(one.test) for one in row.tests)
    ]
    content = ReqIFReqIFContent(
        data_types=[
            ReqIFDataTypeDefinitionString(
                identifier="text", long_name="text", last_change=date, max_length="32000", is_self_closed=True
            )
        ],
        spec_types=[
            *(_type(name, date) for name in _TYPES),
            *(_relation_type(name, date) for name in ("controls", "verifies")),
            ReqIFSpecificationType(identifier="type-Matrix", long_name="Matrix", last_change=date, is_self_closed=True),
        ],
        spec_objects=objects,
        spec_relations=[_relation(*link, date) for link in links],
        specifications=[_specification(matrix, [one.identifier for one in objects], date)],
    )
    bundle = ReqIFBundle(
        namespace_info=ReqIFNamespaceInfo.create_default(),
        req_if_header=ReqIFReqIFHeader(
            identifier="header",
            creation_time=date,
            req_if_tool_id="leadwire",
            req_if_version="1.0",
            source_tool_id=f"leadwire {__version__}",
            title=_name(matrix.source.title),
        ),
        core_content=ReqIFCoreContent(content),
        tool_extensions_tag_exists=False,
        lookup=ReqIFObjectLookup.empty(),
        exceptions=[],
    )
    return str(ReqIFUnparser.unparse(bundle)).encode("utf-8")


def _text(value: str) -> str:
    """What XML can hold; the library escapes values."""
    return NOT_XML.sub("\ufffd", value)


def _name(value: str) -> str:
    """The library writes names as they are."""
    return escape(_text(value))


def _test_id(test: str) -> str:
    return f"test-{sha256_hex(test.encode('utf-8', 'surrogatepass'))[:24]}"


def _type(name: str, date: str) -> Any:
    from reqif.models.reqif_spec_object_type import ReqIFSpecObjectType, SpecAttributeDefinition
    from reqif.models.reqif_types import SpecObjectAttributeType

    return ReqIFSpecObjectType(
        identifier=f"type-{name}",
        long_name=name,
        last_change=date,
        attribute_definitions=[
            SpecAttributeDefinition(
                attribute_type=SpecObjectAttributeType.STRING,
                identifier=f"{name}-{field.replace(' ', '-')}",
                datatype_definition="text",
                long_name=field,
                last_change=date,
            )
            for field in _TYPES[name]
        ],
    )


def _relation_type(name: str, date: str) -> Any:
    from reqif.models.reqif_spec_relation_type import ReqIFSpecRelationType

    return ReqIFSpecRelationType(identifier=f"type-{name}", long_name=name, last_change=date)


def _object(kind: str, name: str, values: tuple[str, ...], date: str) -> Any:
    from reqif.models.reqif_spec_object import ReqIFSpecObject, SpecObjectAttribute
    from reqif.models.reqif_types import SpecObjectAttributeType

    return ReqIFSpecObject(
        identifier=name,
        long_name=_name(values[0]),
        last_change=date,
        spec_object_type=f"type-{kind}",
        attributes=[
            SpecObjectAttribute(
                attribute_type=SpecObjectAttributeType.STRING,
                definition_ref=f"{kind}-{field.replace(' ', '-')}",
                value=_text(value),
            )
            for field, value in zip(_TYPES[kind], values, strict=True)
        ],
    )


def _relation(kind: str, source: str, target: str, date: str) -> Any:
    from reqif.models.reqif_spec_relation import ReqIFSpecRelation

    return ReqIFSpecRelation(
        identifier=f"{kind}-{source}-{target}",
        relation_type_ref=f"type-{kind}",
        source=source,
        target=target,
        last_change=date,
    )


def _specification(matrix: Matrix, names: list[str], date: str) -> Any:
    from reqif.models.reqif_spec_hierarchy import ReqIFSpecHierarchy
    from reqif.models.reqif_specification import ReqIFSpecification

    return ReqIFSpecification(
        identifier="matrix",
        long_name=_name(matrix.source.title),
        last_change=date,
        specification_type="type-Matrix",
        children=[
            ReqIFSpecHierarchy(
                identifier=f"in-{name}",
                spec_object=name,
                level=1,
                last_change=date,
                editable=None,
                is_table_internal=None,
            )
            for name in names
        ],
    )
