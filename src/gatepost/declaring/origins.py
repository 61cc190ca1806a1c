"""Origins as browsers write them (RFC 6454, section 6.2), and the patterns that a list of origins may hold.

A pattern has one star, which stands for exactly one label of a name: `https://*.shop.example` is `https://eu.shop.example`
and neither `https://shop.example` nor `https://a.b.shop.example`. There are no regular expressions to get wrong.
"""

import ipaddress
import re
from collections.abc import Sequence

from gatepost.errors import ConfigurationError

HINT = "Write scheme, host and port as browsers send them: https://shop.example, or https://*.shop.example."
DEFAULT_PORTS = {"http": "80", "https": "443"}
LABELS_BEHIND_STAR_MIN = 2

_LABEL = re.compile(rb"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ORIGIN = re.compile(r"(?P<scheme>[^:/]+)://(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>.*))?")


class Origins:
    """A list of exact origins and patterns. Raises `ConfigurationError` at `location` for what is neither."""

    __slots__ = ("_exact", "_patterns")

    def __init__(self, listed: Sequence[str], *, location: str) -> None:
        for origin in listed:
            fault = _fault(origin)
            if fault is not None:
                raise ConfigurationError(f"{origin!r} {fault}.", location=location, hint=HINT)
        self._exact = frozenset(origin.encode() for origin in listed if "*" not in origin)
        patterns = (origin.encode().partition(b"*") for origin in listed if "*" in origin)
        self._patterns = tuple((before, behind) for before, _, behind in patterns)

    def __contains__(self, origin: bytes) -> bool:
        """Whether the value of an `Origin` header is on the list, byte for byte or by a pattern."""
        return origin in self._exact or any(
            origin.startswith(before)
            and origin.endswith(behind)
            and _LABEL.fullmatch(origin, len(before), len(origin) - len(behind)) is not None
            for before, behind in self._patterns
        )


def _fault(origin: str) -> str | None:
    """What is wrong with an origin or a pattern; None where nothing is."""
    if origin == "*":
        return "would let every web page call in; for a public API set GATEPOST_CORS_PUBLIC=true or CORS(public=True)"
    if origin == "null":
        return "is what any sandboxed frame sends, so any page can pretend to be it"
    if not origin.isascii() or origin != origin.lower():
        return "is not in lower-case ASCII; international names are written as xn--..."
    parts = _ORIGIN.fullmatch(origin)
    if parts is None or parts["scheme"] not in DEFAULT_PORTS:
        return "is not http:// or https:// with a host"
    if any(sign in origin.partition("://")[2] for sign in "/?#@\\ "):
        return "has more than a scheme, a host and a port"
    return _port_fault(parts["scheme"], parts["port"]) or _host_fault(parts["host"])


def _port_fault(scheme: str, port: str | None) -> str | None:
    if port is None:
        return None
    if not port.isdigit() or port != str(int(port)) or not 0 < int(port) < 65_536:
        return "has no valid port"
    return "names the usual port, which browsers leave out" if port == DEFAULT_PORTS[scheme] else None


def _host_fault(host: str) -> str | None:
    if host.startswith("["):
        return None if _is_address(host[1:-1], 6) else "has no valid IPv6 address in its shortest form"
    first, *others = host.split(".")
    if "*" in "".join(others) or ("*" in first and first != "*"):
        return "has a star that is not the whole first label"
    if first == "*":
        if len(others) < LABELS_BEHIND_STAR_MIN:
            return "has a star over a whole top-level domain"
        first = "any"
    if host.endswith("."):
        return "ends in a dot: that is another origin"
    if others and others[-1].isdigit():
        return None if _is_address(host, 4) else "has no valid IPv4 address"
    return None if all(_LABEL.fullmatch(label.encode()) for label in (first, *others)) else "has no valid host name"


def _is_address(text: str, version: int) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.version == version and str(address) == text and "%" not in text
