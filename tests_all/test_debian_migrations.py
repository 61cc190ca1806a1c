"""Migrations on Debian's PostgreSQL, by the command that its user types: made, run, undone, refused."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from debian_postgresql import DEVELOPER, ROLE, psql

ROOT = Path(__file__).parents[1]
GATEPOST = Path(sys.executable).parent / "gatepost"
TABLES = """
    SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
SHOP = (ROOT / "examples" / "bookshop" / "app.py").read_text()
ISBN = "    isbn: Mapped[str | None] = mapped_column(unique=True)\n    author: Mapped[Author] = relationship"
Migrate = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(SHOP)
    return tmp_path


@pytest.fixture
def migrate(project: Path, debian_url: str) -> Migrate:
    """Runs `gatepost migrate` in the project, as a developer; the status must be 0 unless told otherwise."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST")}
    kept |= {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments: str, succeeds: bool = True, role: str = DEVELOPER) -> "subprocess.CompletedProcess[str]":
        command = [GATEPOST, "migrate", *arguments]
        environ = {**kept, "DATABASE_URL": debian_url.replace(ROLE, role)}
        done = subprocess.run(
            command, cwd=project, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode == 0) is succeeds, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def test_a_schema_is_made_changed_and_undone_by_its_files(migrate: Migrate, project: Path, debian_url: str) -> None:
    migrate("make", "first tables")
    migrate("up")
    assert psql(debian_url, TABLES) == "alembic_version,authors,books,orders,users"
    migrate("check")

    (project / "app.py").write_text(SHOP.replace("    author: Mapped[Author] = relationship", ISBN))
    migrate("check", succeeds=False)
    migrate("make", "isbn of books")
    migrate("up")
    migrate("check")
    assert psql(debian_url.replace(ROLE, DEVELOPER), "SELECT count(isbn) FROM books") == "0"

    migrate("down")
    migrate("check", succeeds=False)
    migrate("down", "base")
    assert psql(debian_url, TABLES) == "alembic_version"
    migrate("up")
    migrate("check")


def test_a_second_making_finds_nothing_to_do(migrate: Migrate, project: Path) -> None:
    migrate("make", "first tables")
    migrate("up")
    before = sorted(project.rglob("*.py"))
    migrate("make", "nothing")
    assert sorted(project.rglob("*.py")) == before


def test_a_role_that_may_not_make_databases_runs_the_files_and_is_told_that_it_makes_none(
    migrate: Migrate, debian_url: str
) -> None:
    assert "grant the user CREATEDB" in migrate("make", "first tables", succeeds=False, role=ROLE).stderr
    migrate("make", "first tables")
    migrate("up", role=ROLE)
    assert psql(debian_url, TABLES) == "alembic_version,authors,books,orders,users"
    migrate("down", "base", role=ROLE)


def test_losing_data_is_refused(migrate: Migrate, project: Path) -> None:
    migrate("make", "first tables")
    migrate("up")
    (project / "app.py").write_text(SHOP.replace("    stock: Mapped[Annotated[int, Ge(0)]]", "    left: Mapped[int]"))
    refused = migrate("make", "rename stock", succeeds=False)
    assert "stock" in refused.stderr
