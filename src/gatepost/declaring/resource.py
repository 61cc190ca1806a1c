"""What is declared about one model: who may do what, and how it is shown. Every layer reads it, none changes it.

`App` turns a list of resources into routes, controllers, services and statements; the most specific declaration wins
(action, resource, app).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from gatepost.declaring.cors import CORS
from gatepost.declaring.headers import Headers
from gatepost.declaring.policies import Policy, anyone, check_is_policy, nobody
from gatepost.declaring.rate_limits import Limits, limits_by_action
from gatepost.errors import ConfigurationError

M = TypeVar("M")

ACTIONS = ("list", "get", "create", "update", "delete")
"""The actions of a resource, in the order of `gatepost routes`."""


PATH = re.compile(r"(?!\.+(?:/|$))[\w.~-]+(?:/(?!\.+(?:/|$))[\w.~-]+)*", re.ASCII)
"""The form of a path: segments that clients need not escape and that no proxy normalises (RFC 3986, section 2.3)."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """Rules of one field, on top of those of its resource.

    `read` says who sees it. `create` and `update` say who sets it at creation and afterwards; `write` is both. Where
    `read` is not `anyone`, writing has to be declared as well: a field that some may not read is not writable by
    default. `write_once` fields are set at creation only; `hidden` fields do not exist for any client.
    """

    read: Policy = anyone
    write: Policy | None = None
    create: Policy | None = None
    update: Policy | None = None
    write_once: bool = False
    hidden: bool = False

    def __post_init__(self) -> None:
        for name in ("read", "write", "create", "update"):
            given = getattr(self, name)
            if isinstance(given, Field):
                raise ConfigurationError(
                    "is a Field, not a policy.",
                    location=f"Field({name}=...)",
                    hint='Write hidden, read_only or write_once alone: fields={"notes": hidden}.',
                )
            if given is not None or name == "read":
                check_is_policy(given, f"Field({name}=...)")
        if self.write is not None and not (self.create is None and self.update is None):
            raise ConfigurationError(
                "is given together with create= or update=, which it stands for.",
                location="Field(write=...)",
                hint="Use either write=, or create= and update=.",
            )
        if self.write_once and self.update is not None:
            raise ConfigurationError(
                "is given together with write_once=True, which allows no update.",
                location="Field(update=...)",
                hint="Remove one of the two.",
            )
        if self.hidden:
            if any(given not in (None, anyone, nobody) for given in (self.read, self.write, self.create, self.update)):
                raise ConfigurationError(
                    "is hidden from every client, but says who reads or writes it.",
                    location="Field(hidden=True)",
                    hint="Write hidden, or Field(read=..., write=...) without hidden=True.",
                )
            for name, policy in (("read", nobody), ("write", nobody), ("create", None), ("update", None)):
                msgspec.structs.force_setattr(self, name, policy)

    def declared_policy(self, action: str) -> Policy | None:
        """The declared policy of setting the field when a row is created, or updated; None where none is declared."""
        if action == "update" and self.write_once:
            return nobody
        own = self.create if action == "create" else self.update
        return self.write if own is None else own

    def policy(self, action: str) -> Policy:
        """The policy of setting the field when a row is created, or updated: `anyone` where none is declared."""
        said = self.declared_policy(action)
        return anyone if said is None else said


write_once = Field(write_once=True)
"""Set at creation, never changed after."""

hidden = Field(read=nobody, write=nobody, hidden=True)
"""Hidden from every client: neither shown, nor set, nor filtered or sorted by."""

read_only = Field(write=nobody)
"""Shown, never set by a request."""


class Resource(Generic[M]):
    """One model on the wire.

    `read` and `write` open `list`, `get` and `create`, `update`, `delete` together; each of the five narrows or opens
    one action. Nothing is open unless it is declared. `sort` and `filter` name further fields to sort and filter by
    (each gets an index), `search` text fields for `contains` and `starts_with` (each gets a trigram index).
    `rate_limit` is the limit of the whole resource, or several that hold together, or those of single actions by name.
    `body_bytes_max`, `json_depth_max` and `json_items_max` bound the bodies of this resource, in place of the settings.
    `headers` replace those of the gate by name (None leaves one out), `cors` says which other origins may call.
    """

    def __init__(  # noqa: PLR0913 - a declaration
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
            "list": read if list is None else list,
            "get": read if get is None else get,
            "create": write if create is None else create,
            "update": write if update is None else update,
            "delete": write if delete is None else delete,
        }
        self.read = read
        self.write = write
        self.path = path
        self.service = service
        self.fields = dict(fields or {})
        self.sort = _names(model, "sort", sort)
        self.filter = _names(model, "filter", filter)
        self.search = _names(model, "search", search)
        self.page_size = page_size
        self.page_size_max = page_size_max
        self.rate_limits = limits_by_action(rate_limit, ACTIONS, location=f"Resource({_name(model)}, rate_limit=...)")
        self.require_if_match = require_if_match
        self.body_bytes_max = body_bytes_max
        self.json_depth_max = json_depth_max
        self.json_items_max = json_items_max
        self.headers = Headers(headers, location=f"Resource({_name(model)})") if headers else None
        self.cors = cors
        _check(self)


def _check(resource: Resource[Any]) -> None:
    """Check the types of the arguments; whether the named fields exist is checked once the model is read."""
    name = _name(resource.model)
    policies = {"read": resource.read, "write": resource.write, **resource.policies}
    for argument, given in policies.items():
        check_is_policy(given, f"Resource({name}, {argument}=...)")
    for field, rules in resource.fields.items():
        _check_kind(name, f"fields[{field!r}]", rules, Field, "Field(...), hidden, read_only or write_once")
    _check_kind(name, "path", resource.path, str | None, 'a text such as "books"')
    _check_kind(name, "cors", resource.cors, CORS | None, 'CORS("https://shop.example")')
    _check_kind(name, "page_size", resource.page_size, int, "a whole number")
    _check_kind(name, "page_size_max", resource.page_size_max, int, "a whole number")
    if not 1 <= resource.page_size <= resource.page_size_max:
        raise ConfigurationError(
            f"page_size is {resource.page_size}, page_size_max is {resource.page_size_max}.",
            location=f"Resource({name})",
            hint="Choose 1 <= page_size <= page_size_max.",
        )
    for argument in ("body_bytes_max", "json_depth_max", "json_items_max"):
        bound: int | None = getattr(resource, argument)
        _check_kind(name, argument, bound, int | None, "a whole number")
        if bound is not None and bound < 1:
            raise ConfigurationError(
                f"{argument} is {bound}.", location=f"Resource({name})", hint="Choose a positive number."
            )


def _name(model: object) -> str:
    return getattr(model, "__name__", repr(model))


def _names(model: object, argument: str, given: Sequence[str]) -> tuple[str, ...]:
    # A string is a sequence as well: of its characters.
    if isinstance(given, str) or not isinstance(given, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        location = f"Resource({_name(model)}, {argument}=...)"
        raise ConfigurationError(f"is {given!r}.", location=location, hint='Write a list of names: ["title"].')
    return tuple(given)


def _check_kind(name: str, argument: str, given: object, kind: Any, wanted: str) -> None:
    if not isinstance(given, kind):
        raise ConfigurationError(
            f"is {given!r}.", location=f"Resource({name}, {argument}=...)", hint=f"Write {wanted}."
        )
