"""`LoopbackConsole`: a port of this machine that shows its console to one browser, while `gatepost console` runs.

It forwards to the admin socket of the server, which sees the user who runs the command, and lets them do what they may
do there. The browser is known by a cookie, which it gets for a secret that works once. The port is open to everybody on
the machine, and every page in the browser can send requests to it: those are refused by `Host`, `Origin` and
`Sec-Fetch-Site`. It opens nothing but the console. Files of its own release it has itself: the server is asked for the
page, which names them, and for the data.
"""

import hmac
import secrets
import socket
import threading
from email.message import Message
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs

from gatepost.console.console_files import ASSETS, HEADERS, ROOT, console_files
from gatepost.console.forwarding import Forwarding
from gatepost.monitor.admin import NOT_OWN_PAGE, TEXT, AdminServer, Arrived
from gatepost.monitor.console_file_pages import console_page, is_of_console
from gatepost.monitor.page_table import Page, Request, json_page

_ONCE = "once"
_OWN_SITE = {"same-origin", "none"}
_SAFE = {"GET", "HEAD"}


class LoopbackConsole(AdminServer):
    """Serves the console of the server at the socket `admin`, on a socket that listens on the loopback interface."""

    keeps_connections = True

    def __init__(self, listener: socket.socket, admin: Path) -> None:
        super().__init__(listener, self._forwarded, None)
        self._forwarding = Forwarding(admin)
        console_files().compress()
        self._own_files = f"{ASSETS}{console_files().version}/"
        host, port = listener.getsockname()[:2]
        self._hosts = {f"{host}:{port}", f"localhost:{port}"}
        self._cookie = f"gatepost_console_{port}"  # cookies are those of a host, whatever the port
        self._secret = secrets.token_urlsafe(32)
        self._once: str | None = secrets.token_urlsafe(32)
        self._once_lock = threading.Lock()
        self.address = f"http://{host}:{port}{ROOT}?{_ONCE}={self._once}"

    def refusal(self, arrived: Arrived) -> Page | None:
        """What is sent in place of the console; that is also what follows the address that works once."""
        if not self._is_from_own_page(arrived.method, arrived.headers):
            return Page(403, TEXT, NOT_OWN_PAGE, HEADERS)
        if self._is_known(arrived.headers):
            return None
        given = parse_qs(arrived.target.partition("?")[2]).get(_ONCE, [""])[0]
        if arrived.method == "GET" and arrived.path == ROOT and self._is_first_use(given):
            cookie = f"{self._cookie}={self._secret}; Path={ROOT}; HttpOnly; SameSite=Strict"
            return Page(303, TEXT, b"", {**HEADERS, "location": ROOT, "set-cookie": cookie})
        said = b"Open the address that `gatepost console` has printed. It works once: run the command again.\n"
        return Page(403, TEXT, said, HEADERS)

    def _is_from_own_page(self, method: str, headers: Message) -> bool:
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts or headers.get("sec-fetch-site", "none") not in _OWN_SITE:
            return False
        return method in _SAFE if origin is None else origin == f"http://{host}"

    def _is_known(self, headers: Message) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self._secret.encode())

    def _is_first_use(self, given: str) -> bool:
        with self._once_lock:
            if self._once is None or not hmac.compare_digest(given.encode(), self._once.encode()):
                return False
            self._once = None
            return True

    def _forwarded(self, request: Request) -> Page:
        if not is_of_console(request.path):
            return json_page(404, {"detail": f"There is nothing at {request.path}: the console is at {ROOT}."})
        if request.path.startswith(self._own_files):
            return console_page(request)
        found = self._forwarding.ask(request.method, request.path, request.query, request.headers, request.body)
        return Page(found.status, found.content_type, found.body, found.headers)
