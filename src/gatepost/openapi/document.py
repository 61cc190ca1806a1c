"""The whole document: OpenAPI 3.1 of everything that an audience may see."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gatepost.auth.bearer_tokens import BearerTokens
from gatepost.controllers.bound_endpoints import unnamed
from gatepost.declaring.dialect import Dialect
from gatepost.models.nesting import PLACE
from gatepost.openapi.annotation_schemas import AnnotationSchemas
from gatepost.openapi.audience import Audience
from gatepost.openapi.body_objects import BodyObjects
from gatepost.openapi.components import Components, Schema
from gatepost.openapi.described import Described, DescribedAPI, DescribedEndpoint, DescribedVerb
from gatepost.openapi.docstrings import own_docs
from gatepost.openapi.operation_objects import OperationObjects, tag_of
from gatepost.openapi.parameter_objects import ParameterObjects
from gatepost.openapi.response_objects import ResponseObjects
from gatepost.openapi.row_schemas import RowSchemas
from gatepost.openapi.security_schemes import SecuritySchemes
from gatepost.openapi.shape_schemas import ShapeSchemas

VERSION = "3.1.0"

_WORD = re.compile("[A-Za-z0-9]+")

_LINKED = {"get": "Read it", "update": "Change it", "delete": "Delete it"}


def document_of(api: DescribedAPI, audience: Audience) -> dict[str, Any]:
    """The document that an audience may see."""
    return _Document(api, audience).made()


class _Document:
    def __init__(self, api: DescribedAPI, audience: Audience) -> None:
        self._api = api
        self._audience = audience
        self._verbs = [item for item in api.verbs if audience.may_call(item.operation.allow)]
        self._endpoints = [
            item
            for item in api.endpoints
            if item.bound.method.route.document and audience.may_call(item.operation.allow)
        ]
        self._ids = self._operation_ids()
        self._list_ids = {item.served: self._ids[id(item.operation)] for item in self._verbs if item.verb == "list"}
        self._components = Components()
        self._security = SecuritySchemes(self._components, api.authenticators)
        self._operations = {group: self._objects(group, dialect) for group, dialect in api.dialects.items()}
        self._described: list[Described] = [*self._verbs, *self._endpoints]

    def _objects(self, group: str, dialect: Dialect) -> OperationObjects:
        """What makes the operations of the app, or of a group: in its dialect, with schemas of its own."""
        api, audience = self._api, self._audience
        components, wire_name, of_app = self._components, dialect.names, api.dialects[""]
        if group:
            is_alike = dialect is of_app
            components = components.scoped(_title(group), ("schemas",) if is_alike else ("schemas", "responses"))
        shapes = ShapeSchemas(components, lambda kind, use: AnnotationSchemas(components, use).schema(kind))
        rows = RowSchemas(components, shapes, audience)
        return OperationObjects(
            components,
            rows,
            BodyObjects(components, shapes, audience, wire_name),
            ParameterObjects(components, shapes, rows, audience, filterable=api.filterable, wire_name=wire_name),
            ResponseObjects(
                components,
                dialect,
                shared=self._components,
                has_alike_pages=dialect.paging.by_offset == of_app.paging.by_offset,
                has_own_credentials=not all(isinstance(declared, BearerTokens) for declared, _ in api.authenticators),
            ),
            security=self._security,
            wire_name=wire_name,
            list_ids=self._list_ids,
        )

    def made(self) -> dict[str, Any]:
        """The document."""
        info = self._api.info
        description = " ".join(filter(None, [info.description, self._audience.note, _mounted(self._api.mounts)]))
        paths: dict[str, dict[str, Any]] = {}
        known: dict[str, str] = {}
        for described in self._described:
            operation = described.operation
            path = known.setdefault(unnamed(operation.path), PLACE.sub(r"{\1}", operation.path))
            made = self._made(described)
            _rename(made, operation.path, path)
            paths.setdefault(path, {})[operation.method.lower()] = {
                "operationId": self._ids[id(operation)],
                **{name: value for name, value in made.items() if value != [] or name == "security"},
            }
        return {
            "openapi": VERSION,
            "info": {
                "title": info.title,
                "version": info.version,
                **({"description": description} if description else {}),
            },
            "servers": [{"url": "/"}],
            "tags": [*self._tags()],
            "paths": paths,
            "components": self._components.sorted(),
            **({"x-mounts": [*self._api.mounts]} if self._api.mounts else {}),
        }

    def _made(self, described: Described) -> Schema:
        if isinstance(described, DescribedEndpoint):
            return self._operations[described.group].of_endpoint(described)
        return self._operations[described.group].of_verb(
            described, self._links(described) if described.verb == "create" else {}
        )

    def _links(self, creation: DescribedVerb) -> Schema:
        """From the response to a creation to what can be done with the row."""
        found: Schema = {}
        served = creation.served
        key = served.addressed.entity.key
        if key.is_composite or key.names[0] not in self._audience.fields(served).always:
            return found
        shown = served.answers
        wire_name = key.attributes[0].wire_name
        if shown is not None and wire_name not in shown.wire_names.values():
            return found
        for item in self._verbs:
            if item.served is served and item.verb in _LINKED:
                *above, own = [name for name, _ in PLACE.findall(item.operation.path)]
                parameters = {name: f"$request.path.{name}" for name in above}
                parameters[own] = f"$response.body#/{creation.envelope.key}/{wire_name}"
                operation_id = self._ids[id(item.operation)]
                found[item.verb] = {
                    "operationId": operation_id,
                    "parameters": parameters,
                    "description": f"{_LINKED[item.verb]}.",
                }
        return found

    def _operation_ids(self) -> dict[int, str]:
        """A name for every operation; one that several have, such as a method with two paths, is numbered."""
        found: dict[int, str] = {}
        taken: set[str] = set()
        items: list[Described] = [*self._api.verbs, *self._api.endpoints]
        for item in items:
            wanted = _wanted_id(item)
            name, number = wanted, 2
            while name in taken:
                name, number = f"{wanted}.{number}", number + 1
            taken.add(name)
            found[id(item.operation)] = name
        return found

    def _tags(self) -> Iterator[Schema]:
        """The tags of the operations, those of resources with what their models say."""
        docs = {item.served.name: own_docs(item.served.entity.model) for item in self._verbs}
        names = dict.fromkeys(docs)
        for endpoint in self._endpoints:
            method = endpoint.bound.method
            if method.served is None and not method.route.tags:
                name = tag_of(endpoint.bound)
                names[name] = None
                docs.setdefault(name, own_docs(method.controller))
            names.update(dict.fromkeys(method.route.tags or ([] if method.served is None else [method.served.name])))
        for name in names:
            yield {"name": name, **({"description": docs[name]} if docs.get(name) else {})}


def _mounted(paths: Sequence[str]) -> str:
    """What the document says of the applications that it does not describe."""
    if not paths:
        return ""
    named = " and ".join(filter(None, [", ".join(f"`{path}`" for path in paths[:-1]), f"`{paths[-1]}`"]))
    verb = "is another application" if len(paths) == 1 else "are other applications"
    return f"Below {named} {verb}, not described here."


def _wanted_id(item: Described) -> str:
    own = item.bound.method.route.operation_id if isinstance(item, DescribedEndpoint) else None
    return item.operation.name if own is None else ".".join(filter(None, (item.group, own)))


def _title(group: str) -> str:
    """What the names of a group's schemas begin with: `V2`."""
    return "".join(word[:1].upper() + word[1:] for word in _WORD.findall(group))


def _rename(made: Schema, pattern: str, path: str) -> None:
    """Give the parameters of a path the names that they have in another one that matches alike: OpenAPI has one object
    for both."""
    names = dict(
        zip([name for name, _ in PLACE.findall(pattern)], [name for name, _ in PLACE.findall(path)], strict=True)
    )
    for place, parameter in enumerate(made.get("parameters", ())):
        if parameter.get("in") == "path" and names[parameter["name"]] != parameter["name"]:
            made["parameters"][place] = {**parameter, "name": names[parameter["name"]]}
