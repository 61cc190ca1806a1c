"""Commands on a database that others made: it stays as it is until somebody says otherwise."""

import asyncio
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.acceptance.conftest import Command, Start, wait_for

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import ConfigurationError
from gatepost.server.loading import find_app
from gatepost.testing import TestApp

Environ = dict[str, str]

MINE = '''
"""A model of a table that was there before."""
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Resource, anyone


class Base(DeclarativeBase):
    pass


class Mine(Base):
    __tablename__ = "mine"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


app = App(Resource(Mine, read=anyone))
'''
THEIRS = """
create table mine (id serial primary key, name text not null);
create table theirs (id serial primary key, a int, b int check (b > 1));
create unique index theirs_ab on theirs (a, b);
create index mine_long on mine (name) where length(name) > 3;
alter table mine add constraint name_is_short check (length(name) < 100);
insert into mine (name) values ('first');
"""
OTHERS = """
create type mood as enum ('sad', 'glad');
create schema elsewhere;
create table elsewhere.mine (id int primary key, feeling mood);
create function touch() returns trigger language plpgsql as $$begin return new; end$$;
create trigger touched before update on mine for each row execute function touch();
create view seen as select id from mine;
create rule quiet as on delete to theirs do instead nothing;
create sequence numbers;
comment on table mine is 'of long ago';
grant select on seen to public;
"""


def with_more(kind: str) -> str:
    """The model with one column more."""
    return MINE.replace("name: Mapped[str]", f"name: Mapped[str]\n    more: Mapped[{kind}]")


