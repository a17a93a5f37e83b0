"""The page: what it says, what it must never let through, and that every section keeps to what it asked for."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import math
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from evidence_example import endpoint, example_evidence, with_endpoint
from leadwire.artifacts import ArenaFigures, BackendComparison, Divergence, Statistic
from leadwire.evidence.bundle import verify_bundle
from leadwire.evidence.keys import generate_key
from leadwire.evidence.record import Attachments, Evidence
from leadwire.report import write_report
from leadwire.report.page import render_page
from leadwire.report.sections import FOLDER, load_sections

SIGNER = "ab" * 32
VOID = {"meta", "br", "wbr", "link", "img", "hr", "input"}


class Reader(HTMLParser):
    """Elements, attributes and text of a page; notes tags that do not close in order."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page.decode("utf-8"))
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.words.append("" if tag == "wbr" else " ")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.words.append(" ")
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).replace("\u202f", " ").split())


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evidence, Attachments]:
    return example_evidence(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def evidence(example: tuple[Evidence, Attachments]) -> Evidence:
    return example[0]


@pytest.fixture(scope="module")
def page(evidence: Evidence) -> bytes:
    return render_page(evidence, SIGNER)


def test_the_report_is_written_signed_and_verified(example: tuple[Evidence, Attachments], tmp_path: Path) -> None:
    evidence, attachments = example
    signer = generate_key(tmp_path / "key.pem")
    bundle = write_report(evidence, attachments, tmp_path / "out", tmp_path / "key.pem")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "ecg-beats.leadwire-evidence.zip",
        "evidence.json",
        "report.html",
        "report.pdf",
    ]
    assert verify_bundle(bundle.path, tmp_path / "key.pem").authenticated
    assert signer in Reader(bundle.report.read_bytes()).text
    for digest in (evidence.quantized.digest, evidence.image.digest, evidence.validation.dataset_digest):
        assert digest in Reader(bundle.report.read_bytes()).text


def test_the_same_evidence_gives_the_same_page(evidence: Evidence, page: bytes, tmp_path: Path) -> None:
    assert render_page(evidence, SIGNER) == page
    assert render_page(example_evidence(tmp_path)[0], SIGNER) == page
    assert str(tmp_path).encode() not in page


@pytest.mark.requirement("LW-REP-004")
def test_it_is_self_contained(page: bytes) -> None:
    reader = Reader(page)
    tags = {tag for tag, _ in reader.elements}
    assert not tags & {
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "use",
        "image",
        "foreignobject",
    }
    for tag, attributes in reader.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert not re.search(rb"url\(|@import|https?://(?!in-toto)", page)
    policy = next(a["content"] for _, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    scripts = re.findall(rb"<script>(.*?)</script>", page, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts]
    assert re.findall(r"script-src ([^;]*);", policy) == [f"'sha256-{digest}'" for digest in digests]
    assert len(digests) == 1 and b"<script" not in page.replace(b"<script>", b"", 1)


def test_it_is_accessible(page: bytes) -> None:
    """Headings in order, one h1, every drawing named, every header cell with its scope, every link with a target."""
    reader = Reader(page)
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 2 for before, after in itertools.pairwise(levels))
    for tag, attributes in reader.elements:
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
        if tag == "th":
            assert attributes.get("scope") in ("row", "col", "rowgroup")
    ids = Counter(attributes["id"] for _, attributes in reader.elements if "id" in attributes)
    assert max(ids.values()) == 1
    for tag, attributes in reader.elements:
        if tag == "a":
            assert (attributes["href"] or "")[1:] in ids
    assert dict(reader.elements)["html"]["lang"] == "en"


def hostile(value: Any, poison: str) -> Any:
    """The same record with every free string poisoned; digests, numbers and closed vocabularies stay."""
    kept = {
        "basis", "verdict", "resource", "unit", "dataset_basis", "kind_of", "engine", "transport", "format", "backend",
        "judged_runtime", "required_basis",
    }  # fmt: skip
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value,
            **{
                field.name: hostile(getattr(value, field.name), poison)
                for field in dataclasses.fields(value)
                if field.name not in kept
            },
        )
    if isinstance(value, tuple):
        return tuple(hostile(item, poison) for item in value)
    return value[:3] + poison if isinstance(value, str) else value


