"""`DeploymentWatch`: sees that another release runs than before, and that the database was migrated or restored."""

import asyncio
from contextlib import suppress

import msgspec

from gatepost.database.epoch_row import read_epoch
from gatepost.errors import ConfigurationError
from gatepost.events import EpochRaised
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.instances import InstanceBeats
from gatepost.records.changes import ChangeKind, change
from gatepost.records.records_database import RecordsAway, RecordsConnection

LOOK_SECONDS = 15.0

_READABLE = """
SELECT name FROM unnest($1::text[]) AS name
WHERE to_regclass(name) IS NOT NULL AND has_schema_privilege(
  (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(name)), 'USAGE'
) AND has_table_privilege(to_regclass(name), 'SELECT')
"""
_HEADS = "SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num), '') FROM alembic_version"
_FINGERPRINT = "SELECT fingerprint FROM gatepost.schema_fingerprints ORDER BY applied_at DESC, fingerprint LIMIT 1"


class Deployment(msgspec.Struct):
    """What ran when it was last looked at: the release, the heads of the migrations, and the fingerprint of the models
    that the database was brought to, and its epoch; None where that is not known."""

    release: str | None = None
    heads: str | None = None
    fingerprint: str | None = None
    epoch: int | None = None


class DeploymentWatch:
    """Compares with what it has seen before, which is kept in a file; without one, with what the database says that the
    instance was."""

    def __init__(self, context: MonitorContext, beats: InstanceBeats) -> None:
        self._context = context
        self._beats = beats
        self._file = context.monitored.files.snapshot("deployment")
        self._known = self._file.load_as(Deployment)

    @property
    def known(self) -> Deployment:
        """What ran when it last looked."""
        return self._known or Deployment()

    async def run(self) -> None:
        """Look every LOOK_SECONDS."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._beats.has_tried.wait(), LOOK_SECONDS)
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Note what is another than before."""
        known = self._known or Deployment(self._beats.release_before)
        found = Deployment(self._context.monitored.release, known.heads, known.fingerprint, known.epoch)
        with suppress(RecordsAway, ConfigurationError):  # this role may not read the epoch: a start is refused for that
            async with self._context.database.connection() as connection:
                await _read(connection, found)
        if found == self._known:
            return
        if None not in (known.release, found.release) and found.release != known.release:
            self._note("release", f"Release {found.release} runs; before it was {known.release}.", found.release)
        if known.heads is not None and found.heads != known.heads:
            heads, before = found.heads or "none", known.heads or "none"
            self._note("migration", f"The database is at the revision {heads}; before it was at {before}.", found.heads)
        elif known.fingerprint is not None and found.fingerprint != known.fingerprint:
            self._note("migration", "The database has been brought to other models.")
        if known.epoch is not None and found.epoch is not None and found.epoch > known.epoch:
            self._context.events.emit(EpochRaised(found.epoch, known.epoch))
        self._known = found
        self._file.save(msgspec.msgpack.encode(found))

    def _note(self, kind: ChangeKind, summary: str, subject: str | None = None) -> None:
        self._context.changes.add(change(kind, summary, subject=subject))


async def _read(connection: RecordsConnection, found: Deployment) -> None:
    names = ["alembic_version", "gatepost.schema_fingerprints"]
    readable = {row[0] for row in await connection.fetch(_READABLE, names)}
    if names[0] in readable:
        found.heads = await connection.fetchval(_HEADS)
    if names[1] in readable:
        found.fingerprint = await connection.fetchval(_FINGERPRINT)
    found.epoch = await read_epoch(connection)
