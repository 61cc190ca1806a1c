"""The one place that renders a refusal: RFC 9457 problem details, unless a dialect has a form of its own.

Layers raise `Problem`; the gate catches it and sends what is made here. The form is part of the contract:
`type`, `title`, `status`, `detail`, `code`, `request_id` and `errors` are always there.
"""

from collections.abc import Mapping, Sequence

import msgspec

from gatepost.call import Response
from gatepost.errors import Header, InternalProblem, Problem, Unauthorized

INTERNAL = InternalProblem("internal_error", "Something went wrong here. Quote the request id when you report it.")

NO_TYPE = "about:blank"
"""The type of a problem that means no more than its status (RFC 9457, section 4.2.1): nothing describes its code."""

CHALLENGE = b"www-authenticate"
"""The header that every 401 carries (RFC 9110, section 15.5.2)."""


def render(problem: Problem, request_id: str, challenges: Sequence[Header], types: Mapping[str, str]) -> Response:
    """The response of a refusal: its status, its own headers, and the problem as JSON. A 401 without a challenge of its
    own gets `challenges`. `types` are those of the codes that are described somewhere."""
    body = msgspec.json.encode(
        {
            "type": types.get(problem.code, NO_TYPE),
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "code": problem.code,
            "request_id": request_id,
            "errors": problem.errors,
        },
        enc_hook=str,  # what a service puts into params
    )
    return _response(problem, body, b"application/problem+json", challenges)


def render_body(problem: Problem, body: bytes, challenges: Sequence[Header]) -> Response:
    """The response of a refusal in a form of the application's own."""
    return _response(problem, body, b"application/json", challenges)


def _response(problem: Problem, body: bytes, content_type: bytes, challenges: Sequence[Header]) -> Response:
    headers: tuple[Header, ...] = ((b"content-type", content_type), *problem.headers)
    if isinstance(problem, Unauthorized):
        own = problem.challenge
        headers += tuple(challenges) if own is None else ((CHALLENGE, own.encode()),)
    return Response(problem.status, body, headers)
