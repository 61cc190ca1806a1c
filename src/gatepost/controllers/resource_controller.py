"""The controller of one resource: five handlers from the request to the response."""

from typing import Any, NoReturn
from urllib.parse import quote, unquote

import msgspec

from gatepost.call import Call, Handler, Response
from gatepost.controllers.envelopes import Envelopes
from gatepost.controllers.error_pointers import with_wire_names
from gatepost.controllers.page_responses import PageResponses
from gatepost.controllers.queries import QueryReader
from gatepost.controllers.query_strings import parse
from gatepost.controllers.responses import (
    empty_response,
    row_response,
    unless_unchanged,
    wanted_versions,
)
from gatepost.controllers.rows_above import ListPaths, RowsAbove
from gatepost.declaring.policies import is_nobody
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.body import BodyDecoder, BodyFields, compile_body
from gatepost.dtos.body_envelopes import BodyEnvelope
from gatepost.dtos.body_errors import read_only_error, with_errors
from gatepost.dtos.json_values import Bounds
from gatepost.dtos.path_keys import key_reader, key_writer
from gatepost.dtos.shown_values import unchanged_names
from gatepost.epoch import Epoch
from gatepost.errors import BadRequest, PreconditionRequired, Problem, Unprocessable
from gatepost.models.schema import attribute_name
from gatepost.models.served_model import ServedModel
from gatepost.services.verbs import ChangeSet, Row, UnseenFields, Verbs, Versions
from gatepost.services.write_policies import not_found
from gatepost.view import View

NO_NAMES: frozenset[str] = frozenset()

REFUSALS = ("forbidden", "not_signed_in")
"""The codes by which a policy refuses (`auth/denials.py`)."""