@pytest.mark.requirement("LW-REP-004")
@pytest.mark.parametrize(
    "poison",
    [
        "<script>alert(1)</script>",
        "\"><img src=x onerror='alert(1)'>",
        "</title></style></svg><script>alert(1)</script>",
        "' onload='alert(1)",
        "{{ 7*7 }}{% raw %}",
        "--><svg onload=alert(1)>",
        "&lt;script&gt; \u202e \x00 \ud800 ]]>",
    ],
)
def test_hostile_strings_stay_text(evidence: Evidence, page: bytes, poison: str) -> None:
    """Poison in every name, label and note: the page has the very same elements and attributes as before."""
    poisoned = Reader(render_page(hostile(evidence, poison), SIGNER))
    plain = Reader(page)
    assert {tag for tag, _ in poisoned.elements} == {tag for tag, _ in plain.elements}
    assert {name for _, attributes in poisoned.elements for name in attributes} == {
        name for _, attributes in plain.elements for name in attributes
    }
    if "{{" in poison:
        assert "{{ 7*7 }}" in poisoned.text and "49" not in {
            word.strip("{} ") for word in poisoned.text.split("LW-")[0]
        }


def test_the_summary_says_the_figures_of_the_predictions(example: tuple[Evidence, Attachments], page: bytes) -> None:
    """Accuracy and changed decisions counted here from the raw predictions, not read from the records."""
    import numpy as np

    evidence, attachments = example
    reference = np.array([beat.reference for beat in attachments.beats])
    decided = {item.runtime: item.outputs.argmax(axis=1) for item in attachments.predictions}
    text = Reader(page).text
    summary = text[text.index("1 Summary", text.index("How to verify")) : text.index("2 Identity", 600)]
    for runtime, words in (("float", "Accuracy, float"), ("device", "Accuracy, INT8, device")):
        assert f"{words} {100 * (decided[runtime] == reference).mean():.2f} %" in summary
    changed = int((decided["float"] != decided["device"]).sum())
    assert f"Decisions changed by INT8 {changed} of 4 400 beats" in summary
    assert f"{changed}" == str(evidence.validation.changed_total)
    assert "613 424" in summary and f"{613424 / 227208:.2f} per multiply-accumulate" in summary


@pytest.mark.requirement("LW-REP-002")
@pytest.mark.parametrize(("loss", "verdict"), [(0.02, "fail"), (0.008, "inconclusive"), (0.0, "pass")])
def test_the_verdict_and_its_reason_stand_first(evidence: Evidence, loss: float, verdict: str) -> None:
    one, other = Statistic(name="a", estimate=0.96), Statistic(name="b", estimate=0.96 - loss)
    changed = endpoint("accuracy", one, other, 0.004, 0.010)
    assert changed.verdict == verdict
    reader = Reader(render_page(with_endpoint(evidence, changed), SIGNER))
    text = reader.text
    words = text[text.index("1 Summary", text.index("How to verify")) :]
    assert words.startswith(f"1 Summary {verdict}")
    assert (f"accuracy: {changed.reason}" in words) == (verdict != "pass")
    assert [a["class"] for t, a in reader.elements if t == "div" and "verdict" in (a.get("class") or "")] == [
        f"verdict {verdict}"
    ]
    assert ("All 5 endpoints" in words) == (verdict == "pass")


def stamps_in_print(page: bytes) -> str:
    found = re.search(r'@top-left \{ content: "([^"]*)"', page.decode())
    assert found
    return found[1]


@pytest.mark.requirement("LW-REP-001")
def test_stamps_stand_on_screen_in_print_and_in_the_title(evidence: Evidence, page: bytes) -> None:
    assert stamps_in_print(page) == "EMULATED · DEMO KEY"
    reader = Reader(page)
    assert reader.text.count("EMULATED") >= 4
    title = reader.text.split("Skip to")[0]
    assert "EMULATED" in title and "DEMO KEY" in title
    synthetic = dataclasses.replace(
        evidence, validation=dataclasses.replace(evidence.validation, dataset_basis="synthetic")
    )
    assert stamps_in_print(render_page(synthetic, SIGNER)) == "EMULATED · SYNTHETIC · DEMO KEY"


@pytest.mark.requirement("LW-REP-001")
def test_real_silicon_real_patients_and_an_own_key_need_no_stamp(evidence: Evidence) -> None:
    """And either sign of emulation alone brings the stamp back."""
    silicon = dataclasses.replace(
        evidence,
        board=dataclasses.replace(evidence.board, emulation=None),
        bench=dataclasses.replace(evidence.bench, basis="measured"),
        demo_key=False,
    )
    assert silicon.stamps == ()
    page = render_page(silicon, SIGNER)
    assert stamps_in_print(page) == "" and 'class="stamps"' not in page.decode() and "EMULATED" not in page.decode()
    for one in (
        dataclasses.replace(silicon, board=evidence.board),
        dataclasses.replace(silicon, bench=dataclasses.replace(silicon.bench, basis="emulated")),
    ):
        assert [stamp.word for stamp in one.stamps] == ["EMULATED"]


