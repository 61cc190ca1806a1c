"""Framing: where a request ends is beyond doubt, else a proxy and the server see different requests (smuggling)."""

from collections.abc import Callable

from gatepost.inspection.checks import MEDIUM, SEVERE, Check, Verdict, verdict
from gatepost.inspection.raw_client import Reply
from gatepost.inspection.visit import Visit

Lines = Callable[[Visit], list[str]]

CHUNKED_END = "0\r\n\r\n"


def _host(visit: Visit) -> str:
    return f"host: {visit.target.authority}"


def _get(visit: Visit, *lines: str) -> list[str]:
    return [f"GET {visit.target.path} HTTP/1.1", *lines]


def _post(visit: Visit, *lines: str) -> list[str]:
    return [f"POST {visit.post_path or visit.target.path} HTTP/1.1", _host(visit), "content-type: text/plain", *lines]


def refused(name: str, weight: int, hint: str, lines: Lines, body: str = "", *, or_closed: bool = False) -> Check:
    """A malformed request that has to be refused, or at least answered by the end of the connection."""

    async def examine(visit: Visit) -> Verdict:
        request = "\r\n".join([*lines(visit), "", ""]) + body
        reply = await visit.client.send(request.encode("latin-1"), seconds=5)
        is_well = _is_refused(reply) or (or_closed and reply.ended)
        return verdict(is_well, f"{reply}{', connection closed' if reply.status and reply.ended else ''}")

    return Check(name, weight, hint, examine)


def _is_refused(reply: Reply) -> bool:
    return reply.status in (400, 501) or (reply.status == 0 and reply.ended)


CHECKS: tuple[Check, ...] = (
    refused(
        "length and chunks together",
        SEVERE,
        "Refuse what has both Content-Length and Transfer-Encoding, or close after it (RFC 9112, section 6.3).",
        lambda visit: _post(visit, "content-length: 5", "transfer-encoding: chunked"),
        CHUNKED_END,
        or_closed=True,
    ),
    refused(
        "two lengths",
        SEVERE,
        "Refuse two different Content-Length with 400 (RFC 9112, section 6.3).",
        lambda visit: _post(visit, "content-length: 5", "content-length: 6"),
        "12345",
    ),
    refused(
        "a length that is not a number",
        MEDIUM,
        "Refuse a malformed Content-Length with 400.",
        lambda visit: _post(visit, "content-length: +5"),
        "12345",
    ),
    refused(
        "an unknown transfer coding",
        MEDIUM,
        "Refuse unknown transfer codings with 400 or 501 (RFC 9112, section 6.1).",
        lambda visit: _post(visit, "transfer-encoding: xchunked"),
        CHUNKED_END,
    ),
    refused(
        "a space before the colon",
        MEDIUM,
        "Refuse white space between a header's name and the colon with 400 (RFC 9112, section 5.1).",
        lambda visit: _get(visit, _host(visit), "x-a : 1"),
    ),
    refused(
        "a NUL in a header",
        MEDIUM,
        "Refuse NUL, CR and LF in values with 400 (RFC 9110, section 5.5).",
        lambda visit: _get(visit, _host(visit), "x-a: a\x00b"),
    ),
    refused(
        "no Host",
        MEDIUM,
        "Refuse HTTP/1.1 without Host with 400 (RFC 9112, section 3.2).",
        _get,
    ),
    refused(
        "two Hosts",
        MEDIUM,
        "Refuse a second Host with 400 (RFC 9112, section 3.2).",
        lambda visit: _get(visit, _host(visit), "host: evil.example"),
    ),
)
