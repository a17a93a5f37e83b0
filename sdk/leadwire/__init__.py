"""leadwire: from a trained ECG network to a measured, validated and signed result on a microcontroller.

Importing this package loads no heavy dependency. Read `leadwire.artifacts` first, then `leadwire.pipeline`.
"""

__version__ = "0.1.0"
