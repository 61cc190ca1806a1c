"""How the headers of one path are declared: what the responses of a resource or a mount carry instead of the default.

Read at start by `gateway/header_profiles.py`, which composes the whole set; nothing is merged per request.
"""

from collections.abc import Mapping

from gatepost.errors import ConfigurationError, Header
from gatepost.response_fields import FIELD_NAME, FIELD_VALUE

_ELSEWHERE: dict[str, str] = {
    "strict-transport-security": "It holds for the whole host: set GATEPOST_HSTS_SECONDS.",
    "ratelimit": "Use rate_limit=.",
    "ratelimit-policy": "Use rate_limit=.",
}
_OF_ONE_RESPONSE = frozenset(
    {
        *("allow", "connection", "content-encoding", "content-length", "content-type", "date", "etag", "keep-alive"),
        *("location", "retry-after", "server", "set-cookie", "trailer", "transfer-encoding", "upgrade"),
        *("www-authenticate", "x-request-id"),
    }
)


class Headers:
    """Headers of one path: `values` replace the gate's own or stand beside them, `removed` are left out.

    Compared by identity: what is composed from it is kept by it.
    """

    __slots__ = ("removed", "values")

    def __init__(self, given: Mapping[str, str | None], *, location: str) -> None:
        """`given` maps names to values, None to leave a header out. Raises `ConfigurationError`."""
        for name, value in given.items():
            if not (isinstance(name, str) and isinstance(value, str | None)):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConfigurationError(
                    f"headers= sets {name!r} to {value!r}.",
                    location=location,
                    hint="Names and values are texts; None leaves a header out.",
                )
        pairs = [(name.lower(), value) for name, value in given.items()]
        for name, value in pairs:
            _check(name, value, location)
        if len(dict(pairs)) < len(pairs):
            raise ConfigurationError(
                "headers= contains a header twice.", location=location, hint="Names are case-insensitive."
            )
        self.values: tuple[Header, ...] = tuple(
            (name.encode(), value.encode()) for name, value in pairs if value is not None
        )
        self.removed = frozenset(name.encode() for name, value in pairs if value is None)

    def __repr__(self) -> str:
        return f"Headers({dict(self.values)}, removed={sorted(self.removed)})"


def _check(name: str, value: str | None, location: str) -> None:
    if FIELD_NAME.fullmatch(name) is None:
        raise ConfigurationError(f"headers= has {name!r}, which is not a header name.", location=location)
    if (hint := _hint_against(name)) is not None:
        raise ConfigurationError(f"headers= cannot set {name}.", location=location, hint=hint)
    if value is not None and FIELD_VALUE.fullmatch(value) is None:
        raise ConfigurationError(
            f"headers= sets {name} to {value!r}.",
            location=location,
            hint="Write visible ASCII without line breaks, or None to leave the header out.",
        )


def _hint_against(name: str) -> str | None:
    """Where else a header is set; None where it may be set here."""
    if name.startswith("access-control-"):
        return "Use cors=CORS(...)."
    if name in _OF_ONE_RESPONSE:
        return "It belongs to a single response or to the connection."
    return _ELSEWHERE.get(name)
