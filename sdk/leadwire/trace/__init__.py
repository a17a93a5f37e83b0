"""Traceability: hazard → requirement → report section → test → result → digest, and everything that breaks the chain.

requirements (the TOML file) and results (JUnit files) meet in the `matrix`; `tables` (CSV, JUnit), `page` (HTML) and
`reqif` write it. docs/manual/traceability.md is the reference.
"""
