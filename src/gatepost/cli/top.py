"""How `gatepost top` shows a view: once as text or JSON, or on a terminal again and again until Ctrl-C."""

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gatepost.cli.output import print_json, print_table, table_of
from gatepost.cli.top_views import VIEWS, View, Wanted
from gatepost.errors import ConfigurationError
from gatepost.logging.text import escaped

if TYPE_CHECKING:
    from rich.console import RenderableType

REFRESH_SECONDS = 2.0


def print_view(wanted: Wanted, *, as_json: bool) -> bool:
    """Print it once; False where the server is not well."""
    view = VIEWS[wanted.view](wanted)
    if as_json:
        print_json(view.found)
        return view.is_well
    for part in view.parts:
        if isinstance(part, str):
            sys.stdout.write(f"{escaped(part)}\n")
        else:
            print_table(*part)
    return view.is_well


def watch_view(wanted: Wanted) -> None:
    """Show it until Ctrl-C. A server that is gone is waited for."""
    from rich.console import Console
    from rich.live import Live

    console = Console(markup=False, highlight=False)
    with suppress(KeyboardInterrupt), Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(_drawn(wanted), refresh=True)
            time.sleep(REFRESH_SECONDS)


def _drawn(wanted: Wanted) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    try:
        view = VIEWS[wanted.view](wanted)
    except ConfigurationError as error:
        view = View({}, [str(error)], is_well=False)
    drawn: list[RenderableType] = []
    for number, part in enumerate(view.parts):
        if not isinstance(part, str):
            drawn.append(table_of(*part))
        elif number == 0:
            drawn.append(Text(escaped(part), style="bold" if view.is_well else "bold red"))
        else:
            drawn.append(Text(escaped(part)))
    return Group(*drawn)
