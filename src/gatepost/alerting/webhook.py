"""`WebhookSender`: posts messages, signed as Standard Webhooks says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the receiver computes
HMAC-SHA256 of `id.timestamp.body` with the shared secret, compares it, and refuses old timestamps.
"""

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import time
from urllib.parse import urlsplit

import msgspec

from gatepost.alerting.loopback import is_loopback
from gatepost.alerting.messages import AlertMessage
from gatepost.alerting.undelivered import Undelivered
from gatepost.errors import ConfigurationError
from gatepost.moments import shown_moment

SECONDS_MAX = 10.0
SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets of webhooks begin with
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64


def webhook_key(secret: str) -> bytes:
    """The key in a secret. Raises ConfigurationError."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise ConfigurationError(
            f"must be {SECRET_PREFIX} and {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes in base64.",
            location="GATEPOST_ALERT_WEBHOOK_SECRET",
            hint='Make one: echo "whsec_$(openssl rand -base64 32)".',
        )
    return key


def is_open_webhook(url: str) -> bool:
    """Whether it is sent through a network in plain text."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def check_webhook_url(url: str) -> None:
    """Raises ConfigurationError, which does not show the URL: some have a secret in them."""
    try:
        parts = urlsplit(url)
        _ = parts.port
        is_right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        is_right = False
    if not is_right or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigurationError(
            "is not a URL.", location="GATEPOST_ALERT_WEBHOOK_URL", hint="Write https://host/path, without a user."
        )


class WebhookSender:
    """Posts to a URL. `key` signs; None where the receiver knows the URL alone."""

    name = "webhook"

    def __init__(self, url: str, key: bytes | None) -> None:
        self._parts = urlsplit(url)
        self._key = key
        self._context = ssl.create_default_context() if self._parts.scheme == "https" else None

    async def send(self, id: str, message: AlertMessage) -> str:
        """Post a message. Returns the status. Raises Undelivered, also for a redirection: it would lead what is meant
        for one receiver to another."""
        now = int(time.time())
        body = msgspec.json.encode({"type": message.type, "timestamp": shown_moment(now), "data": message.data})
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "gatepost",
            "webhook-id": id,
            "webhook-timestamp": str(now),
        }
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, id, now, body)
        connection = self._connection()
        try:
            async with asyncio.timeout(SECONDS_MAX):
                status = await asyncio.to_thread(self._post, connection, body, headers)
        except TimeoutError:
            raise Undelivered(f"{self._parts.hostname} does not answer in time") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise Undelivered(f"{self._parts.hostname}: {reason}") from None
        finally:
            _cut_off(connection)
        if not 200 <= status < 300:
            raise Undelivered(f"{self._parts.hostname} responds with {status}")
        return f"status {status}"

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=SECONDS_MAX)
        return http.client.HTTPSConnection(host, port, timeout=SECONDS_MAX, context=self._context)

    def _post(self, connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> int:
        path = self._parts.path or "/"
        connection.request("POST", f"{path}?{self._parts.query}" if self._parts.query else path, body, headers)
        return connection.getresponse().status


def signature(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`."""
    digest = hmac.digest(key, b"%s.%d.%s" % (id.encode(), timestamp, body), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _cut_off(connection: http.client.HTTPConnection) -> None:
    # A thread that still waits for a receiver finds the connection at its end.
    found: socket.socket | None = connection.sock
    if found is not None:
        with contextlib.suppress(OSError):
            found.shutdown(socket.SHUT_RDWR)
        found.close()
