"""Parses what proxies state: `Forwarded` (RFC 7239) and `X-Forwarded-For`, `-Proto`, `-Host`, from the right.

Each proxy appends at the right end, so only the right end can come from a trusted one: both parsers start there and
stop at the first element that they cannot parse. They do not look at the rest, however long or broken it is. How far to
trust the elements is decided by `trusted_proxies.py`.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

HeaderValues = Mapping[bytes, bytes]
"""Names in lower case and values; what came in several lines is one list."""

HOPS_MAX = 32
"""Proxies behind each other at most."""

_ELEMENT_BYTES_MAX = 2048
_COMMAS_MAX = 8

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a grammar's
_QUOTED = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*"'
_PAIR = re.compile(rf"({_TOKEN})=({_TOKEN}|{_QUOTED})")
_ELEMENT = re.compile(rf"{_PAIR.pattern}(?:[ \t]*;[ \t]*{_PAIR.pattern})*;?")
_ESCAPE = re.compile(r"\\(.)")


class ProxyHop(msgspec.Struct, frozen=True):
    """What one proxy says of the one it was asked by: its address, and the scheme and host that it asked with."""

    node: str
    scheme: str | None = None
    host: str | None = None


def forwarded_hops(headers: HeaderValues) -> Iterator[ProxyHop]:
    """The elements of `Forwarded`, the last one first."""
    line = headers.get(b"forwarded", b"").decode("latin-1")
    for _ in range(HOPS_MAX):
        line = line.rstrip(" \t,")
        element = _last_element(line)
        if not element:
            return
        line = line[: -len(element)]
        pairs = _pairs(element)
        if pairs is None:
            return
        yield ProxyHop(pairs.get("for", ""), pairs.get("proto"), pairs.get("host"))


def x_forwarded_hops(headers: HeaderValues) -> Iterator[ProxyHop]:
    """The entries of `X-Forwarded-For`, the last one first, with what stands in the same place in the other two.

    Where -Proto and -Host have fewer entries, their first one holds: it is by the proxy that is furthest out.
    """
    schemes = _entries(headers.get(b"x-forwarded-proto"))
    hosts = _entries(headers.get(b"x-forwarded-host"))
    for place, node in enumerate(_entries(headers.get(b"x-forwarded-for")) or [""]):
        yield ProxyHop(node, _at(schemes, place), _at(hosts, place))


def _entries(line: bytes | None) -> list[str]:
    """The last `HOPS_MAX` entries of a list, from the right."""
    if not line:
        return []
    return [entry.strip(" \t") for entry in line.decode("latin-1").rsplit(",", HOPS_MAX)[: -HOPS_MAX - 1 : -1]]


def _at(entries: list[str], place: int) -> str | None:
    return entries[min(place, len(entries) - 1)] if entries else None


def _last_element(line: str) -> str:
    """The shortest end of the line behind a comma that is a whole element; empty where there is none.

    The shortest is the right one, although quoted texts hold commas: an end that begins inside of quotes holds an odd
    number of them, and cannot be whole.
    """
    end = len(line)
    for _ in range(_COMMAS_MAX):
        end = line.rfind(",", 0, end)
        element = line[end + 1 :].lstrip(" \t")
        if len(element) > _ELEMENT_BYTES_MAX:
            return ""
        if _ELEMENT.fullmatch(element):
            return element
        if end < 0:
            return ""
    return ""


def _pairs(element: str) -> Mapping[str, str] | None:
    """Names in lower case and values; None where a name stands twice."""
    found = [(name.lower(), _unquoted(value)) for name, value in _PAIR.findall(element)]
    pairs = dict(found)
    return pairs if len(pairs) == len(found) else None


def _unquoted(value: str) -> str:
    return _ESCAPE.sub(r"\1", value[1:-1]) if value.startswith('"') else value
