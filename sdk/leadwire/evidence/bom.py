"""Bills of materials in CycloneDX 1.6 (ECMA-424): what is in the firmware, what made it, and the model with its card.

sbom.cdx.json: the objects that the linker took (its map decides), libraries, toolchain, Python environment, the model
as a machine-learning-model component, data sets. vex.cdx.json: the frame for statements on vulnerabilities, none of
which leadwire can make. The only door to `cyclonedx`; model card and data sets are added to its JSON, which the package
has no classes for, and `schema_mistakes` validates the whole. The same evidence gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from leadwire.artifacts import Interval, Statistic

from .record import Evidence

if TYPE_CHECKING:
    from cyclonedx.model.component import Component, ComponentType

_GROUPS = {
    "model": "generated code and weights of the model",
    "runtime": "kernels and runtime of the model",
    "app": "bench firmware and link protocol",
    "core": "start-up code of the core",
    "port": "port to the microcontroller",
    "libc": "C library functions of leadwire",
}
_PROJECT = "leadwire"


def make_bom(evidence: Evidence) -> bytes:
    """The bytes of sbom.cdx.json."""
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import ComponentType
    from cyclonedx.model.dependency import Dependency
    from cyclonedx.output.json import JsonV1Dot6

    firmware = _component(
        f"{evidence.name}-firmware", ComponentType.FIRMWARE, evidence.image.build_id, "firmware", evidence.image.digest
    )
    linked = tuple(_linked(evidence))
    tools = tuple(_tools(evidence))
    model = _component(
        evidence.model.name,
        ComponentType.MACHINE_LEARNING_MODEL,
        evidence.model.digest[:12],
        "model",
        evidence.model.digest,
    )
    source = _component(
        f"{evidence.model.name} (float)", ComponentType.MACHINE_LEARNING_MODEL, "", "float-model",
        evidence.quantized.source_digest,
    )  # fmt: skip
    data = (
        _component(
            evidence.validation.dataset_name, ComponentType.DATA, "", "test-data", evidence.validation.dataset_digest,
        ),
        _component(
            evidence.quantized.calibration.dataset, ComponentType.DATA, "", "calibration-data",
            evidence.quantized.calibration.digest,
        ),
    )  # fmt: skip
    others: tuple[Component, ...] = (*linked, *tools, model, source, *data)
    bom = Bom(
        serial_number=_serial(evidence, "sbom"),
        metadata=BomMetaData(component=firmware),
        components=others,
        dependencies=[
            Dependency(ref=firmware.bom_ref, dependencies=[Dependency(one.bom_ref) for one in (*linked, model)]),
            Dependency(ref=model.bom_ref, dependencies=[Dependency(source.bom_ref), Dependency(data[1].bom_ref)]),
            *(Dependency(ref=one.bom_ref) for one in (*linked, *tools, source, *data)),
        ],
    )
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    _date(document, evidence)
    for component in document["components"]:
        if component.get("bom-ref") == "model":
            component["modelCard"] = _card(evidence)
        if component.get("bom-ref") in ("test-data", "calibration-data"):
            component["data"] = [_data(component["bom-ref"], evidence)]
    return _bytes(document)


def make_vex(evidence: Evidence) -> bytes:
    """The bytes of vex.cdx.json: a VEX without a statement, bound to the bill of materials by its serial number."""
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{_serial(evidence, 'vex')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "firmware",
                "bom-ref": "firmware",
                "name": f"{evidence.name}-firmware",
                "version": evidence.image.build_id,
                "hashes": [{"alg": "SHA-256", "content": evidence.image.digest}],
                "externalReferences": [{"type": "bom", "url": f"urn:cdx:{_serial(evidence, 'sbom')}/1"}],
            },
            "properties": [
                {"name": "leadwire:assessment", "value": "none: whoever releases the firmware adds `vulnerabilities`"}
            ],
        },
        "vulnerabilities": [],
    }
    _date(document, evidence)
    return _bytes(document)


def bom_mistakes(data: bytes, evidence: Evidence) -> Iterator[str]:
    """Where a bill of materials is not of this evidence: another firmware or model, or other objects than were linked.

    Not compared by bytes, for another version of the package may write the same otherwise.
    """
    try:
        document = json.loads(data)
        hashes = {one["bom-ref"]: one["hashes"][0]["content"] for one in _all(document) if one.get("hashes")}
        refs = {one["bom-ref"] for one in _all(document)}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        yield "'sbom.cdx.json' is no bill of materials"
        return
    for ref, digest in (("firmware", evidence.image.digest), ("model", evidence.model.digest)):
        if hashes.get(ref) != digest:
            yield f"'sbom.cdx.json' is of another {ref}"
    listed = {ref for ref in refs if ref.startswith("object/")}
    if listed != {f"object/{one.archive or _PROJECT}/{one.name}" for one in evidence.image.linked}:
        yield "'sbom.cdx.json' does not list the objects that were linked"


def _all(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pending = [document["metadata"]["component"], *document["components"]]
    while pending:
        one = pending.pop()
        yield one
        pending += one.get("components", [])


def _serial(evidence: Evidence, kind: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"urn:leadwire:{kind}:{evidence.image.digest}:{evidence.validation.protocol_digest}")


def _date(document: dict[str, Any], evidence: Evidence) -> None:
    """A date only where one was fixed: the package always writes the present one."""
    document["metadata"].pop("timestamp", None)
    if evidence.created:
        document["metadata"]["timestamp"] = evidence.created


def _bytes(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def schema_mistakes(data: bytes) -> str:
    """What CycloneDX's own strict validator says against a document, empty where it says nothing."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode())
    return "" if error is None else repr(error)[:500]


