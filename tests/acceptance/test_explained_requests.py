"""`gatepost explain` on a real PostgreSQL: the indexes, the users of the database, and nothing that is written."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples.bookshop.app import app as bookshop
from tests.acceptance.conftest import Command

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.embedded.programs import run_script
from gatepost.migrations.safe_changes import apply_lossless

ROOT = Path(__file__).parents[2]

ROWS = """
INSERT INTO authors (name) VALUES ('Ada');
INSERT INTO books (title, price, stock, author_id) SELECT 'Title ' || n, n / 10.0, 1, authors.id
FROM authors, generate_series(1, 3000) AS n;
INSERT INTO users (email, roles) VALUES ('ada@example.com', '{editor}');
ANALYZE;
"""

APP = ("--app", "examples.bookshop.app:app")


@pytest.fixture(scope="module")
def books(postgresql: EmbeddedPostgreSQL) -> Iterator[str]:
    """The DSN of a bookshop with many books, one author and one user."""
    name = f"explained_{uuid.uuid4().hex}"
    postgresql.execute(f"CREATE DATABASE {name}")
    dsn = postgresql.dsn(name)
    asyncio.run(apply_lossless(dsn, bookshop.metadata))
    run_script(dsn, ROWS)
    yield dsn
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(autouse=True)
def settings(books: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", books)
    monkeypatch.chdir(ROOT)  # after `command`, so that sources are shown as the documentation shows them


def test_the_documentation_shows_what_is_printed(command: Command) -> None:
    page = (ROOT / "docs/how-to/explain-a-request.md").read_text()
    shown = page.split("```console\n")[1].split("```")[0]
    line, _, output = shown.partition("\n")
    assert line == '$ gatepost explain "GET /api/books?price[lt]=5&sort=price&fields=title"'

    printed = command("explain", "GET /api/books?price[lt]=5&sort=price&fields=title", *APP)

    assert printed.stdout == output


def test_a_table_that_is_read_whole_is_said_to_be(command: Command) -> None:
    printed = command("explain", "GET /api/authors?name=Ada", *APP, "--json")

    [statement] = json.loads(printed.stdout)["statements"]
    assert statement["plan"] == ["Seq Scan on authors, the whole table"]
    assert statement["other_plan"] != statement["plan"]
    assert " on authors by " in statement["other_plan"][0]


def test_a_user_of_the_database_sends_the_request(command: Command) -> None:
    printed = command("explain", "GET /api/orders", *APP, "--as", "Ada@example.com")

    assert "ada@example.com" in printed.stdout.lower()
    assert "roles: editor" in printed.stdout
    assert "orders.buyer_id = $1::UUID" in printed.stdout
    assert command("explain", "GET /api/orders", *APP, "--as", "eve@example.com").stderr == (
        "Error: The user eve@example.com does not exist. `gatepost users list` shows them all.\n"
    )


def test_nothing_is_written(command: Command, books: str) -> None:
    before = run_script(books, "SELECT count(*), sum(stock), max(updated_at) FROM books")
    key = run_script(books, "SELECT id FROM books LIMIT 1")
    for request in ("POST /api/books", f"PATCH /api/books/{key}", f"DELETE /api/books/{key}"):
        printed = command("explain", request, *APP, "--role", "editor")
        assert (printed.returncode, printed.stderr) == (0, "")
        assert "index " in printed.stdout or request.startswith("POST")
        assert "The indexes are not known" not in printed.stdout

    assert run_script(books, "SELECT count(*), sum(stock), max(updated_at) FROM books") == before


def test_a_refused_request_is_exit_status_1_and_a_wrong_argument_2(command: Command) -> None:
    assert command("explain", "GET /api/books?stock=1", *APP).returncode == 1
    assert command("explain", "books", *APP).returncode == 2
    both = command("explain", "GET /api/books", *APP, "--as", "ada@example.com", "--role", "editor")
    assert (both.returncode, both.stderr) == (
        2,
        "Error: --as and --role are given. A user has roles already: leave one of them out.\n",
    )


def test_without_a_database_the_rest_is_shown(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    away = command("explain", "GET /api/books", *APP)
    assert away.returncode == 0
    assert "FROM books" in away.stdout
    assert "The indexes are not known. " in away.stdout
    assert "127.0.0.1" in away.stdout

    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.chdir(tmp_path)
    none = command("explain", "GET /api/books", *APP)
    assert (none.returncode, "There is no database: DATABASE_URL is not set" in none.stdout) == (0, True)


def test_tables_that_are_missing_are_named(
    command: Command, postgresql: EmbeddedPostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgresql.dsn("postgres"))

    printed = command("explain", "GET /api/books", *APP)

    assert printed.returncode == 0
    assert 'PostgreSQL cannot plan books.list: relation "books" does not exist' in printed.stdout
