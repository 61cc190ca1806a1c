"""The header lines that a program sets on a response, checked: what cannot be sent, and what the gate decides itself,
raises `ValueError` before anything is sent. RFC 9110, section 5; cookies: RFC 6265, section 4.1.

A foundation. Line breaks in a value would end the head and begin another response (response splitting).
"""

import re
from typing import Literal

from gatepost.errors import Header

FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
"""A name in lower case."""

FIELD_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
"""Visible ASCII, with blanks inside."""

SameSite = Literal["strict", "lax", "none"]

_OF_THE_CONNECTION = frozenset(
    {
        *("connection", "content-length", "date", "keep-alive", "server", "trailer", "transfer-encoding", "upgrade"),
        *("ratelimit", "ratelimit-policy", "strict-transport-security", "x-request-id"),
    }
)
_OF_THE_ROUTE = frozenset(
    {
        *("content-security-policy", "cross-origin-embedder-policy", "cross-origin-opener-policy"),
        *("cross-origin-resource-policy", "origin-agent-cluster", "permissions-policy", "referrer-policy"),
        *("x-content-type-options", "x-dns-prefetch-control", "x-download-options", "x-frame-options"),
        *("x-permitted-cross-domain-policies", "x-xss-protection"),
    }
)
_COOKIE_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_COOKIE_PATH = re.compile(r"/[\x21-\x3a\x3c-\x7e]*")
_COOKIE_BYTES_MAX = 4096
"""What browsers keep of name and value together."""


def response_field(name: str, value: str) -> Header:
    """The line of a header. Raises `ValueError` for what cannot be sent, and for what is set elsewhere."""
    lower = name.lower()
    if FIELD_NAME.fullmatch(lower) is None:
        raise ValueError(f"{name!r} is not a header name.")
    if (hint := _hint_against(lower)) is not None:
        raise ValueError(f"The header {name} cannot be set here. {hint}")
    return lower.encode(), field_value(name, value)


def field_value(name: str, value: str) -> bytes:
    """The value of a header. Raises `ValueError` for line breaks and whatever else is not visible ASCII."""
    if FIELD_VALUE.fullmatch(value) is None:
        raise ValueError(f"The header {name} cannot be {value!r}: write visible ASCII without line breaks.")
    return value.encode()


def cookie_field(  # noqa: PLR0913 - the attributes of a cookie
    name: str,
    value: str,
    *,
    max_age: int | None,
    path: str,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
) -> Header:
    """The line that sets a cookie. Raises `ValueError` for what browsers refuse or read differently."""
    if FIELD_NAME.fullmatch(name.lower()) is None:
        raise ValueError(f"{name!r} is not the name of a cookie.")
    if _COOKIE_VALUE.fullmatch(value) is None:
        raise ValueError(f"The cookie {name} cannot be {value!r}: encode it, with base64 for example.")
    if len(name) + len(value) > _COOKIE_BYTES_MAX:
        raise ValueError(f"The cookie {name} has more than {_COOKIE_BYTES_MAX} bytes.")
    if _COOKIE_PATH.fullmatch(path) is None:
        raise ValueError(f"The cookie {name} cannot have the path {path!r}: begin with a slash.")
    if same_site not in ("strict", "lax", "none"):
        raise ValueError(f'The cookie {name} cannot be same_site={same_site!r}: write "strict", "lax" or "none".')
    _check_secure(name, path, secure=secure, same_site=same_site)
    age = "" if max_age is None else f"; Max-Age={int(max_age)}"
    flags = "; HttpOnly" * http_only + "; Secure" * secure
    return b"set-cookie", f"{name}={value}; Path={path}{age}; SameSite={same_site.capitalize()}{flags}".encode()


def _check_secure(name: str, path: str, *, secure: bool, same_site: SameSite) -> None:
    """What browsers take only from cookies that are secure."""
    if same_site == "none" and not secure:
        raise ValueError(f"The cookie {name} is same_site='none', which browsers take only with secure=True.")
    if name.startswith(("__Host-", "__Secure-")) and not secure:
        raise ValueError(f"The cookie {name} needs secure=True: its prefix promises it.")
    if name.startswith("__Host-") and path != "/":
        raise ValueError(f'The cookie {name} needs the path "/": its prefix promises it.')


def _hint_against(name: str) -> str | None:
    if name == "set-cookie":
        return "Use call.set_cookie()."
    if name.startswith("access-control-"):
        return "Use cors=CORS(...)."
    if name in _OF_THE_ROUTE:
        return "Declare it for the endpoint or its resource: headers={...}."
    return "It belongs to the connection, and the gate sets it." if name in _OF_THE_CONNECTION else None
