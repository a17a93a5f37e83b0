"""One file, one check: TITLE, REQUIREMENTS and `look(context)`, which yields findings."""
