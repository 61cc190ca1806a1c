"""Which refusals an operation may answer with: the codes, by what the operation takes and does.

What the gate and the database may answer any request with is in `EVERYWHERE`; a status that an operation names itself
names those of the same status as well.
"""

from collections.abc import Iterable, Iterator, Sequence

from gatepost.call import SAFE
from gatepost.controllers.injection import of_accounts
from gatepost.declaring.policies import Policy, authenticated, is_everyone
from gatepost.error_codes import CODES
from gatepost.errors import Problem
from gatepost.openapi.described import DescribedEndpoint, DescribedVerb

Refusals = dict[int, list[str]]
"""Codes by status."""

EVERYWHERE = (
    "malformed_request",
    "invalid_token",
    "cross_origin",
    "body_timeout",
    "content_too_large",
    "uri_too_long",
    "unsupported_media_type",
    "expectation_failed",
    "unknown_host",
    "too_many_requests",
    "headers_too_large",
    "internal_error",
    "database_unavailable",
    "database_busy",
    "database_read_only",
    "database_full",
    "database_out_of_memory",
    "schema_changed",
    "outcome_unknown",
    "transaction_conflict",
    "overloaded",
    "shutting_down",
    "database_timeout",
    "request_timeout",
)
"""What may refuse any request, whatever it asks for."""

_OF_QUERIES = ("unknown_parameter", "invalid_parameter")
_OF_LISTS = ("not_filterable", "not_sortable", "invalid_cursor")
_OF_BODIES = ("malformed_json", "invalid_body")
_OF_WRITES = (
    "already_exists",
    "still_referenced",
    "violates_constraint",
    "suppressed_by_trigger",
    "refused_by_trigger",
)
"""What the database may refuse of any write, for its constraints or because a trigger says so."""


def of_verb(verb: DescribedVerb) -> Refusals:
    """The refusals of a derived operation."""
    return _by_status(_verb_codes(verb), verb.operation.raises)


def of_endpoint(endpoint: DescribedEndpoint) -> Refusals:
    """The refusals of an endpoint that is written: those of what it takes, and those that it declares."""
    bound = endpoint.bound
    if bound.method.route.probe:
        return {}
    return _by_status(_endpoint_codes(endpoint), bound.method.route.raises)


def _verb_codes(described: DescribedVerb) -> Iterator[str]:
    served, verb = described.served, described.verb
    is_write = verb in ("create", "update", "delete")
    yield from _of_policy(described.operation.allow)
    yield from ("unknown_parameter",) if is_write else _OF_QUERIES
    if verb == "list":
        yield from _OF_LISTS
    if verb in ("get", "update", "delete") or served.nesting is not None:
        yield "not_found"
    if verb in ("create", "update"):
        yield from (*_OF_BODIES, "reference_not_found")
    if is_write:
        yield from (*_OF_WRITES, "forbidden")
    if verb in ("update", "delete"):
        yield from ("version_mismatch", *(["version_required"] if served.requires_version else []))
    if described.runs_code or is_write:
        yield "version_conflict"
    if described.runs_code:
        yield from _of_code(is_safe=not is_write)


def _endpoint_codes(endpoint: DescribedEndpoint) -> Iterator[str]:
    bound = endpoint.bound
    is_safe = bound.method.route.method in SAFE
    yield from _of_policy(endpoint.operation.allow)
    yield "unknown_parameter"
    if bound.query.by_name or endpoint.rows is not None or any(item.place != "path" for item in bound.texts):
        yield "invalid_parameter"
    if endpoint.rows is not None:
        yield from ("invalid_cursor", *(("not_filterable", "not_sortable") if endpoint.rows.filters else ()))
    returned = bound.returned
    may_be_absent = returned.is_file or (is_safe and returned.may_be_none and not returned.is_nothing)
    if bound.rows or any(item.place == "path" for item in bound.texts) or may_be_absent:
        yield "not_found"
    if bound.returned.is_file and is_safe:
        yield from ("precondition_failed", "range_not_satisfiable")
    if bound.body is not None:  # bytes as they were sent may be read by `parse_json`
        yield from _OF_BODIES
    makers = [make for _, make in (*bound.injected.of_unit, *bound.attributes.of_unit)]
    if of_accounts in makers:
        yield from ("invalid_credentials", "sign_in_busy", "invalid_body", "already_exists")
    if bound.rows or bound.returned.served is not None or any(make is not of_accounts for make in makers):
        yield from _of_code(is_safe=is_safe)


def _of_policy(allow: Policy) -> Iterator[str]:
    if not is_everyone(allow):
        yield from ("not_signed_in",) if allow is authenticated else ("not_signed_in", "forbidden")


def _of_code(*, is_safe: bool) -> Iterator[str]:
    """What the application's code may be refused by the verbs that it calls."""
    yield from ("not_found", "forbidden", "not_signed_in")
    if not is_safe:
        yield from ("invalid_body", "reference_not_found", *_OF_WRITES, "version_conflict", "version_mismatch")


def _by_status(codes: Iterable[str], declared: Sequence[Problem]) -> Refusals:
    """The codes of an operation by their status, each status with those that may refuse any request."""
    found: dict[int, dict[str, None]] = {}
    for code in codes:
        found.setdefault(CODES[code].problem.status, {})[code] = None
    for problem in declared:
        found.setdefault(problem.status, {})[problem.code] = None
    for code in EVERYWHERE:
        if (status := CODES[code].problem.status) in found:
            found[status][code] = None
    return {status: [*names] for status, names in sorted(found.items())}
