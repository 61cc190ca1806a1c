"""Queries of reads: what the names in a query string mean for an actor: filters, order, fields, expansions, paging.

Called by the handlers of reads; `query_strings.py` takes the string apart. Unknown names are refused with a list of the
known ones, or the nearest. A hidden field is treated like one that does not exist.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gatepost.actor import Actor
from gatepost.bounded_cache import BoundedCache
from gatepost.call import Call
from gatepost.controllers.cursors import Cursors
from gatepost.controllers.paging import PagingParameters
from gatepost.controllers.query_strings import (
    DEPTH_MAX,
    Parameter,
    RawQuery,
    invalid_parameter,
    members_of,
    parse,
    too_many,
)
from gatepost.declaring.paging import Paging
from gatepost.declaring.policies import is_everyone
from gatepost.dtos.scalars import compile_element, compile_scalar, json_values_of
from gatepost.dtos.unknown_labels import unknown_labels
from gatepost.dtos.violations import Violation, wrong_type
from gatepost.errors import BadRequest
from gatepost.hints import parameter_hint
from gatepost.models.document_paths import field_of
from gatepost.models.dto_members import DTOMembers
from gatepost.models.filters import Filter, Filterable, filterable
from gatepost.models.list_query import ListQuery, Order, Position
from gatepost.models.operators import DEFAULT_OPERATOR, OPERATORS, Operator
from gatepost.models.recipes import Bound
from gatepost.models.relation_steps import RelationStep, find_expandable, find_step
from gatepost.models.selections import Expansion, Selection
from gatepost.models.served_model import ServedModel
from gatepost.models.shape import Form, Shape
from gatepost.models.trigrams import Trigrams
from gatepost.view import View

RELATIONS_MAX = 12
"""The most relations that filters and `expand` may follow in total: PostgreSQL takes 50 ms for 8 and 4, and took 0.4 s
for 8 and 22. Policies that follow relations, such as `owner("a.b.id")`, make no difference at this size."""

FILTER_STEPS_MAX = 8
"""The most relations that the filters of a query may follow in total, counting repeated ones. Each is a join, and
planning time grows much faster than the number of joins: 8 take 20 ms, 24 took 0.1 s and 72 took 5 s, even on an empty
table."""

CACHED_QUERIES_MAX = 1024
"""Query strings kept per resource, parsed and resolved."""

CACHED_QUERY_BYTES_MAX = 512


class QueryParsers:
    """How the values of one served model are parsed, filtered, sorted and put into cursors. Made at start."""

    def __init__(self, served: ServedModel) -> None:
        self.filterable: Filterable = filterable(served)
        self.scalars: dict[str, Callable[[str], Any]] = {
            name: compile_scalar(attribute) if attribute.shape.items is None else compile_element(attribute)
            for name, attribute in served.entity.attributes.items()
            if name in self.filterable.operators
        }
        self.scalars |= {name: json_values_of for name in self.filterable.operators if name not in self.scalars}


class Queries:
    """What the query strings of all lists of an app are read with."""

    def __init__(
        self, parsers: Mapping[ServedModel, QueryParsers], cursors: Cursors, trigrams: Trigrams, paging: Paging
    ) -> None:
        self.parsers = parsers
        self.cursors = cursors
        self.trigrams = trigrams
        self._paging = paging

    def reader(
        self,
        served: ServedModel,
        *,
        name: str | None = None,
        offers_total: bool = True,
        dto: DTOMembers | None = None,
    ) -> "QueryReader":
        """The reader of a list of rows of a served model: that of the resource, or of an endpoint with this name, which
        shows rows as this DTO."""
        paging = PagingParameters(self._paging, served.resource, offers_total=offers_total)
        return QueryReader(served, self, paging, name or served.full_path, dto or served.lists)


class QueryReader:
    """Reads the query strings of one resource, or of an own endpoint that returns rows of it. `paging` are the paging
    parameters of its list; cursors hold for the list of this `name` alone. `lists` is the DTO of
    its rows, None for the fields themselves."""

    def __init__(
        self,
        served: ServedModel,
        queries: Queries,
        paging: PagingParameters,
        name: str,
        lists: DTOMembers | None,
    ) -> None:
        self.paging = paging
        self._lists = lists
        self._name = name
        self._served = served
        self._trigrams = queries.trigrams
        self._parsers = queries.parsers
        self._own = queries.parsers[served]
        self._cursors = queries.cursors
        self._key = served.entity.key.names
        self._unsorted = tuple(map(self._sent_term, served.resource.order))
        self._secret = frozenset(name for name, rule in served.rules.items() if not is_everyone(rule.read))
        self._cached_queries = BoundedCache[tuple[bytes, View], ListQuery](CACHED_QUERIES_MAX)
        self._raw_queries = BoundedCache[bytes, RawQuery](CACHED_QUERIES_MAX)
        self._contexts = BoundedCache[tuple[Order, ...], bytes](CACHED_QUERIES_MAX)

    def read_one(self, call: Call) -> tuple[tuple[str, ...] | None, tuple[Expansion, ...]]:
        """`fields` and `expand` of a single row. Raises `BadRequest`."""
        raw, dto = self._parse(call.query_string), self._served.answers
        known = ("fields", "expand") if dto is None else ("fields",)
        for label in raw.labels:
            if label not in known:
                raise _unknown(label, known)
        return self._fields(raw, call, dto), self._expand(raw, call.actor, ())

    def read_list(self, call: Call) -> ListQuery:
        """Everything that a list's query says. Raises `BadRequest`.

        Most requests for first pages repeat a few query strings, so what they say is kept, for all actors with the same
        view. Queries with a cursor, or that follow a relation (whose rule depends on the actor), are resolved each
        time.
        """
        query_string, view = call.query_string, call.view
        known = self._cached_queries.get((query_string, view))
        if known is not None:
            return known
        query = self.resolve(self._parse(query_string), call)
        follows_relations = any(item.steps for item in query.filters)
        begins_later = query.position is not None or query.offset
        # The view does not say which members of a DTO the actor is shown.
        dto = self._lists
        is_of_actor = query.expand or follows_relations or (query.fields and dto is not None and not dto.is_open)
        if not (is_of_actor or begins_later) and len(query_string) <= CACHED_QUERY_BYTES_MAX:
            query = msgspec.structs.replace(query, is_cacheable=True)
            self._cached_queries[query_string, view] = query
        return query

    def _parse(self, query_string: bytes) -> RawQuery:
        """The query string taken apart, which is the same for every actor; kept where it is likely to come again."""
        raw = self._raw_queries.get(query_string)
        if raw is None:
            raw = parse(query_string, self.paging.reserved)
            if raw.cursor is None and raw.offset is None and len(query_string) <= CACHED_QUERY_BYTES_MAX:
                self._raw_queries[query_string] = raw
        return raw

    def resolve(self, raw: RawQuery, call: Call, order: Sequence[Order] = ()) -> ListQuery:
        """What a query asks of this resource, as far as the actor may ask for it. `order` is that of the rows where the
        query says none. Raises `BadRequest`."""
        view, actor, paging = call.view, call.actor, self.paging
        filters = self._filters(raw, call)
        for label in raw.labels:
            if label in paging.unused or (label == "expand" and self._lists is not None):
                raise _unknown(label, self._known(view))
        terms, limit = self._order(raw, view, order), paging.limit(raw.limit)
        fields, expand = self._fields(raw, call, self._lists), self._expand(raw, actor, filters)
        position = None if raw.cursor is None else self._position(raw.cursor, terms)
        offset, counts = paging.offset(raw.offset), paging.counts(raw.count)
        return ListQuery(terms, limit, filters, fields, expand, position, offset, counts)

    def seal(self, order: tuple[Order, ...], values: tuple[str | None, ...]) -> str:
        """A cursor at the position of a row."""
        return self._cursors.seal(self._context(order), values, is_secret=self._is_secret(order))

    def _is_secret(self, order: tuple[Order, ...]) -> bool:
        """Whether the position of a row in this order holds a value that some clients must not see: of the key, or of
        a column that the application's own `Select` is ordered by."""
        return not self._secret.isdisjoint(term.name for term in order)

    def _context(self, order: tuple[Order, ...]) -> bytes:
        """What a cursor is sealed for: path, order, and what the fields of the order hold, because PostgreSQL reads
        its values as such. A resource has few orders, because only indexed fields are sortable."""
        context = self._contexts.get(order)
        if context is None:
            attributes = self._served.entity.attributes
            terms = [f"{_order_text(term)}:{_kind_text(attributes[term.name].shape)}" for term in order]
            context = f"{self._name}?{','.join(terms)}".encode()
            self._contexts[order] = context
        return context

    def _known(self, view: View) -> list[str]:
        names = [name for name in self.paging.names if name != "expand" or self._lists is None]
        return [*names, *_visible(self._served, self._own.filterable, view.names)]

    def _fields(self, raw: RawQuery, call: Call, dto: DTOMembers | None) -> tuple[str, ...] | None:
        if raw.fields is None:
            return None
        wire_names = self._served.wire_names if dto is None else dto.wire_names
        known = {wire_names[name]: name for name in (call.view.shown if dto is None else dto.names_for(call.actor))}
        for sent in raw.fields:
            if sent not in known:
                raise invalid_parameter("fields", f"There is no field {sent!r}{_possible(known)}")
        return tuple([known[sent] for sent in raw.fields])

    def _sent_term(self, term: str) -> str:
        name = term.removeprefix("-")
        return term.removesuffix(name) + self._served.entity.attributes[name].wire_name

    def _sent(self, names: Iterable[str]) -> list[str]:
        """The names that clients know of attributes."""
        return [self._served.entity.attributes[name].wire_name for name in names]

    def _order(self, raw: RawQuery, view: View, default: Sequence[Order]) -> tuple[Order, ...]:
        sortable = [name for name in self._own.filterable.sortable if name in view.names]
        terms: dict[str, Order] = {}
        sort = raw.sort or (() if default else self._unsorted)
        for part in sort:
            sent = part.removeprefix("-")
            name = self._served.attribute_names.get(sent)
            if name is None or name not in view.names:
                raise invalid_parameter("sort", f"There is no field {sent!r}{_possible(self._sent(sortable))}")
            if name not in sortable:
                possible = _possible(self._sent(sortable))
                raise BadRequest("not_sortable", f"The field {sent!r} cannot be sorted by{possible}.")
            if name in terms:
                raise invalid_parameter("sort", f"{sent!r} is named twice")
            terms[name] = Order(name, part.startswith("-"))
        if not terms:
            terms = {term.name: term for term in default}
        is_descending = bool(terms) and [*terms.values()][-1].descending
        for name in self._key:
            terms.setdefault(name, Order(name, is_descending))
        # The key is unique, so that no term after it changes the order.
        order = tuple(terms.values())
        return order[: max(order.index(terms[name]) for name in self._key) + 1]

    def _position(self, parameter: Parameter, order: tuple[Order, ...]) -> Position:
        values = self._cursors.open(self._context(order), parameter.value, is_secret=self._is_secret(order))
        bounds = tuple(None if value is None else Bound(value) for value in values)
        return Position(bounds, parameter.name == "before")

    def _expand(self, raw: RawQuery, actor: Actor, filters: tuple[Filter, ...]) -> tuple[Expansion, ...]:
        if not raw.expand:
            return ()
        expand = _expansions(raw.expand, self._served, actor)
        if sum(len(item.steps) for item in filters) + sum(item.relation_count for item in expand) > RELATIONS_MAX:
            reason = f"It and the filters follow more than {RELATIONS_MAX} relations together."
            raise invalid_parameter("expand", Violation("too_long", reason, params={"max": RELATIONS_MAX}))
        return expand

    def _filters(self, raw: RawQuery, call: Call) -> tuple[Filter, ...]:
        found: list[Filter] = []
        relations = 0
        for parameter in raw.filters:
            item = self._filter(parameter, call)
            relations += len(item.steps)
            if relations > FILTER_STEPS_MAX:  # before the next one: the rule of each step is decided
                raise too_many(f"The filters follow more than {FILTER_STEPS_MAX} relations together.", FILTER_STEPS_MAX)
            found.append(item)
        return tuple(found)

    def _filter(self, parameter: Parameter, call: Call) -> Filter:
        steps, sent = self._steps(parameter, call)
        served = steps[-1].target if steps else self._served
        parsers, visible = self._parsers[served], (served.view(call.actor) if steps else call.view).names
        sent_field = field_of(sent)
        field = served.attribute_names.get(sent_field)
        is_path = sent != sent_field
        if (
            field is None
            or field not in visible
            or (is_path and served.entity.attributes[field].shape.form is not Form.DOCUMENT)
        ):
            raise _unknown(parameter.label, self._known(call.view))
        name = field + sent.removeprefix(sent_field)
        operator = _operator(parameter, name, served, parsers.filterable, visible)
        try:
            value = _operand(operator, parameter.value, parsers.scalars[name])
            for label in unknown_labels(value):
                label.refusal = invalid_parameter(parameter.label, label.violation)
            found = Filter.of(steps, field, operator, value)
        except ValueError as error:
            raise invalid_parameter(parameter.label, error) from None
        if (name, operator) in parsers.filterable.by_trigrams:
            at_beginning = operator.at_beginning
            if not self._trigrams.can_find(str(value), at_beginning=at_beginning):
                raise invalid_parameter(parameter.label, self._trigrams.requirement(at_beginning=at_beginning))
        return found

    def _steps(self, parameter: Parameter, call: Call) -> tuple[tuple[RelationStep, ...], str]:
        """The relations that a filter follows, and the rest of its name: a field, or a path into a document."""
        steps: list[RelationStep] = []
        name, served = parameter.name, self._served
        while True:
            relation, dot, rest = name.partition(".")
            named = served.relation_names.get(relation) if dot else None
            step = None if named is None else find_step(served, named, call.actor, enumerates=True)
            if step is None:
                return tuple(steps), name
            if len(steps) == DEPTH_MAX:
                reason = f"The path goes deeper than {DEPTH_MAX} relations."
                raise invalid_parameter(parameter.label, Violation("too_deep", reason, params={"max": DEPTH_MAX}))
            steps.append(step)
            name, served = rest, step.target


