"""A web application that does everything wrong that an application can do wrong; examined by `test_gate_doctor.py`."""

import json
from typing import Any

HEADERS = [
    (b"server", b"leaky/1.2.3"),
    (b"x-powered-by", b"hope"),
    (b"strict-transport-security", b"max-age=1"),
    (b"content-security-policy", b"default-src *; script-src 'unsafe-inline'"),
    (b"access-control-allow-credentials", b"true"),
    (b"access-control-allow-private-network", b"true"),
    (b"set-cookie", b"session=1"),
]
DESCRIPTION = {"paths": {"/things/{id}": {"post": {}}, "/things": {"get": {}, "post": {}}}}
TRACE = 'Traceback (most recent call last):\n  File "/srv/app/main.py", line 3, in main\n'


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Serve a request."""
    if scope["type"] != "http":
        return
    path, method = scope["path"], scope["method"]
    origin = dict(scope["headers"]).get(b"origin")
    allowed = [(b"access-control-allow-origin", origin)] if origin else []
    status, body = 200, "<p>Hello"
    if path == "/openapi.json":
        body = json.dumps(DESCRIPTION)
    elif path == "/.env":
        body = "SECRET=1\n"
    elif "\x00" in path:
        status, body = 500, TRACE
    elif method == "POST":
        more = True
        while more:
            more = (await receive()).get("more_body", False)
    elif method == "HEAD":
        status = 204
    kind = [(b"content-type", b"text/html")]
    await send({"type": "http.response.start", "status": status, "headers": [*HEADERS, *allowed, *kind]})
    await send({"type": "http.response.body", "body": body.encode()})
