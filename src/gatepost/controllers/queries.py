"""Query strings of reads: filters, order, fields, expansions, paging, checked against what the actor may see.

Unknown names are refused with a list of the known ones, or the nearest. A hidden field is treated like one that does
not exist.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Column

from gatepost.actor import Actor
from gatepost.bounded_cache import BoundedCache
from gatepost.call import Call
from gatepost.controllers.cursors import Cursors, broken_cursor
from gatepost.controllers.parameters import Parameter, read_parameters
from gatepost.declaring.policies import both, decide
from gatepost.dtos.scalars import compile_scalar
from gatepost.errors import BadRequest
from gatepost.hints import did_you_mean
from gatepost.models.catalog import RESERVED, ServedModel
from gatepost.models.conditions import bind_decision
from gatepost.models.entity import Attribute
from gatepost.models.filters import (
    DEFAULT_OPERATOR,
    OPERATORS,
    Filter,
    Filterable,
    Operator,
    RelationStep,
    filterable,
)
from gatepost.models.json_output import decoder_of
from gatepost.models.list_query import ListQuery, Order, Position
from gatepost.models.recipes import Bound
from gatepost.models.selections import Expansion, Selection
from gatepost.models.trigrams import Trigrams
from gatepost.view import View

DEPTH_MAX = 3

RELATIONS_MAX = 12
"""The most relations that filters and `expand` may follow in total: PostgreSQL takes 50 ms for 8 and 4, and took 0.4 s
for 8 and 22. Policies that follow relations, such as `owner("a.b.id")`, make no difference at this size."""

EXPANSIONS_MAX = 10

CACHED_QUERIES_MAX = 1024
"""Parsed queries kept per resource."""

CACHED_QUERY_BYTES_MAX = 512


class QueryParsers:
    """How the values of one served model are parsed, filtered, sorted and put into cursors. Made at start."""

    def __init__(self, served: ServedModel) -> None:
        self.served = served
        self.filterable: Filterable = filterable(served)
        self.scalars: dict[str, Callable[[str], Any]] = {
            name: compile_scalar(attribute)
            for name, attribute in served.entity.attributes.items()
            if name in self.filterable.operators or name in self.filterable.sortable or attribute.primary_key
        }
        self.cursor_encoders: dict[str, Callable[[Any], Any]] = {
            name: encode
            for name in self.filterable.sortable
            if (encode := _cursor_encoder(served.entity.attributes[name])) is not None
        }
        key = served.entity.key.name
        self.default_order: tuple[Order, ...] = (Order(key, False),)


class QueryReader:
    """Reads the query strings of one resource."""

    def __init__(
        self, served: ServedModel, parsers: Mapping[ServedModel, QueryParsers], cursors: Cursors, trigrams: Trigrams
    ) -> None:
        self._served = served
        self._trigrams = trigrams
        self._parsers = parsers
        self._cursors = cursors
        self._resource = served.resource
        self._key = served.entity.key.name
        self._cached_queries = BoundedCache[tuple[bytes, View], ListQuery](CACHED_QUERIES_MAX)
        self._contexts = BoundedCache[tuple[Order, ...], bytes](CACHED_QUERIES_MAX)

    def read_one(self, call: Call) -> tuple[tuple[str, ...] | None, tuple[Expansion, ...]]:
        """`fields` and `expand` of a single row. Raises `BadRequest`."""
        fields: tuple[str, ...] | None = None
        expand: tuple[Expansion, ...] = ()
        for parameter in _once(read_parameters(call.query_string)):
            if parameter.label == "fields":
                fields = self._fields(parameter, call.view)
            elif parameter.label == "expand":
                expand = self._expand(parameter, call.actor)
            else:
                raise _unknown(parameter.label, ("fields", "expand"))
        return fields, expand

    def read_list(self, call: Call) -> ListQuery:
        """Everything that a list's query says. Raises `BadRequest`.

        Most requests for first pages repeat a few query strings, so those are cached. Queries with a cursor, or that
        follow a relation (whose rule depends on the actor), are parsed each time.
        """
        query_string, view = call.query_string, call.view
        known = self._cached_queries.get((query_string, view))
        if known is not None:
            return known
        query = self._read_list(query_string, view, call.actor)
        has_hops = any(item.hops for item in query.filters)
        if not (query.expand or query.position or has_hops) and len(query_string) <= CACHED_QUERY_BYTES_MAX:
            query = msgspec.structs.replace(query, is_cacheable=True)
            self._cached_queries[query_string, view] = query
        return query

    def _read_list(self, query_string: bytes, view: View, actor: Actor) -> ListQuery:
        parsers = self._parsers[self._served]
        order, limit = parsers.default_order, self._resource.page_size
        if not query_string:
            return ListQuery(order, limit)
        fields: tuple[str, ...] | None = None
        expand: tuple[Expansion, ...] = ()
        cursor: Parameter | None = None
        filters: list[Filter] = []
        plain: list[Parameter] = []
        for parameter in read_parameters(query_string):
            if parameter.operator is None and parameter.name in RESERVED:
                plain.append(parameter)
            else:
                filters.append(self._filter(parameter, view, actor))
        for parameter in _once(plain):
            match parameter.name:
                case "sort":
                    order = self._order(parameter, view)
                case "limit":
                    limit = self._limit(parameter)
                case "fields":
                    fields = self._fields(parameter, view)
                case "expand":
                    expand = self._expand(parameter, actor)
                case "after" | "before" if cursor is None:
                    cursor = parameter
                case "after" | "before":
                    raise _invalid("after", "`after` and `before` cannot be combined")
                case name:
                    raise _unknown(name, self._known(view))
        _check_relations(filters, expand)
        position = self._position(cursor, order) if cursor is not None else None
        return ListQuery(order, limit, tuple(filters), fields, expand, position)

    def seal(self, order: tuple[Order, ...], values: tuple[Any, ...]) -> str:
        """A cursor at the position of a row."""
        encoders = self._parsers[self._served].cursor_encoders
        if encoders:
            values = tuple(
                encoders[term.name](value) if term.name in encoders and value is not None else value
                for term, value in zip(order, values, strict=True)
            )
        return self._cursors.seal(self._context(order), values)

    def _context(self, order: tuple[Order, ...]) -> bytes:
        """What a cursor is sealed for: path and order. A resource has few orders, because only indexed fields are
        sortable."""
        context = self._contexts.get(order)
        if context is None:
            context = f"{self._served.path}?{','.join(_order_text(term) for term in order)}".encode()
            self._contexts[order] = context
        return context

    def _known(self, view: View) -> list[str]:
        names = [name for name in self._parsers[self._served].filterable.operators if name in view.names]
        return ["sort", "fields", "expand", "limit", "after", "before", *names]

    def _limit(self, parameter: Parameter) -> int:
        text, most = parameter.value, self._resource.page_size_max
        if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= most):
            raise _invalid("limit", f"send a whole number from 1 to {most}")
        return int(text)

    def _fields(self, parameter: Parameter, view: View) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(parameter.value.split(",")))
        for name in names:
            if name not in view.names and name not in view.ruled:
                raise _invalid("fields", f"there is no field {name!r}{_possible((*view.names, *view.ruled))}")
        return names

    def _order(self, parameter: Parameter, view: View) -> tuple[Order, ...]:
        sortable = [name for name in self._parsers[self._served].filterable.sortable if name in view.names]
        terms: dict[str, Order] = {}
        for part in parameter.value.split(","):
            name = part.removeprefix("-")
            if name not in view.names:
                raise _invalid("sort", f"there is no field {name!r}{_possible(sortable)}")
            if name not in sortable:
                raise BadRequest("not_sortable", f"The field {name!r} cannot be sorted by{_possible(sortable)}.")
            if name in terms:
                raise _invalid("sort", f"{name!r} is named twice")
            terms[name] = Order(name, part.startswith("-"))
            if name == self._key:
                return tuple(terms.values())
        last = next(reversed(terms.values()))
        return (*terms.values(), Order(self._key, last.descending))

    def _position(self, parameter: Parameter, order: tuple[Order, ...]) -> Position:
        values = self._cursors.open(self._context(order), parameter.value)
        scalars = self._parsers[self._served].scalars
        try:
            parsed = tuple(_cursor_value(scalars[term.name], value) for term, value in zip(order, values, strict=True))
        except ValueError:  # sealed before a column's type was changed
            raise broken_cursor() from None
        bounds = tuple(None if value is None else Bound(value) for value in parsed)
        return Position(bounds, parameter.name == "before")

    def _expand(self, parameter: Parameter, actor: Actor) -> tuple[Expansion, ...]:
        tree: dict[str, Any] = {}
        paths = parameter.value.split(",")
        if len(paths) > EXPANSIONS_MAX:
            raise _invalid("expand", f"there are more than {EXPANSIONS_MAX} relations")
        for path in paths:
            steps = path.split(".")
            if len(steps) > DEPTH_MAX:
                raise _invalid("expand", f"{path!r} goes deeper than {DEPTH_MAX} relations")
            branch = tree
            for step in steps:
                branch = branch.setdefault(step, {})
        expand = self._expansions(tree, self._served, actor)
        _check_relations((), expand)
        return expand

    def _expansions(self, tree: Mapping[str, Any], served: ServedModel, actor: Actor) -> tuple[Expansion, ...]:
        found: list[Expansion] = []
        for name, branch in tree.items():
            hop = _expandable(served, name, actor)
            if hop is None:
                possible = [item for item in served.relations if _expandable(served, item, actor)]
                raise _invalid("expand", f"there is no relation {name!r} to expand{_possible(possible)}")
            inner = self._expansions(branch, hop.target, actor)
            selection = Selection.of(hop.target, hop.target.view(actor), hop.rule, None, inner)
            found.append(Expansion(hop.relation, selection))
        return tuple(found)

    def _filter(self, parameter: Parameter, view: View, actor: Actor) -> Filter:
        *path, name = parameter.name.split(".")
        if len(path) > DEPTH_MAX:
            raise _invalid(parameter.label, f"the path goes deeper than {DEPTH_MAX} relations")
        hops: list[RelationStep] = []
        served = self._served
        for step in path:
            hop = _step(served, step, actor, enumerates=True)
            if hop is None:
                raise _unknown(parameter.label, self._known(view))
            hops.append(hop)
            served = hop.target
        parsers = self._parsers[served]
        if name not in (served.view(actor) if path else view).names:
            raise _unknown(parameter.label, self._known(view))
        operator = _operator(parameter, name, parsers.filterable, served.view(actor).names)
        try:
            value = operator.read(parameter.value, parsers.scalars[name])
            found = Filter.of(tuple(hops), name, operator, value)
        except ValueError as error:
            raise _invalid(parameter.label, str(error)) from None
        if (name, operator) in parsers.filterable.by_trigrams:
            at_beginning = operator.at_beginning
            if not self._trigrams.can_find(str(value), at_beginning=at_beginning):
                raise _invalid(parameter.label, self._trigrams.requirement(at_beginning=at_beginning))
        return found


def _expandable(served: ServedModel, name: str, actor: Actor) -> RelationStep | None:
    """A step to the one row that a foreign key refers to, under the target's `get`: an actor who sees the key may get
    the row. In the other direction (a one-to-one relation from the target) no key is seen, so `list` applies."""
    step = _step(served, name, actor)
    if step is None or step.relation.many:
        return None
    names_target = any(key.column is step.relation.remote for key in step.relation.local.foreign_keys)
    return step if names_target else _step(served, name, actor, enumerates=True)


def _step(served: ServedModel, name: str, actor: Actor, *, enumerates: bool = False) -> RelationStep | None:
    """A step over a relation, None where the actor does not see it. A step that `enumerates`, which finds rows without
    knowing their keys, requires the target's `list` as well as its `get`."""
    relation, target = served.relations.get(name, (None, None))
    if relation is None or target is None:
        return None
    if not (_is_seen(served, relation.local, actor) and _is_seen(target, relation.remote, actor)):
        return None
    policies = target.resource.policies
    decision = decide(policies["get"], actor)
    if enumerates and decision is not False and policies["list"] is not policies["get"]:
        decision = both(decision, decide(policies["list"], actor))
    if decision is False:
        return None
    return RelationStep(relation, target, bind_decision(decision, actor, target.entity))


