"""The other commands, called as the `gatepost` script calls them: in this process, which costs no start of Python."""

import asyncio
import base64
import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.acceptance.conftest import Command

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.embedded.programs import run_script
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.server.loading import find_app

APP = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Resource, anyone, role

class Base(DeclarativeBase):
    pass

class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]

app = App(Resource(Thing, read=anyone, write=role("editor")))
"""

KEYS = """
from gatepost import UserAuthenticator

class Keys(UserAuthenticator):
    challenge = "ApiKey"

    async def verify(self, credentials):
        return None

app = App(Resource(Thing, read=anyone), authenticators=[Keys()])
"""

Gatepost = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def gatepost(project: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Gatepost:
    """Runs a command in a project; `database` gives it a database."""
    development_key(project / ".gatepost")
    monkeypatch.setenv("GATEPOST_SIGNING_KEY_FILE", str(project / ".gatepost" / KEY_FILE))

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        done = command(*arguments, stdin=stdin)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture(scope="module")
def template(postgresql: EmbeddedPostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database with the tables of the project, to copy."""
    name = f"template_{uuid.uuid4().hex}"
    folder = tmp_path_factory.mktemp("template")
    (folder / "app.py").write_text(APP)
    postgresql.execute(f"CREATE DATABASE {name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        asyncio.run(apply_lossless(postgresql.dsn(name), find_app("app:app").metadata))
        patch.delitem(sys.modules, "app")
    yield name
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(postgresql: EmbeddedPostgreSQL, template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The DSN of a migrated database, which is DATABASE_URL."""
    name = f"test_{uuid.uuid4().hex}"
    postgresql.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    monkeypatch.setenv("DATABASE_URL", postgresql.dsn(name))
    yield postgresql.dsn(name)
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.usefixtures("database")
def test_a_user_is_made_listed_and_given_a_token(gatepost: Gatepost) -> None:
    made = gatepost("users", "create", "Ada@Example.com", "-r", "editor", "--password-stdin", stdin="correct horse\n")
    assert made == (0, "Created Ada@Example.com with the roles editor.\n", "")
    [user] = json.loads(gatepost("users", "list", "--json")[1])
    assert (user["email"], user["roles"], user["is_active"]) == ("ada@example.com", ["editor"], True)
    status, token, _ = gatepost("users", "token", "ada@example.com")
    assert (status, token.count(".")) == (0, 2)


def test_what_is_done_to_users_is_a_change(gatepost: Gatepost, database: str) -> None:
    gatepost("users", "create", "ada@example.com", "-r", "console", "--password-stdin", stdin="correct horse\n")
    [user] = json.loads(gatepost("users", "list", "--json")[1])
    for command in (("set-roles", "-r", "editor"), ("deactivate",), ("activate",), ("token",), ("delete", "--yes")):
        assert gatepost("users", command[0], "ada@example.com", *command[1:])[0] == 0
    summaries = asyncio.run(
        fetched(database, "SELECT array_agg(kind || ' ' || summary ORDER BY at, number) FROM gatepost.changes")
    )
    who, by = f"The user {user['id']}", f"By uid {os.getuid()}."
    assert summaries[0] == [
        f"operator users create: {who} was created with the roles console. {by}",
        f"operator users set-roles: {who} has the roles editor. {by}",
        f"operator users deactivate: {who} was deactivated. {by}",
        f"operator users activate: {who} was activated. {by}",
        f"operator users token: {who} has a token that an operator issued. {by}",
        f"operator users delete: {who} was deleted. {by}",
    ]


def test_a_new_epoch_is_begun_after_a_yes_and_left_on_record(gatepost: Gatepost, database: str) -> None:
    gatepost("users", "create", "ada@example.com", "--password-stdin", stdin="correct horse\n")
    status, _, complaint = gatepost("backup", "new-epoch", "--json")
    assert (status, "write --yes" in complaint) == (2, True)
    status, shown, log = gatepost("backup", "new-epoch", "--yes", "--json")
    epoch = json.loads(shown)["epoch"]
    assert status == 0
    assert epoch_of(gatepost("users", "token", "ada@example.com")[1]) == epoch
    assert "operator_acted" in log, "no server runs here"
    left = fetched(database, "SELECT kind, summary FROM gatepost.changes WHERE summary LIKE 'backup%'")
    kind, summary = asyncio.run(left)
    assert (kind, summary.startswith(f"backup new-epoch: The database has the epoch {epoch}")) == ("operator", True)


def epoch_of(token: str) -> int:
    """The epoch in which a token was issued."""
    found: int = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["epo"]
    return found


async def fetched(dsn: str, sql: str) -> Any:
    """The one row of a query."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
    try:
        return await connection.fetchrow(sql)
    finally:
        await connection.close()


@pytest.mark.usefixtures("database")
def test_a_user_is_changed_deactivated_and_deleted(gatepost: Gatepost) -> None:
    ada = "ada@example.com"
    gatepost("users", "create", ada, "--password-stdin", stdin="correct horse\n")

    assert gatepost("users", "set-roles", "Ada@Example.com", "-r", "editor") == (
        0,
        "Ada@Example.com has the roles editor.\n",
        "",
    )
    assert gatepost("users", "set-password", ada, "--password-stdin", stdin="another horse\n")[0] == 0
    assert gatepost("users", "deactivate", ada) == (0, f"{ada} is inactive.\n", "")
    [user] = json.loads(gatepost("users", "list", "--json")[1])
    assert (user["roles"], user["is_active"]) == (["editor"], False)
    assert gatepost("users", "token", ada)[0] == 2
    assert gatepost("users", "activate", ada)[0] == 0
    assert gatepost("users", "token", ada)[0] == 0
    assert gatepost("users", "set-roles", ada) == (0, f"{ada} has no roles.\n", "")
    assert gatepost("users", "delete", ada)[2] == "Error: Nothing was deleted. Answer y, or write --yes.\n"
    assert gatepost("users", "delete", ada, "--yes") == (0, f"Deleted {ada}.\n", "")
    for words in (("set-roles", "-r", "editor"), ("deactivate",), ("activate",), ("delete", "--yes")):
        status, _, complaint = gatepost("users", words[0], ada, *words[1:])
        assert (status, complaint) == (
            2,
            f"Error: The user {ada} does not exist. `gatepost users list` shows them all.\n",
        )
    assert "Error: " in gatepost("users", "set-password", ada, "--password-stdin", stdin="short\n")[2]


@pytest.mark.usefixtures("database")
def test_a_role_that_no_policy_names_is_pointed_out(gatepost: Gatepost) -> None:
    made = gatepost("users", "create", "ada@example.com", "-r", "editr", "--password-stdin", stdin="correct horse\n")

    assert made[0] == 0
    assert made[2] == "Warning: No policy of the app names the role 'editr'. Did you mean 'editor'?\n"


@pytest.mark.usefixtures("database")
def test_the_roles_of_the_console_are_known(gatepost: Gatepost) -> None:
    words = ("users", "create", "ops@example.com", "-r", "console", "-r", "console.write", "--password-stdin")

    assert gatepost(*words, stdin="correct horse\n") == (
        0,
        "Created ops@example.com with the roles console, console.write.\n",
        "",
    )
    assert "Did you mean 'console.write'?" in gatepost("users", "set-roles", "ops@example.com", "-r", "console.wrte")[2]


OWN_USERS = """
from gatepost import UserColumns

class Employee(Base, UserColumns):
    __tablename__ = "employees"
    id: Mapped[int] = mapped_column(primary_key=True)
    floor: Mapped[int]

app = App(Resource(Thing, read=anyone), users=Employee)
"""


def test_a_user_with_columns_of_its_own_is_made(gatepost: Gatepost, project: Path, database: str) -> None:
    (project / "app.py").write_text(APP + OWN_USERS)
    assert gatepost("migrate", "make", "employees")[0] == 0
    run_script(database, "DROP SCHEMA public, gatepost CASCADE; CREATE SCHEMA public")
    assert gatepost("migrate", "up")[0] == 0
    arguments = ("users", "create", "ada@example.com", "--password-stdin")

    assert gatepost(*arguments, stdin="correct horse\n") == (
        2,
        "",
        "Error: Employee: A user needs a value for floor. Set it: `gatepost users create ada@example.com --set "
        "floor=...`, in tests `running.user(floor=...)`.\n",
    )
    assert gatepost(*arguments, "--set", "flor=3", stdin="correct horse\n")[2] == (
        "Error: Employee: 'flor' is not a column of the model. Did you mean 'floor'?\n"
    )
    assert gatepost(*arguments, "--set", "floor=high", stdin="correct horse\n")[2].startswith("Error: Employee.floor: ")
    assert gatepost(*arguments, "--set", "floor=3", stdin="correct horse\n")[0] == 0
    assert run_script(database, "SELECT email, floor FROM employees") == "ada@example.com|3"


def test_an_app_that_accepts_no_tokens_issues_none(gatepost: Gatepost, project: Path) -> None:
    (project / "app.py").write_text(APP + KEYS)
    status, out, complaint = gatepost("users", "token", "ada@example.com")
    assert (status, out) == (2, "")
    assert complaint.startswith("Error: App(authenticators=): accepts no access tokens")
    assert "Add BearerTokens()" in complaint


@pytest.mark.usefixtures("database")
def test_a_second_user_of_an_address_is_refused(gatepost: Gatepost) -> None:
    arguments = ("users", "create", "ada@example.com", "--password-stdin")
    gatepost(*arguments, stdin="correct horse\n")
    status, _, complaint = gatepost(*arguments, stdin="correct horse\n")
    assert status == 2
    assert complaint == "Error: The user ada@example.com exists already. Choose another e-mail address.\n"


def test_users_of_a_database_that_is_not_migrated_are_a_sentence(
    gatepost: Gatepost, monkeypatch: pytest.MonkeyPatch, postgresql: EmbeddedPostgreSQL
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgresql.dsn("postgres"))
    status, _, complaint = gatepost("users", "list")
    assert status == 2
    assert complaint == (
        'Error: DATABASE_URL: The database is not what the models need: relation "users" does not exist. In '
        "development, run `gatepost dev --migrate`; elsewhere `gatepost migrate make` and `gatepost migrate up`. "
        "`gatepost doctor` lists what the database lacks.\n"
    )


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://shop:hunter2@db/shop", "must begin with postgresql:// or postgres://."),
        (
            "postgresql://shop:hunter2@db:port/shop",
            "cannot be read. Write postgresql://user:password@host:port/database",
        ),
        ("postgresql://shop:hunter2@[::1/shop", "cannot be read. Write postgresql://user:password@host:port/database"),
        (
            "postgresql://shop:hunter2@db:99999/shop",
            "cannot be read. Write postgresql://user:password@host:port/database",
        ),
        ("postgresql://shop:hunter2@127.0.0.1:1/shop", ""),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        ("users", "list"),
        ("users", "token", "ada@example.com"),
        ("migrate", "up"),
        ("migrate", "make", "first"),
        ("migrate", "check"),
    ],
    ids=" ".join,
)
def test_a_database_url_that_leads_nowhere_is_a_sentence(
    gatepost: Gatepost, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], url: str, sentence: str
) -> None:
    (Path.cwd() / "migrations" / "versions").mkdir(parents=True)
    monkeypatch.setenv("DATABASE_URL", url)
    status, out, complaint = gatepost(*words)
    assert (status, out) == (2, "")
    assert complaint.startswith(f"Error: DATABASE_URL: {sentence}")
    assert len(complaint.splitlines()) == 1
    assert "hunter2" not in complaint


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("words", "password", "sentence"),
    [
        (("users", "token", "a\udcffb@x"), "", "The argument 'a\\udcffb@x' is not UTF-8."),
        (
            ("users", "create", "a\udcffb@x", "--password-stdin"),
            "correct horse\n",
            "The argument 'a\\udcffb@x' is not UTF-8.",
        ),
        (
            ("users", "create", "a@x", "-r", "\udcff", "--password-stdin"),
            "correct horse\n",
            "The argument '\\udcff' is not UTF-8.",
        ),
        (("limits", "show", "\udcff@x"), "", "The argument '\\udcff@x' is not UTF-8."),
        (("migrate", "make", 'a\nb\udcff"""'), "", 'The argument \'a\\nb\\udcff"""\' is not UTF-8.'),
        (("users", "create", "a@x", "--password-stdin"), "correct horse\udcff\n", "The password is not UTF-8."),
    ],
)
def test_text_that_is_not_utf_8_is_a_sentence(
    gatepost: Gatepost, words: tuple[str, ...], password: str, sentence: str
) -> None:
    status, out, complaint = gatepost(*words, stdin=password)
    assert (status, out) == (2, "")
    assert complaint == f"Error: {sentence} Write its characters in UTF-8.\n"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("words", [("users", "token", "ada@example.com"), ("users", "list"), ("migrate", "status")])
