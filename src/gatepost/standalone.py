"""The gate alone, composed once around an application that is not Gatepost's.

    settings -> rules of the declared paths -> logs -> limiter -> `StandaloneApplication` -> `GateMiddleware`

The second composition root, beside `composition.py`. `StandaloneApplication` stands between the gate and the
application: it refuses forms of other origins, finds out who is asking, takes the second limit, reads JSON before the
application does, and counts attempts to sign in.
"""

import inspect
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from gatepost.actor import Actor, ActorId
from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send
from gatepost.auth.access_control import AccessControl
from gatepost.auth.keys import signing_key
from gatepost.call import Admit, Call
from gatepost.declaring.origins import Origins
from gatepost.device_cookies import Devices
from gatepost.dtos.json_check import JSONCheck
from gatepost.dtos.json_values import Bounds
from gatepost.environment import load_settings
from gatepost.error_codes import CODES
from gatepost.errors import ConfigurationError
from gatepost.events import Events
from gatepost.gateway.buckets import Buckets
from gatepost.gateway.buckets.factory import make_buckets
from gatepost.gateway.cross_site_requests import CrossSiteRequests
from gatepost.gateway.foreign_requests import ForeignRequests, SignIns, sign_ins_of
from gatepost.gateway.gate import GateMiddleware, make_limiter
from gatepost.gateway.path_rules import PathRules
from gatepost.gateway.path_table import PathTable
from gatepost.gateway.problem_pages import problem_types
from gatepost.logging.logs import Logs
from gatepost.operations import probe_routes
from gatepost.settings import Settings

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


class Gate(GateMiddleware):
    """Limits, headers, CORS, bodies, deadlines and refusals in front of any ASGI application.

    Public as `gatepost.gateway.Gate`.
    """

    def __init__(  # noqa: PLR0913 - a declaration
        self,
        app: ASGIApp,
        *,
        identify: FindActorId | None = None,
        paths: Mapping[str, PathRules] | None = None,
        settings: Settings | None = None,
        events: Events | None = None,
        rate_limits: Buckets | None = None,
    ) -> None:
        """`identify` tells from a request's headers who sends it, `paths` have rules of their own. `rate_limits` is
        where the buckets are kept; without it, where `GATEPOST_VALKEY_URL` says, else in this process.

        `settings` are those of the environment by default, as in production; `events` holds your subscribers. What
        subscribes to them has to do so before. Raises `ConfigurationError`.
        """
        try:
            checked = _checked_settings(settings)
            _check_app(app)
            _check_identify(identify)
            gate = checked.gate
            table = PathTable(_checked_paths(paths), gate)
            cross_site = CrossSiteRequests(Origins(gate.cors_origins, location="GATEPOST_CORS_ORIGINS"))
            events = events or Events()
            logs = Logs(checked, adopts=False)
            logs.subscribe(events)
            logs.mark_probes(probe_routes(table.rules))
            buckets = make_buckets(rate_limits, checked.valkey)
            sign_ins = _sign_ins(table, checked)
            limiter = make_limiter(gate, events, buckets, find_device=partial(_find_device, sign_ins))
            authenticators = [] if identify is None else [FunctionAuthenticator(identify)]
            access = AccessControl(authenticators, limiter.admit_actor, cross_site.check, refuses_unclaimed=False)
            check_json = JSONCheck(Bounds(gate.json_depth_max, gate.json_items_max, gate.body_bytes_max, doubles=True))
            serving = StandaloneApplication(
                app=app,
                admit=access.admit,
                forms=cross_site,
                requests=ForeignRequests(table.strict, check_json, sign_ins, limiter),
                logs=logs,
                buckets=buckets,
                events=events,
            )
            base_url = gate.problem_base_url
            super().__init__(
                serving.handle,
                match=table.match,
                limiter=limiter,
                settings=gate,
                events=events,
                routes=table.rules,
                # Every path belongs to the application, so that the pages have no place here.
                problem_types={} if base_url is None else problem_types(CODES, base_url),
            )
        except ConfigurationError as error:
            # Other servers show the trace, of which only the line that makes the gate helps its author.
            raise error.with_traceback(None) from None


