"""`gatepost db slow`: statements of a server that took long, and how PostgreSQL runs them."""

import sys
from typing import Any

from gatepost.cli.admin_client import ask
from gatepost.cli.output import print_json
from gatepost.cli.sql_layout import laid_out
from gatepost.logging.text import escaped


def print_slow(*, port: int | None, as_json: bool) -> None:
    """Print them, the one that took longest first."""
    statements: list[dict[str, Any]] = ask("GET", "/statements", port=port)["statements"]
    if as_json:
        print_json(statements)
        return
    if not statements:
        sys.stdout.write("No statement was slow.\n")
    for found in statements:
        times = "once" if found["count"] == 1 else f"{found['count']} times"
        head = f"{found['name']}: {times}, {found['longest_seconds']:g} s at most, last at {found['last_at']}"
        plan = found["plan"] or "It is explained within a minute or so."
        lines = [head, *(f"  {line}" for line in [*laid_out(found["sql"]), "", *plan.splitlines()]), ""]
        sys.stdout.write("".join(f"{escaped(line.rstrip())}\n" for line in lines))
