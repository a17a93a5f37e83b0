"""What `import` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import grid

if TYPE_CHECKING:
    from leadwire.imports import ImportRecord


def imported(record: ImportRecord) -> None:
    grid(
        [
            ("source", f"{record.source}, {record.producer}, opset {record.opset}"),
            ("model", f"{record.model}, {record.parameters:,} parameters"),
            *(("input", f"{name} {list(shape)}") for name, shape in record.inputs),
            (
                "against its own runtime",
                f"{record.samples} random inputs: at most {record.largest:.2g} apart, {record.mean:.2g} on average, "
                f"the same class for {100 * record.same_class:.1f} %",
            ),
        ]
    )
