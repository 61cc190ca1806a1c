"""The error hierarchy: all errors that refuse a request or a start.

Layers raise these; `gateway/problems.py` alone renders them as RFC 9457 problem details. A code is stable, is never
derived from a class name and never reused; `docs/reference/errors.md` lists all codes of Gatepost (a test holds the two
together). A service raises the same classes with its own codes: `Conflict("out_of_stock", "...")`.
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

Header = tuple[bytes, bytes]


class FieldError(msgspec.Struct, frozen=True, order=True):
    """One violation of a request body.

    `pointer` is an RFC 6901 JSON pointer into the body (`""` is the whole), `code` is stable, `detail` is a sentence.
    """

    pointer: str
    code: str
    detail: str


class ConfigurationError(Exception):
    """An error in a declaration, a setting or a command: shown as a sentence, never as a traceback.

    `location` names the class, argument or setting, `source` is the `file:line` where it is declared; `hint` says what
    to do about it. An error that stands for several has them as `mistakes`, and its text lists them all.
    """

    def __init__(
        self,
        message: str,
        *,
        location: str | None = None,
        hint: str | None = None,
        source: str | None = None,
        mistakes: Sequence["ConfigurationError"] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.hint = hint
        self.source = source
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        places = [place for place in (self.source, self.location) if place]
        sentence = ": ".join([*places, self.message]) + (f" {self.hint}" if self.hint else "")
        return "\n".join([sentence, *(f"  {mistake}" for mistake in self.mistakes)])


class DatabaseMistake(RuntimeError):
    """A state of the database that an operator has to repair; the message says what to run. The client gets a bland
    500, and the message goes to the log."""


class Problem(Exception):
    """A refusal with its own response.

    `code` is the stable machine-readable name, `detail` a sentence for people. `errors` lists the violations of a body,
    `headers` are added to the response. A subclass without a status and a title has those of its base.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal server error"

    def __init_subclass__(cls, *, status: int | None = None, title: str | None = None) -> None:
        cls.status = status or cls.status
        cls.title = title or cls.title

    def __init__(
        self, code: str, detail: str, *, errors: Sequence[FieldError] = (), headers: Sequence[Header] = ()
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = tuple(headers)


class BadRequest(Problem, status=400, title="Bad request"):
    """400: the request cannot be understood: broken JSON, an unknown parameter, a broken cursor."""


class RequestTimeout(Problem, status=408, title="Request timeout"):
    """408: the next part of the body did not arrive in time."""


class ContentTooLarge(Problem, status=413, title="Content too large"):
    """413: the body is larger than the route allows."""


class URITooLong(Problem, status=414, title="URI too long"):
    """414: path and query are longer than allowed."""


class UnsupportedMediaType(Problem, status=415, title="Unsupported media type"):
    """415: the body's content type is not one that the route accepts."""


class ExpectationFailed(Problem, status=417, title="Expectation failed"):
    """417: `Expect` wants something other than 100-continue."""


class MisdirectedRequest(Problem, status=421, title="Misdirected request"):
    """421: the request is for a host that this server does not serve."""


class HeadersTooLarge(Problem, status=431, title="Request header fields too large"):
    """431: there are more headers, or longer ones, than are allowed."""


class Unprocessable(Problem, status=422, title="Unprocessable content"):
    """422: well-formed, but values violate the declaration; `errors` names every violation."""


class Unauthorized(Problem, status=401, title="Unauthorized"):
    """401: signing in would help. Carries `WWW-Authenticate`: `challenge`, or, where it is None, the challenges of all
    authenticators of the app."""

    challenge: str | None = None

    def __init__(self, code: str, detail: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(code, detail, errors=errors)


class Forbidden(Problem, status=403, title="Forbidden"):
    """403: a policy refuses this actor, and signing in again would not help."""


class NotFound(Problem, status=404, title="Not found"):
    """404: absent, or hidden from this actor; a client cannot tell which."""


class MethodNotAllowed(Problem, status=405, title="Method not allowed"):
    """405: the path does not support this method. Carries `Allow`."""


class Conflict(Problem, status=409, title="Conflict"):
    """409: the request contradicts the present state: a duplicate, a row in use, stock that is gone."""


class PreconditionFailed(Problem, status=412, title="Precondition failed"):
    """412: the row has changed since the version named by `If-Match`."""


class PreconditionRequired(Problem, status=428, title="Precondition required"):
    """428: this resource requires `If-Match`."""


class TooManyRequests(Problem, status=429, title="Too many requests"):
    """429: a token bucket is empty. Carries `Retry-After`."""


class InternalProblem(Problem):
    """500: a bug in Gatepost or in a service. The response says nothing but the request id."""


class NotImplementedMethod(Problem, status=501, title="Not implemented"):
    """501: a method that no path of this server supports."""


class DatabaseProblem(Problem):
    """PostgreSQL failed; nothing was written, except perhaps with `OutcomeUnknown`."""


class Overloaded(Problem, status=503, title="Service unavailable"):
    """503: this process has more requests than it can handle. Carries `Retry-After` in seconds."""

    def __init__(self, code: str, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(code, detail, headers=[(b"retry-after", b"%d" % retry_after_seconds)])


class OutcomeUnknown(DatabaseProblem, status=503, title="Outcome unknown"):
    """503: it is unknown whether the change was written. Without `Retry-After`: repeating it may write it twice."""


class ServiceUnavailable(DatabaseProblem, status=503, title="Service unavailable"):
    """503: the database is unreachable or every connection is busy. Carries `Retry-After` in seconds."""

    def __init__(self, code: str, detail: str, *, retry_after_seconds: int = 1, headers: Sequence[Header] = ()) -> None:
        super().__init__(code, detail, headers=[(b"retry-after", str(retry_after_seconds).encode()), *headers])


class GatewayTimeout(DatabaseProblem, status=504, title="Gateway timeout"):
    """504: the statement or the request took longer than its limit and was cancelled."""


class ErrorCode(msgspec.Struct, frozen=True):
    """A code that Gatepost itself raises: the class it is raised with and what it means."""

    problem: type[Problem]
    meaning: str


CODES: dict[str, ErrorCode] = {
    # Requests
    "malformed_request": ErrorCode(BadRequest, "The request line, a header or the path cannot be understood."),
    "malformed_json": ErrorCode(BadRequest, "The body is not strict UTF-8 JSON (RFC 8259), or a key appears twice."),
    "unknown_parameter": ErrorCode(BadRequest, "The query has a parameter that this path does not know."),
    "invalid_parameter": ErrorCode(BadRequest, "A parameter's value or operator is not valid."),
    "not_filterable": ErrorCode(BadRequest, "The field cannot be filtered by: it has no index and is not declared."),
    "not_sortable": ErrorCode(BadRequest, "The field cannot be sorted by: it has no index and is not declared."),
    "invalid_cursor": ErrorCode(BadRequest, "The cursor is malformed, forged, or belongs to another query."),
    "body_timeout": ErrorCode(RequestTimeout, "The body did not arrive in time."),
    "content_too_large": ErrorCode(ContentTooLarge, "The body has more bytes than the route allows."),
    "uri_too_long": ErrorCode(URITooLong, "Path and query are longer than allowed."),
    "headers_too_large": ErrorCode(HeadersTooLarge, "There are more headers, or longer ones, than are allowed."),
    "expectation_failed": ErrorCode(ExpectationFailed, "`Expect` wants something other than 100-continue."),
    "unknown_host": ErrorCode(MisdirectedRequest, "This server does not serve the host in `Host`."),
    "unsupported_media_type": ErrorCode(
        UnsupportedMediaType, "The body's content type is not one that the route accepts."
    ),
    "invalid_body": ErrorCode(Unprocessable, "The body violates the declaration; `errors` names every violation."),
    "refused_by_trigger": ErrorCode(Unprocessable, "A trigger of the database refuses this."),
    "reference_not_found": ErrorCode(Unprocessable, "A reference names no row that you may read."),
    # Authentication
    "not_signed_in": ErrorCode(Unauthorized, "Signing in would help: there are no credentials."),
    "invalid_token": ErrorCode(
        Unauthorized, "The token, or other credentials, are expired, revoked, forged or malformed."
    ),
    "invalid_credentials": ErrorCode(Unauthorized, "The e-mail address or the password is wrong."),
    # Application
    "forbidden": ErrorCode(Forbidden, "Your roles do not allow this."),
    "cross_origin": ErrorCode(Forbidden, "A page of that origin may not change anything here."),
    "not_found": ErrorCode(NotFound, "There is nothing here that you may see."),
    "method_not_allowed": ErrorCode(MethodNotAllowed, "The path does not support this method; see `Allow`."),
    "method_not_implemented": ErrorCode(NotImplementedMethod, "No path of this server supports the method."),
    "already_exists": ErrorCode(Conflict, "Another row has these values already."),
    "still_referenced": ErrorCode(Conflict, "Other rows refer to this one."),
    "violates_constraint": ErrorCode(Conflict, "The rows would violate a rule of the database."),
    "suppressed_by_trigger": ErrorCode(Conflict, "A trigger of the database suppressed this write."),
    "version_conflict": ErrorCode(Conflict, "Another request changed the row at the same time."),
    "version_mismatch": ErrorCode(PreconditionFailed, "The row has changed since the version in `If-Match`."),
    "version_required": ErrorCode(PreconditionRequired, "This resource requires `If-Match`."),
    "too_many_requests": ErrorCode(TooManyRequests, "A rate limit is exhausted; see `Retry-After`."),
    # Server
    "internal_error": ErrorCode(InternalProblem, "Something went wrong here; quote the request id."),
    "database_unavailable": ErrorCode(ServiceUnavailable, "The database is unavailable; try again shortly."),
    "database_busy": ErrorCode(ServiceUnavailable, "No database connection became free in time."),
    "database_read_only": ErrorCode(ServiceUnavailable, "The database takes no writes at present; reads are served."),
    "database_full": ErrorCode(ServiceUnavailable, "The database has no room left; nothing was written."),
    "database_out_of_memory": ErrorCode(ServiceUnavailable, "The database has no memory left; nothing was written."),
    "schema_changed": ErrorCode(
        ServiceUnavailable, "The database has been changed, and no longer fits this server; nothing was written."
    ),
    "outcome_unknown": ErrorCode(OutcomeUnknown, "It may have been written: look before you repeat it."),
    "transaction_conflict": ErrorCode(ServiceUnavailable, "Concurrent changes collided; nothing was written."),
    "overloaded": ErrorCode(Overloaded, "The server has more requests than it can handle; try again shortly."),
    "sign_in_busy": ErrorCode(ServiceUnavailable, "Too many sign-ins at once; try again shortly."),
    "shutting_down": ErrorCode(ServiceUnavailable, "This instance is about to stop; try again."),
    "database_timeout": ErrorCode(GatewayTimeout, "A statement took longer than its limit and was cancelled."),
    "request_timeout": ErrorCode(GatewayTimeout, "The request took longer than its limit and was cancelled."),
}
"""All codes of Gatepost. Sources: RFC 9110 for the statuses, RFC 9457 for the form, RFC 6585 for 428 and 429."""


FIELD_CODES: dict[str, str] = {
    "required": "The field is missing.",
    "not_nullable": "The field cannot be null.",
    "wrong_type": "The value does not have the type of the field.",
    "unknown_field": "There is no such field.",
    "read_only": "The field cannot be written.",
    "write_once": "The field cannot be changed after creation.",
    "too_small": "The number or date is below its bound.",
    "too_large": "The number or date is above its bound.",
    "too_short": "The text or list is shorter than its bound.",
    "too_long": "The text or list is longer than its bound.",
    "too_precise": "The number has more digits than the column can store.",
    "not_finite": "NaN and infinity are not numbers here.",
    "not_a_multiple": "The number is not a multiple of its step.",
    "pattern_mismatch": "The text does not have the required form.",
    "invalid_format": "The text is not a valid UUID, date, time, interval or base64.",
    "invalid_text": "The text holds a character that PostgreSQL cannot store (NUL, lone surrogate).",
    "invalid_value": "The application's own code refuses the value.",
    "not_a_choice": "The value is not one of the choices.",
    "too_deep": "The value nests deeper than allowed.",
    "already_exists": "Another row has this value already.",
    "not_found": "No row that you may read has this key.",
    "violates_check": "The values violate a check constraint of the table.",
    "refused_by_trigger": "A trigger of the database refuses the value.",
}
"""Codes of single violations, in `errors[].code`."""
