"""`gatepost db sizes`: how large the database and its tables are."""

import sys
from typing import TYPE_CHECKING

from gatepost.cli.db_waits import on_database
from gatepost.cli.output import print_json, print_table
from gatepost.cli.sizes import shown_bytes, shown_count

if TYPE_CHECKING:
    from gatepost.database.sizes import DatabaseSizes


def print_sizes(count: int, *, as_json: bool) -> None:
    """Print the size of the database and of its largest tables."""
    from gatepost.database.sizes import read_sizes

    found: DatabaseSizes = on_database(lambda connection: read_sizes(connection, count))
    if as_json:
        print_json(found)
        return
    sys.stdout.write(f"{found.database}: {shown_bytes(found.bytes)}\n")
    print_table(
        ("table", "rows", "dead rows", "total", "rows on disk", "indexes", "long values"),
        [
            (
                each.table, shown_count(each.rows), shown_count(each.dead_rows), shown_bytes(each.bytes),
                shown_bytes(each.table_bytes), shown_bytes(each.index_bytes), shown_bytes(each.toast_bytes),
            )
            for each in found.tables
        ],
    )  # fmt: skip
