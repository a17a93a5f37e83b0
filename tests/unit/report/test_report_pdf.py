"""The printed report: what the page says, as PDF/A-2b that other readers accept."""

from __future__ import annotations

import dataclasses
import html
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typst
from pypdf import PdfReader

from evidence_example import example_evidence
from leadwire.evidence.record import Evidence
from leadwire.report.page import render_page
from leadwire.report.pdf import render_pdf
from leadwire.report.pdf.drawings import take_drawings
from leadwire.report.pdf.tree import parse_page
from leadwire.report.pdf.typst_code import typst_code, typst_string

SIGNER = "ab" * 32


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return example_evidence(tmp_path_factory.mktemp("pdf"))[0]


@pytest.fixture(scope="module")
def page(evidence: Evidence) -> bytes:
    return render_page(evidence, SIGNER)


@pytest.fixture(scope="module")
def document(evidence: Evidence, page: bytes) -> bytes:
    return render_pdf(page, evidence)


@pytest.fixture(scope="module")
def reader(document: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(document))


def plain(text: str) -> str:
    return re.sub(r"\s", "", text.replace("\u200b", ""))


def test_the_same_evidence_gives_the_same_document(evidence: Evidence, page: bytes, document: bytes) -> None:
    assert render_pdf(page, evidence) == document


def test_the_date_is_the_evidences(evidence: Evidence, page: bytes, reader: PdfReader) -> None:
    assert reader.metadata is not None and reader.metadata.creation_date is not None
    assert reader.metadata.creation_date.year == 1980
    dated = render_pdf(page, dataclasses.replace(evidence, created="2026-01-02T03:04:05+00:00"))
    again = PdfReader(io.BytesIO(dated)).metadata
    assert again is not None and again.creation_date is not None
    assert again.creation_date.isoformat() == "2026-01-02T03:04:05+00:00"


@pytest.mark.requirement("LW-REP-001")
def test_every_page_is_stamped_numbered_and_tied_to_the_firmware(evidence: Evidence, reader: PdfReader) -> None:
    for number, leaf in enumerate(reader.pages, start=1):
        text = plain(leaf.extract_text())
        assert "EMULATED·DEMOKEY" in text
        assert f"{number}of{len(reader.pages)}" in text
        for digest in (evidence.model.digest, evidence.image.digest, evidence.validation.protocol_digest):
            assert digest[:16] in text


def test_it_says_what_the_page_says(page: bytes, reader: PdfReader) -> None:
    """Every table cell, term and paragraph of the page is found in the PDF's text."""
    printed = plain("".join(leaf.extract_text() for leaf in reader.pages)).lower()
    body = page.decode().partition("<main>")[2].partition("</main>")[0]
    body = re.sub(r"<svg.*?</svg>|<script.*?</script>", "", body, flags=re.DOTALL)
    cells = re.findall(r"<(td|th|dd|dt|h2|h3|h4)\b[^>]*>(.*?)</\1>", body, flags=re.DOTALL)
    assert len(cells) > 300

    for _, cell in cells:
        for part in re.split(r"<[^>]*>", cell):
            said = plain(html.unescape(part)).lower()
            if len(said) <= 40:  # longer ones are broken into lines, and lines across pages
                assert said in printed, part


def fonts(reader: PdfReader) -> list[Any]:
    found = []
    for leaf in reader.pages:
        resources = [leaf["/Resources"]]
        while resources:
            here = resources.pop().get_object()
            found += (
                [font.get_object() for font in here.get("/Font", {}).get_object().values()] if "/Font" in here else []
            )
            for thing in here.get("/XObject", {}).values():
                inner = thing.get_object().get("/Resources")
                resources += [inner] if inner is not None else []
    return found


def test_its_pdf_a_claims_hold_as_far_as_another_reader_sees(document: bytes, reader: PdfReader) -> None:
    """ISO 19005-2, level B: identification (6.6.4), output intent (6.2.3), embedded fonts (6.2.11.4), no encryption
    (6.1.3), no script, no embedded file, file identifier (6.1.3)."""
    root: Any = reader.trailer["/Root"].get_object()
    metadata = root["/Metadata"].get_object().get_data().decode()
    assert "<pdfaid:part>2</pdfaid:part>" in metadata and "<pdfaid:conformance>B</pdfaid:conformance>" in metadata
    intents = [intent.get_object() for intent in root["/OutputIntents"]]
    assert [intent["/S"] for intent in intents] == ["/GTS_PDFA1"]
    assert len(intents[0]["/DestOutputProfile"].get_object().get_data()) > 300
    assert "/Encrypt" not in reader.trailer and len(reader.trailer["/ID"]) == 2
    assert "/JavaScript" not in root.get("/Names", {}) and "/AA" not in root and not reader.attachments
    described = fonts(reader)
    assert described
    for font in described:
        descendant = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        descriptor = descendant["/FontDescriptor"].get_object()
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor), font
        assert "/ToUnicode" in font
    assert document.startswith(b"%PDF-1.7")


