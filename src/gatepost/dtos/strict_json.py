"""Strict JSON (RFC 8259): the careful reader behind every refused or suspicious body, and the cheap suspicion itself.

The fast path decodes with msgspec, which lets duplicate keys pass (the last one wins). `may_hide_keys` finds in a few
hundred nanoseconds the bodies where that could have happened; only those, and refused ones, are read again here, with
numbers kept as their exact text and with the line and column of a mistake.
"""

import json
import re
from collections import Counter
from itertools import islice
from typing import Any, NoReturn

import msgspec

from gatepost.errors import BadRequest
from gatepost.hints import shown

SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a UTF-16 pair: JSON's grammar lets it be written, but it is no character, and UTF-8 cannot carry it."""

DEPTH_MAX = 256
"""Levels that every reader of bodies can follow; what a field may hold is bounded by settings, more closely."""

_TOKENS_MAX = 20_000
"""A place further in is not looked for: that would take longer than reading the body did."""

_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_BACKSLASH = ord("\\")
"""As a number: Python looks for a byte in bytes at once, and for bytes in bytes by way of an error."""

_BYTE = re.compile(r"\(byte ([0-9]+)\)")
_SEPARATORS = (b'":', b" :", b"\n:", b"\t:", b"\r:")


class Number(str):
    """A JSON number as it was written: no precision is lost before the field's own type has been asked."""

    __slots__ = ()


def may_hide_keys(body: bytes, values: dict[str, Any], nested: int) -> bool:
    """Whether a valid body could hold more members than the decoded ones: doubled or unknown keys.

    `values` are the decoded top-level members, `nested` the number of those inside them. Every member has a colon, and
    all others stand in texts: in those of `values`, or in nested ones, which only make this too careful.
    """
    surplus = body.count(b":") - len(values) - nested
    if not surplus:
        return False
    if _BACKSLASH not in body:  # an escaped colon would be counted in the text, but not in the body
        for value in values.values():
            if value.__class__ is str:
                surplus -= value.count(":")
        if not surplus:
            return False
    # A member's colon follows a quote or white space: fewer colons inside texts do.
    return sum(map(body.count, _SEPARATORS)) != len(values) + nested


def may_hold_nul(body: bytes) -> bool:
    """Whether a text of a valid body could hold a NUL: JSON can write it only as an escape."""
    return _BACKSLASH in body and b"\\u0000" in body


def read_json(body: bytes) -> Any:
    """The body as None, bool, str, `Number`, list and dict; `BadRequest("malformed_json")` names the place."""
    text = _text(body)
    try:
        return _DECODER.decode(text)
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
    """Python's reader does not tell where it met NaN or Infinity; msgspec's does."""
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
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise _malformed(f"the key {shown(twice)} appears twice in one object")
    for name in found:
        if not name.isascii() and SURROGATE.search(name):
            raise _malformed(f"the key {shown(name)} holds a lone surrogate")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
)
