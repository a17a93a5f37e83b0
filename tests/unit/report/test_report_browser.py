"""The page in a real browser: it renders, and every printed page carries its stamp."""

from __future__ import annotations

import html
import json
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import axe_core_python
import pytest

from evidence_example import example_evidence
from leadwire.report.page import render_page
from leadwire.report.sections import load_sections

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
def test_the_pages_own_script_runs_and_no_other(page: Path, tmp_path: Path) -> None:
    """The document as the browser understood it: our script made buttons, a stranger's did not run."""
    stranger = "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title = 'taken over'\">"
    document = browse(appended(page, tmp_path, stranger, keep_policy=True), "--dump-dom")
    assert "taken over</title>" not in document
    assert document.count("<section") == len(load_sections())
    assert document.count('class="sort"') > 10 and document.count('class="filter"') >= 1


def appended(page: Path, folder: Path, more: str, *, keep_policy: bool = False) -> Path:
    """A copy of the page with `more` at the end of its body."""
    text = page.read_text(encoding="utf-8")
    if not keep_policy:
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    changed = folder / "changed.html"
    changed.write_text(text.replace("</body>", f"{more}</body>"), encoding="utf-8")
    return changed


def test_tables_sort_and_filter(page: Path, tmp_path: Path) -> None:
    """A click on a header, twice, and words in the field: what the table of recordings then shows."""
    acts = """<script>
      const named = t => t.caption && t.caption.textContent == "Accuracy by recording";
      const table = [...document.querySelectorAll("table")].find(named);
      const beats = () => [...table.tBodies[0].rows].map(row => row.cells[2].textContent).join(" ");
      const said = [];
      const button = table.tHead.rows[0].cells[2].querySelector("button");
      button.click(); said.push(beats(), button.parentNode.getAttribute("aria-sort"));
      button.click(); said.push(beats(), button.parentNode.getAttribute("aria-sort"));
      const input = table.parentNode.querySelector("input");
      input.value = "P07"; input.dispatchEvent(new Event("input"));
      said.push(String([...table.tBodies[0].rows].filter(row => !row.hidden).length));
      document.title = said.join("|");
    </script>"""
    document = browse(appended(page, tmp_path, acts), "--dump-dom")
    found = re.search(r"<title>([^<]*)</title>", document)
    assert found
    rising, ascending, falling, descending, shown = found[1].split("|")
    numbers = [int(word) for word in rising.split()]
    assert numbers == sorted(numbers) and len(numbers) == 44 and ascending == "ascending"
    assert [int(word) for word in falling.split()] == sorted(numbers, reverse=True) and descending == "descending"
    assert shown == "1"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 420)])
def test_axe_finds_nothing(page: Path, tmp_path: Path, scheme: str, width: int) -> None:
    """axe-core (WCAG 2.0 to 2.2, levels A and AA, and its best practices) on the page in a browser."""
    axe = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    run = """<script>axe.run(document, {resultTypes: ["violations"]}).then(found => {
      const pre = document.createElement("pre"); pre.id = "found";
      pre.textContent = JSON.stringify({passes: found.passes.length, violations: found.violations.map(one =>
        [one.impact, one.id, one.nodes.slice(0, 3).map(node => node.html.slice(0, 160))])});
      document.body.appendChild(pre); });</script>"""
    changed = appended(page, tmp_path, f"<script>{axe}</script>{run}")
    dark = ("--blink-settings=preferredColorScheme=0",) if scheme == "dark" else ()
    document = browse(changed, "--virtual-time-budget=60000", f"--window-size={width},900", *dark, "--dump-dom")
    found = re.search(r'<pre id="found">(.*?)</pre>', document, flags=re.DOTALL)
    assert found, "axe did not finish"
    result = json.loads(html.unescape(found[1]))
    assert result["passes"] > 20
    assert result["violations"] == []
