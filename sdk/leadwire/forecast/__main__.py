"""Print the tables of docs/manual/forecast.md: `python -m leadwire.forecast`."""

from __future__ import annotations

import sys

from .errors_table import errors_markdown

sys.stdout.write(errors_markdown())
