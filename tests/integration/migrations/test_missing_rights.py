"""What the role may not do is refused with the statement to run; once that is run, it works."""

import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from migrated_models import run, things
from sqlalchemy import Column, MetaData, Text
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.orm import Mapped

from gatepost import App, Model, Resource, UserColumns, anyone
from gatepost.cli.doctor_database import examine_database
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.migrations.file_commands import make, up
from gatepost.migrations.record import RECORD_SCHEMA
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.models.base import NAMING
from gatepost.models.schema_objects import add_object, extension


class Base(Model):
    """Tables of this app alone."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class ClerkNote(Base):
    __tablename__ = "clerk_notes"

    title: Mapped[str]


class ClerkUser(Base, UserColumns):
    __tablename__ = "clerk_users"


class Clerk(NamedTuple):
    """A role that may do nothing yet, and the DSN by which it reaches the database of the test."""

    name: str
    url: str
    owner_url: str

    async def obey(self, refusal: ConfigurationError) -> str:
        """Run what the refusal says as the owner, who is a superuser here, and return it."""
        (order,) = re.findall(r"(?:GRANT|ALTER|CREATE EXTENSION) [^;]*;", str(refusal))
        await run(self.owner_url, order)
        return order.replace(self.name, "clerk").replace(urlsplit(self.url).path[1:], "shop")


@pytest.fixture
async def clerk(database_url: str, postgresql: EmbeddedPostgreSQL) -> AsyncIterator[Clerk]:
    """A role for which the record of Gatepost is there."""
    name = f"role_{uuid.uuid4().hex}"
    postgresql.execute(f"CREATE ROLE {name} LOGIN")
    try:
        await run(database_url, f"CREATE SCHEMA {RECORD_SCHEMA} AUTHORIZATION {name}")
        yield Clerk(name, database_url.replace("gatepost@", f"{name}@"), database_url)
    finally:
        await run(database_url, f"DROP OWNED BY {name}")
        postgresql.execute(f"DROP ROLE {name}")


async def test_a_schema_in_which_nothing_may_be_created(clerk: Clerk) -> None:
    with pytest.raises(ConfigurationError, match="permission denied for schema public") as refused:
        await apply_lossless(clerk.url, things(), all_or_nothing=True)

    assert "Since PostgreSQL 15 only the owner of a database may create objects in its schema public" in str(
        refused.value
    )
    assert await clerk.obey(refused.value) == "GRANT USAGE, CREATE ON SCHEMA public TO clerk;"
    assert (await apply_lossless(clerk.url, things(), all_or_nothing=True)).statements


async def test_a_schema_in_which_no_file_may_create_anything(clerk: Clerk, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    await make(clerk.owner_url, things(), folder, "First")
    with pytest.raises(ConfigurationError, match="permission denied for schema public") as refused:
        await up(clerk.url, folder)

    assert await clerk.obey(refused.value) == "GRANT USAGE, CREATE ON SCHEMA public TO clerk;"
    assert len(await up(clerk.url, folder)) == 1


async def test_the_doctor_says_that_nothing_may_be_created_and_each_remedy_once(clerk: Clerk) -> None:
    app = App(Resource(ClerkNote, read=anyone, sort=["title"]), users=ClerkUser)
    found = await examine_database(load_settings({"DATABASE_URL": clerk.url}), app)
    hints = [finding.hint or "" for finding in found if not finding.ok]

    (order,) = [hint for hint in hints if "GRANT" in hint]
    assert order.startswith(f"Run as the owner: GRANT USAGE, CREATE ON SCHEMA public TO {clerk.name};")
    assert len([hint for hint in hints if "gatepost dev --migrate" in hint]) == 1
    await run(clerk.owner_url, order.partition("owner: ")[2].partition(";")[0])
    found = await examine_database(load_settings({"DATABASE_URL": clerk.url}), app)
    assert not [finding for finding in found if "GRANT" in (finding.hint or "")]


async def test_a_database_in_which_no_schema_may_be_made(clerk: Clerk) -> None:
    with pytest.raises(ConfigurationError, match="permission denied for database") as refused:
        await apply_lossless(clerk.url, in_schema("sales"), all_or_nothing=True)

    assert await clerk.obey(refused.value) == "GRANT CREATE ON DATABASE shop TO clerk;"
    assert (await apply_lossless(clerk.url, in_schema("sales"), all_or_nothing=True)).statements


async def test_an_extension_that_may_not_be_created(clerk: Clerk) -> None:
    await run(clerk.owner_url, f"GRANT CREATE ON SCHEMA public TO {clerk.name}")
    metadata = things(Column("x", CITEXT))
    add_object(metadata.tables["things"], extension("citext"))
    with pytest.raises(ConfigurationError, match="permission denied to create extension") as refused:
        await apply_lossless(clerk.url, metadata, all_or_nothing=True)

    assert await clerk.obey(refused.value) == 'CREATE EXTENSION "citext";'
    assert (await apply_lossless(clerk.url, metadata, all_or_nothing=True)).statements


async def test_a_table_of_another_owner(clerk: Clerk, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    await make(clerk.owner_url, things(), folder, "First")
    await up(clerk.owner_url, folder)
    await make(clerk.owner_url, things(Column("x", Text)), folder, "Second")
    await run(clerk.owner_url, f"GRANT SELECT, UPDATE, INSERT, DELETE ON alembic_version TO {clerk.name}")
    with pytest.raises(ConfigurationError, match="must be owner of table things") as refused:
        await up(clerk.url, folder)

    assert await clerk.obey(refused.value) == "ALTER TABLE things OWNER TO clerk;"
    await run(clerk.owner_url, f"GRANT USAGE, CREATE ON SCHEMA public TO {clerk.name}")
    assert len(await up(clerk.url, folder)) == 1


async def test_the_table_of_revisions_of_another_owner(clerk: Clerk, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    await make(clerk.owner_url, things(), folder, "First")
    await up(clerk.owner_url, folder)
    with pytest.raises(ConfigurationError, match="permission denied for table alembic_version") as refused:
        await up(clerk.url, folder)

    order = await clerk.obey(refused.value)
    assert order == "GRANT SELECT, INSERT, UPDATE, DELETE ON alembic_version TO clerk;"
    assert await up(clerk.url, folder) == []


def in_schema(name: str) -> MetaData:
    """The table `things`, in a schema."""
    metadata = MetaData(schema=name)
    things().tables["things"].to_metadata(metadata, schema=name)
    return metadata
