"""The gate alone, around an application that is not Gatepost's: what has to be there once and is known only at start.

    settings -> rules of the declared paths -> logs -> limiter -> the application, behind who is asking

`Gate(app)` is composed of a `StandaloneGate`, which stands between the gate and the application: it refuses forms of
other origins, finds out who is asking, takes the second limit, reads JSON before the application does, and counts
attempts to sign in.
"""

import inspect
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

from gatepost.accounts.devices import Devices
from gatepost.actor import Actor, ActorId
from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send
from gatepost.auth.keys import signing_key
from gatepost.declaring.origins import Origins
from gatepost.dtos.json_values import Bounds
from gatepost.errors import ConfigurationError
from gatepost.events import Events
from gatepost.gateway.body_limits import LimitedReceive
from gatepost.gateway.buckets import Buckets
from gatepost.gateway.buckets.factory import make_buckets
from gatepost.gateway.cross_site_forms import CrossSiteForms
from gatepost.gateway.json_bodies import JSONBodies
from gatepost.gateway.limiter import Limiter
from gatepost.gateway.path_rules import PathRules
from gatepost.gateway.path_table import PathTable
from gatepost.gateway.sign_in_attempts import SignInAttempts
from gatepost.logging import Logs
from gatepost.operations import RouteRules
from gatepost.request import Request
from gatepost.settings import Settings, load

LOCATION = "Gate"

FindActorId = Callable[["RequestHeaders"], ActorId | Awaitable[ActorId | None] | None]
"""Maps the headers of a request to the key of its user, None if it is anonymous. Raises `Unauthorized` to refuse it."""


class RequestHeaders(Mapping[str, str]):
    """The headers of a request by their names, in any case; several lines of one are joined."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[bytes, bytes]) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        return self._headers[name.lower().encode("latin-1", "replace")].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._headers)

    def __len__(self) -> int:
        return len(self._headers)


class StandaloneGate:
    """Checks what `Gate(app)` was given and builds the layers around the application. Raises `ConfigurationError`.

    The gate sets `limiter` afterwards.
    """

    limiter: Limiter

    def __init__(
        self,
        app: ASGIApp,
        *,
        identify: FindActorId | None,
        paths: Mapping[str, PathRules] | None,
        settings: Settings | None,
        events: Events | None,
        rate_limits: Buckets | None,
    ) -> None:
        self.settings = _checked_settings(settings)
        self._app = _checked_app(app)
        self._identify = _checked_identify(identify)
        gate = self.settings.gate
        self.table = PathTable(_checked_paths(paths), gate)
        known = Origins(gate.cors_origins, location="GATEPOST_CORS_ORIGINS")
        self._forms = CrossSiteForms(
            {each: known if each.cors is None else each.cors.origins for each in self.table.rules}
        )
        self._json = JSONBodies(Bounds(gate.json_depth_max, gate.json_items_max, gate.body_bytes_max, doubles=True))
        self.events = events or Events()
        self._logs = Logs(self.settings, adopts=False)
        self._logs.subscribe(self.events)
        self.buckets = make_buckets(rate_limits, self.settings.valkey)
        self._sign_ins = _sign_ins(self.table, self.settings)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that the gate has admitted, or pass the lifespan on."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        request: Request = scope["gatepost"]
        self._forms.check(request)
        if self._identify is not None:
            await self._find_actor(request, self._identify)
            waiting = self.limiter.admit_actor(request)
            if waiting is not None:
                await waiting
        if type(receive) is LimitedReceive and request.rules in self.table.strict:
            receive = await self._json.admit(request, receive)
        sign_in = self._sign_ins.get(request.rules)
        if sign_in is not None:
            receive, send = await sign_in.admit(request, receive, send, self.limiter)
        await self._app(scope, receive, send)

    def find_device(self, request: Request) -> str:
        """The key of a device that has signed in before, "" if there is none or no path names accounts."""
        sign_in = self._sign_ins.get(request.rules)
        return "" if sign_in is None else sign_in.find_device(request)

    async def _find_actor(self, request: Request, identify: FindActorId) -> None:
        found: Any = identify(RequestHeaders(request.headers))
        if inspect.isawaitable(found):
            found = await found
        if found is None:
            return
        if not isinstance(found, str | int | UUID) or isinstance(found, bool):
            raise TypeError(
                f"identify= returned {found!r}; it must return the key of a user (str, int or UUID) or None."
            )
        if isinstance(found, str) and not found.isascii():
            found = found.encode(errors="backslashreplace").decode()  # half of a surrogate pair is not a character
        request.actor = Actor(found)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application's lifespan. An application without one raises, which servers understand; the log and the
        buckets have started by then."""
        ended = False

        async def watched() -> Message:
            nonlocal ended
            message = await receive()
            ended = message["type"] == "lifespan.shutdown"
            return message

        self._logs.start()
        await self.buckets.start(self.events)
        try:
            await self._app(scope, watched, send)
        finally:
            if ended:
                await self.buckets.stop()
                self._logs.close()


