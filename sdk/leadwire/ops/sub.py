"""SUB: as ADD with the second input subtracted."""

from .addition import addition

SPEC = addition("SUB", sign_b=-1)
