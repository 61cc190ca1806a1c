"""`AdminPort`: the admin listener on a port, with the console in browsers in which somebody has entered the token.

The page of the console and its files, which every installation has, are for everybody who reaches the port. Whatever is
of the instance wants the token: in `Authorization`, as everywhere on the port, or once in the form of the page. That
gives the browser a cookie of its own (`HttpOnly`, `Strict`, for `/console` alone), which opens nothing but the console,
and only to pages of its own origin.
"""

import socket
from email.message import Message
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from gatepost.console.console_files import DATA, HEADERS, ROOT, SESSION
from gatepost.events import ConsoleOpened, ConsoleRefused, Events
from gatepost.logging.text import escaped
from gatepost.monitor.admin import NOT_OWN_PAGE, TEXT, AdminServer, Arrived, FindPage, is_own_host
from gatepost.monitor.browser_sessions import LIFETIME_SECONDS, BrowserSessions, WrongTokens
from gatepost.monitor.console_file_pages import is_of_console
from gatepost.monitor.page_table import Access, Page, json_page

COOKIE = "gatepost-admin-"
"""What the name begins with: cookies are those of a host, whatever the port, so that it ends with the port that the
browser asks, which may be forwarded."""

_OWN_SITE = {"same-origin", "none"}
_SAFE = {"GET", "HEAD"}
_NOBODY = {"name": None, "may_write": False, "how": "none", "wants": "token"}


class Entered(msgspec.Struct, forbid_unknown_fields=True):
    """The body that signs somebody in: the token, and the name that their acts are written with."""

    token: Annotated[str, msgspec.Meta(max_length=1000)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80, pattern=r"\S")]


class AdminPort(AdminServer):
    """Serves pages on a port to clients that send the token, and the console to browsers. `events` get who has opened
    it, and who was refused."""

    def __init__(self, listener: socket.socket, find: FindPage, token: str, events: Events) -> None:
        super().__init__(listener, find, token)
        self._events = events
        self._sessions = BrowserSessions()
        self._wrong = WrongTokens()

    def refusal(self, arrived: Arrived) -> Page | None:
        """What is sent in place of the page; that is also what answers signing in and out."""
        if "authorization" in arrived.headers or not is_of_console(arrived.path):
            return super().refusal(arrived)
        if not _is_from_own_page(arrived):
            return Page(403, TEXT, NOT_OWN_PAGE, HEADERS)
        if arrived.path == SESSION:
            return self._signed_in(arrived) if arrived.method == "POST" else self._signed_out(arrived)
        if not arrived.path.startswith(DATA) or self._operator(arrived.headers) is not None:
            return None
        if arrived.path == f"{DATA}session" and arrived.method in _SAFE:
            return json_page(200, _NOBODY)
        return json_page(401, {"detail": "Enter the token of the admin listener."})

    def sender(self, arrived: Arrived) -> tuple[str, Access]:
        """Who asks, in words, and how they came."""
        who, access = super().sender(arrived)
        if "authorization" in arrived.headers or not is_of_console(arrived.path):
            return who, access
        return f"{self._operator(arrived.headers)}, by {who}", "browser"

    def _operator(self, headers: Message) -> str | None:
        return self._sessions.find(_cookie_of(headers))

    def _signed_in(self, arrived: Arrived) -> Page:
        if arrived.headers.get_content_type() != "application/json":  # which no form of another page can send
            return json_page(415, {"detail": "Send JSON."})
        if (seconds := self._wrong.wait_seconds(arrived.address)) > 0:
            self._events.emit(ConsoleRefused("too many wrong tokens", arrived.address))
            page = json_page(429, {"detail": f"Too many wrong tokens: try again in {seconds:.0f} s."})
            return page._replace(headers={"retry-after": f"{seconds:.0f}"})
        try:
            entered = msgspec.json.decode(arrived.body, type=Entered)
        except msgspec.DecodeError as error:
            return json_page(422, {"detail": f"{error}."})
        if not self.is_token(entered.token.strip()):
            self._wrong.note(arrived.address)
            self._events.emit(ConsoleRefused("wrong token", arrived.address))
            return json_page(403, {"detail": "This is not the token of the admin listener."})
        name = escaped(entered.name.strip())
        secret = self._sessions.begin(name)
        self._events.emit(ConsoleOpened(name, arrived.address))
        page = json_page(200, {"name": name, "may_write": True, "how": "browser"})
        return page._replace(headers={"set-cookie": _cookie(arrived.headers, secret, LIFETIME_SECONDS)})

    def _signed_out(self, arrived: Arrived) -> Page:
        if arrived.method != "DELETE":
            return json_page(405, {"detail": f"{SESSION} takes POST, DELETE."})
        self._sessions.end(_cookie_of(arrived.headers))
        return Page(204, TEXT, b"", {"set-cookie": _cookie(arrived.headers, "", 0)})


def _cookie_name(headers: Message) -> str:
    port = headers.get("host", "").rpartition(":")[2]
    return f"{COOKIE}{port if port.isascii() and port.isdecimal() else 80}"


def _cookie(headers: Message, value: str, seconds: float) -> str:
    return f"{_cookie_name(headers)}={value}; Path={ROOT}; Max-Age={seconds:.0f}; HttpOnly; SameSite=Strict"


def _cookie_of(headers: Message) -> str:
    # Not by SimpleCookie, to which one malformed cookie, of whatever else is at this host, hides the others.
    pairs = (pair.partition("=") for pair in headers.get("cookie", "").split(";"))
    wanted = _cookie_name(headers)
    return next((value.strip() for name, _, value in pairs if name.strip() == wanted), "")


def _is_from_own_page(arrived: Arrived) -> bool:
    """Whether a page of this port asks, or nobody's page: what changes something has to name its origin. Others may
    link to the page, which is the same for everybody."""
    headers = arrived.headers
    host, origin = headers.get("host", ""), headers.get("origin")
    if not is_own_host(host):
        return False
    if arrived.method in _SAFE and not arrived.path.startswith(DATA):
        return True
    if headers.get("sec-fetch-site", "none") not in _OWN_SITE:
        return False
    if origin is None:
        return arrived.method in _SAFE
    parts = urlsplit(origin)
    return parts.scheme in {"http", "https"} and parts.netloc == host
