"""What the log shows of clients' addresses: all, the network, or nothing (`GATEPOST_LOG_CLIENT`)."""

import ipaddress
from collections.abc import Callable

ShownClient = Callable[[str], str | None]
"""An address as it is written; None is left out. What is no address (a user's key) stays as it is."""


def shown_client(form: str) -> ShownClient | None:
    """The function for `network` and `none`; None for `full`, which changes nothing."""
    return {"network": shown_network, "none": _nothing}.get(form)


def shown_network(client: str) -> str:
    """The network of an address: /24 of IPv4, /48 of IPv6."""
    try:
        address = ipaddress.ip_address(client.partition("/")[0])
    except ValueError:
        return client
    length = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network((address, length), strict=False))


def _nothing(client: str) -> str | None:
    try:
        ipaddress.ip_address(client.partition("/")[0])
    except ValueError:
        return client
    return None
