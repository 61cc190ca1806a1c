"""What a run of schemathesis may report without anything being wrong, each with the reason and a request that shows it.

All are about which requests are accepted: no server error, no response that is undescribed or breaks its schema.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx

REFUSED = "positive_data_acceptance"
"""A request that fits the document was refused."""

ACCEPTED = "negative_data_rejection"
"""A request that does not fit the document was accepted."""

UNSENT = "missing_required_header"
ALLOW = "allow_header_conformance"


class Example(NamedTuple):
    """A request to a site, by the user who may do everything."""

    site: str
    line: str
    body: Any = None
    headers: Mapping[str, str] = {}

    def send(self, client: httpx.Client) -> httpx.Response:
        """The response."""
        method, _, path = self.line.partition(" ")
        return client.request(method, path, headers=self.headers, json=self.body)


class Exemption(NamedTuple):
    """A difference between document and API that is meant.

    `check` is the check of schemathesis that reports it, `status` that of the response, `says` a pattern of what the
    response contains. One that is about a `violation` is held against each error of a refusal, and all of them have to
    be exempted. `sent` is a pattern of method, path with query, and headers, for what holds for certain requests alone.
    """

    name: str
    check: str
    status: int
    says: str
    reason: str
    example: Example
    is_violation: bool = False
    sent: str = ""

    def covers(self, sent: str, body: str) -> bool:
        """Whether a response, or an error in it, is of this kind."""
        return re.search(self.says, body) is not None and re.search(self.sent, sent) is not None

    def covers_response(self, status: int, body: str) -> bool:
        """Whether a response is what the exemption is about."""
        texts = errors_of(body) if self.is_violation else [body]
        return status == self.status and any(self.covers("", text) or self.sent for text in texts)


def is_exempted(checks: tuple[str, ...], status: int, sent: str, body: str) -> bool:
    """Whether a report is exempted: by one exemption, or each error of a refusal by one."""
    possible = [item for item in EXEMPTIONS if item.check in checks and item.status == status]
    if any(item.covers(sent, body) for item in possible if not item.is_violation):
        return True
    errors = [*errors_of(body)]
    violations = [item for item in possible if item.is_violation]
    return bool(errors) and all(any(item.covers(sent, error) for item in violations) for error in errors)


def errors_of(body: str) -> Iterator[str]:
    """The violations that a refusal names: as JSON with code and pointer, or as the sentences of Conduit."""
    try:
        problem = json.loads(body)
    except ValueError:
        return
    errors = problem.get("errors", []) if isinstance(problem, dict) else []
    if isinstance(errors, dict):
        yield from (str(sentence) for sentences in errors.values() for sentence in sentences)
    else:
        yield from map(json.dumps, errors)


SPECIMENS = "/api/specimens"
NO_ROW = "00000000-0000-7000-8000-000000000000"

EXEMPTIONS = (
    Exemption(
        "entity tags", REFUSED, 412, "version_mismatch|version mismatch",
        "An entity tag of the right form that is not the row's is refused; which one is the row's no schema can say.",
        Example("everything", "PATCH /api/labels/1", {"text": "b"}, {"if-match": '"0"'}),
    ),
    Exemption(
        "zero for an entity tag", REFUSED, 400, "malformed.request",
        "The coverage phase sends `0` where it finds no value for the pattern of a header, and takes it for valid.",
        Example("everything", "GET /api/labels/1", None, {"if-none-match": "0"}),
        sent="(?i)\nif-(none-)?match: 0(\n|$)",
    ),
    Exemption(
        "no entity tag", UNSENT, 428, "version_required",
        "RFC 6585 has a status of its own for a missing If-Match; the check knows 400 and 422 alone.",
        Example("everything", f"DELETE {SPECIMENS}/{NO_ROW}"),
    ),
    Exemption(
        "after and before", REFUSED, 400, "`after` and `before` cannot be combined",
        "OpenAPI cannot say that two parameters exclude each other.",
        Example("everything", "GET /api/labels?after=a&before=a"),
    ),
    Exemption(
        "cursors", REFUSED, 400, "invalid.cursor",
        "A cursor is accepted where an earlier page has given it, for the same path and order.",
        Example("everything", "GET /api/labels?after=a"),
    ),
    Exemption(
        "number of parameters", REFUSED, 400, "There are more than 50 parameters",
        "OpenAPI has no word for how many parameters there may be; a list describes more than 50 filters.",
        Example("everything", "GET /api/labels?" + "&".join(f"p{number}=1" for number in range(51))),
    ),
    Exemption(
        "sorted twice", REFUSED, 400, "is named twice",
        "A pattern that lets each field stand once needs a look-ahead for each, which generators of clients drop.",
        Example("everything", "GET /api/labels?sort=id,-id"),
    ),
    Exemption(
        "short texts", REFUSED, 400, "Send at least (one|three)",
        "Which letters the index sees depends on the database's locale; the description asks for three in a row.",
        Example("bookshop", "GET /api/books?title[icontains]=a"),
    ),
    Exemption(
        "labels of enums", REFUSED, 400, '"not_a_choice"',
        "A filter takes labels that the database has and the model does not; the pattern of a list has no labels.",
        Example("everything", "GET /api/specimens?grade=x"),
        is_violation=True,
    ),
    Exemption(
        "unknown headers", ACCEPTED, 200, "",
        "Headers that nobody declared are ignored (RFC 9110, section 5.1): proxies and browsers add some.",
        Example("everything", "GET /api/values/heads", None, {"x-count": "0", "x-schemathesis-unknown-property": "42"}),
        sent="(?i)x-schemathesis-unknown-property",
    ),
    Exemption(
        "days that do not exist", REFUSED, 400, '"invalid_format".*"format": "(date|date-time|duration)"',
        "No pattern says which days a month has, and what other programs write beyond RFC 3339 has one text alone.",
        Example("everything", "GET /api/samples?day[lt]=10000-02-30"),
        is_violation=True,
    ),
    Exemption(
        "ranges", REFUSED, 416, "range_not_satisfiable",
        "Which bytes a file has depends on the file.",
        Example("everything", "GET /api/values/file", None, {"range": "bytes=100-"}),
    ),
    Exemption(
        "raw bytes", REFUSED, 413, "content_too_large",
        "How many bytes a raw body may have stands in its description: JSON Schema counts characters.",
        Example("everything", "POST /api/kinds/raw", "a" * 200),
    ),
    Exemption(
        "numbers for booleans", ACCEPTED, 200, '^{"data":{',
        "pydantic takes false for 0 in a model that is not strict; which conversions it makes, it does not describe.",
        Example("everything", "PUT /api/kinds/models", {"count": 1, "names": {"a": False}}),
        sent="^PUT /api/kinds/models",
    ),
    Exemption(
        "rules of accounts", REFUSED, 422,
        "an e-mail address|password has (fewer|more) than|Send at (least|most) [0-9]+ characters",
        "Conduit's specification has words of its own for empty texts, so its bodies accept what its accounts refuse.",
        Example("conduit", "POST /api/users", {"user": {"email": "0", "password": "0", "username": "a"}}),
        is_violation=True,
    ),
    Exemption(
        "methods of others", ALLOW, 204, "^$",
        "Allow names the methods of a path for anybody, the document those that this audience may use.",
        Example("bookshop", "OPTIONS /api/books"),
    ),
    Exemption(
        "references", REFUSED, 422, '"not_found"',
        "Whether the row exists to which a key refers is in the database, not in a schema.",
        Example("bookshop", "POST /api/books", {"title": "a", "price": "1", "author_id": NO_ROW}),
        is_violation=True,
    ),
    Exemption(
        "integers with a fraction", REFUSED, 422, '"expected": "integer"|Send an integer, in plain notation',
        "JSON Schema counts 7.0 as an integer. The API does not: what is written with a fraction is a mistake.",
        Example("bookshop", "POST /api/orders", {"book_id": NO_ROW, "quantity": 7.0}),
        is_violation=True,
    ),
    Exemption(
        "digits", REFUSED, 422, '"too_precise"',
        "Most validators decide multipleOf: 0.01 in binary floating point, and then refuse 0.07.",
        Example("bookshop", "POST /api/books", {"title": "a", "price": 1.234, "author_id": NO_ROW}),
        is_violation=True,
    ),
    Exemption(
        "digits of filters", REFUSED, 400, '"too_precise"',
        "A moment with more than six digits of a second fits date-time, and no column.",
        Example("everything", "GET /api/samples?moment[lt]=2024-01-01T00:00:00.1234567Z"),
        is_violation=True,
    ),
    Exemption(
        "NUL", REFUSED, 422, '"invalid_text"|NUL character',
        "NUL, which PostgreSQL does not store, would need a pattern at every text.",
        Example("bookshop", "POST /api/authors", {"name": "a\0"}),
        is_violation=True,
    ),
    Exemption(
        "moments of other zones", REFUSED, 422, "lies outside what can be stored",
        "A date-time of the year 1 or 9999 may be one of the year before or after in UTC; patterns cannot add.",
        Example("everything", "POST /api/samples", {"moments": ["0001-01-01T00:00:00+06:56"]}),
        is_violation=True,
    ),
    Exemption(
        "moments of other zones in filters", REFUSED, 400, "lies outside what can be stored",
        "The same holds for parameters.",
        Example("everything", "GET /api/samples?moment[lt]=0001-01-01T00:00:00%2B06:56"),
        is_violation=True,
    ),
    Exemption(
        "NUL in the query", REFUSED, 400, "invalid.parameter",
        "The same holds for parameters: no pattern keeps NUL out of every text.",
        Example("everything", "GET /api/labels?text[lt]=a%00"),
        sent="^[A-Z]+ [^\n]*[?][^\n]*%00",
    ),
)  # fmt: skip
