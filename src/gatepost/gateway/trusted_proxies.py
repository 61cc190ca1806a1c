"""The address of the client: the peer of the connection, or what trusted proxies say about it.

Called by `header_checks.py` if any proxy is trusted; else it costs nothing. It rewrites the request and its ASGI scope
(`client`, `scheme`, the `Host` header), so that the limiter, the logs, HSTS and a mounted application all see the same
values. `forwarded.py` parses the headers; this module decides how far to trust them.
"""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from gatepost.call import Call
from gatepost.errors import ConfigurationError
from gatepost.gateway.forwarded import HOPS_MAX, ProxyHop, forwarded_hops, x_forwarded_hops

_SCHEMES = frozenset({"http", "https"})
_ADDRESS_CHARACTERS_MAX = 64
_LOCATION = "GATEPOST_TRUSTED_PROXIES"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """Walks from the peer through trusted proxies to the first address that is not one of them: the client.

    `trusted` are the entries of the setting: addresses and networks of proxies; `unix` for peers on a Unix
    socket; a number, the most proxies in a row; and `forwarded` if they write `Forwarded` (RFC 7239). Only one of the
    two kinds of headers is read, since proxies pass the other kind on unchanged. With a number alone every peer is
    trusted, so only the proxies may be able to connect.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        networks: list[Network] = []
        hops_max: int | None = None
        for entry in trusted:
            if entry.isascii() and entry.isdigit():
                hops_max = _count(entry)
            elif entry not in ("unix", "forwarded"):
                networks.append(_network(entry))
        if not networks and hops_max is None and "unix" not in trusted:
            raise _invalid("forwarded", "does not say which proxies to trust")
        self._read = forwarded_hops if "forwarded" in trusted else x_forwarded_hops
        self._networks = networks
        self._hops_max = hops_max or HOPS_MAX
        self._anyone = not networks and "unix" not in trusted
        self._unix = self._anyone or "unix" in trusted
        self._address = lru_cache(4096)(self._classify)

    def __call__(self, call: Call) -> None:
        """Set the client's address, scheme and host if a trusted proxy states them."""
        client = call.client
        trusted = self._unix if not client else self._address(client)[1]
        if not trusted:
            return
        last: ProxyHop | None = None
        for count, hop in enumerate(self._read(call.headers), 1):
            last = hop
            address, trusted = self._address(hop.node) if len(hop.node) <= _ADDRESS_CHARACTERS_MAX else (None, False)
            if address is None:
                break
            client = address
            if not trusted or count >= self._hops_max:
                break
        if last is not None:
            _rewrite(call, client, last)

    def trusts(self, peer: str) -> bool:
        """Whether a peer with this address may state the client's; empty for one on a Unix socket."""
        return self._address(peer)[1] if peer else self._unix

    def _classify(self, node: str) -> tuple[str | None, bool]:
        """The address of a node, None if it is not one, and whether it is a trusted proxy."""
        address = _address_of(node)
        if address is None:
            return None, False
        return str(address), self._anyone or any(address in network for network in self._networks)


def _rewrite(call: Call, client: str, hop: ProxyHop) -> None:
    scope = call.scope
    call.client = client
    scope["client"] = (client, 0)
    if hop.scheme is not None and hop.scheme.lower() in _SCHEMES:
        scope["scheme"] = hop.scheme.lower()
    if hop.host:
        call.headers[b"host"] = host = hop.host.encode("latin-1")
        scope["headers"] = [(name, host if name == b"host" else value) for name, value in scope["headers"]]


def _address_of(node: str) -> Address | None:
    """The address in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:80`.

    None for `unknown`, for `_hidden`, and for what is none of these. An IPv4 address mapped into IPv6 is itself.
    """
    if node.startswith("["):
        node, closed, port = node[1:].partition("]")
        if not closed or (port and not port.startswith(":")) or ":" not in node:
            return None
    elif node.count(":") == 1:
        node = node.partition(":")[0]
    try:
        address = ipaddress.ip_address(node.partition("%")[0])
    except ValueError:
        return None
    mapped: Address | None = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _network(entry: str) -> Network:
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        raise _invalid(entry, "is neither an address nor a network") from None
    if "/" in entry and entry.lower() != str(network):
        raise _invalid(entry, f"has host bits set; the network is {network}")
    if not network.prefixlen:
        raise _invalid(entry, "is the whole Internet, and a trusted proxy can claim any client address")
    return network


def _count(entry: str) -> int:
    if not 1 <= int(entry) <= HOPS_MAX:
        raise _invalid(entry, f"is not a number of proxies from 1 to {HOPS_MAX}")
    return int(entry)


def _invalid(entry: str, complaint: str) -> ConfigurationError:
    return ConfigurationError(
        f"{entry!r} {complaint}.",
        location=_LOCATION,
        hint="Name the proxies in front (10.0.0.7, 10.1.0.0/16, unix), or how many there are (1).",
    )
