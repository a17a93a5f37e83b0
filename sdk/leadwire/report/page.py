"""The page: sections rendered one by one into the frame, in one self-contained HTML document.

Every value is escaped (autoescape); what a template may print unescaped are the drawings of `plots`, which escape for
themselves. A content security policy in the page forbids every request and every script but the one that sorts and
filters tables, which it names by digest (W3C CSP Level 3, section 8.4), whatever the page might hold.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import pkgutil
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from leadwire.evidence.record import Evidence

from . import plots
from .sections import FOLDER, load_sections
from .templates import template_environment


def render_page(evidence: Evidence, signer: str) -> bytes:
    """The report as UTF-8 HTML. `signer` is the fingerprint of the key that signs the bundle."""
    environment = template_environment()
    environment.globals["plot"] = _plots()
    environment.globals["mode"] = evidence.quantized.mode_name
    sections = [
        (section, Markup(environment.get_template(section.file).render(_needed(evidence, signer, section.needs))))
        for section in load_sections()
    ]
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    page = environment.get_template("page.html.j2").render(
        evidence=evidence,
        signer=signer,
        sections=sections,
        script=Markup(script),
        script_digest=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
    )
    return page.encode("utf-8", "xmlcharrefreplace")


def _needed(evidence: Evidence, signer: str, names: tuple[str, ...]) -> dict[str, Any]:
    """What a section named in its header, and nothing else."""
    return {name: signer if name == "signer" else getattr(evidence, name) for name in names}


def _plots() -> SimpleNamespace:
    modules = (
        importlib.import_module(f"{plots.__name__}.{info.name}") for info in pkgutil.iter_modules(plots.__path__)
    )
    return SimpleNamespace(**{module.__name__.rpartition(".")[2]: module.draw for module in modules})
