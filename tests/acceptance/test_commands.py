"""The other commands, called as the `gatepost` script calls them, on a migrated database."""

import asyncio
import importlib
import io
import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.cli.main import main
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.migrations.safe_changes import apply_lossless

APP = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Resource, anyone, role

class Base(DeclarativeBase):
    pass

class {model}(Base):
    __tablename__ = "{table}"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]

app = App(Resource({model}, read=anyone, write=role("editor")))
"""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def gatepost(
    tmp_path: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Command]:
    """Runs a command in a project of its own, whose database is migrated."""
    name = f"app_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(APP.format(model=f"M{name}", table=name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("GATEPOST_APP", f"{name}:app")
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("NO_COLOR", "1")
    development_key(tmp_path / ".gatepost")
    monkeypatch.setenv("GATEPOST_SIGNING_KEY_FILE", str(tmp_path / ".gatepost" / KEY_FILE))
    app = importlib.import_module(name).app
    asyncio.run(apply_lossless(database_url, app.metadata))

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    yield run
    sys.modules.pop(name)


def test_a_user_is_made_listed_and_given_a_token(gatepost: Command) -> None:
    made = gatepost("users", "create", "Ada@Example.com", "-r", "editor", "--password-stdin", stdin="correct horse\n")
    assert made == (0, "Made Ada@Example.com with the roles editor.\n", "")
    [user] = json.loads(gatepost("users", "list", "--json")[1])
    assert (user["email"], user["roles"], user["is_active"]) == ("ada@example.com", ["editor"], True)
    status, token, _ = gatepost("users", "token", "ada@example.com")
    assert (status, token.count(".")) == (0, 2)


def test_a_second_user_of_an_address_is_refused(gatepost: Command) -> None:
    arguments = ("users", "create", "ada@example.com", "--password-stdin")
    gatepost(*arguments, stdin="correct horse\n")
    status, _, complaint = gatepost(*arguments, stdin="correct horse\n")
    assert status == 2
    assert complaint == "Error: There is a user ada@example.com already. Choose another e-mail address.\n"


def test_users_of_a_database_that_is_not_migrated_are_a_sentence(
    gatepost: Command, monkeypatch: pytest.MonkeyPatch, postgresql: EmbeddedPostgreSQL
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgresql.dsn("postgres"))
    status, _, complaint = gatepost("users", "list")
    assert status == 2
    assert complaint.startswith('Error: DATABASE_URL: relation "users" does not exist.')
    assert "gatepost migrate up" in complaint


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://shop:hunter2@db/shop", "must begin with postgresql:// or postgres://."),
        (
            "postgresql://shop:hunter2@db:port/shop",
            "cannot be read. Write postgresql://user:password@host:port/database",
        ),
        ("postgresql://shop:hunter2@127.0.0.1:1/shop", ""),
    ],
)
@pytest.mark.parametrize(
    "command",
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
    gatepost: Command, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], url: str, sentence: str
) -> None:
    (Path.cwd() / "migrations" / "versions").mkdir(parents=True)
    monkeypatch.setenv("DATABASE_URL", url)
    status, out, complaint = gatepost(*command)
    assert (status, out) == (2, "")
    assert complaint.startswith(f"Error: DATABASE_URL: {sentence}")
    assert len(complaint.splitlines()) == 1
    assert "hunter2" not in complaint


def test_a_password_is_never_taken_from_the_command_line_or_a_pipe_unasked(gatepost: Command) -> None:
    status, _, complaint = gatepost("users", "create", "ada@example.com", stdin="correct horse\n")
    assert (status, "--password-stdin" in complaint) == (2, True)
    assert gatepost("users", "create", "ada@example.com", "--password", "correct horse")[0] == 2


def test_doctor_finds_nothing_wrong_where_nothing_is(gatepost: Command) -> None:
    status, out, _ = gatepost("doctor", "--json")
    findings = json.loads(out)
    assert [finding for finding in findings if not finding["ok"]] == []
    assert status == 0
    assert {finding["check"] for finding in findings} >= {"python", "packages", "database", "migrations", "clock"}


def test_doctor_warns_of_a_policy_that_can_raise_on_a_row(
    gatepost: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"app_{uuid.uuid4().hex}"
    source = APP.format(model=f"M{name}", table=name).replace("read=anyone", "read=policy(rare)")
    rule = "from gatepost import policy\n\ndef rare(row, actor):\n    return 100 / row.id > 2\n"
    (tmp_path / f"{name}.py").write_text(rule + source)
    importlib.invalidate_caches()
    monkeypatch.setenv("GATEPOST_APP", f"{name}:app")
    _, out, _ = gatepost("doctor")
    assert f"WARN policies: rare (M{name}.list) has " in out
    assert f"{name}.id" in out
    assert "a division by zero raises, and one row takes the list from everybody" in out


def test_a_misspelt_setting_is_pointed_out(gatepost: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_PROT", "8123")
    status, out, _ = gatepost("doctor")
    assert status == 0, "a server works all the same"
    assert (
        "WARN settings: GATEPOST_PROT is not a Gatepost setting and has no effect. Did you mean GATEPOST_PORT?" in out
    )
    assert "Warning: GATEPOST_PROT is not a Gatepost setting" in gatepost("config", "show")[2]


def test_doctor_names_a_database_that_is_away_and_the_hint(
    gatepost: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@/nothing?host={tmp_path}")
    status, out, _ = gatepost("doctor")
    assert status == 1
    assert "FAIL database: cannot be reached" in out
    assert "Start PostgreSQL, or correct DATABASE_URL" in out


def test_doctor_reckons_the_connections_that_a_rolling_restart_needs(
    gatepost: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEPOST_WORKERS", "4")
    monkeypatch.setenv("GATEPOST_DATABASE_POOL_SIZE", "20")
    status, out, _ = gatepost("doctor")
    assert status == 1
    assert (
        "FAIL connections: an instance opens up to 170 (2 x 4 worker(s) x (20 in the pool + 1 listener) + 2 for the "
        "monitor), for which there is room for " in out
    )
    assert "Set GATEPOST_DATABASE_POOL_SIZE to " in out


def test_routes_are_listed_for_scripts(gatepost: Command) -> None:
    status, out, _ = gatepost("routes", "--json")
    routes = json.loads(out)
    created = next(route for route in routes if route["action"].endswith(".create"))
    assert (status, created["method"], created["allow"]) == (0, "POST", "role('editor')")
    assert created["rate_limit"] == "10000 / 15 min"
    name = os.environ["GATEPOST_APP"].removesuffix(":app")
    lines = Path(f"{name}.py").read_text().splitlines()
    assert created["handler"] == f"derived from M{name} {name}.py:{lines.index(f'class M{name}(Base):') + 1}"
    assert {(route["method"], route["path"]) for route in routes} == {
        *(("GET", f"/api/{name}"), ("POST", f"/api/{name}")),
        *((method, f"/api/{name}/{{id}}") for method in ("GET", "PATCH", "DELETE")),
        *(("POST", "/api/auth/login"), ("GET", "/api/auth/me"), ("GET", "/livez"), ("GET", "/readyz")),
    }


def test_routes_say_which_method_of_a_service_answers(gatepost: Command) -> None:
    bookshop = Path(__file__).parents[2] / "examples" / "bookshop" / "app.py"
    line = (
        bookshop.read_text().splitlines().index("    async def create(self, draft: Order, actor: Actor) -> Order:") + 1
    )
    status, out, _ = gatepost("routes", "examples.bookshop.app:app", "--json")
    orders = {route["action"]: route for route in json.loads(out) if route["action"].startswith("orders.")}
    assert (status, list(orders)) == (0, ["orders.list", "orders.get", "orders.create"])
    assert orders["orders.create"]["handler"] == f"Orders.create {bookshop}:{line}"
    assert orders["orders.create"]["allow"] == "owner('buyer_id')"
    assert orders["orders.list"]["handler"].startswith(f"derived from Order {bookshop}:")
    table = gatepost("routes", "examples.bookshop.app:app")[1]
    assert [
        title for title in ("method", "path", "action", "allow", "rate limit", "handler") if title not in table
    ] == []


def test_the_shell_awaits_and_an_error_is_status_1(gatepost: Command) -> None:
    status, out, complaint = gatepost("shell", "-c", "async with tx() as t: print(type(t.session).__name__ != '')")
    assert (status, out) == (0, "True\n"), complaint
    assert gatepost("shell", "-c", "1 / 0")[0] == 1


def test_the_shell_has_the_models_and_their_verbs(gatepost: Command) -> None:
    model = "M" + os.environ["GATEPOST_APP"].removesuffix(":app")
    made = f"async with tx() as t: row = await t.model({model}).create({model}(title='First')); print(row.title)"
    assert gatepost("shell", "-c", made)[:2] == (0, "First\n")


@pytest.mark.parametrize(
    ("command", "status", "complaint"),
    [
        ("print(await tx(", 2, "Error: --command: ends before it is complete. Close what it opens.\n"),
        ("x = = 1", 1, "SyntaxError: invalid syntax\n"),
        ("tx().nothing", 1, "AttributeError: '_AsyncGeneratorContextManager' object has no attribute 'nothing'\n"),
        (
            "async with tx() as t: t.model(int)",
            1,
            "Error: service(): int has no resource.\n",
        ),
    ],
)
def test_a_mistake_in_the_shell_is_shown_without_what_runs_it(
    gatepost: Command, command: str, status: int, complaint: str
) -> None:
    actual, out, shown = gatepost("shell", "-c", command)
    assert (actual, out) == (status, "")
    assert shown.endswith(complaint)
    assert "cli/shell.py" not in shown


def test_a_migration_is_made_and_checked(gatepost: Command) -> None:
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


def test_without_files_the_database_itself_is_checked(gatepost: Command, postgresql: EmbeddedPostgreSQL) -> None:
    table = os.environ["GATEPOST_APP"].removesuffix(":app")
    assert gatepost("migrate", "check")[:2] == (
        0,
        "Models and database agree. There are no migration files in migrations.\n",
    )
    postgresql.execute(f"ALTER TABLE {table} DROP COLUMN title", database=urlsplit(os.environ["DATABASE_URL"]).path[1:])
    status, out, complaint = gatepost("migrate", "check")
    assert (status, out) == (1, "")
    assert f"add the column {table}.title" in complaint, complaint


def test_settings_are_shown_with_their_source_and_without_secrets(gatepost: Command, database_url: str) -> None:
    status, out, _ = gatepost("config", "show", "--json")
    rows = {row["variable"]: row for row in json.loads(out)}
    assert status == 0
    assert (rows["DATABASE_URL"]["value"], rows["DATABASE_URL"]["source"]) == ("***", "environment")
    assert rows["GATEPOST_SIGNING_KEY"]["source"] == "GATEPOST_SIGNING_KEY_FILE"
    assert rows["GATEPOST_LIMIT_FACTOR"]["source"] == "derived"
    assert database_url not in out