# ---------------------------------------------------------------------------------------------- components


def _component(
    name: str, kind: ComponentType, version: str, ref: str, digest: str = "", *, purl: str = "", **more: Any
) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    properties = more.pop("properties", {})
    return Component(
        name=name,
        type=kind,
        version=version or None,
        bom_ref=ref,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else [],
        purl=PackageURL.from_string(purl) if purl else None,
        properties=[Property(name=f"leadwire:{key}", value=str(value)) for key, value in properties.items()],
        **more,
    )


def _linked(evidence: Evidence) -> Iterator[Component]:
    """The parts of the project and the libraries, each with the objects that have bytes in the image."""
    from cyclonedx.model.component import ComponentType

    parts: dict[tuple[str, str], list[Component]] = {}
    sizes: dict[tuple[str, str], list[int]] = {}
    digests = {one.archive: one.digest for one in evidence.image.linked if one.archive}
    for one in evidence.image.linked:
        part = (one.archive, "") if one.archive else ("", one.source.partition("/")[0])
        size = {"flash_bytes": one.flash_bytes, "ram_bytes": one.ram_bytes, "source": one.source or one.archive}
        parts.setdefault(part, []).append(
            _component(
                one.name, ComponentType.FILE, "", f"object/{one.archive or _PROJECT}/{one.name}",
                "" if one.archive else one.digest, properties=size,
            )
        )  # fmt: skip
        total = sizes.setdefault(part, [0, 0])
        total[:] = total[0] + one.flash_bytes, total[1] + one.ram_bytes
    for (archive, folder), objects in sorted(parts.items()):
        name = archive or f"leadwire-{folder or 'code'}"
        yield _component(
            name,
            ComponentType.LIBRARY,
            evidence.image.toolchain if archive else evidence.leadwire_version,
            f"part/{name}",
            digests.get(archive, "") if archive else "",
            description=f"library of {evidence.image.toolchain}" if archive else _GROUPS.get(folder, "firmware"),
            components=objects,
            properties=dict(zip(("flash_bytes", "ram_bytes"), sizes[archive, folder], strict=True)),
        )


def _tools(evidence: Evidence) -> Iterator[Component]:
    """The compiler, and the Python packages that bytes and figures depend on."""
    from cyclonedx.model.component import ComponentScope, ComponentType

    name, _, version = evidence.image.toolchain.partition(" ")
    yield _component(
        name, ComponentType.APPLICATION, version, "toolchain", scope=ComponentScope.EXCLUDED,
        description="compiler and linker of the firmware", properties={"role": "toolchain"},
    )  # fmt: skip
    known = {one.name.lower(): one for one in evidence.packages}
    versions = {one.name.lower(): one.version for one in evidence.tools}
    versions |= {one.name.lower(): one.version for one in evidence.packages}
    for package, number in sorted(versions.items()):
        if package != "python":
            yield _component(
                package, ComponentType.LIBRARY, number, f"pypi/{package}",
                known[package].digest if package in known else "", purl=f"pkg:pypi/{package}@{number}",
                scope=ComponentScope.EXCLUDED, properties={"role": "python environment"},
            )  # fmt: skip
    python = {one.name: one.version for one in evidence.tools}.get("python")
    if python:
        yield _component(
            "python", ComponentType.PLATFORM, python, "python", scope=ComponentScope.EXCLUDED,
            properties={"role": "python environment"},
        )  # fmt: skip


