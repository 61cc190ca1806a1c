"""What reads the credentials of a request: the interface, and the check of what `App(authenticators=)` is given.

`access_control.py` asks the authenticators of an app in their order; the first that claims a request decides who is
asking. There are two kinds: an `Authenticator` makes the actor itself, a `UserAuthenticator` only says which user of
the app the credentials belong to, and the identity cache (`accounts/identities.py`) does the rest.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Any, Protocol, cast, runtime_checkable

import msgspec

from gatepost.actor import Actor, ActorId
from gatepost.call import Call
from gatepost.errors import ConfigurationError
from gatepost.hints import nearest
from gatepost.mistakes import Mistakes

_CHALLENGE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: [\x20-\x7e]+)?")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HINT = "See docs/how-to/authenticate-in-other-ways.md."


@runtime_checkable
class Authenticator(Protocol):
    """Finds the actor of a request by credentials of one kind."""

    @property
    def challenge(self) -> str:
        """What `WWW-Authenticate` says of it in a 401 (RFC 9110, section 11.6.1): `Bearer`, `ApiKey realm="shop"`."""
        ...

    @property
    def headers(self) -> Sequence[str]:
        """The request headers that carry the credentials, in lower case. A request without any of them is not asked
        about. Empty: they are in no header, and every request is."""
        ...

    @property
    def is_ambient(self) -> bool:
        """Whether browsers send the credentials by themselves (cookies, Basic, client certificates). Then requests that
        change something are refused from pages of other origins, and responses are not compressed."""
        ...

    def find(self, call: Call) -> Actor | None:
        """The actor, where it is known without waiting; None otherwise. Called for every request, also to find out who
        is served first under overload."""
        ...

    def load(self, call: Call) -> Awaitable[Actor | None] | None:
        """The actor, where `find` knew none; usually written as `async def`. None: the request carries no credentials
        of this kind, and the next authenticator is asked. Raises `Unauthorized` for credentials that are not valid."""
        ...


class VerifiedUser(msgspec.Struct, frozen=True):
    """The user whom credentials belong to: the primary key (as a value or as text), when the credentials expire in
    seconds since 1970, the version of the password that they were issued for, None if they outlive it, and the epoch of
    the database (`gatepost backup new-epoch`) in which they were, None if a restored database decides by itself."""

    key: ActorId
    expires_at: float = inf
    password_version: int | None = None
    epoch: int | None = None


class UserAuthenticator:
    """Tells to which user of the app credentials belong. Subclasses define `verify` and `challenge`, and the two others
    where they differ.

    Gatepost loads the user and keeps the actor in the identity cache, under the credentials, until they expire or the
    user's row changes.
    """

    challenge: str
    headers: Sequence[str] = ("authorization",)
    is_ambient: bool = False

    def find_credentials(self, call: Call) -> bytes | None:
        """Override to read the credentials of a request from elsewhere than from the one header of `headers`. None: it
        carries none. Called for every request that has one of the headers: it must be cheap."""
        return call.headers.get(self.headers[0].encode())

    async def verify(self, credentials: bytes) -> VerifiedUser | None:
        """Override to tell the user; None where the credentials are of another kind. Raises `Unauthorized` where they
        are not valid."""
        raise NotImplementedError(f"{type(self).__name__} does not verify credentials")


AnyAuthenticator = Authenticator | UserAuthenticator
"""What `App(authenticators=)` takes."""


def checked(given: Sequence[Any]) -> tuple[AnyAuthenticator, ...]:
    """The authenticators of an app. Raises `ConfigurationError`."""
    if not isinstance(given, list | tuple) or not given:
        raise ConfigurationError(
            f"authenticators={given!r} lists no authenticators.",
            location="App",
            hint="Write authenticators=[BearerTokens(), ...], or leave it out for bearer tokens.",
        )
    mistakes = Mistakes()
    for each in given:
        with mistakes.check():
            _check(each)
    mistakes.raise_any()
    return tuple(given)


def _check(given: Any) -> None:
    location = f"App(authenticators=): {getattr(given, '__name__', type(given).__name__)}"
    if isinstance(given, type):
        raise ConfigurationError("is a class.", location=location, hint=f"Write {given.__name__}().")
    if not isinstance(given, Authenticator | UserAuthenticator):
        raise ConfigurationError(
            "is not an authenticator: it is not a UserAuthenticator, and lacks some of challenge, headers,"
            " is_ambient, find and load.",
            location=location,
            hint=_HINT,
        )
    for name, is_right, form in _MEMBERS:
        value: object = getattr(given, name, None)
        if not is_right(value):
            raise ConfigurationError(f"{name}={value!r} is not {form}.", location=location, hint=_HINT)
    if isinstance(given, UserAuthenticator) and reads_header(given) and len(given.headers) != 1:
        raise ConfigurationError(
            f"headers={given.headers!r} are not one.",
            location=location,
            hint="Override find_credentials to choose among several.",
        )
    if isinstance(given, UserAuthenticator):
        _check_verify(given, location)


def _check_verify(given: UserAuthenticator, location: str) -> None:
    if type(given).verify is UserAuthenticator.verify:
        own = [name for name in vars(type(given)) if nearest(name, ["verify"]) is not None]
        wrong = f", but {own[0]}" if own else ""
        raise ConfigurationError(
            f"does not define verify{wrong}.", location=location, hint="Write async def verify(self, credentials)."
        )
    if not inspect.iscoroutinefunction(given.verify):
        raise ConfigurationError("verify is not asynchronous.", location=location, hint="Write async def verify.")


def reads_header(authenticator: UserAuthenticator) -> bool:
    """Whether the credentials are the value of the one header, because nothing else is said."""
    return type(authenticator).find_credentials is UserAuthenticator.find_credentials


def _is_challenge(value: Any) -> bool:
    return isinstance(value, str) and _CHALLENGE.fullmatch(value) is not None


def _is_header_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_header, cast("Sequence[object]", value)))


def _is_header(name: object) -> bool:
    return isinstance(name, str) and _HEADER.fullmatch(name) is not None


_MEMBERS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("challenge", _is_challenge, 'a challenge such as "Bearer" or \'ApiKey realm="shop"\''),
    ("headers", _is_header_list, 'a list of header names in lower case, such as ("x-api-key",)'),
    ("is_ambient", lambda value: isinstance(value, bool), "True or False"),
)
