"""The table of PostgreSQL's codes in docs/reference/errors.md: made of the responses to their errors.

`python tests/unit/database/sqlstate_table.py` writes it; a test compares it.
"""

from pathlib import Path
from typing import Any

import asyncpg

from gatepost.database.failures import problem_of
from gatepost.database.sqlstates import CLASSES, CODES, Meaning, meaning_of
from gatepost.services.refused_values import MEANINGS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "errors.md"

BEGIN, END = "<!-- codes -->\n", "<!-- /codes -->\n"

HEAD = """| codes | what it means | found by PostgreSQL | chosen by `RAISE` | the session has ended |
| --- | --- | --- | --- | --- |
"""

SENTENCES = {
    Meaning.STATEMENT: "A mistake in a statement, a function or a trigger; any other class, which somebody made up.",
    Meaning.MISTAKE: "A mistake in the code or the set-up.",
    Meaning.REFUSED: "A trigger refuses the write.",
    Meaning.VALUE: "A value does not fit its column.",
    Meaning.LIMIT: "A row is larger than PostgreSQL can store, or a value too long for an index.",
    Meaning.CONSTRAINT: "A constraint; the code and the fields are those of [the constraint](#codes-of-constraints).",
    Meaning.CHECK_OPTION: "The check option of a view.",
    Meaning.PRIVILEGE: "A missing right: the log has the `GRANT` to run. Row level security: 403 `forbidden`.",
    Meaning.TRANSIENT: "A collision with another transaction; a service's `attempts` run again first.",
    Meaning.LOCKED: "A lock did not become free in time.",
    Meaning.SLOW: "A statement took longer than its limit.",
    Meaning.EXPIRED: "A transaction took longer than PostgreSQL's `transaction_timeout`.",
    Meaning.FULL: "There is no room left.",
    Meaning.OUT_OF_MEMORY: "There is no memory left.",
    Meaning.READ_ONLY: "The transaction may only read. Where the server takes no writes: 503 `database_read_only`.",
    Meaning.LOST: "The connection is lost or refused.",
}


def error_of(state: str, routine: str, severity: str = "ERROR") -> Any:
    """An error as asyncpg raises it for an INSERT."""
    fields = {"C": state, "M": "words", "S": severity, "V": severity, "R": routine}
    return asyncpg.PostgresError.new(fields, "INSERT INTO things VALUES (1)")


def response_of(state: str, routine: str = "ExecInsert", severity: str = "ERROR") -> str:
    """Status and code of the response to an INSERT that failed so."""
    problem: Any = problem_of(error_of(state, routine, severity), lambda broken: None)
    return "500 internal_error" if problem is None else f"{problem.status} {problem.code}"


def table() -> str:
    """The whole table."""
    return HEAD + "".join(_row(meaning) for meaning in SENTENCES)


def _row(meaning: Meaning) -> str:
    codes = sorted([code for code, found in {**CLASSES, **CODES}.items() if found is meaning])
    state = next(code if len(code) == 5 else f"{code}000" for code in codes if meaning_of(f"{code}000"[:5]) is meaning)
    by_value = "derived: 422 `invalid_body`; else " if state in MEANINGS else ""
    if meaning is Meaning.LIMIT:
        by_value = "422 `invalid_body` where a value sent is long; else "
    ended = _cell(response_of(state, severity="FATAL")) if meaning in (Meaning.LOST, Meaning.EXPIRED) else ""
    shown = [by_value + _cell(response_of(state)), by_value + _cell(response_of(state, "exec_stmt_raise")), ended]
    return f"| {', '.join(codes)} | {SENTENCES[meaning]} | {' | '.join(shown)} |\n"


def _cell(response: str) -> str:
    status, code = response.split()
    return f"{status} `{code}`"


def in_page(page: str) -> str:
    """The table as it stands in the page."""
    return page.partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2])
