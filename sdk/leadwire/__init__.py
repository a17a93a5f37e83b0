"""leadwire: from a trained ECG network to a measured, validated and signed result on a microcontroller.

Importing this package loads no heavy dependency. Read `leadwire.artifacts` first, then `leadwire.pipeline`.
`leadwire.HostModel` runs a model's generated C on this computer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leadwire.pipeline.host_model import HostModel as HostModel

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """HostModel, loaded when it is first asked for."""
    if name == "HostModel":
        return import_module("leadwire.pipeline.host_model").HostModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