def _expansions(tree: Mapping[str, Any], served: ServedModel, actor: Actor) -> tuple[Expansion, ...]:
    found: list[Expansion] = []
    for sent, branch in tree.items():
        name = served.relation_names.get(sent, "")
        step = find_expandable(served, name, actor)
        if step is None:
            if find_step(served, name, actor, enumerates=True) is not None:
                raise invalid_parameter("expand", f"The relation {sent!r} is to-many and cannot be expanded")
            possible = [
                relation.wire_name
                for name, (relation, _) in served.relations.items()
                if find_expandable(served, name, actor)
            ]
            raise invalid_parameter("expand", f"There is no relation {sent!r} to expand{_possible(possible)}")
        inner = _expansions(branch, step.target, actor)
        selection = Selection.of(step.target, step.target.view(actor), step.rule, None, inner)
        found.append(Expansion(step.relation, selection))
    return tuple(found)


def _operand(operator: Operator, text: str, parse: Callable[[str], Any]) -> Any:
    """What a client sends for an operator. Raises `ValueError` with a sentence, of which most are a `Violation`."""
    if operator.operand == "scalar":
        return parse(text)
    if operator.operand == "list":
        return [parse(member) for member in members_of(text)]
    if text not in ("true", "false"):
        raise wrong_type("true or false", expected="boolean")
    return text == "true"


