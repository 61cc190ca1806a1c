"""What an endpoint is, as data: made at start, frozen, and printable.

A foundation. `Operation` describes an endpoint to whatever shows or counts it: routes, `gatepost routes`, logs. Its
`RouteRules` are what the gate needs of a route, which it also has of paths that have no endpoint: mounts, preflights,
the paths of an application behind the gate alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gatepost.declaring.cors import CORS
from gatepost.declaring.headers import Headers
from gatepost.declaring.policies import Policy
from gatepost.declaring.rate_limits import NamedLimits
from gatepost.errors import Problem

JSON_TYPES: frozenset[bytes] = frozenset({b"application/json", b"application/merge-patch+json"})
"""The content types of JSON bodies."""


class AnyType(frozenset[bytes]):
    """Every content type, also none at all: of endpoints that take the bytes as they are."""

    def __contains__(self, item: object) -> bool:
        return True


ANY_TYPE = AnyType()

Kind = Literal["api", "auth", "probe", "mount", "preflight"]
"""Chooses the default rate limit ("api", "auth", "preflight") or exempts ("probe"). The mounted application
responds to a "mount"."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RouteRules:
    """What the gate needs to know of one method on one path, before anything else runs.

    `limits` are those declared for it or for its resource, in place of the default of its `kind`; routes with the same
    ones share their buckets. `body_bytes_max` and `content_types` are what it takes as a body. `headers` and `cors`
    stand in place of what all responses carry, None where nothing is declared. `is_foreign` says that another
    application responds, perhaps with pages and streams; `waits_elsewhere` that responding takes as long as somebody
    else takes, which says nothing about this process. Compared by identity: what is kept per route is keyed by it.
    """

    pattern: str
    kind: Kind = "api"
    limits: NamedLimits = ()
    body_bytes_max: int | None = None
    content_types: frozenset[bytes] = JSON_TYPES
    headers: Headers | None = None
    cors: CORS | None = None
    is_foreign: bool = False
    waits_elsewhere: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Operation:
    """One endpoint. `name` is `resource.verb`, `source` the file and line of the code that responds (`location_of`),
    `resource` the path of the resource that it is derived from; None for the others. `group` is the name of its group,
    empty for the app's own. `orm_reasons` say in words why a
    verb that no service overrides goes through the ORM all the same. `raises` are the problems of its
    own, each of which has a page. `envelope` is its name in dialects that have one: the key of what it returns, and
    what its refusals are about. `replaces` is the model of the resource whose derived
    endpoint it takes the place of.
    """

    name: str
    method: str
    rules: RouteRules
    allow: Policy
    source: str
    resource: str | None = None
    group: str = ""
    orm_reasons: tuple[str, ...] = ()
    raises: tuple[Problem, ...] = ()
    envelope: str | None = None
    replaces: str | None = None

    @property
    def path(self) -> str:
        """The path's pattern: `/api/books/{id}`."""
        return self.rules.pattern


def probe_routes(rules: Iterable[RouteRules]) -> set[str]:
    """The patterns of those that are probes."""
    return {each.pattern for each in rules if each.kind == "probe"}