def test_poppler_sees_embedded_fonts_alone(document: bytes, tmp_path: Path) -> None:
    if not shutil.which("pdffonts"):
        pytest.skip("needs pdffonts")
    path = tmp_path / "report.pdf"
    path.write_bytes(document)
    lines = subprocess.run(["pdffonts", path], check=True, capture_output=True, text=True).stdout.splitlines()[2:]
    assert lines
    for line in lines:
        assert re.search(r"\syes\s+yes\s+yes\s", line), line


def columns(*rows: tuple[str, ...]) -> str:
    """The widths that a table with words in its first and last column gets."""
    head = '<tr><th class="words">a</th><th>n</th><th class="words">b</th></tr>'
    body = "".join(f"<tr><th>{one}</th><td>{number}</td><td>{other}</td></tr>" for one, number, other in rows)
    table = parse_page(f"<body><table><thead>{head}</thead><tbody>{body}</tbody></table></body>").elements[0]
    found = re.search(r"none, \(([^)]*)\)", typst_code(table))
    assert found is not None
    return found[1].replace('"', "")


def test_columns_of_words_share_the_width_that_numbers_leave() -> None:
    assert columns(("short", "1", "short")) == "auto, auto, 1fr, "
    assert columns(("short", "1", "w" * 200)) == "auto, auto, 60fr, "
    assert columns(("short", "1", "w" * 45), ("v" * 50, "1", "")) == "50fr, auto, 45fr, "
    assert columns(("v" * 50, "1", "short")) == "50fr, auto, auto, "


HOSTILE = ('"#panic()', "\\", "$x$ *a* _b_ [c] @d <e>", '#{import "x"}', "\n\t\x01", "//", "\u202f", "中\u202e")


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_is_code(evidence: Evidence, value: str) -> None:
    """A name out of a model file is text, whatever it holds."""
    model = dataclasses.replace(evidence.model, name=f"net{value}net")
    hostile = dataclasses.replace(evidence, model=model)
    text = PdfReader(io.BytesIO(render_pdf(render_page(hostile, SIGNER), hostile))).pages[0].extract_text()
    assert plain(text).count("net") >= 2
    written = "".join(c if c not in "\x01中\u202e" else f"[U+{ord(c):04X}]" for c in value)
    assert plain(written) in plain(text)


def test_every_character_that_is_written_as_it_is_can_be_drawn() -> None:
    """PDF/A refuses a character without a glyph: all that are not written by number are in one document."""
    every = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]
    drawn = "".join(c for c in every if c not in '"\\\r' and typst_string(c) == f'"{c}"')
    assert len(drawn) > 1500
    source = f"#set document(date: auto)\n#{typst_string(drawn)}\n#raw({typst_string(drawn)})".encode()
    fonts_of_typst = typst.Fonts(include_system_fonts=False)
    assert typst.compile(source, pdf_standards=["a-2b"], timestamp=0, font_paths=fonts_of_typst)


def test_strings_come_back() -> None:

    for value in (*HOSTILE, "é→µ", "\\u{41}"):
        source = f"#metadata({typst_string(value)})<x>".encode()

        written = "".join(c if c not in "\x01中\u202e" else f"[U+{ord(c):04X}]" for c in value)
        assert json.loads(typst.query(source, "<x>", field="value", one=True)) == written


def test_an_unknown_element_is_transparent_and_controls_are_left_out() -> None:
    tree = parse_page("<html><body><blink><b>kept</b><b> and this</b></blink><button>Sort</button></body></html>")
    code = typst_code(tree)
    assert '"kept"' in code and '" and this"' in code and "Sort" not in code


@pytest.mark.parametrize("page", ["<html><body><p>x</body></html>", "<html><p>x</p></html>", "<html><body>"])
def test_a_page_that_is_not_well_formed_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match=r"closes|closed|no <body>"):
        parse_page(page)


def test_drawings_have_the_printed_colours() -> None:
    page = (
        "<style>:root { --ink: #111; } .plot .bar { fill: var(--ink); } p { color: red; }"
        "@media (max-width: 1px) { .plot .bar { fill: blue; } } @media print { :root { --ink: #222; } }</style>"
        '<svg class="plot"><rect class="bar"/></svg>'
    )
    text, drawings = take_drawings(page)
    assert text.endswith('<img class="drawing" alt="0">')
    assert "<style>.plot .bar {fill: #222;}</style>" in drawings[0]
