"""Compression of responses: where it pays, and never where the size could tell a secret.

`GateCall` calls it for responses of `BYTES_MIN` bytes or more and for 304 responses, the gate for requests that name
entity tags; below that size compression does not pay. The responses of mounted applications are left alone. Encryption
does not hide length (BREACH), so these are never compressed:

- responses of kind "auth", which hold tokens, and responses that set a cookie;
- responses to requests with a cookie or with other ambient credentials: another site can make a browser send those, as
  often as it likes, and vary the part of the response that it controls. It cannot send a bearer token or an API key;
- refusals, which repeat what was asked;
- what says `Cache-Control: no-transform`, or is encoded already.
"""

import re

from msgspec.structs import replace

from gatepost.call import Call, Response
from gatepost.errors import Header
from gatepost.gateway.codings import CODINGS, Coding, KeptBody, wanted_coding

BYTES_MIN = 2048
"""Below it a response fits into two packets with its headers: there is nothing to gain."""

CONDITIONS = frozenset({b"if-match", b"if-none-match"})
"""The headers in which clients send entity tags back."""

VARY: Header = (b"vary", b"accept-encoding")

_TYPES = re.compile(rb"application/json|text/(?!event-stream)")
_SUFFIXED = re.compile(rb"(?:" + b"|".join(coding.suffix for coding in CODINGS) + rb')(?=")')


def compressed(call: Call, response: Response) -> Response:
    """The response in the coding that the client prefers, or as it is; with `Vary` where other clients may get another.

    A strong entity tag names bytes, so the coded response has one of its own: `"3"` becomes `"3-gzip"` (RFC 9110,
    section 8.8.3.3). `strip_entity_tags` takes it off again when it comes back.
    """
    headers = dict(response.headers)
    if not _may_vary(call, response, headers):
        return response
    is_ambient = call.is_ambient or b"cookie" in call.headers
    coding = None if is_ambient else wanted_coding(call.headers.get(b"accept-encoding", b""))
    body = response.body
    if coding is not None:
        body = body.coded(coding) if isinstance(body, KeptBody) else coding.encode(body)
    if coding is None or len(body) >= len(response.body):
        return replace(response, headers=(*response.headers, VARY))
    tagged = tuple(_tagged(header, coding) for header in response.headers)
    return replace(response, body=body, headers=(*tagged, (b"content-encoding", coding.name), VARY))


def strip_entity_tags(call: Call) -> None:
    """Take the coding off the entity tags that a client sends back, so that lower layers need not know of codings.

    `If-Match` means the row, in whatever coding it was read. `If-None-Match` means bytes: the tag of a coding counts
    only where the response would have it, else a cache would give the coded bytes to one who cannot read them.
    """
    headers = call.headers
    given = headers.get(b"if-match")
    if given is not None:
        headers[b"if-match"] = _SUFFIXED.sub(b"", given)
    given = headers.get(b"if-none-match")
    coding = wanted_coding(headers.get(b"accept-encoding", b"")) if given is not None else None
    if given is not None and coding is not None:
        headers[b"if-none-match"] = given.replace(coding.suffix + b'"', b'"')


def not_modified(call: Call, response: Response) -> Response:
    """A 304 with the entity tag that the client named, which is that of the coded response where it holds that one."""
    named = b",".join(value for name, value in call.scope["headers"] if name == b"if-none-match")
    coding = wanted_coding(call.headers.get(b"accept-encoding", b""))
    headers = response.headers
    if coding is not None:
        coded = tuple(_tagged(header, coding) for header in headers)
        headers = tuple(new if new[1] in named else old for old, new in zip(headers, coded, strict=True))
    return replace(response, headers=(*headers, VARY))


def _may_vary(call: Call, response: Response, headers: dict[bytes, bytes]) -> bool:
    rules = call.rules
    caching = response.cache_control
    if caching is None and rules is not None and rules.headers is not None:
        caching = dict(rules.headers.values).get(b"cache-control")
    return (
        200 <= response.status < 300
        and (rules is None or rules.kind != "auth")
        and _TYPES.match(headers.get(b"content-type", b"")) is not None
        and b"content-encoding" not in headers
        and b"content-range" not in headers
        and b"set-cookie" not in headers
        and b"no-transform" not in (caching or b"")
    )


def _tagged(header: Header, coding: Coding) -> Header:
    name, value = header
    if name == b"etag" and value.startswith(b'"'):
        return name, value[:-1] + coding.suffix + b'"'
    return header
