"""What an application behind `Gate(app)` declares about its paths, since the gate does not know its routes.

Read at start: `path_table.py` turns it into the rules of routes. Nothing here runs per request.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from gatepost.declaring.cors import CORS
from gatepost.declaring.headers import Headers
from gatepost.declaring.rate_limits import RateLimit
from gatepost.errors import ConfigurationError
from gatepost.gateway.media_types import URLENCODED, media_type
from gatepost.operations import JSON_TYPES

_FORM = URLENCODED.decode()
_ACCOUNT_TYPES = frozenset({_FORM, *(name.decode() for name in JSON_TYPES)})


@dataclass(frozen=True, kw_only=True, slots=True)
class PathRules:
    """The rules of one path: `Gate(app, paths={"POST /login": PathRules(auth=True)})`.

    A rule that is None is inherited from the nearest wider path, or else from the settings. `auth` paths share the
    strict limit for signing in; a `probe` has no limit and is served for every host. `account` is the member of a JSON
    body or form that names the account to sign in to: attempts then also count per account, from any address.
    `signed_in` lists the statuses of responses to successful sign-ins. `rate_limit` replaces the default; several apply
    at once. `content_types` replaces JSON as what a body may be. `strict_json=False` passes JSON on unchecked.
    `headers` replace those of the gate (None leaves one out), and `cors` replaces the rule of the settings.
    """

    auth: bool | None = None
    probe: bool | None = None
    account: str | None = None
    signed_in: Collection[int] | None = None
    rate_limit: RateLimit | Sequence[RateLimit] | None = None
    body_bytes_max: int | None = None
    content_types: Collection[str] | None = None
    strict_json: bool | None = None
    headers: Mapping[str, str | None] | None = None
    cors: CORS | None = None

    def completed_by(self, wider: "PathRules") -> "PathRules":
        """These rules; where they are None, those of a wider path."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return PathRules(**{name: getattr(wider, name) if value is None else value for name, value in values.items()})

    def check(self, location: str) -> None:
        """Raise `ConfigurationError`, which names `location`, for a value of a wrong type or without a meaning."""
        for name, wanted in (("auth", bool), ("probe", bool), ("strict_json", bool), ("cors", CORS)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, wanted):
                raise ConfigurationError(f"{name}={value!r} is not a {wanted.__name__}.", location=location)
        if self.auth and self.probe:
            raise ConfigurationError(
                "is both auth and probe.", location=location, hint="A probe has no limit: keep one."
            )
        if not all(_is(limit, RateLimit) for limit in self.limits):
            hint = "Write rate_limit=RateLimit(5, per=minutes(15))."
            raise ConfigurationError(
                f"rate_limit={self.rate_limit!r} is not a RateLimit.", location=location, hint=hint
            )
        size = self.body_bytes_max
        if size is not None and (not _is(size, int) or size < 0):
            raise ConfigurationError(f"body_bytes_max={size!r} is not a number of bytes.", location=location)
        if self.content_types is not None:
            self._check_types(location)
        self.composed_headers(location)
        self._check_sign_in(location)

    @property
    def limits(self) -> tuple[RateLimit, ...]:
        """The limits in place of the default; empty where none are declared."""
        given = self.rate_limit
        if given is None:
            return ()
        return tuple(given) if isinstance(given, Sequence) else (given,)

    def composed_headers(self, location: str) -> Headers | None:
        """The headers as the gate composes them. Raises `ConfigurationError`."""
        if self.headers is None:
            return None
        if not isinstance(self.headers, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - what users write
            raise ConfigurationError("headers= is not a mapping of names to values.", location=location)
        return Headers(self.headers, location=location)

    def _check_sign_in(self, location: str) -> None:
        if self.account is not None and (not _is(self.account, str) or not self.account):
            hint = 'Write the name of the member: account="email".'
            raise ConfigurationError(
                f"account={self.account!r} is not the name of a body member.", location=location, hint=hint
            )
        given: Any = self.signed_in
        if given is None:
            return
        if isinstance(given, str) or not isinstance(given, Collection) or not _are_successes(cast("Any", given)):
            hint = "List the statuses of successful responses only: signed_in=[200]."
            raise ConfigurationError(
                f"signed_in={given!r} is not a list of statuses from 200 to 399.", location=location, hint=hint
            )

    def check_combined(self, location: str) -> None:
        """Raise `ConfigurationError` for rules that contradict each other once the inherited ones are included."""
        if not self.auth and (self.account is not None or self.signed_in is not None):
            hint = "Add auth=True: account= and signed_in= apply to sign-in paths only."
            raise ConfigurationError("is not a sign-in path.", location=location, hint=hint)
        if self.account is None:
            return
        if self.strict_json is False:
            hint = "Remove strict_json=: a body that two parsers read differently may name two accounts."
            raise ConfigurationError("has account= but does not check JSON.", location=location, hint=hint)
        unread = sorted({*(self.content_types or ())} - _ACCOUNT_TYPES)
        if unread:
            hint = f"Keep JSON and {_FORM}: the account is read from these types only."
            raise ConfigurationError(f"has account= but accepts {', '.join(unread)}.", location=location, hint=hint)

    def _check_types(self, location: str) -> None:
        given: Any = self.content_types
        if isinstance(given, str) or not isinstance(given, Collection):
            hint = 'Write content_types=["multipart/form-data"].'
            raise ConfigurationError(f"content_types={given!r} is not a list.", location=location, hint=hint)
        for name in cast("Collection[object]", given):
            if not isinstance(name, str) or media_type(name.encode()) != name.encode():
                hint = "Write each as type/subtype, in lower case and without parameters."
                raise ConfigurationError(f"content_types= has {name!r}.", location=location, hint=hint)


def _are_successes(values: Collection[Any]) -> bool:
    return all(isinstance(value, int) and 200 <= value < 400 for value in values)


def _is(value: object, wanted: type) -> bool:
    return isinstance(value, wanted) and not isinstance(value, bool)