def dump(postgresql: EmbeddedPostgreSQL, database_url: str) -> str:
    command = [str(postgresql.programs / "pg_dump"), "--schema-only", "--restrict-key=x", database_url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def execute(database_url: str, script: str) -> None:
    async def run_script() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute(script)
        await connection.close()

    asyncio.run(run_script())


@pytest.fixture
def existing(project: Path, production: Environ) -> Environ:
    """A project with a model of one table of a database that is there already."""
    (project / "app.py").write_text(MINE)
    execute(production["DATABASE_URL"], THEIRS)
    return production


def test_no_command_changes_a_database_of_others_unasked(
    start: Start, command: Command, existing: Environ, environ: Environ, project: Path, postgresql: EmbeddedPostgreSQL
) -> None:
    url = existing["DATABASE_URL"]
    execute(url, OTHERS)
    before = dump(postgresql, url)

    development = {**environ, "DATABASE_URL": url}
    server = start("dev", "--port", "0", environ=development).ready()
    assert server.get("/api/mine")[0] == 200
    for words in ("nothing was changed in it", "gatepost dev --migrate", "create the table users"):
        assert words in server.output
    assert "theirs" not in server.output
    server.close()
    assert dump(postgresql, url) == before

    server = start("serve", "--port", "0", environ=existing).ready()
    assert server.get("/api/mine")[0] == 200
    server.close()
    assert dump(postgresql, url) == before

    (project / "migrations" / "versions").mkdir(parents=True)
    for words in (["doctor"], ["migrate", "status"], ["migrate", "check"], ["migrate", "claim"]):
        command(*words, environ=existing)
        assert dump(postgresql, url) == before, words


def test_dev_migrates_what_is_asked_for_and_drops_nothing_of_others(
    start: Start, existing: Environ, environ: Environ, project: Path, postgresql: EmbeddedPostgreSQL
) -> None:
    url = existing["DATABASE_URL"]
    before = dump(postgresql, url)
    server = start("dev", "--port", "0", "--migrate", environ={**environ, "DATABASE_URL": url}).ready()
    assert "Migrated the database" in server.output
    assert server.get("/api/mine")[0] == 200
    after = dump(postgresql, url)
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []
    assert "CREATE TABLE public.users" in after

    source = (project / "app.py").read_text()
    (project / "app.py").write_text(
        source.replace("name: Mapped[str]", "name: Mapped[str]\n    more: Mapped[int | None]")
    )
    words = "Gatepost did not create the table mine and leaves it unchanged; the models need: add the column mine.more"
    wait_for(lambda: words in server.output, "the refusal to add to a table of others")
    assert dump(postgresql, url) == after
    server.close()

    server = start("dev", "--port", "0", "--migrate", "--extend", environ={**environ, "DATABASE_URL": url}).ready()
    assert server.get("/api/mine?fields=more")[0] == 200
    server.close()
    assert "theirs_ab" in dump(postgresql, url)


async def test_a_test_app_refuses_with_the_list_before_it_changes_anything(
    database_url: str, postgresql: EmbeddedPostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "extended_mine.py").write_text(
        MINE.replace("name: Mapped[str]", "name: Mapped[str]\n    more: Mapped[float]")
    )
    (tmp_path / "plain_mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # finding an app adds its folder
    connection = await asyncpg.connect(database_url)
    await connection.execute(THEIRS)
    before = dump(postgresql, database_url)
    app = find_app("extended_mine:app")
    with pytest.raises(ConfigurationError) as refusal:
        async with TestApp(app, database_url):
            pass
    for words in ("add the column mine.more", "add the check", "Nothing was changed", "extend=True"):
        assert words in str(refusal.value)
    assert dump(postgresql, database_url) == before

    async with TestApp(find_app("plain_mine:app"), database_url) as running:
        assert (await running.anonymous.get("/api/mine")).data == [{"id": 1, "name": "first"}]
    assert "theirs_ab" in dump(postgresql, database_url)

    await connection.execute("delete from mine")
    async with TestApp(app, database_url, extend=True) as running:
        assert (await running.anonymous.get("/api/mine")).data == []
    after = dump(postgresql, database_url)
    for words in ("theirs_ab", "mine_long", "name_is_short"):
        assert words in after
    await connection.close()


@pytest.mark.parametrize(
    "users",
    [
        "create table users (id serial primary key, login text)",
        "create view users as select 1 as id",
    ],
)
async def test_a_users_table_of_others_is_refused_by_name(
    database_url: str, postgresql: EmbeddedPostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, users: str
) -> None:
    (tmp_path / "mine_with_users.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # finding an app adds its folder
    connection = await asyncpg.connect(database_url)
    await connection.execute(THEIRS + users)
    before = dump(postgresql, database_url)
    for extend in (False, True):
        with pytest.raises(
            ConfigurationError, match=r"`users` exists and is not Gatepost's: write App\(users=\.\.\.\)"
        ):
            async with TestApp(find_app("mine_with_users:app"), database_url, extend=extend):
                pass
    assert dump(postgresql, database_url) == before
    await connection.close()


@pytest.mark.parametrize("flags", [[], ["--migrate", "--extend"]])
def test_dev_refuses_a_users_table_of_others(
    start: Start, existing: Environ, environ: Environ, postgresql: EmbeddedPostgreSQL, flags: list[str]
) -> None:
    url = existing["DATABASE_URL"]
    execute(url, "create table users (id serial primary key, login text)")
    before = dump(postgresql, url)
    server = start("dev", "--port", "0", *flags, environ={**environ, "DATABASE_URL": url})
    wait_for(lambda: "write App(users=...) or choose another table" in server.output, "the refusal")
    server.close()
    assert dump(postgresql, url) == before


def test_an_empty_database_is_migrated_without_asking_and_then_is_asked_about(
    start: Start, environ: Environ, project: Path, database_url: str
) -> None:
    (project / "app.py").write_text(MINE)
    development = {**environ, "DATABASE_URL": database_url}
    server = start("dev", "--port", "0", environ=development).ready()
    assert "Migrated the database" in server.output
    (project / "app.py").write_text(
        MINE.replace("name: Mapped[str]", "name: Mapped[str]\n    more: Mapped[int | None]")
    )
    wait_for(lambda: "`gatepost dev --migrate` would:\n  add the column mine.more" in server.output, "the question")


def test_claim_lists_asks_and_records(command: Command, existing: Environ) -> None:
    listed = command("migrate", "claim", environ=existing)
    assert listed.returncode == 1
    assert "mine" in listed.stdout
    assert "theirs" not in listed.stdout
    assert "Nothing was recorded. Run `gatepost migrate claim --yes`." in listed.stdout
    assert listed.stderr == ""
    as_json = command("migrate", "claim", "--json", environ=existing)
    assert as_json.returncode == 1, as_json.stderr
    assert '"claimed": false' in as_json.stdout
    claimed = command("migrate", "claim", "--yes", "--json", environ=existing)
    assert (claimed.returncode, '"claimed": true' in claimed.stdout) == (0, True)
    nothing = command("migrate", "claim", environ=existing)
    assert (nothing.returncode, nothing.stdout) == (0, "There is nothing to claim.\n")


def test_files_run_without_the_app_and_say_that_nothing_is_recorded(
    command: Command, existing: Environ, project: Path
) -> None:
    execute(existing["DATABASE_URL"], "drop table mine, theirs, notes")
    assert command("migrate", "make", "first", environ=existing).returncode == 0
    (project / "app.py").unlink()
    ran = command("migrate", "up", environ=existing)
    assert ran.returncode == 0
    assert "is not recorded as Gatepost's, because the app cannot be loaded" in ran.stderr
    assert command("migrate", "up", "--app", "app:app", environ=existing).returncode == 2


HINTS = [
    ("create table users (id serial primary key, login text)", "name: Mapped[str]", "App(users=...)"),
    ("select 1", "name: Mapped[str]\n    more: Mapped[int | None]", "`gatepost dev --migrate --extend` adds"),
    ("select 1", "name: Mapped[int]", "or the database by hand"),
]


@pytest.mark.parametrize(("statement", "columns", "hint"), HINTS)
def test_doctor_names_what_helps_on_a_database_of_others(
    command: Command, existing: Environ, project: Path, statement: str, columns: str, hint: str
) -> None:
    execute(existing["DATABASE_URL"], statement)
    (project / "app.py").write_text(MINE.replace("name: Mapped[str]", columns))
    examined = command("doctor", environ=existing).stdout
    migrations = examined[examined.index("FAIL migrations") :]
    assert hint in migrations
    assert "`gatepost migrate status`" not in examined
    if "users" in statement:
        identities = examined[examined.index("WARN identities") : examined.index("FAIL migrations")]
        assert "See `migrations` below." in identities
        assert "migrate up" not in examined


def test_doctor_says_that_a_server_is_read_only_and_what_to_do(command: Command, existing: Environ) -> None:
    url = existing["DATABASE_URL"]
    execute(url, f"alter database {urlsplit(url).path[1:]} set default_transaction_read_only = on")
    for words in ("doctor", "migrate check"):
        ran = command(*words.split(), environ=existing)
        assert "The server is read-only" in ran.stdout + ran.stderr
        assert "DATABASE_URL at the primary server" in ran.stdout + ran.stderr


def test_make_says_which_tables_are_there_already_and_what_to_do(command: Command, existing: Environ) -> None:
    made = command("migrate", "make", "first", environ=existing)
    assert made.returncode == 0, made.stderr
    assert "tables already that this file creates: mine" in made.stderr
    assert "gatepost migrate adopt" in made.stderr
    assert "gatepost migrate up`." not in made.stdout
