"""The drawings: geometry against figures computed here, and figures that are not numbers."""

from __future__ import annotations

import dataclasses
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_example import LABELS, example_evidence
from leadwire.artifacts import BudgetLine, BudgetReport, Percentiles, Placement, RuntimeMetrics
from leadwire.evidence.record import Evidence
from leadwire.report.numbers import interval, percent, points, size
from leadwire.report.plots import (
    arena,
    board_map,
    budgets,
    classes,
    confusion,
    forest,
    latency,
    layers,
    operators,
    patients,
    reliability,
    strip,
)
from leadwire.report.sides import sides
from leadwire.report.svg import element, polyline, text, ticks


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return example_evidence(tmp_path_factory.mktemp("plots"))[0]


def shapes(drawing: str, name: str, class_: str) -> list[ET.Element]:
    return [item for item in ET.fromstring(drawing).iter(name) if class_ in (item.get("class") or "").split()]


def number(item: ET.Element, name: str) -> float:
    return float(item.get(name) or "nan")


@pytest.mark.requirement("LW-REP-005")
def test_an_ecg_strip_is_to_scale(evidence: Evidence) -> None:
    """One millivolt is 20 mm high and one second 50 mm wide, measured on the drawing; the grid counts millimetres."""
    pulse = tuple(1.0 if 100 <= index < 200 else 0.0 for index in range(400))
    beat = dataclasses.replace(evidence.validation.changed[0], strip_mv=pulse, strip_hz=250.0)
    drawing = strip.draw(beat)
    root = ET.fromstring(drawing)
    assert root.get("width") == "81mm" and (root.get("viewBox") or "").startswith("0 0 81 ")
    path = shapes(drawing, "path", "trace")[0].get("d") or ""
    trace = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]
    ys = [y for _, y in trace]
    assert max(ys) - min(ys) == pytest.approx(20.0)
    high = [x for x, y in trace if y == min(ys)]
    assert high[-1] - high[0] == pytest.approx(99 / 250 * 50, abs=0.02)
    fine, bold = (
        [float(x) for x in re.findall(r"M([\d.]+) 6v", shapes(drawing, "path", grid)[0].get("d") or "")]
        for grid in ("mm1", "mm5")
    )
    assert bold == [0.5 + 5 * number for number in range(17)]
    assert fine == [0.5 + number for number in range(81) if number % 5]
    assert "50\u202fmm/s" in drawing and "20\u202fmm/mV" in drawing


@pytest.mark.parametrize(
    "values",
    [(), (math.nan,) * 50, (0.0, math.inf, -math.inf, math.nan, 1.0), (1e9, -1e9) * 100, (0.1,) * 100_000],
)
def test_any_strip_stays_on_its_paper(evidence: Evidence, values: tuple[float, ...]) -> None:
    drawing = strip.draw(dataclasses.replace(evidence.validation.changed[0], strip_mv=values))
    root = ET.fromstring(drawing)
    width, height = (float(part) for part in (root.get("viewBox") or "").split()[2:])
    assert width <= 86 and height <= 75
    path = shapes(drawing, "path", "trace")[0].get("d") or ""
    for x, y in re.findall(r"[ML]([-\d.e+]+) ([-\d.e+]+)", path):
        assert 0 <= float(x) <= width and 0 <= float(y) <= height
    assert strip.draw(dataclasses.replace(evidence.validation.changed[0], strip_hz=0.0, strip_mv=())).startswith("<svg")


def test_budget_bars_are_in_proportion() -> None:
    def report(used: float, limit: float | None) -> BudgetReport:
        line = BudgetLine(resource="ram", used=used, limit=limit, unit="B", basis="linked")
        return BudgetReport(board_id="b", subject_digest="", basis="linked", lines=(line,), peak="")

    drawing = budgets.draw([report(500, 1000), report(1500, 1000)])
    bars = shapes(drawing, "rect", "bar")
    assert number(bars[1], "width") == pytest.approx(3 * number(bars[0], "width"), abs=0.05)
    assert [("over" in (bar.get("class") or "")) for bar in bars] == [False, True]
    limit = number(shapes(drawing, "line", "limit")[0], "x1") - number(bars[0], "x")
    assert limit == pytest.approx(2 * number(bars[0], "width"), abs=0.05)
    assert "OVER" in drawing
    run = dataclasses.replace(report(500, 1000), basis="emulated")
    words = [item.text for item in shapes(budgets.draw([run]), "text", "faint")]
    assert words[:1] + words[-2:] == ["emulated", "linked", "50.0\u202f%"]
    assert not shapes(budgets.draw([report(500, None)]), "line", "limit")
    assert ET.fromstring(budgets.draw([])) is not None
    assert ET.fromstring(budgets.draw([report(0, 0)])) is not None


