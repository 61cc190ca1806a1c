"""Framing: where a request ends is beyond doubt, else a proxy and the server see different requests (smuggling)."""

from gatepost.inspection.checks import MEDIUM, SEVERE, Check, Verdict, verdict
from gatepost.inspection.visit import Visit

GET = "GET {path} HTTP/1.1\r\n"
HOST = "host: {host}\r\n"
POST = "POST {post_path} HTTP/1.1\r\n" + HOST + "content-type: text/plain\r\n"
END = "\r\n"
CHUNKED_END = "\r\n0\r\n\r\n"


def refused(name: str, weight: int, hint: str, request: str, *, or_closed: bool = False) -> Check:
    """A malformed request that has to be refused, or, with `or_closed`, at least be the last of its connection."""

    async def examine(visit: Visit) -> Verdict:
        path, host = visit.target.path, visit.target.authority
        data = request.format(path=path, post_path=visit.post_path or path, host=host)
        reply = await visit.client.send(data.encode("latin-1"), seconds=5)
        is_well = reply.status in (400, 501) or reply.is_closed or (or_closed and reply.ended)
        return verdict(is_well, f"{reply}{', connection closed' if reply.status and reply.ended else ''}")

    return Check(name, weight, hint, examine)


CHECKS: tuple[Check, ...] = (
    refused(
        "length and chunks together",
        SEVERE,
        "Refuse what has both Content-Length and Transfer-Encoding, or close after it (RFC 9112, section 6.3).",
        POST + "content-length: 5\r\ntransfer-encoding: chunked\r\n" + CHUNKED_END,
        or_closed=True,
    ),
    refused(
        "two lengths",
        SEVERE,
        "Refuse two different Content-Length with 400 (RFC 9112, section 6.3).",
        POST + "content-length: 5\r\ncontent-length: 6\r\n" + END + "12345",
    ),
    refused(
        "a length that is not a number",
        MEDIUM,
        "Refuse a malformed Content-Length with 400.",
        POST + "content-length: +5\r\n" + END + "12345",
    ),
    refused(
        "an unknown transfer coding",
        MEDIUM,
        "Refuse unknown transfer codings with 400 or 501 (RFC 9112, section 6.1).",
        POST + "transfer-encoding: xchunked\r\n" + CHUNKED_END,
    ),
    refused(
        "a space before the colon",
        MEDIUM,
        "Refuse white space between a header's name and the colon with 400 (RFC 9112, section 5.1).",
        GET + HOST + "x-a : 1\r\n" + END,
    ),
    refused(
        "a NUL in a header",
        MEDIUM,
        "Refuse NUL, CR and LF in values with 400 (RFC 9110, section 5.5).",
        GET + HOST + "x-a: a\x00b\r\n" + END,
    ),
    refused("no Host", MEDIUM, "Refuse HTTP/1.1 without Host with 400 (RFC 9112, section 3.2).", GET + END),
    refused(
        "two Hosts",
        MEDIUM,
        "Refuse a second Host with 400 (RFC 9112, section 3.2).",
        GET + HOST + "host: evil.example\r\n" + END,
    ),
)
