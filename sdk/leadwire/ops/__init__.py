"""What leadwire knows of each TFLite operator: one module per operator, discovered by name (`registry`).

A module of this package defines `SPEC: OperatorSpec` (see `spec`); its rules are at once the check, the error message
and a row of the generated SUPPORTED_OPS.md.
"""
