"""The verb that brings networks of other frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import Json, app, show


@app.command(name="import")
def import_(
    model: Annotated[Path, typer.Argument(help="An .onnx file, or a PyTorch program of torch.export (.pt2).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .keras file to write.")],
    softmax: Annotated[bool, typer.Option("--softmax", help="Put a softmax behind a network of logits.")] = False,
    samples: Annotated[int, typer.Option("--samples", help="Random inputs that both are asked.", min=1)] = 64,
    tolerance: Annotated[float, typer.Option("--tolerance", help="How far apart they may answer.", min=0)] = 1e-4,
    as_json: Json = False,
) -> None:
    """A network from ONNX or PyTorch as a Keras file, checked against the source's own runtime."""
    from leadwire.imports import import_model
    from leadwire.views import imports as views

    show(import_model(model, out, softmax=softmax, samples=samples, tolerance=tolerance), as_json, views.imported)
