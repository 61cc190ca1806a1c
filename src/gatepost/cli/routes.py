"""`gatepost routes`: what was derived, and from where."""

from gatepost.cli.output import print_rows
from gatepost.cli.settings import quiet_settings
from gatepost.server.loading import find_app, reference_of
from gatepost.server.operation_rows import operation_rows

COLUMNS = ("method", "path", "operation", "allow", "rate_limit", "handler", "personal")


def print_routes(reference: str | None, *, as_json: bool) -> None:
    """Print the table of the application's operations and mounts, in the order of their declaration."""
    settings = quiet_settings()
    rows = operation_rows(find_app(reference_of(reference)).composed(settings), settings)
    shown = rows if as_json else [{**row, "personal": ", ".join(row["personal"])} for row in rows]
    print_rows(shown, as_json=as_json, columns=COLUMNS)
