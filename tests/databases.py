"""Databases for tests: empty ones, and copies of one that was migrated once, which costs a tenth of a migration."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import MetaData

from gatepost.migrations.safe_changes import apply_lossless


class Server(Protocol):
    """What is needed of a running PostgreSQL."""

    def execute(self, script: str, *, database: str = "postgres") -> str: ...

    def dsn(self, database: str) -> str: ...


class Databases:
    """Makes and drops databases on one server; migrates one template for all apps that share their metadata."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._templates: dict[tuple[MetaData, int], str] = {}

    @contextmanager
    def opened(self, metadata: MetaData | None = None) -> Iterator[str]:
        """The DSN of a new database, migrated to `metadata` or empty; dropped afterwards in spite of connections."""
        name = f"test_{uuid.uuid4().hex}"
        template = "template1" if metadata is None else self._template(metadata)
        # The other strategy writes every page to PostgreSQL's log, which nobody reads here: a fifth more CPU.
        self._server.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield self._server.dsn(name)
        finally:
            self._server.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _template(self, metadata: MetaData) -> str:
        # Who starts an app here compares fingerprints anyway; tables that a test module adds make another template.
        models = (metadata, len(metadata.tables))
        if models not in self._templates:
            name = f"template_{uuid.uuid4().hex}"
            self._server.execute(f"CREATE DATABASE {name}")
            asyncio.run(apply_lossless(self._server.dsn(name), metadata, all_or_nothing=True))
            self._templates[models] = name
        return self._templates[models]
