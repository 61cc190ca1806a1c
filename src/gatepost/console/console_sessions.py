"""`ConsoleSessions`: who looks at the console on a public listener.

Signing in gives a cookie with a token of its own kind, which the API does not accept, and which lives for eight hours.
It is verified as access tokens are: the identity cache drops it within 100 ms of a change of the user, and another
password or the loss of the role ends it. A client that sends an access token needs no cookie.
"""

from collections.abc import Mapping

from joserfc.jwk import OKPKey

from gatepost.accounts.identities import Identities
from gatepost.actor import Actor, anonymous
from gatepost.auth.authenticator import UserAuthenticator, VerifiedUser
from gatepost.auth.tokens import Tokens
from gatepost.call import SAFE, Call
from gatepost.errors import Forbidden, Unauthorized
from gatepost.events import ConsoleRefused, Events
from gatepost.settings import Settings

READER, WRITER = "console", "console.write"
"""Roles of users: who may read, and who may change something as well."""

LIFETIME_SECONDS = 8 * 3600
TOKEN_TYPE = "console+jwt"  # noqa: S105 - a media type

COOKIE_OVER_TLS, COOKIE = "__Host-gatepost-console", "gatepost-console"
"""Without TLS, in development alone, browsers take no cookie with the prefix."""

_OWN_SITE = frozenset({b"same-origin", b"none"})


class ConsoleCookie(UserAuthenticator):
    """Reads and verifies the cookie."""

    challenge = "Console"
    headers = ("cookie",)
    is_ambient = True

    def __init__(self, tokens: Tokens, *, is_production: bool) -> None:
        self._tokens = tokens
        self._is_production = is_production

    def name(self, call: Call) -> str | None:
        """The name of the cookie on this connection; None where none may be sent."""
        if call.scope["scheme"] == "https":
            return COOKIE_OVER_TLS
        return None if self._is_production else COOKIE

    def find_credentials(self, call: Call) -> bytes | None:
        """The token of a request."""
        name = self.name(call)
        value = None if name is None else call.cookie(name)
        return None if value is None else value.encode("latin-1")

    async def verify(self, credentials: bytes) -> VerifiedUser:
        """The token's user; raises 401 `invalid_token`."""
        claims = self._tokens.verify(credentials.decode("latin-1"))
        return VerifiedUser(claims.subject, claims.expires_at, claims.password_version, claims.epoch)


class ConsoleSessions:
    """Begins, finds and ends them."""

    def __init__(self, settings: Settings, key: OKPKey, identities: Identities, events: Events) -> None:
        self._events = events
        self._tokens = Tokens(
            settings.auth, key, kind=TOKEN_TYPE, lifetime_seconds=LIFETIME_SECONDS, epoch=identities.epoch
        )
        self._cookie = ConsoleCookie(self._tokens, is_production=settings.is_production)
        self._cached = identities.cached(self._cookie)

    def begin(self, call: Call, actor: Actor, password_version: int) -> None:
        """Set the cookie with the response of a call that has signed this user in. Raises 403 `forbidden` for users
        without the role, which is a security line, and without TLS in production."""
        if not actor.roles & {READER, WRITER}:
            self._events.emit(ConsoleRefused("no role", call.client, actor.key))
        check_role(actor, READER)
        name = self._cookie.name(call)
        if name is None:
            raise Forbidden("forbidden", "The console is served over TLS alone: its cookie would be read on the way.")
        token = self._tokens.issue(actor.key, password_version)
        call.set_cookie(name, token, max_age=LIFETIME_SECONDS, same_site="strict")

    def end(self, call: Call) -> None:
        """Remove the cookie."""
        name = self._cookie.name(call)
        if name is not None:
            call.set_cookie(name, "", max_age=0, same_site="strict")

    async def find(self, call: Call) -> Actor:
        """Who looks, the anonymous actor where nobody is signed in, or no longer. Raises 403 `cross_origin` where a
        page of another origin asks."""
        if not call.actor.is_anonymous and not call.is_ambient:
            return call.actor
        try:
            actor = self._cached.find(call)
            if actor is None:
                loading = self._cached.load(call)
                actor = None if loading is None else await loading
        except Unauthorized:
            return anonymous
        if actor is None:
            return anonymous
        check_own_origin(call)
        return actor


def check_role(actor: Actor, role: str) -> None:
    """Raise 401 `not_signed_in`, or 403 `forbidden`. Who may write may read."""
    if actor.is_anonymous:
        raise Unauthorized("not_signed_in", "Sign in to the console.")
    if not actor.roles & {role, WRITER}:
        raise Forbidden("forbidden", f"The console is for users with the role {role}.")


def check_own_origin(call: Call) -> None:
    """Raise 403 `cross_origin` unless a page of the console's own origin sends the request: one that changes something
    has to name its origin."""
    headers = call.headers
    origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", b"none")
    own = call.scope["scheme"].encode() + b"://" + headers.get(b"host", b"")
    is_own = call.scope["method"] in SAFE if origin is None else origin == own
    if not is_own or site not in _OWN_SITE:
        raise Forbidden("cross_origin", "Only the console's own pages may do this.")


def shown_session(actor: Actor) -> Mapping[str, object]:
    """Who looks, for the page: `how` is `none` before somebody has signed in."""
    return {
        "name": getattr(actor.user, "email", None) or actor.key or None,
        "may_write": WRITER in actor.roles,
        "how": "none" if actor.is_anonymous else "user",
    }
