"""What is to be done about the indexes of a database: those that the declaration or a foreign key lacks
(`missing_indexes.py`), those that another one makes superfluous or nothing uses (`superfluous_indexes.py`), and those
whose building was interrupted.

Outside the request path: `gatepost db advise` asks. What the models lack is left to `gatepost doctor`.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from gatepost.database.index_catalog import CatalogIndex, IndexCatalog
from gatepost.models.indexes import NEED
from gatepost.models.missing_indexes import Declared, missing_indexes
from gatepost.models.schema_names import qualified
from gatepost.models.superfluous_indexes import needed_indexes, superfluous_indexes

ROWS_MIN = 1000
"""A table with fewer rows is read as a whole, because that is faster: that its indexes are unused says nothing."""

_LEFT_BEHIND = re.compile(r"_cc(new|old)\d*$")
"""What an interrupted REINDEX CONCURRENTLY leaves."""

Problem = Literal["missing", "unused", "duplicate", "invalid"]


class IndexAdvice(msgspec.Struct, frozen=True):
    """One thing to do: what is wrong with which index, why, and what changes it.

    `statement` does it without blocking writes, `undo` takes it back (None where nothing can). `creation` makes an
    index that is missing or invalid, once nothing has its name. `model` says what to change in the code as well, None
    where the code is right. `bytes` are those of the index that is there, `rows` those of the table, as PostgreSQL
    estimates them. `schema` is None for the default one.
    """

    problem: Problem
    schema: str | None
    table: str
    index: str
    reasons: list[str]
    statement: str
    creation: str | None
    undo: str | None
    model: str | None
    bytes: int
    rows: int


def advise(declared: Declared, catalog: IndexCatalog, *, now: datetime, unused_for: timedelta) -> list[IndexAdvice]:
    """All advice, that for the tables with the most rows first. An index counts as unused where PostgreSQL has counted
    for longer than `unused_for` without a use, and the index is not known to be younger."""
    found = [*_missing(declared, catalog), *_superfluous(declared, catalog, now - unused_for)]
    return sorted(found, key=lambda advice: (-advice.rows, -advice.bytes, advice.table, advice.index))


def _missing(declared: Declared, catalog: IndexCatalog) -> Iterator[IndexAdvice]:
    for each in missing_indexes(declared, catalog):
        table = catalog.tables[each.table_key]
        statement = each.statement if table.is_partitioned else each.statement.replace("INDEX", "INDEX CONCURRENTLY", 1)
        undo = f"DROP INDEX {qualified(each.name, each.table_key[0])}"
        yield IndexAdvice(
            "missing", *each.table_key, each.name, each.reasons, statement, statement, undo, each.model, 0, table.rows
        )


def _superfluous(declared: Declared, catalog: IndexCatalog, before: datetime) -> Iterator[IndexAdvice]:
    for each in catalog.indexes:
        if not (each.is_valid or each.is_being_built or catalog.tables[each.table_key].is_partitioned):
            name, rebuilds = qualified(each.name, each.schema), not _LEFT_BEHIND.search(each.name)
            words = "REINDEX INDEX CONCURRENTLY" if rebuilds else "DROP INDEX CONCURRENTLY IF EXISTS"
            reason = "its building was interrupted: each write maintains it, and no query uses it"
            yield _about("invalid", each, catalog, reason, f"{words} {name}")
    superfluous = superfluous_indexes(catalog.usable, declared.tables)
    for each, kept in superfluous.items():
        reason = f"{kept.name} {'is the same' if len(kept.keys) == len(each.keys) else 'begins with the same columns'}"
        yield _about("duplicate", each, catalog, reason, _drop(each, catalog), declared)
    if catalog.since is None or catalog.since > before:
        return
    rest = [each for each in catalog.usable if each not in superfluous]
    needed = needed_indexes(declared, catalog, rest)
    for each in rest:
        since = max(catalog.since, catalog.made.get((each.schema, each.name), catalog.since))
        is_free = not (each.is_unique or each.is_required or each in needed)
        if is_free and not each.scans and since <= before and catalog.tables[each.table_key].rows >= ROWS_MIN:
            reason = f"no query has used it since {since:%Y-%m-%d %H:%M} UTC, and each write maintains it"
            yield _about("unused", each, catalog, reason, _drop(each, catalog), declared)


def _about(  # noqa: PLR0913, PLR0917
    problem: Problem,
    index: CatalogIndex,
    catalog: IndexCatalog,
    reason: str,
    statement: str,
    declared: Declared | None = None,
) -> IndexAdvice:
    creation = index.definition.replace("INDEX", "INDEX CONCURRENTLY", 1) if statement.startswith("REINDEX") else None
    undo, model = (None, None) if declared is None else (index.definition, _undeclaring(index, declared, problem))
    return IndexAdvice(
        problem, *index.table_key, index.name, [reason], statement, creation, undo, model, index.bytes,
        catalog.tables[index.table_key].rows,
    )  # fmt: skip


def _drop(index: CatalogIndex, catalog: IndexCatalog) -> str:
    # PostgreSQL drops the index of a partitioned table with all its parts, and not CONCURRENTLY.
    concurrently = "" if catalog.tables[index.table_key].is_partitioned else " CONCURRENTLY"
    return f"DROP INDEX{concurrently} IF EXISTS {qualified(index.name, index.schema)}"


def _undeclaring(index: CatalogIndex, declared: Declared, problem: Problem) -> str | None:
    """What to take out of the code; None where the index is not from there."""
    table = declared.tables.get(index.table_key)
    found = None if table is None else next((each for each in table.indexes if each.name == index.name), None)
    words: list[str] = []
    if found is not None and NEED not in found.info:
        words.append(f"index=True of {index.keys[0].column}" if len(index.keys) == 1 else f"Index({index.name!r}, ...)")
    if found is not None and NEED in found.info:
        words.append(str(found.info[NEED]))
    elif problem == "unused" and (option := declared.options.get((index.table_key, index.keys[0].column or ""))):
        words.append(f"{option}, which would make another one")
    return f"Remove {' and '.join(words)}, in the code as well." if words else None