def test_arena_blocks_have_the_plans_bytes(evidence: Evidence) -> None:
    plan = evidence.plan
    blocks = shapes(arena.draw(plan, evidence.model), "rect", "block")
    placed = sorted((*plan.placements, *plan.scratch), key=lambda item: (item.first_operator, item.last_operator))
    per_byte = 300 / plan.arena_bytes
    for block, placement in zip(blocks, placed, strict=True):
        assert number(block, "y") + placement.size_bytes * per_byte == pytest.approx(
            330 - placement.offset_bytes * per_byte, abs=0.02
        )
        assert number(block, "height") == pytest.approx(max(1, placement.size_bytes * per_byte - 1), abs=0.02)


def test_tensors_that_share_bytes_do_not_cover_each_others_names(evidence: Evidence) -> None:
    """Reshape and operator in place: the block changes in the middle of the column where the bytes change hands."""
    lives = ((0, 2), (2, 4), (4, 9))
    placements = tuple(
        Placement(tensor=tensor, offset_bytes=0, size_bytes=64, first_operator=first, last_operator=last)
        for tensor, (first, last) in enumerate(lives)
    )
    plan = dataclasses.replace(evidence.plan, arena_bytes=64, placements=placements[::-1], scratch=())
    summary = evidence.model
    model = dataclasses.replace(
        summary,
        operators=tuple(dataclasses.replace(summary.operators[0], index=index) for index in range(10)),
        activations=tuple(
            dataclasses.replace(summary.activations[0], index=index, name=f"layer{index}/Relu") for index in range(3)
        ),
    )
    drawing = arena.draw(plan, model)
    starts = [number(block, "x") - 65 for block in shapes(drawing, "rect", "block")]
    assert starts == pytest.approx([0, 2.5 * 81.6, 4.5 * 81.6], abs=0.02)
    labels = {
        item.text: number(item, "x") for item in shapes(drawing, "text", "tiny") if (item.text or "")[:5] == "layer"
    }
    assert list(labels) == ["layer0/Relu", "layer1/Relu", "layer2/Relu"]
    for middle, first, last in zip(labels.values(), (0, 2.5, 4.5), (2.5, 4.5, 10), strict=True):
        assert middle == pytest.approx(64 + (first + last) / 2 * 81.6, abs=0.02)


def test_confusion_cells_hold_the_counts(evidence: Evidence) -> None:
    metrics = evidence.validation.metrics[0]
    counts = shapes(confusion.draw(metrics, LABELS, "float"), "text", "cell-count")
    found = [int((item.text or "").replace("\u202f", "")) for item in counts]
    assert found == [value for row in metrics.confusion for value in row]


def test_forest_marks_lie_where_the_figures_say(evidence: Evidence) -> None:
    drawing = forest.draw(evidence.validation.endpoints)
    margins = [number(item, "x1") for item in shapes(drawing, "line", "margin")]
    zero = number(shapes(drawing, "line", "zero")[0], "x1")
    per_unit = (margins[0] - zero) / evidence.validation.endpoints[0].margin
    for margin, item in zip(margins, evidence.validation.endpoints, strict=True):
        assert margin - zero == pytest.approx(item.margin * per_unit, rel=0.01)
    for line, item in zip(shapes(drawing, "line", "thick"), evidence.validation.endpoints, strict=True):
        assert item.judged is not None
        assert number(line, "x2") - zero == pytest.approx(item.judged.high * per_unit, abs=0.5)
        assert number(line, "x1") - zero == pytest.approx(item.judged.low * per_unit, abs=0.5)


def test_operator_bars_sum_to_the_whole(evidence: Evidence) -> None:
    bars = shapes(operators.draw(evidence.bench.operators), "rect", "bar")
    widths = [number(bar, "width") for bar in bars]
    shares = [item.share for item in evidence.bench.operators]
    assert max(widths) == 280
    for width, share in zip(widths, shares, strict=True):
        assert width / sum(widths) == pytest.approx(share, abs=1e-3)


def test_the_histogram_holds_every_inference(evidence: Evidence) -> None:
    bench = evidence.bench
    bars = shapes(latency.draw(bench.latency_us, bench.latency_bins, 20_000), "rect", "bar")
    heights = [number(bar, "height") for bar in bars]
    counts = [one.inferences for one in bench.latency_bins]
    assert sum(counts) == bench.inputs
    for height, count in zip(heights, counts, strict=True):
        assert height / max(heights) == pytest.approx(count / max(counts), abs=0.01)


def test_sections_lie_where_they_are_linked(evidence: Evidence) -> None:
    drawing = board_map.draw(evidence.image, evidence.board)
    tracks = shapes(drawing, "rect", "track")
    assert len(tracks) == len(evidence.board.memory)
    left, wide = number(tracks[0], "x"), number(tracks[0], "width")
    flash = evidence.board.memory[0]
    text = next(section for section in evidence.image.sections if section.name == ".rodata")
    blocks = shapes(drawing, "rect", "block")
    block = next(b for b in blocks if "".join(b.itertext()).startswith(".rodata:"))
    assert number(block, "x") == pytest.approx(left + (text.address - flash.origin) / flash.size_bytes * wide, abs=0.01)
    assert number(block, "width") == pytest.approx(max(1.0, text.size_bytes / flash.size_bytes * wide), abs=0.01)


