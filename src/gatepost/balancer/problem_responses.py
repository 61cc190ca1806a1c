"""The responses that HAProxy makes itself, as problem documents (RFC 9457).

Outside the request path. They have the members of Gatepost's own refusals. Their codes begin with `balancer_` and their
type is `about:blank`, because no instance has a page for them; a request that cannot be parsed is `malformed_request`,
whether HAProxy or an instance parses it.
"""

from dataclasses import dataclass

import msgspec

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
CONTENT_TYPE = "application/problem+json"
UNIQUE_ID = "%ID"
"""What HAProxy replaces by the request's id, which its log has as well."""


@dataclass(frozen=True)
class ProblemResponse:
    """A response of HAProxy's own. `is_early`: made before there is a request, from a file without variables."""

    status: int
    reason: str
    code: str
    detail: str
    is_early: bool = False
    retry_seconds: int | None = None

    def document(self, request_id: str) -> str:
        """Its body."""
        described = self.code == "malformed_request"
        members: dict[str, object] = {
            "type": f"/problems/{self.code}" if described else "about:blank",
            "title": self.reason,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            "errors": [],
        }
        return msgspec.json.encode(members).decode()

    @property
    def directive(self) -> str:
        """As an `http-error` line of a configuration."""
        headers = {**HEADERS, **({} if self.retry_seconds is None else {"Retry-After": str(self.retry_seconds)})}
        fields = " ".join(f'hdr {name} "{value}"' for name, value in headers.items())
        body = self.document(UNIQUE_ID)
        return f"http-error status {self.status} content-type {CONTENT_TYPE} lf-string '{body}' {fields}"

    @property
    def file(self) -> str:
        """As a file for `errorfile`: the bytes of the whole response."""
        body = self.document("")
        headers = {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body)), "Connection": "close", **HEADERS}
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", body])


RESPONSES = (
    ProblemResponse(
        400, "Bad Request", "malformed_request", "The request line or a header cannot be understood.", is_early=True
    ),
    ProblemResponse(
        408,
        "Request Timeout",
        "balancer_request_timeout",
        "The request did not arrive in time. Send it again, on a better connection.",
        is_early=True,
    ),
    ProblemResponse(
        500,
        "Internal Server Error",
        "balancer_error",
        "The balancer failed. A write may have taken effect: look before you repeat it.",
    ),
    ProblemResponse(
        502,
        "Bad Gateway",
        "balancer_response_lost",
        "An instance failed to respond. A write may have taken effect: look before you repeat it.",
    ),
    ProblemResponse(
        503,
        "Service Unavailable",
        "balancer_no_instance",
        "No instance is ready. Nothing was written; try again shortly.",
        retry_seconds=2,
    ),
    ProblemResponse(
        504,
        "Gateway Timeout",
        "balancer_response_timeout",
        "No response came in time. A write may have taken effect: look before you repeat it.",
    ),
)