def _check_relations(filters: Iterable[Filter], expand: tuple[Expansion, ...]) -> None:
    if expand and sum(len(item.hops) for item in filters) + sum(item.relation_count for item in expand) > RELATIONS_MAX:
        raise _invalid("expand", f"it and the filters follow more than {RELATIONS_MAX} relations together")


def _is_seen(served: ServedModel, column: Column[Any], actor: Actor) -> bool:
    """Whether the actor sees a column by which a relation joins: otherwise the relation would reveal its values."""
    attribute = served.entity.attribute_of(column)
    return attribute is not None and attribute.name in served.view(actor).names


def _operator(parameter: Parameter, name: str, possible: Filterable, visible: tuple[str, ...]) -> Operator:
    wanted = parameter.operator or DEFAULT_OPERATOR.name
    operators = possible.operators.get(name, {})
    if wanted in operators:
        return operators[wanted]
    if not any(item.name == wanted for item in OPERATORS):
        known = operators or [item.name for item in OPERATORS]
        raise _invalid(parameter.label, f"there is no operator {wanted!r}{_possible(known)}")
    if operators:
        raise BadRequest("not_filterable", f"{name!r} can be filtered by {', '.join(operators)}, not by {wanted!r}.")
    names = [known for known in possible.operators if known in visible]
    raise BadRequest("not_filterable", f"The field {name!r} cannot be filtered by{_possible(names)}.")


