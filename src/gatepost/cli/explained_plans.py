"""How PostgreSQL would run the statements of an explanation: asked with EXPLAIN, which runs none of them.

Each question stands in a READ ONLY transaction that is rolled back.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg

from gatepost.cli.explanations import ExplainedStatement
from gatepost.database.statement_recording import RecordedStatement

if TYPE_CHECKING:
    from gatepost.database.connection import RawConnection

_WHOLE = "Seq Scan"


async def add_plans(
    connection: "RawConnection", recorded: Sequence[RecordedStatement], statements: Sequence[ExplainedStatement]
) -> str | None:
    """Fill in the plans of the statements. Returns why PostgreSQL refuses to plan one, None where it plans all."""
    for noted, explained in zip(recorded, statements, strict=True):
        await connection.execute("BEGIN READ ONLY")
        try:
            explained.plan = await _plan(connection, noted)
            if any(line.startswith(_WHOLE) for line in explained.plan):
                await connection.execute("SET LOCAL enable_seqscan = off")
                explained.other_plan = await _plan(connection, noted)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return f"PostgreSQL cannot plan {explained.name}: {error}"
        finally:
            await connection.execute("ROLLBACK")
    return None


async def _plan(connection: "RawConnection", recorded: RecordedStatement) -> list[str]:
    found: Any = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {recorded.statement.sql}", *recorded.arguments)
    plans: Any = json.loads(found) if isinstance(found, str) else found
    return [*dict.fromkeys(_lines(plans[0]["Plan"]))]


def _lines(node: Mapping[str, Any], table: str = "") -> Iterator[str]:
    """How a plan finds rows: each way once, in the order of the plan."""
    kind, index = node["Node Type"], node.get("Index Name")
    table = node.get("Relation Name", table)
    if index is not None:
        yield f"{kind} on {table} by {index}"
    elif kind == _WHOLE:
        yield f"{kind} on {table}, the whole table"
    for child in node.get("Plans", ()):
        yield from _lines(child, table)