def _operator(
    parameter: Parameter, name: str, served: ServedModel, possible: Filterable, visible: tuple[str, ...]
) -> Operator:
    wanted = parameter.operator or DEFAULT_OPERATOR.name
    operators = possible.operators.get(name, {})
    if wanted in operators:
        return operators[wanted]
    if not any(item.name == wanted for item in OPERATORS):
        known = operators or [item.name for item in OPERATORS]
        raise invalid_parameter(parameter.label, f"There is no operator {wanted!r}{_possible(known)}")
    if operators:
        detail = f"{parameter.name!r} can be filtered by {', '.join(operators)}, not by {wanted!r}."
        raise BadRequest("not_filterable", detail)
    path = parameter.name.removesuffix(_sent_path(served, name))
    names = [path + known for known in _visible(served, possible, visible)]
    raise BadRequest("not_filterable", f"There is no filter for {parameter.name!r}{_possible(names)}.")


def _visible(served: ServedModel, possible: Filterable, visible: Collection[str]) -> list[str]:
    """What can be filtered by, as far as its field is shown, by the names that clients know."""
    return [_sent_path(served, name) for name in possible.operators if field_of(name) in visible]


def _sent_path(served: ServedModel, name: str) -> str:
    """A field, or a path into a document, as clients write it: the members of documents have the names that they
    have."""
    field = field_of(name)
    return served.entity.attributes[field].wire_name + name.removeprefix(field)


def _order_text(term: Order) -> str:
    return f"-{term.name}" if term.descending else term.name


def _kind_text(shape: Shape) -> str:
    return f"{shape.form}{[name for name, _ in shape.choices] if shape.choices else ''}"


def _possible(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f"; allowed: {listed}" if listed else ""


def _unknown(label: str, known: Iterable[str]) -> BadRequest:
    return BadRequest(
        "unknown_parameter", f"There is no parameter {label!r}.{parameter_hint(label.partition('[')[0], known)}"
    )
