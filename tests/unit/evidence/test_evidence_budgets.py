"""The budget's checkpoints held against plan, image, benchmark and board, by both verifiers."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from evidence_example import FIRMWARE, MODEL, example_evidence
from leadwire.artifacts import BudgetLine, FastMemory, FastTable, sha256_hex
from leadwire.board import Emulation
from leadwire.budget import check_benchmark, check_image
from leadwire.errors import EvidenceError
from leadwire.evidence.budgets import false_budgets
from leadwire.evidence.bundle import write_bundle
from leadwire.evidence.keys import generate_key
from leadwire.evidence.record import Evidence, chain_breaks

pytestmark = pytest.mark.requirement("LW-EVD-004")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return example_evidence(tmp_path_factory.mktemp("budgets"))[0]


@pytest.fixture(scope="module")
def verifier(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("budget_verifier", root / "validation" / "verify.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_leadwire(evidence: Evidence) -> list[str]:
    return [*chain_breaks(evidence), *false_budgets(evidence)]


def by_verifier(verifier: ModuleType, evidence: Evidence) -> None:
    records = {name: getattr(evidence, name) for name in ("plan", "image", "bench", "board", "quantized")}
    stated = {name: dataclasses.asdict(record) for name, record in records.items()}
    stated["budgets"] = [dataclasses.asdict(one) for one in evidence.budgets]
    again = json.loads(json.dumps(stated, default=str))
    verifier.check_budgets(again, sha256_hex(MODEL), sha256_hex(FIRMWARE))


def with_budget(evidence: Evidence, place: int, **change: Any) -> Evidence:
    budgets = list(evidence.budgets)
    budgets[place] = dataclasses.replace(budgets[place], **change)
    return dataclasses.replace(evidence, budgets=tuple(budgets))


def with_line(evidence: Evidence, place: int, number: int, **change: Any) -> Evidence:
    lines = list(evidence.budgets[place].lines)
    lines[number] = dataclasses.replace(lines[number], **change)
    return with_budget(evidence, place, lines=tuple(lines))


def with_limit(evidence: Evidence, **change: Any) -> Evidence:
    board = evidence.board
    return dataclasses.replace(
        evidence, board=dataclasses.replace(board, budget=dataclasses.replace(board.budget, **change))
    )


FORGED = {
    "another model": (lambda e: with_budget(e, 0, subject_digest="0" * 64), "the planned budget names subject 0000"),
    "another image": (lambda e: with_budget(e, 1, subject_digest="0" * 64), "the linked budget names subject 0000"),
    "a smaller budget": (lambda e: with_limit(e, flash_bytes=1000), "planned budget's flash: limit is 1000, not 1"),
    "a faster budget": (lambda e: with_limit(e, latency_us=10.0), "budget's latency: limit is 10.0, not 20000.0"),
    "another limit": (lambda e: with_line(e, 1, 0, limit=1e6), "linked budget's flash: limit is 131072, not 1000000.0"),
    "no limit": (lambda e: with_line(e, 2, 2, limit=None), "emulated budget's latency: limit is 20000.0, not None"),
    "less arena": (lambda e: with_line(e, 0, 1, used=10.0), "planned budget's ram: used is 6208, not 10"),
    "less flash": (lambda e: with_line(e, 1, 0, used=10.0), "linked budget's flash: used is 33920, not 10"),
    "less stack": (lambda e: with_line(e, 2, 1, used=10.0), "emulated budget's ram: used is 7410, not 10"),
    "faster": (lambda e: with_line(e, 2, 2, used=10.0), "emulated budget's latency: used is 4836.2, not 10"),
    "any basis may pass": (
        lambda e: with_line(e, 2, 2, required_basis=None),
        "emulated budget's latency: required_basis is emulated, not None",
    ),
    "said to be measured": (
        lambda e: with_line(e, 2, 1, basis="measured"),
        "emulated budget's ram: basis is emulated, not measured",
    ),
    "a measured checkpoint": (lambda e: with_budget(e, 2, basis="measured"), "the budget's checkpoints are"),
    "a measured benchmark": (
        lambda e: dataclasses.replace(e, bench=dataclasses.replace(e.bench, basis="measured")),
        "the benchmark names basis measured, not emulated",
    ),
    "the last alone": (lambda e: dataclasses.replace(e, budgets=e.budgets[2:]), "checkpoints are emulated, not"),
    "one more": (
        lambda e: dataclasses.replace(e, budgets=(*e.budgets, e.budgets[2])),
        "the budget's checkpoints are planned, linked, emulated, emulated, not",
    ),
    "a line less": (
        lambda e: with_budget(e, 2, lines=e.budgets[2].lines[:2]),
        "the emulated budget is not about flash, ram, latency",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_budget_that_does_not_follow_is_found(evidence: Evidence, verifier: ModuleType, name: str) -> None:
    forge, said = FORGED[name]
    assert by_leadwire(evidence) == []
    by_verifier(verifier, evidence)
    forged = forge(evidence)
    assert any(said in line for line in by_leadwire(forged)), by_leadwire(forged)
    with pytest.raises(verifier.RefusedError, match=r"budget|basis of the benchmark"):
        by_verifier(verifier, forged)


@pytest.mark.parametrize("stages", [0, 1, 2])
def test_checkpoints_that_were_not_reached_may_be_missing(
    evidence: Evidence, verifier: ModuleType, stages: int
) -> None:
    """They cannot make a pass: the verdict is inconclusive without the last."""
    early = dataclasses.replace(evidence, budgets=evidence.budgets[:stages])
    assert by_leadwire(early) == [] and early.verdict == "inconclusive"
    by_verifier(verifier, early)


FAST = FastMemory(
    region="ccm", limit_bytes=4096, tables=(FastTable(name="t", size_bytes=256, reads=1),), arena_bytes=512
)


@pytest.mark.parametrize("latency_us", [None, 20_000.0, 100.0])
@pytest.mark.parametrize("engine", ["unicorn", "qemu", "host", None])
@pytest.mark.parametrize("fast", [None, FAST])
def test_what_the_stage_writes_follows(
    evidence: Evidence, verifier: ModuleType, latency_us: float | None, engine: Any, fast: FastMemory | None
) -> None:
    """Of a second memory region, and of boards whose latency is measured, emulated, or a lower bound of it."""
    emulation = None if engine is None else Emulation(engine=engine)
    limited = with_limit(evidence, latency_us=latency_us)
    board = dataclasses.replace(limited.board, emulation=emulation)
    plan, image = (
        dataclasses.replace(evidence.plan, fast=fast),
        dataclasses.replace(evidence.image, model_fast_bytes=768),
    )
    bench = dataclasses.replace(evidence.bench, basis=board.basis)
    flash, ram = evidence.budgets[0].lines
    lines = [flash, dataclasses.replace(ram, used=plan.arena_bytes - plan.fast_arena_bytes)]
    if fast is not None:
        lines.append(BudgetLine(resource="fast", used=768, limit=4096, unit="B", basis="planned"))
    planned = dataclasses.replace(evidence.budgets[0], lines=tuple(lines))
    budgets = (planned, check_image(image, plan, board), check_benchmark(bench, board, image, plan))
    made = dataclasses.replace(evidence, board=board, plan=plan, image=image, bench=bench, budgets=budgets)
    assert by_leadwire(made) == []
    by_verifier(verifier, made)
    last = len(budgets[2].lines) - 1
    slower = with_line(made, 2, last, used=1.0)
    assert by_leadwire(slower) == [f"the {board.basis} budget's latency: used is 4836.2, not 1"]
    with pytest.raises(verifier.RefusedError, match="budget's latency"):
        by_verifier(verifier, slower)


def test_no_bundle_is_made_with_another_budget_or_size(tmp_path: Path) -> None:
    evidence, attachments = example_evidence(tmp_path)
    generate_key(tmp_path / "key.pem")
    smaller = dataclasses.replace(evidence, model=dataclasses.replace(evidence.model, size_bytes=10))
    for forged, said in (
        (with_line(evidence, 1, 0, used=10.0), "the linked budget's flash: used is 33920, not 10"),
        (smaller, f"'model.tflite' has {len(MODEL)} bytes, and the records say another number"),
    ):
        with pytest.raises(EvidenceError, match=said):
            write_bundle(forged, attachments, b"<p>page</p>", printed=b"%PDF", out=tmp_path, key=tmp_path / "key.pem")


def test_an_interpreters_model_is_in_flash_as_a_file(evidence: Evidence, verifier: ModuleType) -> None:
    plan = dataclasses.replace(evidence.plan, resident_bytes=100)
    made = with_line(dataclasses.replace(evidence, plan=plan), 0, 0, used=float(len(MODEL)))
    assert by_leadwire(made) == []
    by_verifier(verifier, made)
    smaller = with_line(made, 0, 0, used=31_000.0)
    assert by_leadwire(smaller) == [f"the planned budget's flash: used is {len(MODEL)}, not 31000"]
    with pytest.raises(verifier.RefusedError, match="planned budget's flash"):
        by_verifier(verifier, smaller)
