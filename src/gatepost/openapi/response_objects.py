"""Responses: what an operation shows, which headers are on it, and its refusals with their codes."""

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec

from gatepost.controllers.envelopes import Envelope
from gatepost.controllers.paging import PagingParameters
from gatepost.declaring.dialect import Dialect
from gatepost.error_codes import CODES
from gatepost.errors import FieldError, Problem
from gatepost.field_codes import FIELD_CODES
from gatepost.openapi.components import Components, Schema
from gatepost.openapi.refusal_codes import EVERYWHERE, Refusals
from gatepost.openapi.schema_parts import object_schema

PROBLEM_JSON = "application/problem+json"
JSON = "application/json"

NAME_CHARACTERS_MAX = 50
"""The longest name of a response that lists its codes."""

HEADERS: Mapping[str, Schema] = {
    "ETag": {
        "description": "The version of what is shown, for `If-None-Match` and `If-Match`.",
        "schema": {"type": "string"},
    },
    "Last-Modified": {"description": "When a file was changed.", "schema": {"type": "string"}},
    "Accept-Ranges": {
        "description": "Whether parts of a file can be asked for by `Range`: `bytes` or `none`.",
        "schema": {"enum": ["bytes", "none"]},
    },
    "Content-Range": {
        "description": "Which bytes of a file are sent, and how many there are; of one range alone.",
        "schema": {"type": "string"},
    },
    "Content-Disposition": {
        "description": "Whether a file is shown or saved, and under which name (RFC 6266).",
        "schema": {"type": "string"},
    },
    "Location": {"description": "The path of what was made.", "schema": {"type": "string", "format": "uri-reference"}},
    "Content-Location": {
        "description": "The new path of the row, where the change moved it.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Link": {
        "description": "The pages beside this one, as `next` and `prev` (RFC 8288).",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left of each limit: `r` requests, and `t` seconds until all are back.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The limits that hold here: `q` requests in `w` seconds.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait before the next attempt.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {
        "description": "The credentials that are accepted here (RFC 9110, section 11.6.1).",
        "schema": {"type": "string"},
    },
    "X-Request-Id": {"description": "The id of this request, which the log has as well.", "schema": {"type": "string"}},
}
"""Gatepost's own headers."""

_HEADERS_OF_STATUSES = {"Retry-After": {429, 503}, "WWW-Authenticate": {401}, "Content-Range": {416}}
"""Headers that refusals of these statuses have besides."""

ALWAYS = ("X-Request-Id",)
LIMITED = ("RateLimit", "RateLimit-Policy", *ALWAYS)


class ResponseObjects:
    """The responses of one document. `has_own_credentials` says that the application reads credentials by code of its
    own, which may refuse them with codes of its own. Where these are the responses of a group, `shared` has the schemas
    that it has in common with the app: problems, and pages if they are alike."""

    def __init__(
        self,
        components: Components,
        dialect: Dialect,
        *,
        shared: Components,
        has_alike_pages: bool = True,
        has_own_credentials: bool = False,
    ) -> None:
        self._has_own_credentials = has_own_credentials
        self._components = components
        self._dialect = dialect
        self._problem = shared.schema("Problem", "Problem", _problem_schema)
        self._pages = shared if has_alike_pages else components

    def headers(self, names: Sequence[str]) -> Schema:
        """References to these headers."""
        return {name: self._components.ref("headers", name, name, partial(HEADERS.__getitem__, name)) for name in names}

    def shown(self, description: str, schema: Schema | None, headers: Sequence[str]) -> Schema:
        """A success that shows what has this schema, None for nothing."""
        found: Schema = {"description": description, "headers": self.headers(headers)}
        return found if schema is None else {**found, "content": {JSON: {"schema": schema}}}

    def one(self, name: str, row: Schema, envelope: Envelope) -> Schema:
        """A reference to the schema of one thing in its envelope."""
        key = envelope.key
        return self._components.schema(
            ("one", name, key, msgspec.json.encode(row)), f"{name}Response", lambda: object_schema({key: row}, [key])
        )

    def many(self, name: str, row: Schema, envelope: Envelope, paging: PagingParameters | None = None) -> Schema:
        """A reference to the schema of a list in its envelope; `paging` is that of its pages, None for rows that are
        all there are."""
        total_key = envelope.total_key if paging is not None and paging.always_counts else None
        has_page = paging is not None and envelope.has_page

        def make() -> Schema:
            properties: dict[str, Any] = {envelope.list_key: {"type": "array", "items": row}}
            if total_key is not None:
                properties[total_key] = {"type": "integer", "minimum": 0}
            if paging is not None and has_page:
                properties["page"] = self._page(by_offset=paging.by_offset)
            return object_schema(properties, [*properties])

        key = ("many", name, envelope.list_key, msgspec.json.encode(row), total_key, has_page)
        return self._components.schema(key, f"{name}List", make)

    def _page(self, *, by_offset: bool) -> Schema:
        cursor = {"type": ["string", "null"]}
        places: dict[str, Any] = (
            {"offset": {"type": "integer", "minimum": 0}} if by_offset else {"next": cursor, "prev": cursor}
        )
        total = {"total": {"type": "integer", "minimum": 0}, "total_is_exact": {"type": "boolean"}}
        schema = object_schema({"limit": {"type": "integer"}, **places, **total}, ["limit", *places])
        return self._pages.schema("Page", "Page", lambda: schema)

    def refusals(
        self, refusals: Refusals, declared: Sequence[Problem] = (), *, is_own: bool = False
    ) -> dict[str, Schema]:
        """The refusals of an operation by status, and those of any request. Where the operation `is_own` code of the
        application's, it may raise others as well."""
        own_of = {401} if self._has_own_credentials else set[int]()
        details = {problem.code: problem.detail for problem in declared if problem.code not in CODES}
        found = {
            str(status): self._refusal(status, codes, details, is_own=is_own or status in own_of)
            for status, codes in refusals.items()
        }
        is_own = is_own or bool(own_of)
        name = "RefusedByApplication" if is_own else "Refused"
        made = partial(self._made, EVERYWHERE, {}, is_own=is_own)
        return {**found, "default": self._components.ref("responses", name, name, made)}

    def own(self) -> Schema:
        """What an endpoint may answer that makes its responses itself: anything, or a refusal."""

        def made() -> Schema:
            refused = self._made(EVERYWHERE, {}, is_own=True)
            return {
                "description": f"A response of the endpoint's own, or a refusal:\n\n{refused['description']}",
                "headers": self.headers([*HEADERS]),
                "content": {"*/*": {"schema": {}}, **refused["content"]},
            }

        return self._components.ref("responses", "own", "OwnResponse", made)

    def _refusal(self, status: int, codes: Sequence[str], details: Mapping[str, str], *, is_own: bool) -> Schema:
        own = tuple((code, details[code]) for code in codes if code in details)
        shown = [code for code in codes if code not in EVERYWHERE] or codes
        name = _name_of(status, shown, is_own=is_own)
        made = partial(self._made, codes, details, is_own=is_own)
        return self._components.ref("responses", (status, tuple(codes), own, is_own), name, made)

    def _made(self, codes: Sequence[str], details: Mapping[str, str], *, is_own: bool) -> Schema:
        statuses = {CODES[code].problem.status for code in codes if code in CODES}
        further = [name for name, of in _HEADERS_OF_STATUSES.items() if statuses & of]
        code: Schema = {"enum": [*codes]}
        schema = {**self._problem, "properties": {"code": {"anyOf": [code, {"type": "string"}]} if is_own else code}}
        content: dict[str, Any] = {PROBLEM_JSON: {"schema": schema}}
        if self._dialect.has_problems:
            # First: clients that read one form of a refusal read this one, which is the usual one.
            content = {JSON: {"schema": {}, **self._dialect_examples(codes)}, **content}
        return {
            "description": "\n".join(f"- `{code}`: {_meaning(code, details)}" for code in codes),
            "headers": self.headers([*LIMITED, *further]),
            "content": content,
        }

    def _dialect_examples(self, codes: Sequence[str]) -> Schema:
        """What the dialect makes of refusals with these codes."""
        examples: dict[str, Any] = {}
        for code in codes:
            known = CODES.get(code)
            if known is not None:
                errors = [FieldError("/field", "required", FIELD_CODES["required"].meaning)]
                problem = _problem(known.problem, code, known.meaning, errors if code == "invalid_body" else [])
                try:
                    examples[code] = {"value": self._dialect.problem(problem, None)}
                except Exception:  # noqa: S112 - the application's own code, which a refusal also survives
                    continue
        return {"examples": examples} if examples else {}


def _name_of(status: int, codes: Sequence[str], *, is_own: bool) -> str:
    """The name of a response: its status and codes; of many codes the first, and a digest of all."""
    name = ".".join((str(status), *codes, *(["own"] if is_own else [])))
    if len(name) <= NAME_CHARACTERS_MAX:
        return name
    return f"{status}.{codes[0]}.{sha256(name.encode()).hexdigest()[:8]}"


def _problem(kind: type[Problem], code: str, detail: str, errors: Sequence[FieldError]) -> Problem:
    made = kind.__new__(kind)
    Problem.__init__(made, code, detail, errors=errors)
    return made


def _meaning(code: str, details: Mapping[str, str]) -> str:
    return CODES[code].meaning if code in CODES else details.get(code, "")


def _problem_schema() -> Schema:
    error = object_schema(
        {
            "pointer": {"type": "string", "description": "A JSON pointer to the field, or `/` and the parameter."},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "params": {"type": "object", "description": "The values in the sentence."},
        },
        ["pointer", "code", "detail"],
    )
    properties: dict[str, Any] = {
        "type": {"type": "string", "format": "uri-reference", "description": "The page that describes the code."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "The stable name of the refusal."},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": error},
    }
    return {**object_schema(properties, [*properties]), "description": "A refusal (RFC 9457)."}