class ResourceController:
    """Handlers for the five actions of a resource. `verbs` has, for each action, the verbs that run it; `wire_name`
    makes the names that clients know of fields, `envelopes` stand around rows and bodies, `epoch` is that of entity
    tags."""

    def __init__(  # noqa: PLR0913 - what a handler is composed of
        self,
        served: ServedModel,
        verbs: dict[str, Verbs],
        queries: QueryReader,
        prefix: str,
        *,
        bounds: Bounds,
        wire_name: WireName = str,
        envelopes: Envelopes,
        epoch: Epoch,
        above: RowsAbove | None = None,
    ) -> None:
        resource = served.resource
        envelope = envelopes.of(resource.answers, resource.lists)
        self._outer = {
            "create": envelopes.of_body(resource.creates, resource.answers),
            "update": envelopes.of_body(resource.updates, resource.answers),
        }
        self._wire_name = wire_name
        self._bounds = bounds
        self._served = served
        self._queries = queries
        self._get = verbs["get"].get
        self._list = verbs["list"].list
        self._create = verbs["create"].create
        self._update = verbs["update"].update
        self._unseen = verbs["update"].unseen
        self._shown = verbs["update"].shown
        self._delete = verbs["delete"].delete
        self._view = served.view
        self._only_view = served.only_view
        self._requires_version = served.requires_version
        self._key_of_path = served.addressed.entity.key
        self._parse_key = key_reader(self._key_of_path)
        self._write_key = key_writer(self._key_of_path)
        self._path_of = ListPaths(served, prefix).of
        self._pages = PageResponses(self._path_of, queries.seal, queries.paging, envelope)
        self._opening = envelope.opening
        self._key_above = verbs["create"].key_above
        self._above = above
        self._epoch = epoch
        self._creations: dict[View, BodyDecoder] = {}
        self._patches: dict[View, BodyDecoder] = {}

    def handler(self, action: str) -> Handler:
        """The handler of an action. Where it reads a composite key, it gets the segment of the path with its escapes,
        by which a comma inside a value differs from those between values; where its rows are below another, the values
        of the path without that row's."""
        handle: Handler = getattr(self, action)
        if self._key_of_path.is_composite and action not in ("list", "create"):
            handle = _with_sent_segment(handle)
        outer = self._outer.get(action)
        if outer is not None:
            handle = _located(handle, outer)
        return handle if self._above is None else self._above.handler(handle)

    async def get(self, call: Call) -> Response:
        """GET one row. 200 with `ETag`, 304 where `If-None-Match` names it."""
        parse_key, get = self._parse_key, self._get  # called as attributes they cost Python 3.11 more
        try:
            key = parse_key(call.path_values[0])
        except ValueError:
            raise not_found() from None
        call.view = self._only_view or self._view(call.actor)
        fields, expand = self._queries.read_one(call) if call.query_string else (None, ())
        row = await get(call, key, fields, expand)
        unless = call.headers.get(b"if-none-match")
        if unless is not None:
            return unless_unchanged(unless, 200, row.data, row.tag, self._opening)
        return row_response(200, row.data, row.tag, opening=self._opening)

    async def list(self, call: Call) -> Response:
        """GET a page."""
        call.view = self._only_view or self._view(call.actor)
        query = self._queries.read_list(call)
        if call.below is not None:
            query = msgspec.structs.replace(query, below=call.below, is_cacheable=False)
        page = await self._list(call, query)
        if not page.rows and call.below is not None:
            await self._key_above(call.below)  # a row shows that the one above is there
        return self._pages.respond(call, query, page)

    async def create(self, call: Call) -> Response:
        """POST one row. 201 with `Location` and `ETag`; without a body where the actor may not read it."""
        if call.query_string:
            _refuse_parameters(call)
        call.view = view = self._only_view or self._view(call.actor)
        decoder = self._creations.get(view) or self._compile(view, partial=False)
        content = self._inside("create", await call.body(), decoder)
        body = decoder.decode(content)
        path = self._path_of(call)
        if self._above is not None:
            body.values[self._above.foreign_key] = await self._key_above(call.below)
            call.below = None  # the row is below that one
        try:
            row = await self._create(call, body.values)
        except Problem as problem:
            if (
                view.maybe_unknown_on_create
                and problem.code in REFUSALS
                and (named := decoder.named(content, view.maybe_unknown_on_create))
            ):
                decoder.refuse(content, named)
            raise with_wire_names(self._discreet(problem, view), self._wire_name) from problem.__cause__
        location = (b"location", f"{path}/{self._write_key(row.key)}".encode())
        if not row.data:
            return empty_response(201, location)
        return row_response(201, row.data, row.tag, location, opening=self._opening)

    async def update(self, call: Call) -> Response:
        """PATCH one row by a merge patch (RFC 7396). 200 with the row, 204 where the actor may not read it."""
        if call.query_string:
            _refuse_parameters(call)
        key = self._key(call)
        versions = self._versions(call)
        call.view = view = self._only_view or self._view(call.actor)
        decoder = self._patches.get(view) or self._compile(view, partial=True)
        content = self._inside("update", await call.body(), decoder)
        try:
            body = decoder.decode(content)
            changes = ChangeSet(body.values, body.read_only_values)
        except (BadRequest, Unprocessable) as problem:
            changes = await self._decode_beside_row(call, key, content, problem)
        try:
            row: Row = await self._update(call, key, changes, versions)
        except UnseenFields as unseen_fields:
            await self._refuse_unseen(call, key, content, unseen_fields.names)
        except Problem as problem:
            raise with_wire_names(self._discreet(problem, view), self._wire_name) from problem.__cause__
        # A change of the column that paths name leaves the row at another path (RFC 9110, section 8.7). The driver
        # reads some values otherwise than a path gives them (`NaiveUTC`), so what is written decides.
        is_there = row.key == key or unquote(self._write_key(row.key)) == call.path_values[0]
        moved = () if is_there else ((b"content-location", self._location(call, row.key)),)
        if not row.data:
            return empty_response(204)
        return row_response(200, row.data, row.tag, *moved, opening=self._opening)

    def _inside(self, action: str, body: bytes, decoder: BodyDecoder) -> bytes:
        """What is in the envelope of a body; the body itself where these have none."""
        outer = self._outer[action]
        return body if outer is None else outer.opened(body, decoder.decode)

    async def _decode_beside_row(self, call: Call, key: Any, content: bytes, problem: Problem) -> ChangeSet:
        """A patch that was refused without its row: taken where the row shows each value that no body may have as it
        was sent. Raises the refusal with every violation."""
        view = call.view
        decoder = self._patches[view]
        if view.maybe_unknown and (named := decoder.named(content, view.maybe_unknown)):
            unseen = await self._unseen(call, key, named)
            if unseen:
                await self._refuse_unseen(call, key, content, unseen)
        refused = decoder.refused_values(content)
        attributes = self._served.entity.attributes
        names = tuple(name for name in view.shown if attributes[name].wire_name in refused)
        unchanged = unchanged_names(await self._shown(call, key, names), refused) if names else NO_NAMES
        try:
            if not unchanged:
                raise problem
            body = decoder.decode_without(content, unchanged)
        except Unprocessable as rest:
            raise await self._with_read_only(call, key, content, rest) from None
        return ChangeSet(body.values, body.read_only_values, decoder.attribute_names(unchanged))

    async def _refuse_unseen(self, call: Call, key: Any, content: bytes, unseen: frozenset[str]) -> NoReturn:
        """Raise the refusal of a patch whose fields `unseen` are to look as if they did not exist."""
        try:
            self._patches[call.view].refuse(content, unseen)
        except Unprocessable as problem:
            raise await self._with_read_only(call, key, content, problem) from None

    async def _with_read_only(self, call: Call, key: Any, content: bytes, problem: Unprocessable) -> Unprocessable:
        """The refusal of a patch, with the read-only fields that it sends otherwise than the row shows them."""
        decoder, fields, attributes = self._patches[call.view], self._served.fields, self._served.entity.attributes
        sent = decoder.read_only_sent(content)
        names = tuple(name for name in call.view.shown if name in sent)
        changed = decoder.read_only_changed(content, await self._shown(call, key, names)) if names else ()
        return with_errors(
            problem,
            [
                read_only_error(
                    attributes[name].wire_name,
                    is_once=fields[name].write_once,
                    is_kept=is_nobody(self._served.rules[name].update),
                )
                for name in changed
            ],
        )

    async def delete(self, call: Call) -> Response:
        """DELETE one row. 204."""
        _refuse_parameters(call)
        call.view = self._only_view or self._view(call.actor)
        key = self._key(call)
        await self._delete(call, key, self._versions(call))
        return empty_response(204)

    def _discreet(self, problem: Problem, view: View) -> Problem:
        """The refusal, generalised where it names fields that are hidden from the actor, as a violated constraint
        may."""
        if not problem.errors:
            return problem
        known = view.readable | view.creatable | view.updatable
        attributes = self._served.entity.attributes.values()
        shown = {name for item in attributes if item.name in known for name in (item.name, item.column.name)}
        # Of the whole table: a constraint may name a column that only another class over it maps.
        columns = {
            name for column in self._served.entity.table.columns for name in (column.name, attribute_name(column))
        }
        secret = {f"/{name}" for name in columns - shown}
        if secret.isdisjoint(error.pointer for error in problem.errors):
            return problem
        return type(problem)(problem.code, "The row violates a constraint of the database.")

    def _location(self, call: Call, key: Any) -> bytes:
        return f"{self._path_of(call)}/{self._write_key(key)}".encode()

    def _key(self, call: Call) -> Any:
        """The key of the path; raises `NotFound` for a text that cannot be a key."""
        try:
            return self._parse_key(call.path_values[0])
        except ValueError:
            raise not_found() from None

    def _versions(self, call: Call) -> Versions:
        header = call.headers.get(b"if-match")
        if header is None and self._requires_version:
            raise PreconditionRequired("version_required", "Send If-Match with the ETag of the row you have read.")
        return wanted_versions(header, self._epoch)

    def _compile(self, view: View, *, partial: bool) -> BodyDecoder:
        writable = view.updatable if partial else view.creatable
        members = self._served.bodies.get("update" if partial else "create")
        fields = BodyFields(
            writable if members is None else writable & members.keys(),
            view.readable if members is None else NO_NAMES,
            required=frozenset() if partial else self._served.required,
            maybe_unknown=view.maybe_unknown if partial else view.maybe_unknown_on_create,
            is_patch=partial,
            path_keys=frozenset(self._key_of_path.names),
            kept=frozenset(name for name, rules in self._served.rules.items() if is_nobody(rules.create)),
        )
        attributes = self._served.entity.attributes if members is None else members
        shown = [item for name, item in attributes.items() if not self._served.fields[name].hidden]
        decoder = compile_body(shown, fields, self._served.entity.name, self._bounds)
        (self._patches if partial else self._creations)[view] = decoder
        return decoder


def _located(handle: Handler, envelope: BodyEnvelope) -> Handler:
    """The handler whose refusals have pointers from the envelope of its bodies."""

    async def handle_located(call: Call) -> Response:
        try:
            return await handle(call)
        except Problem as problem:
            raise envelope.located(problem) from problem.__cause__

    return handle_located


def _with_sent_segment(handle: Handler) -> Handler:
    async def handle_composite(call: Call) -> Response:
        call.path_values = (*call.path_values[:-1], _sent_segment(call))
        return await handle(call)

    return handle_composite


def _sent_segment(call: Call) -> str:
    """The last segment of the path with its escapes. A server need not tell the path as it was sent, and a middleware
    may have changed the decoded one alone: then there is no escape, and every comma separates."""
    decoded = call.path_values[-1]
    sent: str = (call.scope.get("raw_path") or b"").rpartition(b"/")[2].decode("latin-1")
    return sent if unquote(sent) == decoded else quote(decoded, safe=",")


def _refuse_parameters(call: Call) -> None:
    """Raise `BadRequest` for any query parameter: writes take none."""
    for label in parse(call.query_string).labels:
        raise BadRequest("unknown_parameter", f"There is no parameter {label!r} here.")
