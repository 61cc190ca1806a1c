"""What is declared about one model: who may do what, and how it is shown. Every layer reads it, none changes it.

`App` turns a list of resources into routes, controllers, services and statements; the most specific declaration wins
(action, resource, app).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, cast

from gatepost.declaring.arguments import Arguments, Declared, declared
from gatepost.declaring.attributes import Attr
from gatepost.declaring.controller import Controller
from gatepost.declaring.cors import CORS
from gatepost.declaring.dto import DTO
from gatepost.declaring.policies import Policy, anyone, checked_policy, nobody
from gatepost.declaring.rate_limits import Limits, RateLimit, limits_by_action
from gatepost.declaring.restrictions import RowExpression, restriction_of
from gatepost.declaring.row_services import RowService
from gatepost.errors import ConfigurationError, Problem
from gatepost.hints import did_you_mean

M = TypeVar("M")

ACTIONS = ("list", "get", "create", "update", "delete")
"""The actions of a resource, in the order of `gatepost routes`."""


PATH = re.compile(r"(?!\.+(?:/|$))[\w.~-]+(?:/(?!\.+(?:/|$))[\w.~-]+)*", re.ASCII)
"""The form of a path: segments that clients need not escape and that no proxy normalises (RFC 3986, section 2.3)."""


@dataclass(frozen=True, init=False)
class Field(Declared):
    """Rules of one field, on top of those of its resource.

    `read` says who sees it. `create` and `update` say who sets it at creation and afterwards; `write` is both. Where
    `read` is not `anyone`, writing has to be declared as well: a field that some may not read is not writable by
    default. `write_once` fields are set at creation only; `hidden` fields do not exist for any client. `personal` ones
    are about a person: their values are masked in logs and wherever else Gatepost writes something down.
    """

    read: Policy
    write: Policy | None
    create: Policy | None
    update: Policy | None
    write_once: bool
    hidden: bool
    personal: bool

    @declared
    def __init__(  # noqa: PLR0913 - a declaration
        self,
        *,
        read: Policy = anyone,
        write: Policy | None = None,
        create: Policy | None = None,
        update: Policy | None = None,
        write_once: bool = False,
        hidden: bool = False,
        personal: bool = False,
    ) -> None:
        given = {"read": read, "write": write, "create": create, "update": update}
        rules = {name: self._read_policy(name, policy) for name, policy in given.items()}
        for mistake in _contradictions(rules, is_once=write_once, is_hidden=hidden):
            self.mistakes.add(mistake, self.source)
        if hidden:
            rules = {"read": nobody, "write": nobody, "create": None, "update": None}
        for name, value in {**rules, "write_once": write_once, "hidden": hidden, "personal": personal}.items():
            object.__setattr__(self, name, value)

    def _read_policy(self, name: str, given: object) -> Policy | None:
        if given is None and name != "read":
            return None
        default = anyone if name == "read" else None
        with self.mistakes.check(self.source):
            if isinstance(given, Field):
                raise ConfigurationError(
                    "is a Field, not a policy.",
                    location=f"Field({name}=...)",
                    hint='Write hidden, read_only or write_once alone: fields={"notes": hidden}.',
                )
            return checked_policy(given, f"Field({name}=...)")
        return default

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


def _contradictions(
    given: Mapping[str, Policy | None], *, is_once: bool, is_hidden: bool
) -> Iterator[ConfigurationError]:
    if given["write"] is not None and not (given["create"] is None and given["update"] is None):
        yield ConfigurationError(
            "is given together with create= or update=, which it stands for.",
            location="Field(write=...)",
            hint="Use either write=, or create= and update=.",
        )
    if is_once and given["update"] is not None:
        yield ConfigurationError(
            "is given together with write_once=True, which allows no update.",
            location="Field(update=...)",
            hint="Remove one of the two.",
        )
    if is_hidden and any(policy not in (None, anyone, nobody) for policy in given.values()):
        yield ConfigurationError(
            "is hidden from every client, but says who reads or writes it.",
            location="Field(hidden=True)",
            hint="Write hidden, or Field(read=..., write=...) without hidden=True.",
        )


write_once = Field(write_once=True)
"""Set at creation, never changed after."""

hidden = Field(read=nobody, write=nobody, hidden=True)
"""Hidden from every client: neither shown, nor set, nor filtered or sorted by."""

read_only = Field(write=nobody)
"""Shown, never set by a request."""


class Resource(Declared, Generic[M]):
    """One model on the wire.

    `read` and `write` open `list`, `get` and `create`, `update`, `delete` together; each of the five narrows or opens
    one action. Nothing is open unless it is declared. `sort` and `filter` name further fields to sort and filter by
    (each gets an index); a path into a JSONB column, such as `"data.color"`, can be filtered by as well. `search` names
    text fields for `contains`, `starts_with`, `icontains` and `istarts_with` (each gets a trigram index).
    `rate_limit` is the limit of the whole resource, or several that hold together, or those of single actions by name.
    `body_bytes_max`, `json_depth_max` and `json_items_max` bound the bodies of this resource, in place of the settings.
    `creates` and `updates` are the DTOs whose members the bodies of creations and changes have.
    `headers` replace those of the gate by name (None leaves one out), `cors` says which other origins may call.
    `where` is a condition that every row of the resource satisfies, whoever asks: an expression that names the model,
    or a function of the model. Without `routes` there is no endpoint, and all else holds. `key` names the unique column
    by which paths name rows, in place of the primary key. `order` is that of lists without `sort=`: `"-created_at"`.
    `under` puts the path below the row of another resource: `"articles/{article:slug}"`. `name` is what
    operations and rate limits are called by, instead of the path. `answers` is the DTO that a row is shown as, `lists`
    that of the rows of a list (without it, `answers`). `raises` are the problems that the service raises, for the
    description: of all actions, or of each by its name.
    """

    @declared
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
        service: type[RowService[M]] | None = None,
        controller: type[Controller[M]] | None = None,
        creates: type[DTO[M]] | None = None,
        updates: type[DTO[M]] | None = None,
        fields: Mapping[str, Field] | None = None,
        sort: Sequence[Attr] = (),
        filter: Sequence[Attr] = (),
        search: Sequence[Attr] = (),
        page_size: int = 20,
        page_size_max: int = 100,
        rate_limit: Limits | Mapping[str, Limits] | None = None,
        require_if_match: bool = False,
        body_bytes_max: int | None = None,
        json_depth_max: int | None = None,
        json_items_max: int | None = None,
        headers: Mapping[str, str | None] | None = None,
        cors: CORS | None = None,
        routes: bool = True,
        where: RowExpression | None = None,
        key: Attr | None = None,
        order: Attr | Sequence[Attr] | None = None,
        under: str | None = None,
        name: str | None = None,
        answers: type[DTO[M]] | None = None,
        lists: type[DTO[M]] | None = None,
        raises: Sequence[Problem] | Mapping[str, Sequence[Problem]] = (),
    ) -> None:
        self.model = model
        location = f"Resource({getattr(model, '__name__', repr(model))}"
        arguments = Arguments(self, location)
        arguments.check(_check_model, model)
        self.read = arguments.policy("read", read)
        self.write = arguments.policy("write", write)
        self.policies: dict[str, Policy] = {
            "list": self.read if list is None else arguments.policy("list", list),
            "get": self.read if get is None else arguments.policy("get", get),
            "create": self.write if create is None else arguments.policy("create", create),
            "update": self.write if update is None else arguments.policy("update", update),
            "delete": self.write if delete is None else arguments.policy("delete", delete),
        }
        self.path = arguments.of_kind("path", path, str | None, 'a text such as "books"', None)
        self.service = service
        self.controller = controller
        self.creates = arguments.dto("creates", creates)
        self.updates = arguments.dto("updates", updates)
        self.fields = self._read_fields(arguments, fields)
        self.sort = arguments.attributes("sort", model, sort)
        self.filter = arguments.attributes("filter", model, filter)
        self.search = arguments.attributes("search", model, search)
        self.page_size = arguments.of_kind("page_size", page_size, int, "a whole number", 20)
        self.page_size_max = arguments.of_kind("page_size_max", page_size_max, int, "a whole number", self.page_size)
        arguments.check(_check_page_sizes, self.page_size, self.page_size_max, f"{location})")
        limits = partial(limits_by_action, rate_limit, ACTIONS, location=f"{location}, rate_limit=...)")
        none: Mapping[str | None, tuple[RateLimit, ...]] = {}
        self.rate_limits = self.mistakes.attempt(limits, none, self.source)
        self.require_if_match = arguments.of_kind("require_if_match", require_if_match, bool, "True or False", False)
        self.body_bytes_max = arguments.bound("body_bytes_max", body_bytes_max)
        self.json_depth_max = arguments.bound("json_depth_max", json_depth_max)
        self.json_items_max = arguments.bound("json_items_max", json_items_max)
        self.headers = arguments.headers(headers)
        self.has_policies = arguments.has_policies
        self.name = arguments.of_kind("name", name, str | None, 'a text such as "comments"', None)
        self.under = arguments.of_kind("under", under, str | None, '"articles/{article:slug}"', None)
        self.order = arguments.order("order", model, order)
        self.key = arguments.attribute("key", model, key)
        self.answers = arguments.dto("answers", answers)
        self.lists = arguments.dto("lists", lists) or self.answers
        self.routes = arguments.of_kind("routes", routes, bool, "True or False", True)
        condition = partial(restriction_of, where, f"{location}, where=...)")
        self.where = self.mistakes.attempt(condition, None, self.source)
        self.cors = arguments.of_kind("cors", cors, CORS | None, 'CORS("https://shop.example")', None)
        none_raised: dict[str, tuple[Problem, ...]] = {}
        self.raises = self.mistakes.attempt(
            partial(_raised, raises, f"{location}, raises=...)"), none_raised, self.source
        )

    def _read_fields(self, arguments: Arguments, given: Mapping[str, Field] | None) -> dict[str, Field]:
        """The fields whose rules can be read; the mistakes of the others become the resource's."""
        fields: dict[str, Field] = {}
        for name, rules in arguments.of_kind(
            "fields", given or {}, Mapping, 'a dict: {"title": read_only}', {}
        ).items():
            wanted = "Field(...), hidden, read_only or write_once"
            field = arguments.of_kind(f"fields[{name!r}]", rules, Field | None, wanted, None)
            for mistake in () if field is None else field.mistakes:
                self.mistakes.add(mistake)
            if field is not None:
                fields[name] = field
        return fields


