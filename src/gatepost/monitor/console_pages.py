"""The console on the admin listener: its page and files, and the data that it shows.

The data is at `/console/api/` and the path of a page of the listener, so that a browser asks at the same addresses
here, through `gatepost console`, and at a public listener. With `?instance=` it is that of another instance.
"""

from typing import Annotated

import msgspec

from gatepost.console.console_files import DATA, ROOT
from gatepost.console.forwarding import SHORTENED
from gatepost.console.shortening import shortened, widened_client
from gatepost.events import RecordsRevealed
from gatepost.monitor.console_file_pages import console_page, missing_page
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.other_instances import OtherInstances
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.query_values import text

ALL = "all"
OF_ALL = {"/history", "/changes"}
"""Pages that know of other instances by themselves: from the database."""
NOT_SHOWN = {"console", "acts"}
"""First names of paths that are no data: the console itself, and what commands note that ask no server."""
ONE_CLIENT = f"{DATA}limits/"
"""What begins the paths of what is left to a client."""


class Revealed(msgspec.Struct, forbid_unknown_fields=True):
    """The body that says on which page."""

    page: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class ConsolePages:
    """Serves them."""

    def __init__(self, context: MonitorContext) -> None:
        self._monitored = context.monitored
        self._events = context.events
        self._pages = context.pages
        self._others = OtherInstances(context)
        context.pages.add("GET", f"{DATA}session", self._session)
        context.pages.add("PUT", "/reveal", self._reveal)
        context.pages.add_tree(ROOT, self._respond)

    def _respond(self, request: Request) -> Page:
        if request.path.startswith(DATA):
            return self._shortened(request) if SHORTENED in request.headers else self._data(request)
        return console_page(request)

    def _shortened(self, request: Request) -> Page:
        """For who may not see whole addresses: nor may they find one out by asking for one after the other."""
        if request.path.startswith(ONE_CLIENT):
            page = json_page(403, {"detail": "Limits of one client are for users with the role console.write."})
        else:
            query = {name: widened_client(each) if name == "client" else each for name, each in request.query.items()}
            page = self._data(request._replace(query=query))
        return page._replace(body=shortened(page.body), headers={**page.headers, SHORTENED: "1"})

    def _data(self, request: Request) -> Page:
        kind, *names = request.path.removeprefix(DATA).split("/", 2)
        if kind in NOT_SHOWN:
            return missing_page(request)
        # The last name is what follows: networks have a slash, which no proxy lets through as an escape.
        path = "/".join(("", kind, *names[:1], *(each.replace("/", "%2F") for each in names[1:])))
        asked = request._replace(path=path)
        try:
            name = text(request.query, "instance")
        except ValueError as error:
            return json_page(422, {"detail": str(error)})
        if name is None or name in {self._monitored.instance, ALL}:
            return self._pages.find(asked)
        found = self._others.ask(name, asked)
        # What an instance that is silent has copied to the database is what is left of it.
        return self._pages.find(asked) if found.status in {503, 504} and path in OF_ALL else found

    def _reveal(self, request: Request) -> Page:
        """An operator is about to look at whole addresses and keys, which the page shortens: who does is written."""
        try:
            revealed = msgspec.json.decode(request.body, type=Revealed)
        except msgspec.DecodeError as error:
            return json_page(422, {"detail": f"{error}."})
        self._events.emit(RecordsRevealed(revealed.page, request.operator))
        return json_page(200, {"page": revealed.page})

    def _session(self, request: Request) -> Page:
        """Who is looking, and how they came: everyone who reaches the admin listener may write."""
        return json_page(
            200,
            {
                "name": request.operator,
                "may_write": True,
                "how": request.access,
                "instance": self._monitored.instance,
                "environment": self._monitored.settings.server.environment,
                "port": self._monitored.port,
            },
        )