class FunctionAuthenticator:
    """The function that `Gate(identify=)` was given, as an authenticator of any headers.

    Not ambient: whether its credentials are, it does not say. The forms of other origins are refused to all clients.
    """

    challenge = "Bearer"
    headers: tuple[str, ...] = ()
    is_ambient = False

    def __init__(self, identify: FindActorId) -> None:
        self._identify = identify

    def find(self, call: Call) -> Actor | None:
        """None: the function is asked once per request."""
        return None

    async def load(self, call: Call) -> Actor | None:
        """The actor with the key that the function returns. Raises what it raises."""
        found: Any = self._identify(RequestHeaders(call.headers))
        if inspect.isawaitable(found):
            found = await found
        if found is None:
            return None
        if not isinstance(found, str | int | UUID) or isinstance(found, bool):
            raise TypeError(
                f"identify= returned {found!r}; it must return the key of a user (str, int or UUID) or None."
            )
        if isinstance(found, str) and not found.isascii():
            found = found.encode(errors="backslashreplace").decode()  # half of a surrogate pair is not a character
        return Actor(found)


@dataclass(frozen=True, eq=False, kw_only=True)
class StandaloneApplication:
    """Between the gate and an application of another framework: what the application lacks of Gatepost's layers."""

    app: ASGIApp
    admit: Admit
    forms: CrossSiteRequests
    requests: ForeignRequests
    logs: Logs
    buckets: Buckets
    events: Events

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that the gate has admitted, or pass the lifespan on."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(scope, receive, send)
            return
        call: Call = scope["gatepost"]
        self.forms.check_form(call)
        if (pending := self.admit(call)) is not None:
            await pending
        receive, send = await self.requests.prepare(call, receive, send)
        await self.app(scope, receive, send)

    async def _run_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the lifespan of the application, with that of the log and the buckets around it.

        An application without one raises, which servers understand; the log and the buckets have started by then.
        """
        ended = False

        async def watched() -> Message:
            nonlocal ended
            message = await receive()
            ended = message["type"] == "lifespan.shutdown"
            return message

        self.logs.start()
        await self.buckets.start(self.events)
        try:
            await self.app(scope, watched, send)
        finally:
            if ended:
                await self.buckets.stop()
                self.logs.close()


def _checked_settings(given: Settings | None) -> Settings:
    """The given settings, or those of the environment, with production as the default."""
    if given is not None and not isinstance(given, Settings):  # pyright: ignore[reportUnnecessaryIsInstance]
        hint = "Write settings=load_settings({...}), with `from gatepost import load_settings`, or leave it out."
        raise ConfigurationError(f"settings={given!r} is not a Settings object.", location=LOCATION, hint=hint)
    settings = load_settings({"GATEPOST_ENV": "production", **os.environ}) if given is None else given
    if settings.is_production and (settings.gate.limit_factor or 1) > 1:
        raise ConfigurationError(
            "raises every limit, which production does not allow.",
            location="GATEPOST_LIMIT_FACTOR",
            hint="Set the limits themselves instead, or GATEPOST_ENV=development.",
        )
    return settings


def _check_app(app: ASGIApp) -> None:
    if not callable(app):
        hint = "Give it the ASGI application itself: Gate(app)."
        raise ConfigurationError(f"{app!r} is not an application.", location=LOCATION, hint=hint)


def _check_identify(identify: FindActorId | None) -> None:
    if identify is None:
        return
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


def _checked_paths(paths: Mapping[str, PathRules] | None) -> Mapping[str, PathRules]:
    if paths is not None and not isinstance(paths, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        hint = 'Write paths={"/login": PathRules(auth=True)}.'
        raise ConfigurationError(f"paths={paths!r} is not a mapping of paths to rules.", location=LOCATION, hint=hint)
    return paths or {}


def _sign_ins(table: PathTable, settings: Settings) -> SignIns:
    """Raises `ConfigurationError` if a path names accounts and there is no key to seal cookies with."""
    names_accounts = any(rules.account is not None for rules, _ in table.sign_ins.values())
    secret = signing_key(settings).as_pem(private=True) if names_accounts else b""
    return sign_ins_of(table.sign_ins, lambda pattern: Devices(secret, pattern.path if pattern.is_fixed else "/"))


def _find_device(sign_ins: SignIns, call: Call) -> str:
    """The key of a device that has signed in before, "" if there is none or no path names accounts."""
    sign_in = sign_ins.get(call.rules)
    return "" if sign_in is None else sign_in.find_device(call)
