"""Bringing a database to the declaration: `safe_changes` without files, `file_commands` with revision files.

Not in the request path, and never imported by a serving process: Alembic costs it 150 ms and 20 MiB. The command line
imports `gatepost.migrations.file_commands` (make, up, down, status, check) and
`gatepost.migrations.safe_changes` when it runs.
"""