# ---------------------------------------------------------------------------------------------- the model's card


def _card(evidence: Evidence) -> dict[str, Any]:
    validation, model = evidence.validation, evidence.model
    shapes = {one.index: f"{one.dtype.lower()} [{', '.join(map(str, one.shape))}]" for one in model.activations}
    limitations = [f"{stamp.word}: {stamp.sentence}" for stamp in evidence.stamps]
    limitations += [*validation.notes, *(f"not passed: {reason}" for reason in evidence.reasons)]
    groups = [f"{one.subgroup} {one.group}" for one in validation.subgroups]
    return {
        "bom-ref": "model-card",
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": f"classification of heart beats: {', '.join(validation.labels)}",
            "architectureFamily": "neural network in integers",
            "modelArchitecture": " ".join(operator.kind for operator in model.operators),
            "datasets": [{"ref": "test-data"}, {"ref": "calibration-data"}],
            "inputs": [{"format": shapes[index]} for index in model.inputs],
            "outputs": [{"format": shapes[index]} for index in model.outputs],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(evidence))},
        "considerations": {
            "users": ["firmware engineers who put the model on a microcontroller, and those who assess its evidence"],
            "useCases": [f"validated by protocol '{validation.protocol_name}' on {evidence.board.name}"],
            "technicalLimitations": limitations,
            "fairnessAssessments": [
                {"groupAtRisk": group, "mitigationStrategy": "every endpoint is shown for this group in the report"}
                for group in groups
            ],
        },
        "properties": [
            {"name": "leadwire:verdict", "value": evidence.verdict},
            {"name": "leadwire:protocol_sha256", "value": validation.protocol_digest},
            {"name": "leadwire:parameters", "value": str(model.parameters)},
        ],
    }


def _metrics(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """Every figure with its interval; the slice is runtime, class or group."""
    validation = evidence.validation
    for one in validation.metrics:
        yield from _metric("accuracy", f"runtime {one.runtime}", one.accuracy)
        for name, statistics in (
            ("sensitivity", one.sensitivity),
            ("positive predictivity", one.positive_predictivity),
        ):
            for label, statistic in zip(validation.labels, statistics, strict=True):
                yield from _metric(name, f"runtime {one.runtime}, class {label}", statistic)
    parts = (("all", validation.endpoints), *((f"{p.subgroup} {p.group}", p.endpoints) for p in validation.subgroups))
    for group, endpoints in parts:
        for item in endpoints:
            yield from _metric(f"loss of {item.endpoint}, float less INT8", group, item.loss, item.judged)


def _metric(kind: str, slice_: str, statistic: Statistic, judged: Interval | None = None) -> Iterator[dict[str, Any]]:
    interval = judged or statistic.interval
    if isfinite(statistic.estimate):
        found: dict[str, Any] = {"type": kind, "value": f"{statistic.estimate:.6g}", "slice": slice_}
        if interval is not None:
            found["confidenceInterval"] = {"lowerBound": f"{interval.low:.6g}", "upperBound": f"{interval.high:.6g}"}
        yield found


def _data(ref: str, evidence: Evidence) -> dict[str, Any]:
    validation, calibration = evidence.validation, evidence.quantized.calibration
    test = f"{validation.beats} beats of {validation.patients} patients, {validation.dataset_basis} signals"
    drawn = f"{calibration.count} inputs of {len(calibration.patients)} patients, drawn by {calibration.policy}, "
    return {
        "type": "dataset",
        "name": validation.dataset_name if ref == "test-data" else calibration.dataset,
        "description": test if ref == "test-data" else f"{drawn}seed {calibration.seed}",
    }
