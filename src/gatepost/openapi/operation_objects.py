"""Operations: one object per derived or written one, with its parameters, body, responses and links."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_origin

from gatepost.call import Response
from gatepost.controllers.bound_endpoints import BoundEndpoint
from gatepost.controllers.envelopes import Envelope
from gatepost.controllers.path_rows import compared_row
from gatepost.controllers.query_strings import DEPTH_MAX
from gatepost.declaring.policies import Policy, is_everyone
from gatepost.models.dto_members import DTOMembers
from gatepost.models.nesting import PLACE
from gatepost.models.served_model import ServedModel
from gatepost.openapi.annotation_schemas import AnnotationSchemas
from gatepost.openapi.body_objects import BodyObjects
from gatepost.openapi.components import Components, Schema
from gatepost.openapi.described import DescribedEndpoint, DescribedVerb
from gatepost.openapi.docstrings import divided, own_docs
from gatepost.openapi.parameter_objects import ParameterObjects
from gatepost.openapi.refusal_codes import of_endpoint, of_verb
from gatepost.openapi.response_objects import ALWAYS, HEADERS, LIMITED, ResponseObjects
from gatepost.openapi.row_schemas import RowSchemas
from gatepost.openapi.schema_parts import RELATION_FILTERS
from gatepost.openapi.security_schemes import SecuritySchemes
from gatepost.openapi.sent_objects import of_file, of_stream

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


class OperationObjects:
    """Makes the operations of one document."""

    def __init__(  # noqa: PLR0913 - what an operation is made of
        self,
        components: Components,
        rows: RowSchemas,
        bodies: BodyObjects,
        parameters: ParameterObjects,
        responses: ResponseObjects,
        *,
        security: SecuritySchemes,
        wire_name: Callable[[str], str],
        list_ids: Mapping[ServedModel, str],
    ) -> None:
        self._components = components
        self._rows = rows
        self._bodies = bodies
        self._parameters = parameters
        self._responses = responses
        self._security = security
        self._wire_name = wire_name
        self._list_ids = list_ids

    def of_verb(self, described: DescribedVerb, links: Schema) -> Schema:
        """A derived operation. `links` are those of a creation."""
        served, verb, operation = described.served, described.verb, described.operation
        summary, description = _verb_docs(described)
        found = self._operation(summary, description, [served.name], operation.allow)
        found["parameters"] = [*self._verb_parameters(described)]
        if verb == "list":
            self._describe_relations(found, served)
        if verb in ("create", "update"):
            found["requestBody"] = self._bodies.of_verb(served, verb, operation.method, described.body_envelope)
        found["responses"] = {
            **self._verb_successes(described, links),
            **self._responses.refusals(of_verb(described), operation.raises, is_own=described.runs_code),
        }
        return found

    def of_endpoint(self, described: DescribedEndpoint) -> Schema:
        """An operation that is written."""
        bound = described.bound
        route, served = bound.method.route, bound.method.served
        summary, description = divided(own_docs(bound.method.function))
        tag = served.name if served is not None else tag_of(bound)
        found = self._operation(
            summary or _sentence(bound.method.name),
            description,
            route.tags or [tag],
            described.operation.allow,
            is_anonymous=route.auth or route.probe,
        )
        if route.deprecated:
            found["deprecated"] = True
        found["parameters"] = [*self._endpoint_parameters(described)]
        if served is not None and described.rows is not None and described.rows.filters:
            self._describe_relations(found, served)
        if bound.body is not None:
            found["requestBody"] = self._bodies.of_endpoint(bound.body, route.method, described.body_envelope)
        found["responses"] = {
            **self._endpoint_successes(described),
            **self._responses.refusals(of_endpoint(described), route.raises, is_own=described.runs_code),
        }
        if _makes_responses(bound):
            found["responses"]["default"] = self._responses.own()
        return found

    def _operation(
        self, summary: str, description: str, tags: Sequence[str], allow: Policy, *, is_anonymous: bool = False
    ) -> Schema:
        found: Schema = {"tags": [*tags], "summary": summary}
        if description:
            found["description"] = description
        is_open = is_everyone(allow)
        found["security"] = (
            [] if is_anonymous and is_open else self._security.optional() if is_open else self._security.required()
        )
        return found

    def _describe_relations(self, found: Schema, served: ServedModel) -> None:
        """Say which relations filters may follow: to the operation whose filters go on from there, or to the names of
        the fields where there is none."""
        relations = {
            name: self._list_ids.get(target) or self._parameters.filtered(target)
            for name, target in self._parameters.relations(served).items()
        }
        if relations:
            found[RELATION_FILTERS] = relations
            name, target = next(iter(relations.items()))
            like = f"a filter of `{target}`" if isinstance(target, str) else "a field of what it leads to"
            sentence = f"Filters may follow up to {DEPTH_MAX} relations: put `{name}.` before {like}, and so on."
            found["description"] = "\n\n".join(filter(None, [found.get("description"), sentence]))

    def _verb_parameters(self, described: DescribedVerb) -> Any:
        served, verb = described.served, described.verb
        for nesting, _ in served.rows_above:
            yield self._parameters.of_key(nesting.name, nesting.entity.key)
        if verb == "list":
            yield from self._parameters.of_list(served, served.lists, described.paging, described.paging.names)
            yield from self._parameters.filters(served)
        elif verb != "create":
            yield self._parameters.of_key(PLACE.findall(described.operation.path)[-1][0], served.addressed.entity.key)
        if verb == "get":
            yield from self._parameters.of_row(served, served.answers)
            yield self._parameters.if_none_match()
        if verb in ("update", "delete"):
            yield self._parameters.if_match(is_required=served.requires_version)

    def _verb_successes(self, described: DescribedVerb, links: Schema) -> Schema:
        served, verb, responses, envelope = described.served, described.verb, self._responses, described.envelope
        name = self._rows.name(served, served.answers)
        if verb == "list":
            return {"200": self._list(served, served.lists, described, envelope)}
        if verb == "delete":
            return {"204": responses.shown("It is deleted.", None, LIMITED)}
        if verb == "get":
            row = responses.one(name, self._rows.read(served, served.answers), envelope)
            return {
                "200": responses.shown("The row.", row, ("ETag", *LIMITED)),
                "304": responses.shown("The client has it already.", None, ("ETag", *LIMITED)),
            }
        row = responses.one(f"{name}Written", self._rows.row(served, served.answers), envelope)
        if verb == "update":
            return {
                "200": responses.shown("The row as it is now.", row, ("ETag", "Content-Location", *LIMITED)),
                "204": responses.shown("It is changed, and you may not read it.", None, LIMITED),
            }
        made = responses.shown("The row, unless you may not read it.", row, ("ETag", "Location", *LIMITED))
        return {"201": {**made, **({"links": links} if links else {})}}

    def _list(
        self, served: ServedModel, dto: DTOMembers | None, described: DescribedVerb, envelope: Envelope
    ) -> Schema:
        name, row = self._rows.name(served, dto), self._rows.read(served, dto)
        schema = self._responses.many(name, row, envelope, described.paging)
        return self._responses.shown("A page of rows.", schema, ("Link", *LIMITED))

    def _endpoint_parameters(self, described: DescribedEndpoint) -> Any:
        bound = described.bound
        rows = {row.name: row for row in bound.rows}
        texts = {text.name: text for text in bound.texts if text.place == "path"}
        for name, _ in PLACE.findall(bound.pattern):
            if name in rows:
                yield self._parameters.of_key(name, rows[name].served.entity.with_key(rows[name].attribute).key)
            else:
                yield self._parameters.of_text(texts[name])
        for text in bound.texts:
            if text.place != "path":
                yield self._parameters.of_text(text)
        for name, parameter in bound.query.by_name.items():
            yield self._parameters.of_query(name, parameter)
        if compared_row(bound.rows, bound.texts, bound.method.route.method) is not None:
            yield self._parameters.if_match(is_required=False)
        served = bound.returned.served
        if served is not None and described.rows is not None:
            dto, rows_of = described.dto or served.lists, described.rows
            yield from self._parameters.of_list(served, dto, rows_of.paging, rows_of.names)
            if rows_of.filters:
                yield from self._parameters.filters(served)
        elif served is not None and bound.method.route.method == "GET" and bound.returned.has_one:
            yield self._parameters.if_none_match()
        if bound.returned.is_file and bound.method.route.method == "GET":
            yield from (self._parameters.if_none_match(), self._parameters.range())

    def _endpoint_successes(self, described: DescribedEndpoint) -> Schema:
        bound = described.bound
        route, returned = bound.method.route, bound.returned
        limited = ALWAYS if route.probe else LIMITED
        found: Schema = {}
        served = returned.served
        if returned.is_file:
            found.update(of_file(self._responses, route.method))
        elif (stream := returned.stream) is not None:
            item = (
                self._plain(stream.item) if served is None else self._rows.row(served, described.dto or served.answers)
            )
            found[str(route.status or 200)] = of_stream(self._responses, stream, item)
        elif served is not None:
            found.update(self._rows_shown(described, served))
        elif returned.is_select:
            schema: Schema = {"type": "array", "items": self._selected(returned.selected)}
            body = self._responses.one(_title(bound), schema, described.envelope)
            found[str(route.status or 200)] = self._responses.shown("The values.", body, limited)
        else:
            parts = [part for part in returned.parts if part is not Response and part not in (Any, object)]
            if parts:
                schemas = [self._plain(part) for part in parts]
                value = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
                body = self._responses.one(_title(bound), value, described.envelope)
                found[str(route.status or 200)] = self._responses.shown("The result.", body, limited)
        if _makes_responses(bound):
            status, own = str(route.status or 200), self._own_response()
            also = found.get(status, own)
            found[status] = {**also, "content": {**also.get("content", {}), **own["content"]}}
        is_hidden = served is not None and returned.stream is None
        may_be_nothing = returned.may_be_none or not (returned.parts or returned.is_select) or is_hidden
        if returned.is_nothing or (may_be_nothing and route.method != "GET"):
            status = str(route.status or 204)
            found.setdefault(status, self._responses.shown("It is done, and there is nothing to show.", None, limited))
        return found

    def _rows_shown(self, described: DescribedEndpoint, served: ServedModel) -> Schema:
        bound, returned, responses, envelope = (
            described.bound,
            described.bound.returned,
            self._responses,
            described.envelope,
        )
        status = bound.method.route.status
        one, many = described.dto or served.answers, described.dto or served.lists
        found: Schema = {}
        if described.rows is not None:
            name, row = self._rows.name(served, many), self._rows.read(served, many)
            schema = responses.many(name, row, described.rows.envelope, described.rows.paging)
            found["200"] = responses.shown("The rows.", schema, ("Link", *LIMITED))
        elif returned.has_many:
            schema = responses.many(self._rows.name(served, many), self._rows.row(served, many), envelope)
            found[str(status or 200)] = responses.shown("The rows that you may see.", schema, LIMITED)
        if not (returned.is_created or returned.has_one):
            return found
        row = responses.one(f"{self._rows.name(served, one)}Written", self._rows.row(served, one), envelope)
        if returned.is_created:
            found[str(status or 201)] = responses.shown(
                "The row, unless you may not read it.", row, ("ETag", "Location", *LIMITED)
            )
        if returned.has_one:
            found[str(status or 200)] = responses.shown("The row.", row, ("ETag", *LIMITED))
            if bound.method.route.method == "GET":
                found["304"] = responses.shown("The client has it already.", None, ("ETag", *LIMITED))
        return found

    def _selected(self, selected: Sequence[Any]) -> Schema:
        """What each row of a Select of columns is: a value, or an object where it has several."""
        kinds = selected[0] if len(selected) == 1 else selected
        has_several = isinstance(kinds, tuple) or get_origin(kinds) is tuple
        return {"type": "object"} if has_several else self._plain(kinds)

    def _plain(self, annotation: Any) -> Schema:
        return AnnotationSchemas(self._components, "response", self._wire_name).schema(annotation)

    def _own_response(self) -> Schema:
        found = self._responses.shown("A response of the endpoint's own.", None, [*HEADERS])
        return {**found, "content": {"*/*": {"schema": {}}}}


def _verb_docs(described: DescribedVerb) -> tuple[str, str]:
    """What a verb of a service says, else a sentence about the verb and the model."""
    if described.method is not None and (docs := own_docs(described.method)):
        return divided(docs)
    name = " ".join(_WORD.findall(described.served.entity.name)).lower()
    some = f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"
    listed = described.served.path.rpartition("/")[2].replace("_", " ").replace("-", " ")
    sentences = {
        "list": f"List {listed}",
        "get": f"Get {some}",
        "create": f"Create {some}",
        "update": f"Change {some}",
        "delete": f"Delete {some}",
    }
    return sentences[described.verb], ""


def _makes_responses(bound: BoundEndpoint) -> bool:
    """Whether an endpoint may return a `Response` that it makes itself."""
    return bound.returned.is_open or any(part is Response for part in bound.returned.parts)


def _sentence(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()


def tag_of(bound: BoundEndpoint) -> str:
    """The tag of the endpoints of a controller that is of no resource."""
    method = bound.method
    name = method.controller.path.strip("/").replace("/", ".") or method.controller.__name__.lower()
    return f"{method.group}.{name}" if method.group else name


def _title(bound: BoundEndpoint) -> str:
    return "".join(part.title() for part in re.findall(r"[A-Za-z0-9]+", bound.method.name_in_group))
