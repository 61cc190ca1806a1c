"""The one place that renders a refusal: RFC 9457 problem details.

Layers raise `Problem`; the gate catches it and answers with what is made here. The form is part of the contract:
`type`, `title`, `status`, `detail`, `code`, `request_id` and `errors` are always there.
"""

from collections.abc import Sequence

import msgspec

from gatepost.call import Response
from gatepost.errors import FieldError, Header, InternalProblem, Problem, Unauthorized


class ProblemDetails(msgspec.Struct):
    """The body of every refusal. `type` is a URN: it identifies the problem and is not meant to be fetched."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: tuple[FieldError, ...]


INTERNAL = InternalProblem("internal_error", "Something went wrong here. Quote the request id when you report it.")

CHALLENGE = b"www-authenticate"
"""The header that every 401 carries (RFC 9110, section 15.5.2)."""

_encode = msgspec.json.Encoder().encode


def render(problem: Problem, request_id: str, challenges: Sequence[Header]) -> Response:
    """The answer to a refusal: its status, its own headers, and the problem as JSON. A 401 that has no challenge of its
    own gets `challenges`."""
    body = _encode(
        ProblemDetails(
            type=f"urn:gatepost:error:{problem.code}",
            title=problem.title,
            status=problem.status,
            detail=problem.detail,
            code=problem.code,
            request_id=request_id,
            errors=problem.errors,
        )
    )
    headers: tuple[Header, ...] = ((b"content-type", b"application/problem+json"), *problem.headers)
    if isinstance(problem, Unauthorized):
        own = problem.challenge
        headers += tuple(challenges) if own is None else ((CHALLENGE, own.encode()),)
    return Response(problem.status, body, headers)