def _checked_settings(given: Settings | None) -> Settings:
    """The given settings, or those of the environment, with production as the default."""
    if given is not None and not isinstance(given, Settings):  # pyright: ignore[reportUnnecessaryIsInstance]
        hint = "Write settings=load({...}), with `from gatepost.settings import load`, or leave it out."
        raise ConfigurationError(f"settings={given!r} is not a Settings object.", location=LOCATION, hint=hint)
    settings = load({"GATEPOST_ENV": "production", **os.environ}) if given is None else given
    if settings.is_production and (settings.gate.limit_factor or 1) > 1:
        raise ConfigurationError(
            "raises every limit, which production does not allow.",
            location="GATEPOST_LIMIT_FACTOR",
            hint="Set the limits themselves instead, or GATEPOST_ENV=development.",
        )
    return settings


def _checked_app(app: ASGIApp) -> ASGIApp:
    if not callable(app):
        hint = "Give it the ASGI application itself: Gate(app)."
        raise ConfigurationError(f"{app!r} is not an application.", location=LOCATION, hint=hint)
    return app


def _checked_identify(identify: FindActorId | None) -> FindActorId | None:
    if identify is None:
        return None
    hint = "Write `async def identify(headers): ...`, which returns the key of a user or None."
    if not callable(identify):
        raise ConfigurationError(f"identify={identify!r} is not a function.", location=LOCATION, hint=hint)
    try:
        inspect.signature(identify).bind(None)
    except TypeError:
        name = getattr(identify, "__name__", repr(identify))
        raise ConfigurationError(
            f"identify={name} must take one argument, the headers.", location=LOCATION, hint=hint
        ) from None
    except ValueError:
        pass  # written in C: it has no signature to look at
    return identify


def _checked_paths(paths: Mapping[str, PathRules] | None) -> Mapping[str, PathRules]:
    if paths is not None and not isinstance(paths, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        hint = 'Write paths={"/login": PathRules(auth=True)}.'
        raise ConfigurationError(f"paths={paths!r} is not a mapping of paths to rules.", location=LOCATION, hint=hint)
    return paths or {}


def _sign_ins(table: PathTable, settings: Settings) -> Mapping[RouteRules | None, SignInAttempts]:
    """Raises `ConfigurationError` if a path names accounts and there is no key to seal cookies with."""
    names_accounts = any(rules.account is not None for rules, _ in table.sign_ins.values())
    secret = signing_key(settings).as_pem(private=True) if names_accounts else b""
    found: dict[RouteRules | None, SignInAttempts] = {}
    for route, (rules, pattern) in table.sign_ins.items():
        path = pattern.path if pattern.is_fixed else "/"
        account = None if rules.account is None else (rules.account, Devices(secret, path))
        found[route] = SignInAttempts(account, rules.signed_in or ())
    return found
