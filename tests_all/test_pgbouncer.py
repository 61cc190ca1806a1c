"""Behind Debian's PgBouncer: what `gatepost doctor` says of it, and what a server does."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from debian_pgbouncer import PgBouncer
from debian_postgresql import ROLE, DebianPostgreSQL, psql
from tests.acceptance.conftest import APP, Running, wait_for

from gatepost.auth.keys import KEY_FILE, development_key

GATEPOST = Path(sys.executable).parent / "gatepost"
Environ = dict[str, str]


@pytest.fixture
def environ(tmp_path: Path) -> Environ:
    """What a server of the tiny app in `tmp_path` needs, but for the database."""
    (tmp_path / "app.py").write_text(APP)
    development_key(tmp_path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST")}
    return {**kept, "GATEPOST_DRAIN_DELAY_SECONDS": "0", "GATEPOST_SIGNING_KEY_FILE": str(tmp_path / KEY_FILE)}


@pytest.fixture
def database(debian: DebianPostgreSQL, environ: Environ, tmp_path: Path) -> Iterator[str]:
    """A database with the tables of the app, and a role that nobody has set anything for."""
    url = debian.create_database("pooled")
    for words in (("make", "first"), ("up",)):
        direct = {**environ, "DATABASE_URL": debian.dsn("pooled")}
        done = subprocess.run([GATEPOST, "migrate", *words], cwd=tmp_path, env=direct, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    psql(debian.dsn("pooled"), f"GRANT USAGE ON SCHEMA gatepost TO {ROLE}")
    psql(debian.dsn("pooled"), f"GRANT ALL ON ALL TABLES IN SCHEMA public, gatepost TO {ROLE}")
    yield url
    debian.drop_database("pooled")
    psql(debian.dsn("postgres", "postgres"), f"ALTER ROLE {ROLE} RESET ALL")


def findings(pooler: PgBouncer, environ: Environ, folder: Path) -> dict[str, dict[str, Any]]:
    """What `gatepost doctor` found, by check."""
    command = [GATEPOST, "doctor", "--json"]
    asked = {**environ, "DATABASE_URL": pooler.dsn("pooled")}
    done = subprocess.run(command, cwd=folder, env=asked, capture_output=True, text=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    failures = [item for item in found if not item["ok"] and not item["is_warning"]]
    assert done.returncode == bool(failures)
    return {item["check"]: item for item in found}


async def leave_statements(dsn: str) -> None:
    """Prepare statements on the one backend that there is, where they stay: asyncpg numbers them from 1 in every
    program."""
    connection = await asyncpg.connect(dsn)
    for number in range(40):
        await connection.prepare(f"SELECT {number}, $1::integer, $2::integer, $3::integer")
    await connection.close()


def test_a_pooler_that_refuses_what_is_asked_for_is_named(
    debian: DebianPostgreSQL, database: str, environ: Environ, tmp_path: Path
) -> None:
    with PgBouncer(debian, pool_mode="session", ignored="") as pooler:
        found = findings(pooler, environ, tmp_path)["database"]
        assert not found["ok"]
        assert "unsupported startup parameter" in found["detail"]
        assert "pooler" in found["hint"]
        started = {**environ, "DATABASE_URL": pooler.dsn("pooled")}
        refused = subprocess.run([GATEPOST, "serve"], cwd=tmp_path, env=started, capture_output=True, check=False)
        assert refused.returncode == 2
        assert b"pooler" in refused.stderr


def test_transaction_mode_is_refused_and_the_hint_told(
    debian: DebianPostgreSQL, database: str, environ: Environ, tmp_path: Path
) -> None:
    with PgBouncer(debian, pool_mode="transaction") as pooler:
        found = findings(pooler, environ, tmp_path)
        started = {**environ, "DATABASE_URL": pooler.dsn("pooled")}
        refused = subprocess.run([GATEPOST, "serve"], cwd=tmp_path, env=started, capture_output=True, check=False)
        server = Running(["dev", "--port", "0"], tmp_path, started, "dev")
        try:
            wait_for(lambda: server.responds("/readyz", 503), "the refusal")
            assert "a pooler in transaction mode" in server.get("/api/notes")[1]
        finally:
            server.close()
    assert refused.returncode == 2
    assert b"DATABASE_URL: a pooler in transaction mode" in refused.stderr
    assert b"Session mode works" in refused.stderr
    assert not found["pooling"]["ok"]
    assert "a pooler in transaction mode" in found["pooling"]["detail"]
    assert not found["prepared statements"]["ok"]
    assert not found["connection settings"]["ok"]
    assert "intervalstyle" in found["connection settings"]["detail"]
    assert (found["identities"]["ok"], found["identities"]["is_warning"]) == (False, True)
    assert "Point DATABASE_URL at PostgreSQL itself" in found["identities"]["hint"]


def test_no_statement_that_another_program_prepared_is_taken_for_ours(
    debian: DebianPostgreSQL, database: str, environ: Environ, tmp_path: Path
) -> None:
    with PgBouncer(debian, pool_mode="transaction") as pooler:
        asyncio.run(leave_statements(pooler.dsn("pooled")))
        started = {**environ, "DATABASE_URL": pooler.dsn("pooled")}
        refused = subprocess.run([GATEPOST, "serve"], cwd=tmp_path, env=started, capture_output=True, check=False)
        found = findings(pooler, environ, tmp_path)
    assert b"DATABASE_URL: a pooler in transaction mode" in refused.stderr
    assert "a pooler in transaction mode" in found["pooling"]["detail"]


def test_session_mode_with_the_settings_of_the_hint_serves_but_keeps_no_identities(
    debian: DebianPostgreSQL, database: str, environ: Environ, tmp_path: Path
) -> None:
    with PgBouncer(debian, pool_mode="session") as pooler:
        for line in findings(pooler, environ, tmp_path)["connection settings"]["hint"].splitlines():
            if "ALTER ROLE" in line:
                psql(debian.dsn("postgres", "postgres"), line)
    with PgBouncer(debian, pool_mode="session") as pooler:
        found = findings(pooler, environ, tmp_path)
        assert [check for check, item in found.items() if not item["ok"]] == ["identities"]
        started = {**environ, "DATABASE_URL": pooler.dsn("pooled")}
        server = Running(["serve", "--port", "0"], tmp_path, started, "server")
        try:
            assert server.ready().get("/api/notes")[0] == 200
            wait_for(lambda: '"event":"identities_not_cached"' in server.output, "the warning")
            wait_for(lambda: psql(debian.dsn("pooled"), "SELECT count(*) FROM gatepost.history") != "0", "the records")
        finally:
            server.close()


def test_without_a_pooler_nothing_is_wrong(
    debian: DebianPostgreSQL, database: str, environ: Environ, tmp_path: Path
) -> None:
    asked = {**environ, "DATABASE_URL": database}
    done = subprocess.run([GATEPOST, "doctor"], cwd=tmp_path, env=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
