"""What an application behind `Gate(app)` declares about its paths, since the gate does not know its routes.

Read at start: `path_table.py` turns it into the rules of routes. Nothing here runs per request.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
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
    strict limit for signing in; a `probe` has no limit, is served for every host and has access lines at level debug
    while it succeeds. `account` is the member of a JSON body or form that names the account to sign in to: attempts
    then also count per account, from any address. `signed_in` lists the statuses of responses to successful sign-ins.
    `rate_limit` replaces the default; several apply at once. `content_types` replaces JSON as what a body may be.
    `strict_json=False` passes JSON on unchecked. `headers` replace those of the gate (None leaves one out), and `cors`
    replaces the rule of the settings.
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
        for name, is_right, form, hint in _FORMS:
            value = getattr(self, name)
            if value is not None and not is_right(value):
                raise ConfigurationError(f"{name}={value!r} is not {form}.", location=location, hint=hint)
        if self.auth and self.probe:
            raise ConfigurationError(
                "is both auth and probe.", location=location, hint="A probe has no limit: keep one."
            )
        for name in self.content_types or ():
            if not isinstance(name, str) or media_type(name.encode()) != name.encode():  # pyright: ignore[reportUnnecessaryIsInstance]
                hint = "Write each as type/subtype, in lower case and without parameters."
                raise ConfigurationError(f"content_types= has {name!r}.", location=location, hint=hint)
        self.composed_headers(location)

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


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_list(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str)


def _are_limits(value: object) -> bool:
    limits = cast("Sequence[object]", value) if isinstance(value, Sequence) else (value,)
    return all(isinstance(limit, RateLimit) for limit in limits)


def _are_successes(value: Any) -> bool:
    return _is_list(value) and all(isinstance(status, int) and 200 <= status < 400 for status in value)


_FORMS: tuple[tuple[str, Callable[[Any], bool], str, str | None], ...] = (
    ("auth", _is_bool, "a bool", None),
    ("probe", _is_bool, "a bool", None),
    ("strict_json", _is_bool, "a bool", None),
    ("cors", lambda value: isinstance(value, CORS), "a CORS", None),
    ("rate_limit", _are_limits, "a RateLimit", "Write rate_limit=RateLimit(5, per=minutes(15))."),
    ("body_bytes_max", _is_number, "a number of bytes", None),
    ("content_types", _is_list, "a list", 'Write content_types=["multipart/form-data"].'),
    (
        "account",
        lambda value: isinstance(value, str) and value != "",
        "the name of a body member",
        'Write the name of the member: account="email".',
    ),
    (
        "signed_in",
        _are_successes,
        "a list of statuses from 200 to 399",
        "List the statuses of successful responses only: signed_in=[200].",
    ),
)
"""What a rule has to be, where it is not None, in words, and what to write instead."""
