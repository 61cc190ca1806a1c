"""What a user declares about one model: who may do what, and how it is shown. Read by every layer, changed by none.

`App` turns a list of these into routes, controllers, services and statements; the nearest declaration wins
(action, resource, app).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from gatepost.auth.policies import Policy, anyone, nobody
from gatepost.cors import CORS
from gatepost.errors import ConfigurationError
from gatepost.headers import Headers
from gatepost.limits import Limits, RateLimit

M = TypeVar("M")

ACTIONS = ("list", "get", "create", "update", "delete")
"""The actions that are derived for a resource, in the order of `gatepost routes`."""


class Field(msgspec.Struct, frozen=True):
    """Rules of one field, on top of those of its resource.

    `read` and `write` narrow who sees and sets it; `write_once` fields are set at creation only; `hidden` fields
    exist for nobody on the wire.
    """

    read: Policy = anyone
    write: Policy = anyone
    write_once: bool = False
    hidden: bool = False


write_once = Field(write_once=True)
"""Set at creation, never changed after."""

hidden = Field(read=nobody, write=nobody, hidden=True)
"""On the wire for nobody: neither shown, nor set, nor filtered or sorted by."""

read_only = Field(write=nobody)
"""Shown, never set by a request."""


class Resource(Generic[M]):
    """One model on the wire.

    `read` and `write` open `list`, `get` and `create`, `update`, `delete` together; each of the five narrows or
    opens one action. Nothing is open unless it says so. `sort` and `filter` name further fields to sort and filter by
    (each gets an index), `search` text fields for `contains` and `starts_with` (each gets a trigram index).
    `rate_limit` is the limit of the whole resource, or several that hold together, or those of single actions by name.
    `body_bytes_max`, `json_depth_max` and `json_items_max` bound the bodies of this resource, in place of the settings.
    `headers` replace those of the gate by name (None leaves one out), `cors` says which pages of other origins may
    call.
    """

    def __init__(
        self,
        model: type[M],
        *,
        read: Policy = nobody,
        write: Policy = nobody,
        list: Policy | None = None,
        get: Policy | None = None,
        create: Policy | None = None,
        update: Policy | None = None,
        delete: Policy | None = None,
        path: str | None = None,
        service: type[Any] | None = None,
        fields: Mapping[str, Field] | None = None,
        sort: Sequence[str] = (),
        filter: Sequence[str] = (),
        search: Sequence[str] = (),
        page_size: int = 20,
        page_size_max: int = 100,
        rate_limit: Limits | Mapping[str, Limits] | None = None,
        require_if_match: bool = False,
        body_bytes_max: int | None = None,
        json_depth_max: int | None = None,
        json_items_max: int | None = None,
        headers: Mapping[str, str | None] | None = None,
        cors: CORS | None = None,
    ) -> None:
        self.model = model
        self.policies: dict[str, Policy] = {
            "list": list or read,
            "get": get or read,
            "create": create or write,
            "update": update or write,
            "delete": delete or write,
        }
        self.read = read
        self.path = path
        self.service = service
        self.fields = dict(fields or {})
        self.sort = tuple(sort)
        self.filter = tuple(filter)
        self.search = tuple(search)
        self.page_size = page_size
        self.page_size_max = page_size_max
        self.rate_limits = _by_action(rate_limit, place=f"Resource({model.__name__})")
        self.require_if_match = require_if_match
        self.body_bytes_max = body_bytes_max
        self.json_depth_max = json_depth_max
        self.json_items_max = json_items_max
        self.headers = Headers(headers, place=f"Resource({model.__name__})") if headers else None
        self.cors = cors
        if not 1 <= page_size <= page_size_max:
            raise ConfigurationError(
                f"page_size is {page_size}, page_size_max is {page_size_max}.",
                place=f"Resource({model.__name__})",
                cure="Choose 1 <= page_size <= page_size_max.",
            )
        for name in ("body_bytes_max", "json_depth_max", "json_items_max"):
            if (bound := getattr(self, name)) is not None and bound < 1:
                raise ConfigurationError(
                    f"{name} is {bound}.", place=f"Resource({model.__name__})", cure="Choose a positive number."
                )


def _by_action(
    declared: Limits | Mapping[str, Limits] | None, *, place: str
) -> Mapping[str | None, tuple[RateLimit, ...]]:
    """The limits of single actions, and under None those of the others together."""
    if declared is None:
        return {}
    if not isinstance(declared, Mapping):
        return {None: _together(declared, place)}
    if unknown := [name for name in declared if name not in ACTIONS]:
        raise ConfigurationError(
            f"rate_limit names an action {unknown[0]!r}.", place=place, cure=f"The actions are {', '.join(ACTIONS)}."
        )
    return {name: _together(limits, place) for name, limits in declared.items()}


def _together(limits: Limits, place: str) -> tuple[RateLimit, ...]:
    several: Any = limits if isinstance(limits, Sequence) else (limits,)
    together = tuple(several)
    are_limits = all(isinstance(limit, RateLimit) for limit in together)
    if not together or not are_limits or len(set(together)) < len(together):
        raise ConfigurationError(
            f"rate_limit is {limits!r}.",
            place=place,
            cure="Give one RateLimit, several different ones, or a dict of them by action.",
        )
    return together
