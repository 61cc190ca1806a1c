"""Receivers of alerts: a mail server and a server for webhooks, on free ports of this machine."""

import contextlib
import email
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from email.message import Message as Mail
from typing import Any

from aiosmtpd.controller import Controller


class Received:
    """What they got. `refuse` is what they respond instead of taking it: a status of SMTP with its text, or of HTTP."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.refuse = ""
        self.mail_port = 0
        self.hook_url = ""

    @property
    def subjects(self) -> list[str]:
        """Those of the mails, in their order."""
        return [str(mail["subject"]) for mail in self.mails]

    def posted(self) -> list[tuple[str, str]]:
        """Type and name of each alert that was posted."""
        found = [json.loads(body) for _, body in self.posts]
        return [(each["type"], each["data"]["name"]) for each in found]

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail."""
        if self.refuse:
            return self.refuse
        self.mails.append(email.message_from_bytes(envelope.content))
        return "250 queued as 7"


class _MailServer(Controller):
    """Listens on a port from the beginning: a free one that is bound later may be another's by then."""

    def __init__(self, received: Received) -> None:
        self._bound = socket.create_server(("127.0.0.1", 0))
        super().__init__(received, hostname="127.0.0.1", port=self._bound.getsockname()[1])

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._bound)


@contextlib.contextmanager
def receiving() -> Iterator[Received]:
    """Both receivers, as long as the block lasts."""
    received = Received()
    mail = _MailServer(received)
    received.mail_port = mail.port
    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(received))
    received.hook_url = f"http://127.0.0.1:{hook.server_port}/hook?of=shop"
    thread = threading.Thread(target=lambda: hook.serve_forever(0.05))
    mail.start()
    thread.start()
    try:
        yield received
    finally:
        mail.stop()
        hook.shutdown()
        thread.join()
        hook.server_close()


def _handler(received: Received) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.posts.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(int(received.refuse or 204))
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
