"""A role that may not write, and row level security: one is a mistake in the set-up, the other refuses."""

import secrets
from collections.abc import AsyncIterator

import pytest
from outcomes_app import app, failures

from gatepost.cli.doctor_row_security import examine_row_security
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.environment import load_settings
from gatepost.settings import Settings
from gatepost.testing import TestApp


@pytest.fixture
async def teller(postgresql: EmbeddedPostgreSQL, database_url: str) -> AsyncIterator[tuple[str, str]]:
    """A role that may read everything, and the DSN with which it connects to a database that stands."""
    role = f"teller_{secrets.token_hex(4)}"
    name = database_url.partition("?")[0].rpartition("/")[2]
    async with TestApp(app, database_url):
        pass
    postgresql.execute(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA public TO {role}")
    postgresql.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", database=name)
    yield role, database_url.replace("//gatepost@", f"//{role}@", 1)
    postgresql.execute(f"DROP OWNED BY {role}", database=name)
    postgresql.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize("resource", ["bookings", "postings"])
async def test_a_role_that_may_only_read_is_a_mistake_whose_line_has_the_grant(
    teller: tuple[str, str], resource: str
) -> None:
    role, dsn = teller
    await app.start(_settings(dsn))
    try:
        client = TestApp(app, dsn).anonymous
        failures.clear()
        response = await client.post(f"/api/{resource}", json={"text": "one"})
        assert (response.status, response.json()["code"]) == (500, "internal_error")
        assert f"GRANT SELECT, INSERT, UPDATE, DELETE ON {resource} TO {role};" in str(failures[0])
        assert (await client.get(f"/api/{resource}")).status == 200
    finally:
        await app.stop()


async def test_a_row_that_row_level_security_refuses_is_forbidden_and_doctor_names_the_table(
    teller: tuple[str, str], postgresql: EmbeddedPostgreSQL, database_url: str
) -> None:
    role, dsn = teller
    name = database_url.partition("?")[0].rpartition("/")[2]
    postgresql.execute(
        f"GRANT ALL ON bookings, postings TO {role}; ALTER TABLE bookings ENABLE ROW LEVEL SECURITY; "
        "ALTER TABLE postings ENABLE ROW LEVEL SECURITY",
        database=name,
    )
    await app.start(_settings(dsn))
    try:
        client = TestApp(app, dsn).anonymous
        for resource in ("bookings", "postings"):
            response = await client.post(f"/api/{resource}", json={"text": "one"})
            assert (response.status, response.json()["code"]) == (403, "forbidden")
        connection = await app.running.database.pool.acquire()
        finding = await examine_row_security(connection.raw, app)
        assert (finding.ok, finding.is_warning) == (False, True)
        assert "bookings, postings" in finding.detail
        app.running.database.pool.release(connection)
    finally:
        await app.stop()


def _settings(dsn: str) -> Settings:
    return load_settings({"DATABASE_URL": dsn, "GATEPOST_LIMIT_FACTOR": "100000"})
