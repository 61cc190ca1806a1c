"""Signing in to an application that is not ours: which account is tried, and whether it was the right password.

Used behind the gate alone, for paths that say so (`path_rules.py`). The limit of the address has been taken before;
here an attempt is counted for its account, wherever it comes from, and uncounted where the answer says that it
succeeded. Whoever has succeeded gets the device cookie, and with it a bucket of their own: nobody can lock them out.
"""

import unicodedata
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from gatepost.accounts.devices import Device, Devices
from gatepost.errors import BadRequest
from gatepost.gateway.bodies import LimitedReceive
from gatepost.gateway.json_bodies import Replay
from gatepost.gateway.limiter import Limiter
from gatepost.gateway.media_types import URLENCODED, media_type
from gatepost.gateway.security_headers import is_json
from gatepost.request import Message, Receive, Request, Send

FIELDS_MAX = 1000
"""A form that signs somebody in has a few."""


class SignIn:
    """The attempts at one path. `member` is what names the account in the body, None where nothing does; an answer with
    one of `statuses` says that somebody has signed in. `devices` makes the cookies."""

    __slots__ = ("_devices", "_member", "_statuses")

    def __init__(self, member: str | None, statuses: Collection[int], devices: Devices | None) -> None:
        self._member = member
        self._statuses = frozenset(statuses)
        self._devices = devices

    def find_device(self, request: Request) -> str:
        """The key of the device that sends a request, "" for none."""
        return "" if self._devices is None else self._devices.find_key(request)

    async def admit(self, request: Request, receive: Receive, send: Send, limiter: Limiter) -> tuple[Receive, Send]:
        """Count an attempt. Gives the `receive` and `send` for the application: the body is read once, here.

        Raises 400 `malformed_request` for a form that names two accounts, 429 `too_many_requests`, and what reading
        raises.
        """
        account: bytes | None = None
        device: Device | None = None
        if self._member is not None and self._devices is not None:
            receive, body = await _read(request, receive)
            name = _named(request, body, self._member)
            if name is not None:
                account = self._devices.account_of(normalised(name))
                device = self._devices.find(request)
                is_own = device is not None and device.account == account
                await limiter.admit_account(request, account.hex(), is_own_device=is_own)
        return receive, self._watching(request, send, limiter, account, device) if self._statuses else send

    def _watching(
        self, request: Request, send: Send, limiter: Limiter, account: bytes | None, device: Device | None
    ) -> Callable[[Message], Awaitable[None]]:
        def watched(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start" and message["status"] in self._statuses:
                limiter.succeed(request)
                if account is not None and self._devices is not None:
                    cookie = self._devices.header(account, device, is_tls=request.scope["scheme"] == "https")
                    message = {**message, "headers": [*message.get("headers", ()), cookie]}
            return send(message)

        return watched


def normalised(name: str) -> str:
    """One account by whatever spelling: what the application takes for the same must not be two here."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


async def _read(request: Request, receive: Receive) -> tuple[Receive, bytes]:
    """The whole body, and the `receive` that gives it once more."""
    if type(receive) is LimitedReceive:
        receive = Replay(await request.body(), receive)
    return receive, receive.body if isinstance(receive, Replay) else b""


def _named(request: Request, body: bytes, member: str) -> str | None:
    """The account that a body names; None where it names none, which the application will say."""
    content_type = request.headers.get(b"content-type", b"")
    if is_json(content_type):
        return _named_in_json(body, member)
    if media_type(content_type) != URLENCODED:
        return None
    try:
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise BadRequest("malformed_request", f"The form has more than {FIELDS_MAX} fields.") from None
    names = [value for name, value in fields if name == member]
    if len(names) > 1:  # readers disagree about which one counts
        raise BadRequest("malformed_request", f"The form has {member!r} more than once.")
    # Many a reader of JSON does not ask what the body says it is.
    return names[0] if names else _named_in_json(body, member)


def _named_in_json(body: bytes, member: str) -> str | None:
    try:
        found = _decode_members(body).get(member)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return str(found) if isinstance(found, str | int) else None


_decode_members = msgspec.json.Decoder(dict[str, Any]).decode