def test_a_setting_that_is_too_large_is_a_sentence(
    gatepost: Gatepost, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("GATEPOST_TOKEN_MINUTES", "1e308")
    sentence = "Error: GATEPOST_TOKEN_MINUTES: must be from 0.1 to 525600, is '1e308'.\n"
    assert gatepost(*words) == (2, "", sentence)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("words", [("up",), ("down",), ("status",), ("check",), ("adopt",), ("make", "x")])
@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            ["revision = 'a'\ndown_revision = 'b'\n", "revision = 'b'\ndown_revision = 'a'\n"],
            "migrations: Cycle is detected",
        ),
        (["revision = 'a'\ndown_revision = 'a'\n"], "migrations: Self-loop is detected"),
        (["import sys\nsys.exit(7)\n"], "migrations: A revision ends the program with the status 7."),
    ],
    ids=["cycle", "loop", "exit"],
)
def test_revisions_that_cannot_be_read_are_a_sentence(
    gatepost: Gatepost, project: Path, words: tuple[str, ...], texts: list[str], sentence: str
) -> None:
    versions = project / "migrations" / "versions"
    versions.mkdir(parents=True)
    for number, text in enumerate(texts):
        (versions / f"{number}.py").write_text(text)
    status, out, complaint = gatepost("migrate", *words)
    assert (status, out) == (2, "")
    assert complaint.startswith(f"Error: {sentence}")
    assert len(complaint.splitlines()) == 1


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("folder", ["file", "/proc/x", "x" * 300, "with_folder"])
def test_a_folder_that_cannot_be_used_is_a_sentence(gatepost: Gatepost, project: Path, folder: str) -> None:
    (project / "file").write_text("")
    (project / "with_folder" / "versions" / "x.py").mkdir(parents=True)
    (project / "with_folder" / "versions" / "a.py").write_text("revision = 'a'\ndown_revision = None\n")
    for words in [("make", "x"), ("down",)]:
        status, out, complaint = gatepost("migrate", *words, "--folder", folder)
        assert (status, out) == (2, "")
        assert folder in complaint, complaint
        assert len(complaint.splitlines()) == 1


