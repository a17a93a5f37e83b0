"""evidence.json: round trip, infinities, schema, and what a reader refuses."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from evidence_example import example_evidence, with_endpoint
from leadwire.artifacts import BackendComparison
from leadwire.errors import EvidenceError
from leadwire.evidence.document import json_schema, read_document, schema_text, write_document
from leadwire.evidence.record import Evidence, chain_breaks


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return example_evidence(tmp_path_factory.mktemp("document"))[0]


def test_round_trip(evidence: Evidence) -> None:
    data = write_document(evidence)
    again = read_document(data)
    assert write_document(again) == data
    assert again.validation == evidence.validation
    assert again.bench == evidence.bench
    assert again.quantized.path == Path("model.tflite")
    assert again.quantized.layer_errors[-1].sqnr_db == math.inf


def test_it_is_plain_json_that_the_schema_accepts(evidence: Evidence) -> None:
    """Two readers that are not ours: the standard library without its NaN extension, and jsonschema."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    document = json.loads(write_document(evidence), parse_constant=refuse)
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(document, json_schema())
    assert document["evidence"]["quantized"]["layer_errors"][-1]["sqnr_db"] is None
    assert document["not_finite"] == [
        {
            "at": "/quantized/layer_errors/11/sqnr_db",
            "reason": "no error to divide by: both sides are equal",
            "value": "inf",
        }
    ]


def test_the_committed_schema_is_fresh(root: Path) -> None:
    committed = (root / "validation" / "evidence.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), (
        "the records changed; write validation/evidence.schema.json again: "
        "python -c 'from leadwire.evidence.document import schema_text; print(schema_text(), end=\"\")'"
    )


def test_the_schema_refuses_unknown_and_missing_keys(evidence: Evidence) -> None:
    document = json.loads(write_document(evidence))
    for change in (
        lambda d: d["evidence"].update(extra=1),
        lambda d: d["evidence"]["bench"].pop("macs"),
        lambda d: d["evidence"]["plan"]["placements"][0].update(offset_bytes="0"),
        lambda d: d.update(more={}),
    ):
        altered = json.loads(json.dumps(document))
        change(altered)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(altered, json_schema())


def test_numpy_numbers_become_plain(evidence: Evidence) -> None:
    bench = dataclasses.replace(
        evidence.bench,
        macs=np.int64(evidence.bench.macs),  # type: ignore[arg-type]
        throughput_hz=np.float64(evidence.bench.throughput_hz),
        constant_instructions=np.bool_(True),  # type: ignore[arg-type]
        cycles_estimate=812330,
    )
    assert write_document(dataclasses.replace(evidence, bench=bench)) == write_document(evidence)


def test_every_kind_of_infinity_comes_back(evidence: Evidence) -> None:
    errors = evidence.quantized.layer_errors
    changed = tuple(
        dataclasses.replace(error, sqnr_db=value)
        for error, value in zip(errors, (math.inf, -math.inf, math.nan), strict=False)
    )
    quantized = dataclasses.replace(evidence.quantized, layer_errors=changed)
    data = write_document(dataclasses.replace(evidence, quantized=quantized))
    values = [error.sqnr_db for error in read_document(data).quantized.layer_errors]
    assert values[:2] == [math.inf, -math.inf]
    assert math.isnan(values[2])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"leadwire-evidence/1"', b'"leadwire-evidence/9"'),
        (b'"demo_key": true', b'"demo_key": "yes!"'),
        (b'"name": "ecg-beats"', b'"name":  "ecg-beats"'),
        (b'"name": "ecg-beats"', b'"nome": "ecg-beats"'),
        (b'"value": "inf"', b'"value": "1.0"'),
        (b'"value": "inf"', b'"value": "abc"'),
        (b'"at": "/quantized', b'"at": "/quantised'),
        (b'"not_finite": [', b'"not_finite": [7,'),
        (b"{\n", b"[\n"),
        (b'"macs": ', b'"macs": 1e400, "macs": '),
        (b'"emulation": {', b'"emulation": {"unknown": 1,'),
    ],
)
def test_what_is_not_ours_is_refused(evidence: Evidence, old: bytes, new: bytes) -> None:
    data = write_document(evidence)
    assert old in data
    with pytest.raises(EvidenceError, match=r"evidence\.json"):
        read_document(data.replace(old, new, 1))


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, b'{"evidence": NaN}', b"9" * 5000])
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError, match="not an evidence document"):
        read_document(data)


def test_the_chain_of_the_example_joins(evidence: Evidence) -> None:
    assert chain_breaks(evidence) == ()


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("model", {"model_digest": "0" * 64}),
        ("image", {"image_digest": "0" * 64}),
        ("bytes", {"io_digest": "0" * 64}),
    ],
)
def test_a_comparison_of_backends_of_another_run_breaks_the_chain(
    evidence: Evidence, what: str, changed: dict[str, str]
) -> None:
    comparison = BackendComparison(
        board_id=evidence.board.id,
        model_digest=evidence.quantized.digest,
        results=(evidence.bench, dataclasses.replace(evidence.bench, backend="tflm")),
        divergences=(),
    )
    sound = dataclasses.replace(evidence, comparison=comparison)
    assert chain_breaks(sound) == ()
    assert read_document(write_document(sound)).comparison == comparison
    first = dataclasses.replace(evidence.bench, **changed)
    other = dataclasses.replace(comparison, results=(first, *comparison.results[1:]))
    (found,) = chain_breaks(dataclasses.replace(evidence, comparison=other))
    assert found.startswith(f"the comparison of backends names {what} {'0' * 64}")


@pytest.mark.requirement("LW-REP-002")
def test_the_verdict_is_the_worst_of_its_parts(evidence: Evidence) -> None:
    assert (evidence.verdict, evidence.reasons) == ("pass", ())
    endpoint = evidence.validation.endpoints[0]
    for verdict in ("inconclusive", "fail"):
        changed = dataclasses.replace(endpoint, verdict=verdict, reason="because")
        assert with_endpoint(evidence, changed).verdict == verdict
        hidden = dataclasses.replace(with_endpoint(evidence, changed).validation, verdict="pass")
        assert dataclasses.replace(evidence, validation=hidden).verdict == verdict
        assert with_endpoint(evidence, changed).reasons == ("accuracy: because",)
    lost = dataclasses.replace(evidence.validation, lost_samples=1)
    assert dataclasses.replace(evidence, validation=lost).verdict == "fail"


@pytest.mark.requirement("LW-REP-002")
def test_a_budget_over_or_unproven_is_no_pass(evidence: Evidence) -> None:
    *early, last = evidence.budgets
    line = last.lines[0]
    over = dataclasses.replace(last, lines=(dataclasses.replace(line, used=131_073.0), *last.lines[1:]))
    assert dataclasses.replace(evidence, budgets=(*early, over)).verdict == "fail"
    assert "flash is 1 B over" in dataclasses.replace(evidence, budgets=(*early, over)).reasons[0]
    unproven = dataclasses.replace(last, lines=(dataclasses.replace(line, required_basis="measured"),))
    assert dataclasses.replace(evidence, budgets=(*early, unproven)).verdict == "inconclusive"
    assert dataclasses.replace(evidence, budgets=tuple(early)).verdict == "inconclusive"
    assert dataclasses.replace(evidence, budgets=()).verdict == "inconclusive"
