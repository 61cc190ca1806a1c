"""Counts attempts to sign in to an application behind `Gate(app)`, per account.

Used behind the gate alone, for paths that say so (`path_rules.py`). The limit of the address has been taken before;
here an attempt is counted for its account, wherever it comes from, and uncounted where the response says that it
succeeded. After a success the client gets a device cookie, and with it a bucket of its own: others cannot lock it out.
"""

import unicodedata
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from gatepost.asgi import Message, Receive, Send
from gatepost.call import Call
from gatepost.device_cookies import Devices
from gatepost.errors import BadRequest, Header
from gatepost.gateway.body_limits import LimitedReceive
from gatepost.gateway.header_profiles import is_json
from gatepost.gateway.json_bodies import Replay
from gatepost.gateway.limiter import Limiter
from gatepost.gateway.media_types import URLENCODED, media_type

FIELDS_MAX = 1000
"""A sign-in form has a few."""


class SignInAttempts:
    """The attempts at one path. `account` is the member that names it in the body, with what makes the cookies, None
    where nothing names it; a response with one of `statuses` means that the attempt succeeded."""

    def __init__(self, account: tuple[str, Devices] | None, statuses: Collection[int]) -> None:
        self._account = account
        self._statuses = frozenset(statuses)

    def find_device(self, call: Call) -> str:
        """The key of the device that sends a request, "" for none."""
        return "" if self._account is None else self._account[1].find_key(call)

    async def admit(self, call: Call, receive: Receive, send: Send, limiter: Limiter) -> tuple[Receive, Send]:
        """Count an attempt. Gives the `receive` and `send` for the application: the body is read once, here.

        Raises 400 `malformed_request` for a form that names two accounts, 429 `too_many_requests`, and what reading
        raises.
        """
        cookie: Callable[[], Header] | None = None
        if self._account is not None:
            member, devices = self._account
            if type(receive) is LimitedReceive:
                receive = Replay(await call.body(), receive)
            name = _named(call, receive.body if isinstance(receive, Replay) else b"", member)
            if name is not None:
                account = devices.account_of(normalised(name))
                device = devices.find_own(call, account)
                await limiter.admit_account(call, account.hex(), is_own_device=device is not None)
                cookie = partial(devices.header, account, device, is_tls=call.scope["scheme"] == "https")
        return receive, self._watching(call, send, limiter, cookie) if self._statuses else send

    def _watching(
        self, call: Call, send: Send, limiter: Limiter, cookie: Callable[[], Header] | None
    ) -> Callable[[Message], Awaitable[None]]:
        def watched(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start" and message["status"] in self._statuses:
                limiter.succeed(call)
                if cookie is not None:
                    message = {**message, "headers": [*message.get("headers", ()), cookie()]}
            return send(message)

        return watched


def normalised(name: str) -> str:
    """One account by whatever spelling: what the application takes for the same must not be two here."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _named(call: Call, body: bytes, member: str) -> str | None:
    """The account that a body names; None where it names none, which the application will say."""
    content_type = call.headers.get(b"content-type", b"")
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


# msgspec's own reader of floats needs ten microseconds for a number near the end of their range.
_decode_members = msgspec.json.Decoder(dict[str, Any], float_hook=float).decode
