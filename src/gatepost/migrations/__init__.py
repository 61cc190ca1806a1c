"""Bringing a database to the declaration: `lossless.apply_lossless` without files, `commands` with revision files.

Not in the request path, and never imported by a serving process: Alembic costs it 150 ms and 20 MiB. The command line
imports `gatepost.migrations.commands` (make, up, down, status, check) and `gatepost.migrations.lossless` when it runs.
"""
