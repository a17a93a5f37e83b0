"""The front as a picture: score against each resource."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

from .front import Judged
from .plan import SearchPlan

_TITLES: Final = {"flash_bytes": "flash, B", "ram_bytes": "RAM, B", "instructions": "instructions"}


def plot_front(plan: SearchPlan, judged: Sequence[Judged], front: Sequence[Judged]) -> bytes:
    """An SVG with a panel for each resource; the same figures give the same bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    trained = [one for one in judged if one.score is not None]
    resources = plan.objective.resources or ("instructions",)
    with mpl.rc_context({"svg.hashsalt": plan.name, "font.size": 9, "svg.fonttype": "none"}):
        figure = Figure(figsize=(4 * len(resources), 3.4), layout="constrained")
        panels: Any = figure.subplots(1, len(resources), squeeze=False, sharey=True)[0]
        for panel, name in zip(panels, resources, strict=True):
            inside = [one for one in trained if not one.over]
            outside = [one for one in trained if one.over]
            for points, style, label in ((inside, "o", "candidate"), (outside, "x", "over budget")):
                if points:
                    panel.plot(*_points(points, name), style, color="0.6", markersize=4, label=label)
            best = sorted(front, key=lambda one: float(getattr(one, name)))
            if best:
                panel.plot(*_points(best, name), "D", color="#b3262e", markersize=5, label="front")
            panel.set_xscale("log")
            panel.set_xlabel(_TITLES[name])
            panel.grid(visible=True, which="major", color="0.9")
        panels[0].set_ylabel(f"{plan.objective.score} {plan.objective.label}".strip() + ", patients held out")
        if trained:
            panels[0].legend(loc="lower right", fontsize=8)
        stream = io.BytesIO()
        FigureCanvasSVG(figure)
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": "leadwire"})
    return stream.getvalue()


def _points(points: Sequence[Judged], name: str) -> tuple[list[float], list[float]]:
    known = [one for one in points if getattr(one, name) is not None]
    return [float(getattr(one, name)) for one in known], [one.score or 0.0 for one in known]
