"""The error hierarchy: all errors that refuse a request or a start.

Layers raise these; `gateway/problems.py` alone renders them as RFC 9457 problem details. A code is stable, is never
derived from a class name and never reused; `error_codes.py` describes all codes of Gatepost, `field_codes.py` those of
single fields. A service raises the same classes with its own codes: `Conflict("out_of_stock", "...")`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import msgspec

Header = tuple[bytes, bytes]


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One violation of a request body, or of a query string.

    `pointer` is an RFC 6901 JSON pointer into the body (`""` is the whole; of a parameter it is `/limit`), `code` is
    stable, `detail` is a sentence. `params` are the values in that sentence; without any the response has none. Sorted
    by pointer.
    """

    pointer: str
    code: str
    detail: str
    params: Mapping[str, Any] = {}

    def __lt__(self, other: "FieldError") -> bool:
        return (self.pointer, self.code, self.detail) < (other.pointer, other.code, other.detail)

    def __hash__(self) -> int:
        return hash((self.pointer, self.code, self.detail))


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
    envelope: str | None = None
    """The key of the body that the pointers of `errors` begin with; None for a body without an envelope."""
    about: str | None = None
    """The name of the resource whose row of the path was not found, or may not be written; None where it is that of
    the endpoint."""

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

    def with_errors(self, errors: Sequence[FieldError]) -> Self:
        """The same refusal with other violations. A copy: an application may raise one object again and again."""
        made = type(self).__new__(type(self), *self.args)
        made.__dict__.update(self.__dict__)
        made.errors = tuple(errors)
        return made


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


class RangeNotSatisfiable(Problem, status=416, title="Range not satisfiable"):
    """416: the file has none of the bytes that are asked for. Carries `Content-Range` with its length."""


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
