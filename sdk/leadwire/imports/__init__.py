"""import: networks from where they were trained, as Keras files, each checked against its own runtime.

ONNX files are read by `onnx_graph` and built in Keras by `keras_layers`; an exported PyTorch program (.pt2) goes
through ONNX. Both the source's runtime and the Keras model are asked the same, and the record tells how far they are
apart.
"""

from __future__ import annotations

from .record import ImportRecord, import_model

__all__ = ["ImportRecord", "import_model"]
