"""The page in a real browser: it renders, and every printed page carries its stamp."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from evidence_example import example_evidence
from leadwire.report.page import render_page

pytestmark = pytest.mark.browser
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--no-pdf-header-footer",
)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    path = folder / "report.html"
    path.write_bytes(render_page(example_evidence(folder)[0], "ab" * 32))
    return path


def browse(page: Path, *options: str) -> str:
    browser = next(found for name in BROWSERS if (found := shutil.which(name)))
    command = [browser, *FLAGS, f"--user-data-dir={page.parent / 'profile'}", *options, page.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def pixels(png: bytes) -> tuple[int, int, list[tuple[int, int, int]]]:
    """Width, height and RGB pixels of an 8-bit PNG without interlace (W3C PNG, section 9: filters)."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8 and kind in (2, 6)
    data, position = b"", 8
    while position < len(png):
        length, name = struct.unpack(">I4s", png[position : position + 8])
        data += png[position + 8 : position + 8 + length] if name == b"IDAT" else b""
        position += 12 + length
    raw, each = zlib.decompress(data), 3 if kind == 2 else 4
    before, rows = bytearray(width * each), bytearray()
    for start in range(0, len(raw), width * each + 1):
        row = bytearray(raw[start + 1 : start + 1 + width * each])
        for i in range(len(row)):
            left, up = row[i - each] if i >= each else 0, before[i]
            corner = before[i - each] if i >= each else 0
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda v: abs(guess - v))
            row[i] = (row[i] + (0, left, up, (left + up) // 2, paeth)[raw[start]]) & 255
        rows += row
        before = row
    return width, height, [(rows[i], rows[i + 1], rows[i + 2]) for i in range(0, len(rows), each)]


@pytest.mark.requirement("LW-REP-001")
def test_the_first_thing_on_screen_is_the_stamp(page: Path, tmp_path: Path) -> None:
    """The band of the stamps, in its colour, from edge to edge; ink on it; the sheet below."""
    for scheme, band in (("light", (255, 233, 201)), ("dark", (61, 42, 13))):
        shot = tmp_path / f"{scheme}.png"
        dark = ("--blink-settings=preferredColorScheme=0",) if scheme == "dark" else ()
        browse(page, "--window-size=900,420", f"--screenshot={shot}", *dark)
        width, height, colours = pixels(shot.read_bytes())
        assert width == 900
        rows = [colours[y * width : (y + 1) * width] for y in range(height)]
        assert rows[4].count(band) == width
        assert any(0 < sum(colour != band for colour in row) < width // 2 for row in rows[8:40])
        assert len(set(colours)) > 50


@pytest.mark.requirement("LW-REP-001")
def test_every_printed_page_is_stamped(page: Path, tmp_path: Path) -> None:
    if not shutil.which("pdftotext"):
        pytest.skip("needs pdftotext")
    document = tmp_path / "report.pdf"
    browse(page, f"--print-to-pdf={document}")
    text = subprocess.run(["pdftotext", "-layout", document, "-"], check=True, capture_output=True, text=True).stdout
    pages = text.split("\f")[:-1]
    assert len(pages) >= 6
    for number, content in enumerate(pages, start=1):
        assert content.count("EMULATED · DEMO KEY") >= 1, f"page {number}"
        assert f"{number} of {len(pages)}" in content


@pytest.mark.requirement("LW-REP-004")
def test_the_browser_sees_no_script(page: Path) -> None:
    """The document as the browser understood it, after parsing."""
    document = browse(page, "--dump-dom").lower()
    assert "<script" not in document and " onerror=" not in document
    assert document.count("<section") == 11