def test_a_password_is_never_taken_from_the_command_line_or_a_pipe_unasked(gatepost: Gatepost) -> None:
    status, _, complaint = gatepost("users", "create", "ada@example.com", stdin="correct horse\n")
    assert (status, "--password-stdin" in complaint) == (2, True)
    assert gatepost("users", "create", "ada@example.com", "--password", "correct horse")[0] == 2


@pytest.mark.usefixtures("database")
def test_doctor_finds_nothing_wrong_where_nothing_is(gatepost: Gatepost) -> None:
    status, out, _ = gatepost("doctor", "--json")
    findings = json.loads(out)
    assert [finding for finding in findings if not finding["ok"]] == []
    assert status == 0
    assert {finding["check"] for finding in findings} >= {"python", "packages", "database", "migrations", "clock"}


@pytest.mark.usefixtures("database")
def test_doctor_warns_of_a_policy_that_can_raise_on_a_row(gatepost: Gatepost, project: Path) -> None:
    rule = "from gatepost import policy\n\ndef rare(row, actor):\n    return 100 / row.id > 2\n"
    (project / "app.py").write_text(rule + APP.replace("read=anyone", "read=policy(rare)"))
    _, out, _ = gatepost("doctor")
    assert "WARN policies: rare (Thing.list) has " in out
    assert "things.id" in out
    assert "a division by zero raises, and one such row makes the list fail for everybody" in out


