"""Strict JSON (RFC 8259): the strict reader for refused or suspicious bodies, and the cheap tests that suspect them.

The fast path decodes with msgspec, which accepts duplicate keys (the last one wins). `may_hide_keys` finds, in a few
hundred nanoseconds, the bodies where that could have happened. Only those, and refused ones, are read again here, with
numbers kept as their exact text and with the line and column of an error.

A stored `json` can have doubled keys, and its row can be sent back as it was read: `read_any_keys` keeps them.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import islice
from typing import Any, NoReturn, cast

import msgspec

from gatepost.errors import BadRequest
from gatepost.hints import shown

SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a UTF-16 surrogate pair: JSON's grammar can escape it, but it is not a character, and UTF-8 cannot encode
it."""

DEPTH_MAX = 256
"""Levels that every reader of bodies can follow; settings bound the levels inside a field more closely."""

_TOKENS_MAX = 20_000
"""A position beyond this many tokens is not searched for: that would take longer than reading the body."""

_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_BACKSLASH = ord("\\")
"""As an integer: `int in bytes` is faster than `bytes in bytes`."""

_BYTE = re.compile(r"\(byte ([0-9]+)\)")
_SEPARATORS = (b'":', b" :", b"\n:", b"\t:", b"\r:")


class DoubledKeys(dict[str, Any]):
    """An object in which a key appears twice. `members` are all of them in their order."""

    members: list[tuple[str, Any]]


class Number(str):
    """A JSON number as it was written: no precision is lost before the field's own type has been asked."""

    __slots__ = ()


def as_node(value: Any) -> Any:
    """A plain value as `read_json` would have given it, numbers as their text."""
    if isinstance(value, Decimal):
        return Number(format(value, "f"))
    return Number(value) if type(value) is int else value


def may_hide_keys(body: bytes, values: dict[str, Any], nested: int) -> bool:
    """Whether a valid body could hold more members than the decoded ones: doubled or unknown keys.

    `values` are the decoded top-level members, `nested` the number of those inside them. Colons are counted, which is
    much faster than parsing again: in valid JSON every member has exactly one, and all others are inside strings. More
    colons than decoded members therefore mean either strings with colons or members that the decoder dropped. It may
    return True for a harmless body (colons in nested strings), which the strict reader then accepts, but never False
    for one with dropped members.
    """
    surplus = body.count(b":") - len(values) - nested
    if not surplus:
        return False
    if _BACKSLASH not in body:  # an escaped colon is one in the value, but not in the body
        for value in values.values():
            if value.__class__ is str:
                surplus -= value.count(":")
        if not surplus:
            return False
    # The second count: a member's colon always follows a quote or white space, and colons inside strings rarely do.
    # Where these are exactly as many as the decoded members, each of them belongs to one.
    return sum(map(body.count, _SEPARATORS)) != len(values) + nested


def may_hold_nul(body: bytes) -> bool:
    """Whether a text of a valid body could hold a NUL: JSON can write it only as an escape."""
    return _BACKSLASH in body and b"\\u0000" in body


def read_json(body: bytes) -> Any:
    """The body as None, bool, str, `Number`, list and dict; `BadRequest("malformed_json")` names line and column."""
    return _read(body, _DECODER)


def read_any_keys(body: bytes) -> Any:
    """The same, but an object in which a key appears twice is not refused: it is a `DoubledKeys`."""
    return _read(body, _ANY_KEYS_DECODER)


def has_doubled_keys(node: Any) -> bool:
    """Whether there is an object in which a key appears twice."""
    if isinstance(node, DoubledKeys):
        return True
    if isinstance(node, dict):
        return any(map(has_doubled_keys, cast("dict[str, Any]", node).values()))
    return isinstance(node, list) and any(map(has_doubled_keys, cast("Iterable[Any]", node)))


def keep_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object with these members, which has all of them where a key appears twice."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    doubled = DoubledKeys(found)
    doubled.members = pairs
    return doubled


def _read(body: bytes, decoder: json.JSONDecoder) -> Any:
    text = _text(body)
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        reason = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        raise _malformed(f"{reason} at line {error.lineno}, column {error.colno}") from None
    except _Constant as error:
        raise _malformed(f"{error} is not a JSON number{_constant_place(body)}") from None
    except RecursionError:
        raise _malformed(f"arrays or objects nest too deeply{_depth_place(body)}") from None


def _text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _malformed(f"there is a byte that is not UTF-8{_place(body, error.start)}") from None
    if text.startswith("\ufeff"):
        raise _malformed("it begins with a byte order mark at line 1, column 1; send plain UTF-8")
    if not text.strip(" \t\r\n"):
        raise _malformed("it is empty; send a JSON object")
    return text


def _malformed(reason: str) -> BadRequest:
    return BadRequest("malformed_json", f"The body is not strict JSON: {reason}.")


def _place(body: bytes, offset: int) -> str:
    line = body.count(b"\n", 0, offset) + 1
    before = body[body.rfind(b"\n", 0, offset) + 1 : offset]
    return f" at line {line}, column {len(before.decode(errors='replace')) + 1}"


def _constant_place(body: bytes) -> str:
    """Python's reader does not say where it met NaN or Infinity; msgspec's does."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        found = _BYTE.search(str(error))
        return _place(body, int(found[1])) if found else ""
    return ""


def _depth_place(body: bytes) -> str:
    """Where arrays and objects begin to nest too deeply. Python's reader gives up somewhere beyond."""
    depth = 0
    for token in islice(_NESTING.finditer(body), _TOKENS_MAX):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth > DEPTH_MAX:
            return _place(body, token.start())
    return ""


class _Constant(Exception):
    """NaN, Infinity or -Infinity: Python's reader knows them, JSON does not."""


def _refuse_constant(name: str) -> NoReturn:
    raise _Constant(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = _object_of_any_keys(pairs)
    if isinstance(found, DoubledKeys):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise _malformed(f"the key {shown(twice)} appears twice in one object")
    return found


def _object_of_any_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = keep_members(pairs)
    for name in found:
        if not name.isascii() and SURROGATE.search(name):
            raise _malformed(f"the key {shown(name)} holds a lone surrogate")
    return found


def _decoder(make_object: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=make_object, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
    )


_DECODER = _decoder(_object)
_ANY_KEYS_DECODER = _decoder(_object_of_any_keys)