def _raised(given: object, location: str) -> dict[str, tuple[Problem, ...]]:
    """The problems by action. Raises `ConfigurationError` for what is no problem, and for an action that does not
    exist."""
    is_by_action = isinstance(given, Mapping)
    by_action: Mapping[Any, Any] = cast("Any", given) if is_by_action else dict.fromkeys(ACTIONS, given)
    for action, problems in by_action.items():
        if action not in ACTIONS:
            raise ConfigurationError(
                f"has {action!r}, which is not an action.{did_you_mean(str(action), ACTIONS)}",
                location=location,
                hint=f"The actions are {', '.join(ACTIONS)}.",
            )
        listed: Sequence[Any] = cast("Any", problems) if isinstance(problems, list | tuple) else (None,)
        if not all(isinstance(each, Problem) for each in listed):
            raise ConfigurationError(
                f"has {problems!r}, which is not a list of problems.",
                location=location,
                hint='Write them as they are raised: raises={"create": [Conflict("out_of_stock", "None is left.")]}.',
            )
    return {action: tuple(problems) for action, problems in by_action.items() if problems}


def _check_model(model: object) -> None:
    if not isinstance(model, type):
        raise ConfigurationError(
            "is not a class.",
            location=f"Resource({model!r})",
            hint="Give it the model itself: Resource(Book, read=...).",
        )


def _check_page_sizes(size: int, size_max: int, location: str) -> None:
    if not 1 <= size <= size_max:
        raise ConfigurationError(
            f"page_size is {size}, page_size_max is {size_max}.",
            location=location,
            hint="Choose 1 <= page_size <= page_size_max.",
        )
