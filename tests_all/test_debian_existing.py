"""A database of others on a server without `uuidv7()`: looked at, and left without it."""

import subprocess

import pytest
from debian_postgresql import DebianPostgreSQL, psql
from examples.bookshop.app import app

from gatepost.errors import ConfigurationError
from gatepost.migrations.apply import find_plan
from gatepost.testing import TestApp


def dump(debian: DebianPostgreSQL, database_url: str) -> str:
    command = [str(debian.programs / "pg_dump"), "--schema-only", "--restrict-key=x", database_url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def test_a_refused_app_leaves_a_database_without_uuidv7_as_it_was(
    debian: DebianPostgreSQL, debian_url: str
) -> None:
    psql(debian_url, "CREATE TABLE books (id int); CREATE UNIQUE INDEX theirs ON books (id)")
    before = dump(debian, debian_url)
    plan = await find_plan(debian_url, app.metadata)
    assert "create the function uuidv7" in [each.summary for each in plan.allowed]
    with pytest.raises(ConfigurationError, match="did not create the table books"):
        async with TestApp(app, debian_url):
            pass
    assert dump(debian, debian_url) == before
