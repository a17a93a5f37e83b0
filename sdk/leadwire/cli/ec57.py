"""The verb ec57: an algorithm's annotations against the reference's, as ANSI/AAMI EC57 and IEC 60601-2-47 ask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import Json, app, show


@app.command()
def ec57(
    reference: Annotated[
        Path,
        typer.Argument(metavar="REF", help="Reference: a folder, a list of records, an annotation file, or a record."),
    ],
    test: Annotated[Path, typer.Argument(metavar="TEST", help="What the algorithm annotated, given in the same ways.")],
    ref_extension: Annotated[str, typer.Option("--ref-extension", help="Extension of the reference's files.")] = "atr",
    test_extension: Annotated[
        str, typer.Option("--test-extension", help="Extension of the algorithm's files.")
    ] = "tst",
    matrices: Annotated[bool, typer.Option("--matrices", help="Show the matrix N S V F Q O X of each record.")] = False,
    window: Annotated[float, typer.Option("--window", help="Match window in s; other than 0.15: NON-STANDARD.")] = 0.15,
    start: Annotated[
        float, typer.Option("--start", help="Scored from here, in s; other than 300: NON-STANDARD.")
    ] = 300.0,
    end: Annotated[float | None, typer.Option("--end", help="Scored until here, in s: NON-STANDARD.")] = None,
    paced: Annotated[bool, typer.Option("--paced", help="Score paced records as well: NON-STANDARD.")] = False,
    rate: Annotated[
        float | None, typer.Option("--rate", help="Samples/s where neither a .hea nor the file says it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score WFDB annotations by EC57: beats, runs, fibrillation; record by record, gross and average."""
    from leadwire.ec57 import Rule, score_paths
    from leadwire.views import ec57 as views

    result = score_paths(
        reference,
        test,
        Rule(window_s=window, start_s=start, end_s=end, include_paced=paced),
        reference_extension=ref_extension,
        test_extension=test_extension,
        sample_rate_hz=rate,
    )
    show(result, as_json, views.result_with_matrices if matrices else views.result)
