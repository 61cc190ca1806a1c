"""`PageTable`: which page the admin listener serves at which path."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from gatepost.events import Events, TaskFailed

JSON = "application/json"


class Page(NamedTuple):
    """A response."""

    status: int
    content_type: str
    body: bytes


class Request(NamedTuple):
    """What is asked, and by whom: `operator` says it in words. `name` is the end of the path, where the page is one of
    many; `query` has the last value of each parameter."""

    method: str
    path: str
    accept: str
    body: bytes
    operator: str
    query: Mapping[str, str] = {}
    name: str = ""


Respond = Callable[[Request], Page]


class PageTable:
    """Pages by method and path. They are made in threads of the listener; `events` get the errors of those that
    fail."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._pages: dict[str, dict[str, Respond]] = {}

    def add(self, method: str, path: str, respond: Respond) -> None:
        """Serve a page. A path that ends in a slash stands for all one segment longer, the request's `name`."""
        self._pages.setdefault(path, {})[method] = respond

    def find(self, request: Request) -> Page:
        """The response to a request."""
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
        try:
            return respond(request)
        except TimeoutError:
            return json_page(503, {"detail": "The monitor does not respond in time: try again."})
        except Exception as error:
            self._events.emit(TaskFailed(task=f"monitor: the page {base}/", error=error))
            return json_page(500, {"detail": "The page cannot be made: `gatepost logs --level error` says why."})


def json_page(status: int, body: Any) -> Page:
    """A response in JSON."""
    return Page(status, JSON, msgspec.json.encode(body) + b"\n")