def test_the_calibration_curve_goes_through_its_points(evidence: Evidence) -> None:
    curve = evidence.validation.reliability[0]
    drawing = reliability.draw([curve])
    marks = shapes(drawing, "circle", "mark")
    assert len(marks) == len(curve.bins)
    for mark, one in zip(marks, curve.bins, strict=True):
        assert number(mark, "cx") == pytest.approx(60 + 300 * one.confidence, abs=0.01)
        assert number(mark, "cy") == pytest.approx(314 - 300 * one.right / one.beats, abs=0.01)


def test_every_drawing_survives_what_is_not_a_number(evidence: Evidence) -> None:
    broken = Percentiles(p50=math.nan, p95=0, p99=0, max=0)
    error = dataclasses.replace(evidence.quantized.layer_errors[0], sqnr_db=math.nan)
    record = dataclasses.replace(evidence.validation.records[0], float_accuracy=math.nan)
    drawings = (
        latency.draw(broken, (), None),
        reliability.draw([]),
        layers.draw([error, dataclasses.replace(error, sqnr_db=-math.inf)]),
        layers.draw([]),
        patients.draw([record, record], "device"),
        patients.draw([], "device"),
        classes.draw([], LABELS),
        operators.draw([]),
        forest.draw([]),
    )
    for drawing in drawings:
        ET.fromstring(drawing)
        assert not re.search(r'="-?(nan|inf)"', drawing)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 10))
def test_ticks_cover_the_range_in_round_steps(low: float, span: float, about: int) -> None:
    found = ticks(low, low + span, about)
    slack = 1e-6 * max(1.0, abs(low), span)
    assert found[0] <= low + slack and found[-1] >= low + span - slack
    assert 2 <= len(found) <= about + 3


@given(st.text())
def test_any_text_stays_text(content: str) -> None:
    drawing = element("g", text(1, 2, content, limit=8), title=content)
    printable = "".join(c for c in content if c in "\t\n\r" or (" " <= c <= "\ud7ff") or ("\ue000" <= c <= "\ufffd"))
    if printable == content:
        assert ET.fromstring(drawing).tag == "g"
    assert drawing.count("<") == drawing.count(">") <= 8


def test_a_line_is_interrupted_where_there_is_nothing() -> None:
    drawn = polyline([(0, 0), (1, 1), (2, math.nan), (3, 1), (4, 2)], "trace")
    assert 'd="M0 0L1 1M3 1L4 2"' in drawn


def test_numbers_are_written_with_their_units(evidence: Evidence) -> None:
    assert size(33920) == "33\u202f920\u202fB"
    assert percent(0.96839) == "96.84\u202f%"
    assert [points(value) for value in (0.0011, -0.0025, 0.000001, -0.000001)] == [
        "+0.11",
        "\u22120.25",
        "0.00",
        "0.00",
    ]
    assert percent(math.nan) == size(None) == points(math.inf) == "n/a"
    assert interval(evidence.validation.metrics[0].accuracy.interval).startswith("[96.")


def test_float_host_and_device_stand_side_by_side_even_where_equal(evidence: Evidence) -> None:
    """Host runtimes with the same figures are one column that names them all; the device is never merged away."""
    one, two, three = evidence.validation.metrics
    assert two.confusion == three.confusion
    hosts = tuple(dataclasses.replace(two, runtime=name) for name in ("tflite", "tflm", "host_c"))

    def seen(*metrics: RuntimeMetrics) -> list[tuple[str, str]]:
        found = sides(dataclasses.replace(evidence.validation, metrics=metrics))
        return [(side.name, side.note) for side in found]

    assert seen(one, two, three) == [("float", ""), ("INT8, host", "TFLite"), ("INT8, device", "")]
    assert seen(one, *hosts, three)[1] == (
        "INT8, host",
        "TFLite, TFLite Micro and generated C, the same in every figure",
    )
    other = dataclasses.replace(hosts[0], confusion=one.confusion)
    assert [name for name, _ in seen(one, other, *hosts[1:], three)] == [
        "float",
        "INT8, host (TFLite)",
        "INT8, host (TFLite Micro and generated C)",
        "INT8, device",
    ]


def test_no_plot_is_left_out(root: Path) -> None:
    """Every drawing is used by a section."""
    sections = "".join(path.read_text(encoding="utf-8") for path in (root / "validation" / "report").glob("*.j2"))
    for path in (root / "sdk" / "leadwire" / "report" / "plots").glob("[a-z]*.py"):
        assert f"plot.{path.stem}(" in sections, path.stem
