"""Parameters: of paths and lists, and those that endpoints declare.

A filter is one parameter per field and operator, `price[lt]`, each a component that all lists of the resource share. A
filter over a relation is described for the fields that the other resource itself declares for filters.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, get_args, get_origin

import msgspec

from gatepost.controllers.endpoint_parameters import QueryParameter, TextParameter
from gatepost.controllers.paging import OFFSET_MAX, PagingParameters
from gatepost.controllers.query_strings import DEPTH_MAX, EXPANSIONS_MAX
from gatepost.controllers.responses import ENTITY_TAGS_MAX
from gatepost.controllers.signatures import MISSING
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.path_keys import COMPOSITE_TEXT, PATH_TEXT
from gatepost.dtos.structured_json import LISTS
from gatepost.dtos.structured_members import alternatives_of, without_metadata
from gatepost.models.document_paths import field_of
from gatepost.models.dto_members import DTOMembers
from gatepost.models.entity import Key
from gatepost.models.filters import Filterable
from gatepost.models.operators import DEFAULT_OPERATOR, Operator
from gatepost.models.served_model import ServedModel
from gatepost.models.shape import Shape
from gatepost.openapi.annotation_schemas import AnnotationSchemas
from gatepost.openapi.audience import Audience
from gatepost.openapi.components import Components, Schema
from gatepost.openapi.list_patterns import list_pattern
from gatepost.openapi.row_schemas import RowSchemas
from gatepost.openapi.shape_schemas import ShapeSchemas

OPERATORS: Mapping[str, str] = {
    "eq": "is equal to",
    "ne": "is not equal to",
    "lt": "is less than",
    "lte": "is less than or equal to",
    "gt": "is greater than",
    "gte": "is greater than or equal to",
    "in": "is one of these, separated by commas",
    "null": "is null (`true`) or not (`false`)",
    "contains": "contains this, of which three letters or digits stand in a row",
    "starts_with": "starts with",
    "icontains": "contains this, of which three letters or digits stand in a row, in upper or lower case",
    "istarts_with": "starts with, in upper or lower case",
    "has": "has this element",
}
"""What each operator of a filter says of a field."""


_CURSOR: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}

PAGING: Mapping[str, tuple[Schema, str]] = {
    "after": (_CURSOR, "The page behind this cursor, `next` of another page; not together with `before`"),
    "before": (_CURSOR, "The page before this cursor, `prev` of another page; not together with `after`"),
    "offset": (
        {"type": "integer", "minimum": 0, "maximum": OFFSET_MAX, "default": 0},
        "How many rows there are before the page",
    ),
    "count": ({"type": "boolean"}, "Whether the page says the total"),
}
"""The parameters that all lists share."""


_TAG = r'(W/)?"[!#-~]*"'
ENTITY_TAGS = rf"^(\*|{_TAG}(, *{_TAG}){{0,{ENTITY_TAGS_MAX - 1}}})$"

EXPANSION_PATHS_MAX = 60
"""Paths of relations that the pattern of `expand` names one by one."""


class ParameterObjects:
    """The parameters of one document."""

    def __init__(  # noqa: PLR0913 - what parameters are made of
        self,
        components: Components,
        shapes: ShapeSchemas,
        rows: RowSchemas,
        audience: Audience,
        *,
        filterable: Mapping[ServedModel, Filterable],
        wire_name: WireName,
    ) -> None:
        self._components = components
        self._shapes = shapes
        self._rows = rows
        self._audience = audience
        self._filterable = filterable
        self._wire_name = wire_name

    def of_key(self, name: str, key: Key) -> Schema:
        """The parameter of a path that names a row."""
        if key.is_composite:
            pattern = ",".join([COMPOSITE_TEXT] * len(key.attributes))
            return _in_path(name, {"type": "string", "pattern": f"^{pattern}$"}, "The values, separated by commas")
        attribute = key.attributes[0]
        schema = self._shapes.parameter(attribute.shape, attribute.name)
        return _in_path(name, {**schema, "pattern": PATH_TEXT} if schema == {"type": "string"} else schema)

    def of_text(self, parameter: TextParameter) -> Schema:
        """A parameter that an endpoint takes from its path, a header or a cookie."""
        schema = self._annotated(parameter.annotation)
        if parameter.place == "path":
            return _in_path(parameter.name, schema)
        return {
            "name": parameter.name,
            "in": parameter.place,
            **({"required": True} if parameter.default is MISSING else {}),
            "schema": _with_default(schema, parameter.default),
        }

    def of_query(self, name: str, parameter: QueryParameter) -> Schema:
        """A parameter that an endpoint takes from the query string. A list is given once for each of its values."""
        schema = self._annotated(parameter.annotation)
        return {
            "name": name,
            "in": "query",
            **({"required": True} if parameter.is_required else {}),
            "schema": _with_default(schema, parameter.default),
        }

    def of_list(
        self, served: ServedModel, dto: DTOMembers | None, paging: PagingParameters, names: Iterable[str]
    ) -> Iterator[Schema]:
        """Those of these names that a list of rows has: which page, which order, what is shown of each row."""
        limit = {"type": "integer", "minimum": 1, "maximum": paging.size_max, "default": paging.size}
        special: Mapping[str, Callable[[], Schema | None]] = {
            "sort": partial(self._sort, served),
            "fields": partial(self._fields, served, dto),
            "expand": partial(self._expand, served, dto),
            "limit": partial(_query, "limit", limit, "How many rows a page has"),
        }
        for name in names:
            found = special[name]() if name in special else self._shared(name)
            if found is not None:
                yield found

    def of_row(self, served: ServedModel, dto: DTOMembers | None) -> Iterator[Schema]:
        """Those of a single row that is read."""
        yield from filter(None, (self._fields(served, dto), self._expand(served, dto)))

    def filters(self, served: ServedModel) -> Iterator[Schema]:
        """The filters of a list, by its own fields and by those of the rows that its relations lead to."""
        own = self._filterable[served]
        yield from self._filters(served, own.operators, "")
        for name, target in self.relations(served).items():
            resource = target.resource
            declared = {*resource.filter, *resource.sort, *resource.search}
            operators = self._filterable[target].operators
            yield from self._filters(
                target, {path: found for path, found in operators.items() if path in declared}, f"{name}."
            )

    def relations(self, served: ServedModel) -> dict[str, ServedModel]:
        """What the relations lead to that filters may follow, by their names."""
        found = {
            relation.wire_name: self._audience.relation(served, name, expands=False)
            for name, (relation, _) in served.relations.items()
        }
        return {name: target for name, target in found.items() if target is not None and target in self._filterable}

    def filtered(self, served: ServedModel) -> list[str]:
        """The names of the fields that a resource can be filtered by."""
        compared, attributes = self._audience.fields(served).compared, served.entity.attributes
        return [
            attributes[field_of(path)].wire_name + path.removeprefix(field_of(path))
            for path in self._filterable[served].operators
            if field_of(path) in compared
        ]

    def if_match(self, *, is_required: bool) -> Schema:
        """The versions of a row on which a write depends."""
        name = "If-Match.required" if is_required else "If-Match"
        return self._components.ref(
            "parameters",
            name,
            name,
            lambda: {
                "name": "If-Match",
                "in": "header",
                **({"required": True} if is_required else {}),
                "description": "The `ETag` of the row that was read: it is written only if it has not changed since.",
                "schema": {"type": "string", "pattern": ENTITY_TAGS},
            },
        )

    def range(self) -> Schema:
        """The bytes that a client wants of a file."""
        return self._components.ref(
            "parameters",
            "Range",
            "Range",
            lambda: {
                "name": "Range",
                "in": "header",
                "description": "The bytes that the client wants, such as `bytes=0-1023`: 206 with these alone.",
                "schema": {"type": "string"},
            },
        )

    def if_none_match(self) -> Schema:
        """The entity tag of what a client has."""
        return self._components.ref(
            "parameters",
            "If-None-Match",
            "If-None-Match",
            lambda: {
                "name": "If-None-Match",
                "in": "header",
                "description": "The `ETag` of what the client has: 304 where it is still the same.",
                "schema": {"type": "string", "pattern": ENTITY_TAGS},
            },
        )

    def _filters(
        self, served: ServedModel, operators: Mapping[str, Mapping[str, Operator]], prefix: str
    ) -> Iterator[Schema]:
        compared = self._audience.fields(served).compared
        for path, possible in operators.items():
            field = field_of(path)
            if field not in compared:
                continue
            attribute = served.entity.attributes[field]
            sent = prefix + attribute.wire_name + path.removeprefix(field)
            for operator in possible.values():
                label = sent if operator is DEFAULT_OPERATOR else f"{sent}[{operator.name}]"
                shape = attribute.shape
                schema = self._operand(operator, shape if path == field else None, field)
                name = f"{served.name}{'.by' if prefix else ''}.{label.replace('[', '.').rstrip(']')}"
                made = partial(_query, label, schema, f"Rows whose `{sent}` {OPERATORS[operator.name]}")
                yield self._components.ref("parameters", (served, label), name, made)

    def _operand(self, operator: Operator, shape: Shape | None, name: str) -> Schema:
        if operator.operand == "flag":
            return {"type": "boolean"}
        if operator.operand == "list":
            return self._shapes.listed(shape)
        if shape is None:
            return {"type": "string"}
        return self._shapes.parameter(shape, name)

    def _sort(self, served: ServedModel) -> Schema | None:
        compared = self._audience.fields(served).compared
        names = [served.wire_names[name] for name in self._filterable[served].sortable if name in compared]
        if not names:
            return None
        order = [
            f"{'-' * term.startswith('-')}{served.wire_names[term.removeprefix('-')]}" for term in served.resource.order
        ]
        schema: Schema = {"type": "string", "pattern": list_pattern(names, is_signed=True)}
        if order and all(term.removeprefix("-") in names for term in order):
            schema["default"] = ",".join(order)
        return _query("sort", schema, "The fields to sort by, separated by commas; `-` before one for descending")

    def _fields(self, served: ServedModel, dto: DTOMembers | None) -> Schema | None:
        names = self._rows.names(served, dto)
        if not names:
            return None
        schema: Schema = {"type": "string", "pattern": list_pattern(names)}
        return _query("fields", schema, "The fields to show, separated by commas; all without it")

    def _expand(self, served: ServedModel, dto: DTOMembers | None) -> Schema | None:
        paths = [*self._expansion_paths(served)] if dto is None else ()
        if not paths:
            return None
        pattern = list_pattern(paths, count_max=EXPANSIONS_MAX)
        if len(paths) > EXPANSION_PATHS_MAX:
            one = f"({'|'.join(path for path in paths if '.' not in path)})(\\.[a-zA-Z_]+){{0,{DEPTH_MAX - 1}}}"
            pattern = f"^{one}(,{one}){{0,{EXPANSIONS_MAX - 1}}}$"
        schema: Schema = {"type": "string", "pattern": pattern}
        return _query("expand", schema, "The relations to show beside their keys, separated by commas")

    def _expansion_paths(self, served: ServedModel, depth: int = DEPTH_MAX) -> Iterator[str]:
        """The relations that can be expanded, and those of the rows that they lead to."""
        for name, target in self._rows.expandable(served).items():
            yield name
            if depth > 1:
                yield from (f"{name}.{path}" for path in self._expansion_paths(target, depth - 1))

    def _shared(self, name: str) -> Schema:
        return self._components.ref("parameters", name, name, partial(_query, name, *PAGING[name]))

    def _annotated(self, annotation: Any) -> Schema:
        """The schema of a parameter's annotation; null, which no text is, is left out."""
        plain, metadata = without_metadata(annotation)
        types = [item for item in alternatives_of(plain) if item is not type(None)]
        schemas = AnnotationSchemas(self._components, "request", self._wire_name)
        if len(types) == 1 and types[0] is not plain:
            return self._annotated(Annotated[types[0], *metadata] if metadata else types[0])
        found = schemas.schema(annotation)
        is_list = (get_origin(plain) or plain) in LISTS and get_args(plain)
        return found if is_list or not isinstance(found.get("type"), list) else {**found, "type": found["type"][0]}


def _in_path(name: str, schema: Schema, description: str | None = None) -> Schema:
    found: Schema = {"name": name, "in": "path", "required": True, "schema": schema}
    return found if description is None else {**found, "description": f"{description}."}


def _query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "description": f"{description}.", "schema": schema}


def _with_default(schema: Schema, default: Any) -> Schema:
    if default is MISSING or default is None:
        return schema
    try:
        return {**schema, "default": msgspec.json.decode(msgspec.json.encode(default))}
    except TypeError:
        return schema