@pytest.mark.requirement("LW-REP-003")
def test_limits_say_what_the_figures_are_not(evidence: Evidence, page: bytes) -> None:
    text = Reader(page).text
    limits = text[text.rindex("Limits") :]
    assert limits.count("NON-STANDARD") == 1
    assert "EC57" in limits and "IEC 60601-2-47" in limits
    quiet = dataclasses.replace(evidence, validation=dataclasses.replace(evidence.validation, notes=()))
    assert "NON-STANDARD" in Reader(render_page(quiet, SIGNER)).text


@pytest.mark.requirement("LW-REP-005")
def test_changed_beats_are_shown_and_counted(evidence: Evidence, page: bytes) -> None:
    validation = evidence.validation
    assert page.decode().count('class="plot strip"') == len(validation.changed) > 0
    assert f"{len(validation.changed)} of {validation.changed_total} beats" in Reader(page).text
    none = dataclasses.replace(validation, changed=(), changed_total=0)
    assert "decide every beat alike" in Reader(render_page(dataclasses.replace(evidence, validation=none), SIGNER)).text


@pytest.mark.requirement("LW-VAL-003")
@pytest.mark.parametrize("judged", ["tflm", "device"])
def test_a_device_that_was_sent_a_part_is_named_wherever_its_figures_stand(evidence: Evidence, judged: str) -> None:
    """Above all figures, beside the matrices and the comparison of bytes; with everything sent no word of it."""
    validation = evidence.validation
    some = tuple(
        dataclasses.replace(item, confusion=((300,),)) if item.runtime == "device" else item
        for item in (*validation.metrics, dataclasses.replace(validation.metrics[1], runtime="tflm"))
    )
    part = dataclasses.replace(
        validation, device_beats=300, metrics=some, judged_runtime="device" if judged == "device" else "tflm"
    )
    text = Reader(render_page(dataclasses.replace(evidence, validation=part), SIGNER)).text
    assert text.count("The device was sent 300 of 4 400 beats.") == 2
    assert "300 of these beats were sent to the device" in text
    assert "right of 300 of 4 400 beats" in text and "INT8, device, 300 of 4 400 beats" in text
    assert "Not the same beats: the device's figures are over the 300 beats" in text
    over = 300 if judged == "device" else "4 400"
    assert f"percentage points, over {over} beats; INT8:" in text
    assert f"Decisions changed by INT8 {validation.changed_total} of {over} beats" in text
    whole = Reader(render_page(evidence, SIGNER)).text
    assert "was sent" not in whole and "Not the same beats" not in whole


def test_every_recording_has_its_row(evidence: Evidence, page: bytes) -> None:
    text = Reader(page).text
    rows = text[text.index("Accuracy by recording") :]
    for item in evidence.validation.records:
        assert f" {item.record} {item.patient} {item.beats} {100 * item.float_accuracy:.2f} %" in rows


def test_the_peak_is_that_of_the_last_checkpoint_that_states_one(evidence: Evidence) -> None:
    planned, *rest = evidence.budgets
    silent = (dataclasses.replace(planned, peak="op 7"), *(dataclasses.replace(item, peak="") for item in rest))
    text = Reader(render_page(dataclasses.replace(evidence, budgets=silent), SIGNER)).text
    assert f"Peak of the RAM, {planned.basis}: op 7." in text


def test_empty_and_broken_figures_still_make_a_page(evidence: Evidence) -> None:
    """Nothing to show, and figures that are not numbers: 'n/a' is written, never 'nan'."""
    nothing = Statistic(name="x", estimate=math.nan, numerator=0, denominator=0)
    metrics = tuple(
        dataclasses.replace(item, sensitivity=(nothing,) * 5, positive_predictivity=(nothing,) * 5)
        for item in evidence.validation.metrics
    )
    empty = dataclasses.replace(
        evidence,
        model=dataclasses.replace(evidence.model, operators=(), activations=()),
        quantized=dataclasses.replace(evidence.quantized, layer_errors=(), pinned=()),
        plan=dataclasses.replace(evidence.plan, placements=(), scratch=(), arena_bytes=0, lower_bound_bytes=0),
        bench=dataclasses.replace(
            evidence.bench, operators=(), instructions_per_inference=None, constant_instructions=None, macs=0
        ),
        validation=dataclasses.replace(
            evidence.validation, metrics=metrics, endpoints=(), records=(), changed=(), identities=()
        ),
        budgets=(),
        also_benchmarked=(evidence.bench,),
    )
    text = Reader(render_page(empty, SIGNER)).text
    assert "n/a" in text and "not counted" in text
    assert not re.search(r"\b(nan|inf|None|Undefined)\b", text)


