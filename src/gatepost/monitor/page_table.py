"""`PageTable`: which page the admin listener serves at which path."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

import msgspec

from gatepost.events import Events, TaskFailed

JSON = "application/json"

Access = Literal["socket", "token", "browser"]
"""By the socket, with the token, or in a browser in which somebody has entered the token."""


class Page(NamedTuple):
    """A response. `headers` are sent besides those that every response has, or in their place."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = {}


class Request(NamedTuple):
    """What is asked, and by whom: `operator` says it in words, and `access` how they came. `name` is the end of the
    path, where the page is one of many; `query` has the last value of each parameter, `headers` those of the request,
    by their names in lower case."""

    method: str
    path: str
    accept: str
    body: bytes
    operator: str
    query: Mapping[str, str] = {}
    name: str = ""
    access: Access = "socket"
    headers: Mapping[str, str] = {}


Respond = Callable[[Request], Page]


class PageTable:
    """Pages by method and path. They are made in threads of the listener; `events` get the errors of those that
    fail."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._pages: dict[str, dict[str, Respond]] = {}
        self._trees: dict[str, Respond] = {}

    def add(self, method: str, path: str, respond: Respond) -> None:
        """Serve a page. A path that ends in a slash stands for all one segment longer, the request's `name`."""
        self._pages.setdefault(path, {})[method] = respond

    def add_tree(self, path: str, respond: Respond) -> None:
        """Have `respond` serve whatever is asked at a path of one segment and below it, where no page is."""
        self._trees[path] = respond

    def methods(self) -> dict[str, list[str]]:
        """The methods of each path."""
        return {path: list(by_method) for path, by_method in self._pages.items()}

    def find(self, request: Request) -> Page:
        """The response to a request."""
        if (tree := self._tree_of(request)) is not None:
            return self._made(tree, request)
        base, _, name = request.path.rpartition("/")
        by_method = self._pages.get(request.path)
        if by_method is None and name:
            by_method = self._pages.get(f"{base}/")
            request = request._replace(name=unquote(name))
        if by_method is None:
            return json_page(404, {"detail": f"There is nothing at {request.path}.", "paths": sorted(self._pages)})
        respond = by_method.get("GET" if request.method == "HEAD" else request.method)
        if respond is None:
            return json_page(405, {"detail": f"{request.path} takes {', '.join(by_method)}."})
        return self._made(respond, request)

    def _tree_of(self, request: Request) -> Respond | None:
        if request.path in self._pages or not request.path.startswith("/"):
            return None
        return self._trees.get(f"/{request.path[1:].partition('/')[0]}")

    def _made(self, respond: Respond, request: Request) -> Page:
        try:
            return respond(request)
        except TimeoutError:
            return json_page(503, {"detail": "The monitor does not respond in time: try again."})
        except Exception as error:
            above = request.path.rpartition("/")[0]
            self._events.emit(TaskFailed(task=f"monitor: the page {above}/", error=error))
            return json_page(500, {"detail": "The page cannot be made: `gatepost logs --level error` says why."})


def json_page(status: int, body: Any) -> Page:
    """A response in JSON."""
    return Page(status, JSON, msgspec.json.encode(body) + b"\n")
