"""Responses: envelopes, entity tags, links. One encoder for all of them."""

import re

import msgspec

from gatepost.call import JSON_HEADERS, Response
from gatepost.controllers.envelopes import PLAIN, Envelope
from gatepost.epoch import Epoch
from gatepost.errors import BadRequest, Header
from gatepost.pydantic_models import pydantic_document

ENTITY_TAGS_MAX = 20

_TAG = re.compile(rb'(?:W/)?"[!#-~]*"')
"""RFC 9110, section 8.8.3, limited to ASCII: our versions use no other characters."""

_TAG_LIST = re.compile(rb"[ \t]*%b[ \t]*(?:,[ \t]*%b[ \t]*)*" % (_TAG.pattern, _TAG.pattern))

encode = msgspec.json.Encoder(enc_hook=pydantic_document).encode
"""The JSON of a value. Raises `TypeError`, `ValueError` or `RecursionError` for what has none."""


def row_response(status: int, data: str, tag: str | None, *extra: Header, opening: str = PLAIN.opening) -> Response:
    """The response that shows one row's JSON; `tag` becomes its strong entity tag (RFC 9110, section 8.8.3).
    `opening` is that of its envelope."""
    body = f"{opening}{data}}}".encode()
    if tag is None:
        return Response(status, body, (*JSON_HEADERS, *extra))
    return Response(status, body, (*JSON_HEADERS, (b"etag", f'"{tag}"'.encode()), *extra))


def unless_unchanged(unless: bytes | None, status: int, data: str, tag: str | None, opening: str) -> Response:
    """The response that shows one row's JSON, or 304 where `If-None-Match` (`unless`) names its entity tag."""
    if unless is not None and is_unchanged(unless, tag) and tag is not None:
        return empty_response(304, (b"etag", entity_tag(tag)))
    return row_response(status, data, tag, opening=opening)


def empty_response(status: int, *headers: Header) -> Response:
    """A response without a body."""
    return Response(status, b"", headers)


def page_response(rows: str, info: msgspec.Struct, links: bytes, envelope: Envelope, total: int | None) -> Response:
    """The response that shows a page of rows' JSON, and what `info` says of it; `links` is the value of `Link`
    (RFC 8288), empty for none. `total` stands beside the rows."""
    headers = (*JSON_HEADERS, (b"link", links)) if links else JSON_HEADERS
    beside = b"" if total is None else b",%b:%d" % (envelope.total, total)
    page = b',"page":%b' % encode(info) if envelope.has_page else b""
    return Response(200, b"%b%b]%b%b}" % (envelope.list_opening, rows.encode(), beside, page), headers)


def entity_tag(text: str) -> bytes:
    """The strong entity tag of this text."""
    return b'"' + text.encode() + b'"'


def wanted_versions(header: bytes | None, epoch: Epoch) -> tuple[str, ...] | None:
    """The versions that `If-Match` accepts; None for `*` and where there is no such header. Raises `BadRequest`.

    A version is what stands before the dot of an entity tag, or the whole of one without a dot: a change is about the
    row, whichever of its fields the client was shown. Weak tags never match strongly (RFC 9110, section 13.1.1), and
    those of another epoch never at all: a restored database gives the same versions again.
    """
    tags = None if header is None else strong_tags(header)
    if tags is None:
        return None
    prefix = epoch.tag_prefix
    return tuple(tag[len(prefix) :].partition(".")[0] for tag in tags if tag.startswith(prefix))


def strong_tags(header: bytes) -> tuple[str, ...] | None:
    """The entity tags that `If-Match` accepts, without those that are weak; None for `*`. Raises `BadRequest`."""
    if header.strip() == b"*":
        return None
    return tuple(tag[1:-1].decode() for tag in _tags(header) if not tag.startswith(b"W/"))


def is_unchanged(header: bytes, tag: str | None) -> bool:
    """Whether `If-None-Match` names the entity tag of this text; weak comparison (RFC 9110, section 13.1.2). What has
    no tag is never unchanged. Raises `BadRequest`."""
    if header.strip() == b"*":
        return tag is not None
    tags = _tags(header)
    return tag is not None and entity_tag(tag) in (each.removeprefix(b"W/") for each in tags)


def _tags(header: bytes) -> list[bytes]:
    tags: list[bytes] = _TAG.findall(header)
    if len(tags) > ENTITY_TAGS_MAX or not _TAG_LIST.fullmatch(header):
        raise BadRequest("malformed_request", 'An entity tag is written in double quotes: "3".')
    return tags
