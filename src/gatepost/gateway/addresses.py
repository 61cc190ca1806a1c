"""The key of an address's buckets: one IPv4 host, or one IPv6 network.

Stands before the limiter. Which address a request comes from (proxies in front) is not decided here.
"""

import socket

V4_MAPPED = bytes(10) + b"\xff\xff"


def network_of(client: str) -> str:
    """The key of a client's buckets: IPv4 as it is, IPv6 as its /64, since one subscriber owns a whole /64 (RFC 6177).

    An IPv4 address mapped into IPv6 is the IPv4 address. Other text (empty, for a Unix socket) is kept.
    """
    if ":" not in client:
        return client
    try:
        packed = socket.inet_pton(socket.AF_INET6, client.partition("%")[0])
    except OSError:
        return client
    if packed.startswith(V4_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed[:8] + bytes(8)) + "/64"
