"""What is the matter: `installation` (tools, data, ports that there are), `port` (one port and the board behind it)."""

from .check import Check, Diagnosis
from .installation import diagnose
from .port import Expected, diagnose_port

__all__ = ["Check", "Diagnosis", "Expected", "diagnose", "diagnose_port"]
