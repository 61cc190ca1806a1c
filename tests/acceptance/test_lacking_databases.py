"""Databases that lack something, refuse, or go away: every command says so in a sentence, without a traceback."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.acceptance.conftest import Command

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

APP = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from gatepost import App, Resource, UserColumns, anyone, owner

class Base(DeclarativeBase):
    pass

class User(Base, UserColumns):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)

class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]

app = App(Resource(Thing, read=anyone), users=User)
"""

USERS = """
CREATE TABLE users (id serial PRIMARY KEY, email text UNIQUE NOT NULL, password_hash text, roles text[] NOT NULL,
  is_active boolean NOT NULL DEFAULT true, password_version integer NOT NULL DEFAULT 1);
CREATE TABLE things (id serial PRIMARY KEY, title text NOT NULL);
INSERT INTO users (email, roles) VALUES ('ada@example.com', '{}');
"""

END = """
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN STOP RETURN NEW; END $$;
CREATE TRIGGER stop BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stop();
"""

STATES = {
    "nothing": "",
    "a table without the columns": "CREATE TABLE users (id serial PRIMARY KEY, email text)",
    "a role without rights": USERS,
    "read only": f"{USERS} ALTER DATABASE DATABASE_NAME SET default_transaction_read_only = on",
    "a session that ends": USERS + END.replace("STOP", "PERFORM pg_terminate_backend(pg_backend_pid());"),
    "a trigger that refuses": USERS + END.replace("STOP", "RAISE EXCEPTION 'not today';"),
    "a type instead of a table": "CREATE TYPE users AS (id int)",
}

COMMANDS: dict[str, tuple[str, ...]] = {
    "users create": ("users", "create", "eve@example.com", "--password-stdin"),
    "users list": ("users", "list"),
    "users token": ("users", "token", "ada@example.com"),
    "explain": ("explain", "GET /api/things", "--as", "ada@example.com"),
    "migrate status": ("migrate", "status"),
    "migrate check": ("migrate", "check"),
    "migrate make": ("migrate", "make", "first tables"),
    "migrate up": ("migrate", "up"),
    "migrate down": ("migrate", "down"),
    "migrate adopt": ("migrate", "adopt"),
    "migrate claim": ("migrate", "claim", "--yes"),
    "doctor": ("doctor",),
}


@pytest.fixture(scope="module", params=STATES)
def lacking(request: pytest.FixtureRequest, postgresql: EmbeddedPostgreSQL) -> Iterator[tuple[str, str]]:
    """The state of a database, and its DSN."""
    name = f"lacking_{uuid.uuid4().hex}"
    postgresql.execute(f"CREATE DATABASE {name}")
    postgresql.execute(STATES[request.param].replace("DATABASE_NAME", name), database=name)
    dsn = postgresql.dsn(name)
    if request.param == "a role without rights":
        postgresql.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        parts = urlsplit(dsn)
        dsn = parts._replace(netloc=f"{name}:x@{parts.netloc.rpartition('@')[2]}").geturl()
    yield request.param, dsn
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE); DROP ROLE IF EXISTS {name}")


@pytest.fixture
def run(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    (tmp_path / "app.py").write_text(APP)
    development_key(tmp_path / ".gatepost")
    monkeypatch.setenv("GATEPOST_SIGNING_KEY_FILE", str(tmp_path / ".gatepost" / KEY_FILE))

    def call(dsn: str, *words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("DATABASE_URL", dsn)
        done = command(*words, stdin="correct horse battery\n")
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.sampled(count=35)
def test_a_command_says_in_a_sentence_what_the_database_lacks(
    lacking: tuple[str, str], name: str, run: Callable[..., tuple[int, str, str]]
) -> None:
    status, _, complaint = run(lacking[1], *COMMANDS[name])

    assert "Traceback" not in complaint
    assert status in (0, 1) or complaint.startswith("Error: "), complaint


ADVICE = {
    "nothing": 'relation "users" does not exist. In development, run `gatepost dev --migrate`',
    "a table without the columns": "does not exist. In development, run `gatepost dev --migrate`",
    "a role without rights": "lacks a right. Run as the owner: GRANT",
    "read only": "takes no writes",
    "a session that ends": "terminating connection due to administrator command. Look what the command has written",
    "a trigger that refuses": "A trigger of the database refuses this.",
    "a type instead of a table": "`gatepost doctor` lists what the database lacks.",
}


def test_the_sentence_says_what_to_do(lacking: tuple[str, str], run: Callable[..., tuple[int, str, str]]) -> None:
    state, dsn = lacking
    status, _, complaint = run(dsn, *COMMANDS["users create"])

    assert status == 2
    assert ADVICE[state] in complaint