def comparison_of(evidence: Evidence, **changed: Any) -> BackendComparison:
    """aot beside tflm, the latter with twice the instructions."""
    bench = evidence.bench
    other = dataclasses.replace(bench, backend="tflm", instructions_per_inference=1_226_848, arena_bytes=7264)
    same = Divergence(
        compared=50, identical=50, max_abs_lsb=0, decisions_changed=0, first_operator=None, cause="identical",
        runtimes=("aot", "tflm"),
    )  # fmt: skip
    arena = ArenaFigures(
        kernels="cmsis-nn", predicted_bytes=7252, required_bytes=7264, device_used_bytes=7251,
        device_needed_bytes=None, host_predicted_bytes=8448, host_recorded_bytes=8449,
    )  # fmt: skip
    return BackendComparison(
        board_id=bench.board_id,
        model_digest=bench.model_digest,
        results=(bench, other),
        divergences=(dataclasses.replace(same, **changed),),
        arena=arena,
    )


def test_backends_stand_side_by_side(evidence: Evidence) -> None:
    plain = Reader(render_page(evidence, SIGNER)).text
    assert "other backends" not in plain
    text = Reader(render_page(dataclasses.replace(evidence, comparison=comparison_of(evidence)), SIGNER)).text
    assert "The bytes of aot and tflm are the same for all of them" in text
    spaced = re.sub(r"[^0-9a-zA-Z]+", "", text)
    for figure in ("1226848", "7252", "7264", "7251", "8448", "8449"):
        assert figure in spaced
    assert "not told" in text


def test_backends_that_differ_are_told_with_place_and_cause(evidence: Evidence) -> None:
    comparison = comparison_of(
        evidence, identical=48, max_abs_lsb=3, first_operator="op 9 FULLY_CONNECTED 'dense'", cause="known: <old>"
    )
    text = Reader(render_page(dataclasses.replace(evidence, comparison=comparison), SIGNER)).text
    assert "differ in 2 of 50, by 3 LSB at most, first at op 9 FULLY_CONNECTED 'dense': known: <old>" in text


def test_three_hundred_operators(evidence: Evidence) -> None:
    share = evidence.bench.operators[0]
    many = tuple(dataclasses.replace(share, index=i, share=1 / 300) for i in range(300))
    text = Reader(
        render_page(dataclasses.replace(evidence, bench=dataclasses.replace(evidence.bench, operators=many)), SIGNER)
    ).text
    assert "260 more" in text


def test_sections_name_what_they_need(evidence: Evidence) -> None:
    sections = load_sections()
    assert [section.file for section in sections] == sorted(path.name for path in FOLDER.glob("[0-9]*.j2"))
    assert len({section.anchor for section in sections}) == len(sections) >= 10
    for section in sections:
        for name in section.needs:
            assert name == "signer" or hasattr(evidence, name), (section.file, name)


def test_the_page_calls_the_model_by_its_mode(evidence: Evidence) -> None:
    recipe = dataclasses.replace(evidence.quantized.recipe, calibrator="mse", equalize=True)
    quantized = dataclasses.replace(evidence.quantized, mode="int16x8", recipe=recipe, equalized=("a > b",))
    wide = dataclasses.replace(evidence, quantized=quantized)
    text = Reader(render_page(wide, SIGNER)).text
    assert "The INT16x8 model" in text and "Decisions changed by INT16x8" in text and "INT16x8, device" in text
    assert "weights of 8 bits, activations, input and output of 16" in text and "Calibrator: mse" in text
    assert "INT8" not in text.replace("dtype INT8", "")


@pytest.mark.parametrize("header", ["<p>x</p>", "{#\ntitle: x\nneeds: y\n#}\n", "{#\ntitle: x\n"])
def test_a_section_without_its_header_is_refused(tmp_path: Path, header: str) -> None:
    (tmp_path / "10-x.html.j2").write_text(header)
    with pytest.raises(ValueError, match=r"10-x\.html\.j2 must open with a comment"):
        load_sections(tmp_path)


def test_a_section_reads_nothing_it_did_not_ask_for(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The header is enforced: without 'board' in its needs the summary does not render."""
    from jinja2 import UndefinedError

    from leadwire.report import page as module

    shutil.copytree(FOLDER, tmp_path / "report")
    file = tmp_path / "report" / "10-summary.html.j2"
    file.write_text(file.read_text(encoding="utf-8").replace(" board, ", " ", 1), encoding="utf-8")
    monkeypatch.setattr(module, "FOLDER", tmp_path / "report")
    monkeypatch.setattr(module, "load_sections", lambda: load_sections(tmp_path / "report"))
    with pytest.raises(UndefinedError, match="'board' is undefined"):
        render_page(evidence, SIGNER)