@pytest.mark.usefixtures("database")
def test_a_misspelt_setting_is_pointed_out(gatepost: Gatepost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_PROT", "8123")
    status, out, _ = gatepost("doctor")
    assert status == 0, "a server works all the same"
    assert (
        "WARN settings: GATEPOST_PROT is not a Gatepost setting and has no effect. Did you mean GATEPOST_PORT?" in out
    )
    assert "Warning: GATEPOST_PROT is not a Gatepost setting" in gatepost("config", "show")[2]


def test_doctor_names_a_database_that_is_away_and_the_hint(
    gatepost: Gatepost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@/nothing?host={tmp_path}")
    status, out, _ = gatepost("doctor")
    assert status == 1
    assert (
        f"FAIL database: DATABASE_URL: PostgreSQL at the socket {tmp_path}/.s.PGSQL.5432 cannot be reached: No" in out
    )
    assert "Start PostgreSQL, or correct DATABASE_URL" in out


@pytest.mark.usefixtures("database")
def test_doctor_reckons_the_connections_that_a_rolling_restart_needs(
    gatepost: Gatepost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEPOST_WORKERS", "4")
    monkeypatch.setenv("GATEPOST_DATABASE_POOL_SIZE", "20")
    status, out, _ = gatepost("doctor")
    assert status == 1
    assert (
        "FAIL connections: an instance opens up to 170 (2 x 4 worker(s) x (20 in the pool + 1 listener) + 2 for the "
        "monitor), and there is room for " in out
    )
    assert "Set GATEPOST_DATABASE_POOL_SIZE to " in out


CONSOLE_DATA = ["/{page}", "/{page}/{name}", "/{page}/{name}/{key}", "/{page}/{name}/{key}/{rest}"]


def test_routes_are_listed_for_scripts(gatepost: Gatepost) -> None:
    status, out, _ = gatepost("routes", "--json")
    routes = json.loads(out)
    created = next(route for route in routes if route["operation"].endswith(".create"))
    assert (status, created["method"], created["allow"]) == (0, "POST", "role('editor')")
    assert created["rate_limit"] == "10000 / 15 min"
    assert created["handler"] == f"derived from Thing app.py:{APP.splitlines().index('class Thing(Base):') + 1}"
    assert {(route["method"], route["path"]) for route in routes} == {
        *(("GET", "/api/things"), ("POST", "/api/things")),
        *((method, "/api/things/{id}") for method in ("GET", "PATCH", "DELETE")),
        *(("POST", "/api/auth/login"), ("GET", "/api/auth/me"), ("GET", "/livez"), ("GET", "/readyz")),
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/docs/{name}"),
        ("GET", "/openapi.json"),
        ("GET", "/problems/{code}"),
        *(("GET", f"/console{rest}") for rest in ("", "/{page}", "/{page}/{name}", "/assets/{name}")),
        *(("GET", f"/console{rest}") for rest in ("/assets/{folder}/{name}", "/api/session")),
        ("GET", "/console/assets/{version}/{folder}/{name}"),
        *((method, f"/console/api{rest}") for method in ("GET", "PUT") for rest in CONSOLE_DATA),
        *((method, "/console/session") for method in ("POST", "DELETE")),
    }


def test_routes_say_which_method_of_a_service_responds(gatepost: Gatepost) -> None:
    bookshop = Path(__file__).parents[2] / "examples" / "bookshop" / "app.py"
    line = (
        bookshop.read_text().splitlines().index("    async def create(self, draft: Order, actor: Actor) -> Order:") + 1
    )
    status, out, _ = gatepost("routes", "examples.bookshop.app:app", "--json")
    orders = {route["operation"]: route for route in json.loads(out) if route["operation"].startswith("orders.")}
    assert (status, list(orders)) == (0, ["orders.list", "orders.get", "orders.create"])
    assert orders["orders.create"]["handler"] == f"Orders.create {bookshop}:{line}"
    assert orders["orders.create"]["allow"] == "owner('buyer_id')"
    assert orders["orders.list"]["handler"].startswith(f"derived from Order {bookshop}:")
    table = gatepost("routes", "examples.bookshop.app:app")[1]
    assert [
        title for title in ("method", "path", "operation", "allow", "rate limit", "handler") if title not in table
    ] == []


@pytest.mark.usefixtures("database")
def test_the_shell_awaits_and_an_error_is_status_1(gatepost: Gatepost) -> None:
    status, out, complaint = gatepost("shell", "-c", "async with tx() as t: print(type(t.session).__name__ != '')")
    assert (status, out) == (0, "True\n"), complaint
    assert gatepost("shell", "-c", "1 / 0")[0] == 1


@pytest.mark.usefixtures("database")
def test_the_shell_has_the_models_and_their_verbs(gatepost: Gatepost) -> None:
    made = "async with tx() as t: row = await t.service(Thing).create(Thing(title='First'), t.actor); print(row.title)"
    assert gatepost("shell", "-c", made)[:2] == (0, "First\n")


@pytest.mark.parametrize(
    ("typed", "status", "complaint"),
    [
        ("print(await tx(", 2, "Error: --command: ends before it is complete. Close what it opens.\n"),
        ("x = = 1", 1, "SyntaxError: invalid syntax\n"),
        ("tx().nothing", 1, "AttributeError: '_AsyncGeneratorContextManager' object has no attribute 'nothing'\n"),
        (
            "async with tx() as t: t.service(int)",
            1,
            "Error: service(): int has no resource.\n",
        ),
    ],
)
@pytest.mark.usefixtures("database")
def test_a_mistake_in_the_shell_is_shown_without_what_runs_it(
    gatepost: Gatepost, typed: str, status: int, complaint: str
) -> None:
    actual, out, shown = gatepost("shell", "-c", typed)
    assert (actual, out) == (status, "")
    assert shown.endswith(complaint)
    assert "cli/shell.py" not in shown


@pytest.mark.usefixtures("database")
def test_a_migration_is_made_and_checked(gatepost: Gatepost) -> None:
    assert gatepost("migrate", "check")[0] == 0
    assert gatepost("migrate", "check", "--json")[:2] == (0, "[]\n")
    status, out, _ = gatepost("migrate", "make", "first")
    assert (status, "Wrote migrations/versions/" in out) == (0, True)
    status, out, complaint = gatepost("migrate", "check", "--json")
    assert (status, complaint) == (1, "")
    assert any("the revision has not run" in difference for difference in json.loads(out))
    assert gatepost("migrate", "check")[0] == 1
    assert gatepost("migrate", "adopt")[0] == 0
    assert gatepost("migrate", "check")[0] == 0


def test_without_files_the_database_itself_is_checked(
    gatepost: Gatepost, database: str, postgresql: EmbeddedPostgreSQL
) -> None:
    assert gatepost("migrate", "check")[:2] == (
        0,
        "Models and database agree. There are no migration files in migrations.\n",
    )
    postgresql.execute("ALTER TABLE things DROP COLUMN title", database=urlsplit(database).path[1:])
    status, out, complaint = gatepost("migrate", "check")
    assert (status, out) == (1, "")
    assert "add the column things.title" in complaint, complaint


def test_settings_are_shown_with_their_source_and_without_secrets(gatepost: Gatepost, database: str) -> None:
    status, out, _ = gatepost("config", "show", "--json")
    rows = {row["variable"]: row for row in json.loads(out)}
    assert status == 0
    assert (rows["DATABASE_URL"]["value"], rows["DATABASE_URL"]["source"]) == ("***", "environment")
    assert rows["GATEPOST_SIGNING_KEY"]["source"] == "GATEPOST_SIGNING_KEY_FILE"
    assert rows["GATEPOST_LIMIT_FACTOR"]["source"] == "derived"
    assert database not in out


def test_a_document_is_written_and_what_breaks_it_is_refused(gatepost: Gatepost, project: Path) -> None:
    assert gatepost("openapi", "--output", "openapi.json") == (0, "", "")
    assert gatepost("openapi")[1] == (project / "openapi.json").read_text()
    assert gatepost("openapi", "check") == (0, "Nothing breaks for clients of openapi.json.\n", "")

    earlier = json.loads((project / "openapi.json").read_text())
    earlier["paths"]["/api/sold"] = earlier["paths"]["/api/things"]
    (project / "earlier.json").write_text(json.dumps(earlier))

    status, lines, sentence = gatepost("openapi", "check", "earlier.json")
    assert (status, lines) == (1, "GET /api/sold: the operation is gone.\nPOST /api/sold: the operation is gone.\n")
    assert "2 breaking change(s) for clients of earlier.json" in sentence
    status, found, _ = gatepost("openapi", "check", "earlier.json", "--json")
    assert (status, [change["operation"] for change in json.loads(found)]) == (1, ["GET /api/sold", "POST /api/sold"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("[1]", "is not a JSON object"),
        ("{", "is not a JSON object"),
        ("{}", "is not an OpenAPI document"),
        ('{"openapi": "3.1.0", "paths": {"/": {"$ref": "#/x"}}}', "leads nowhere"),
    ],
)
def test_what_is_not_a_document_is_compared_with_nothing(
    gatepost: Gatepost, project: Path, content: str | None, words: str
) -> None:
    if content is not None:
        (project / "openapi.json").write_text(content)
    status, _, sentence = gatepost("openapi", "check")
    assert status == 2
    assert words in sentence


def test_eject_writes_source_and_says_what_is_left_to_do(gatepost: Gatepost, project: Path) -> None:
    status, source, steps = gatepost("eject", "Thing.service")
    assert status == 0
    compile(source, "things.py", "exec")
    assert "class Things(Service[Thing]):" in source
    assert steps.startswith("\nNext, in app.py:14:\n    Resource(Thing, ..., service=Things)\n"), steps
    assert "app.py declares both Thing and its resource" in steps

    status, out, steps = gatepost("eject", "Thing.service", "--verb", "update", "--to", "things.py")
    assert (status, out) == (0, "Wrote things.py.\n")
    assert "    from things import Things\n" in steps
    written = (project / "things.py").read_text()
    assert "async def update" in written
    assert "async def create" not in written

    status, out, error = gatepost("eject", "Thing.dto", "--to", "things.py")
    assert (status, out) == (2, "")
    assert "things.py: exists already. Name another file, or replace it with --force." in error
    assert (project / "things.py").read_text() == written
    status, out, error = gatepost("eject", "Thing.dto", "--to", "things.py", "--force", "--json")
    assert (status, error) == (0, "")
    found = json.loads(out)
    assert found["source"] == (project / "things.py").read_text()
    assert found["resource"]["creates"] == "ThingBody"
    assert (found["model"], found["part"], found["file"]) == ("Thing", "dto", "things.py")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Thin.dto",), "Did you mean 'Thing'?"),
        (("Thing.table",), "is not a part of a resource"),
        (("Thing.dto", "--force"), "Write --to FILE --force."),
        (("Thing.dto", "--to", "no/such/folder.py"), "no/such/folder.py: cannot be written"),
    ],
)
def test_eject_refuses_what_it_cannot_write(gatepost: Gatepost, arguments: tuple[str, ...], words: str) -> None:
    status, out, error = gatepost("eject", *arguments)
    assert (status, out) == (2, "")
    assert words in " ".join(error.split())