def _cursor_encoder(attribute: Attribute) -> Callable[[Any], Any] | None:
    """The function from a stored value to its wire form, None where the two are equal (see `_cursor_value`)."""
    if attribute.shape.choices and not attribute.shape.is_decorated:
        stored = dict(attribute.shape.choices)
        return lambda value: stored.get(value, value)
    return decoder_of(attribute)


def _cursor_value(parse: Callable[[str], Any], value: Any) -> Any:
    """A value of a cursor, as its column compares it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return parse("true" if value else "false")
    return parse(value if isinstance(value, str) else repr(value))


def _once(parameters: list[Parameter]) -> list[Parameter]:
    """The parameters; raises where one is repeated."""
    labels = [parameter.label for parameter in parameters]
    if len(set(labels)) != len(labels):
        doubled = next(label for label in labels if labels.count(label) > 1)
        raise _invalid(doubled, "it is given more than once")
    return parameters


def _order_text(term: Order) -> str:
    return f"-{term.name}" if term.descending else term.name


def _possible(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f"; possible are: {listed}" if listed else ""


def _invalid(label: str, reason: str) -> BadRequest:
    return BadRequest("invalid_parameter", f"The parameter {label!r}: {reason.rstrip('.')}.")


def _unknown(label: str, known: Iterable[str]) -> BadRequest:
    return BadRequest(
        "unknown_parameter", f"There is no parameter {label!r}.{did_you_mean(label.partition('[')[0], known)}"
    )
