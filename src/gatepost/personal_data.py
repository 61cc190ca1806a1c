"""What an application knows of personal data: the fields that `Field(personal=True)` declares, and which of their
values a request has brought or loaded. Logs, `gatepost explain` and whatever else writes something down mask them.

Outside of the path of a request: the values are collected when a line is written while one is served. Until then a
request keeps what it has anyway, its head and a body that is not large; only objects of models with personal fields are
noted as they are loaded (`models/personal_values.py`).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, cast
from urllib.parse import parse_qsl, quote, quote_plus

import msgspec

from gatepost.call import CURRENT_SPENT, Call
from gatepost.models.document_paths import field_of
from gatepost.models.entity import Entity
from gatepost.models.personal_values import is_personal, texts_of
from gatepost.models.served_model import ServedModel
from gatepost.operations import RouteRules

SEARCH = "q"
"""The parameter of searches: what is searched for may be a value of any field."""

DEPTH_MAX = 20
VALUES_MAX = 10_000
"""The most values that are looked for."""


class PersonalData:
    """The personal fields of one application.

    `names` are those of its attributes and columns, and those that clients know. `patterns` are the routes whose paths
    hold a personal value; `names_actors` says that the id of a user is one.
    """

    def __init__(
        self,
        entities: Iterable[Entity],
        served: Iterable[tuple[str, ServedModel]],
        users: Entity | None,
        routes: Iterable[RouteRules],
    ) -> None:
        """`served` are the resources with the prefix of their paths."""
        self.attributes: dict[type[Any], tuple[str, ...]] = {}
        names: set[str] = set()
        for entity in entities:
            found = [each for each in entity.attributes.values() if is_personal(each.column)]
            if found:
                self.attributes[entity.model] = tuple(each.name for each in found)
            names.update(name for each in found for name in (each.name, each.wire_name, each.column.name))
        self.names = frozenset(names)
        resources = list(served)
        paths = {
            f"{prefix}/{item.template}"
            for prefix, item in resources
            if any(is_personal(each.column) for each in item.addressed.entity.key.attributes)
        }
        self.patterns = frozenset(rules.pattern for rules in routes if self._holds_value(rules.pattern, paths))
        self._may_search = any(
            is_personal(item.entity.attributes[field_of(name)].column)
            for _, item in resources
            for name in item.resource.search
        )
        of_users = () if users is None else users.attributes.values()
        self._of_users = tuple(each.name for each in of_users if is_personal(each.column))
        self.names_actors = users is not None and any(is_personal(each.column) for each in users.key.attributes)

    def forms_of(self, call: Call | None) -> tuple[str, ...]:
        """How a text may show the values of personal fields that a request has brought, and that code has loaded for
        it, and its credentials: in lower case, the longest first. Without a call those that the running task has
        loaded."""
        spent = CURRENT_SPENT.get(None) if call is None else call.spent
        if spent is None:
            return ()
        loaded = spent.personal or ()
        key = (len(loaded),) if call is None else (len(loaded), len(call.content), call.actor.id)
        known = spent.masked
        if known is None or known[0] != key:
            brought = () if call is None else (*self._brought(call), *self._of_user(call.actor.user))
            values = dict.fromkeys((*loaded, *brought))
            known = spent.masked = key, forms_of(values)
        return known[1]

    def _of_user(self, user: Any) -> Iterator[str]:
        for name in () if user is None else self._of_users:
            yield from texts_of(getattr(user, name, None))

    def _brought(self, call: Call) -> Iterator[str]:
        yield from _credentials(call)
        if not self.names:
            return
        if call.rules is not None and call.rules.pattern in self.patterns:
            yield from call.path_values
        yield from self.values_in_query(call.query_string)
        yield from self.values_in_body(call.content)

    def values_in_query(self, query_string: bytes) -> Iterator[str]:
        """The values of filters by personal fields, and of searches."""
        for name, value in parse_qsl(query_string.decode("latin-1"), encoding="utf-8", errors="replace"):
            field = name.partition("[")[0].rpartition(".")[2]
            if field in self.names or (field == SEARCH and self._may_search):
                yield value
                yield from (part for part in value.split(",") if part != value)

    def values_in_body(self, content: bytes) -> Iterator[str]:
        """The values of members with the name of a personal field, at any depth of a body in JSON."""
        try:
            document: Any = msgspec.json.decode(content) if content else None
        except (msgspec.DecodeError, RecursionError):
            return
        yield from self._values_in(document, 0)

    def _values_in(self, value: Any, depth: int) -> Iterator[str]:
        if depth > DEPTH_MAX:
            return
        if isinstance(value, dict):
            for name, member in cast("dict[str, Any]", value).items():
                if name in self.names:
                    yield from texts_of(member)
                else:
                    yield from self._values_in(member, depth + 1)
        elif isinstance(value, list):
            for each in cast("Sequence[Any]", value):
                yield from self._values_in(each, depth + 1)

    def _holds_value(self, pattern: str, paths: set[str]) -> bool:
        parts = pattern.split("/")
        return any(
            part.startswith("{")
            and ("/".join(parts[:place]) in paths or not self.names.isdisjoint(part.strip("{}").split(":")))
            for place, part in enumerate(parts)
        )


def forms_of(values: Iterable[str]) -> tuple[str, ...]:
    """How texts show these values, in lower case, the longest first: as they are, and as they stand in URLs, JSON and
    in Python's source."""
    found: dict[str, None] = {}
    for value in islice(filter(None, values), VALUES_MAX):
        found[value.lower()] = None
        if not (value.isascii() and value.isalnum()):
            json = msgspec.json.encode(value.encode(errors="replace").decode()).decode()[1:-1]
            others = (quote(value, safe="", errors="replace"), quote(value, errors="replace"), json, repr(value)[1:-1])
            found |= dict.fromkeys(form.lower() for form in (*others, quote_plus(value, errors="replace")))
    return tuple(sorted(found, key=len, reverse=True))


def _credentials(call: Call) -> Iterator[str]:
    """What proves who the client is: its token, and its cookies."""
    yield from (call.header("authorization") or "").split()[1:]
    for pair in (call.header("cookie") or "").split(";"):
        yield pair.partition("=")[2].strip(' \t"')
