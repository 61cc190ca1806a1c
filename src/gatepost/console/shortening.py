"""Data of the console for those who may read and not reveal: addresses of clients as their networks, keys of users by
their ends. Known by the names of members, which are those of log lines and of the admin listener's pages."""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import msgspec

ADDRESSES = frozenset({"client", "address", "key"})
KEYS = frozenset({"client", "actor_id", "user_id", "key"})
KEY_SHOWN = 6
DEPTH_MAX = 64
IPV4_PREFIX, IPV6_PREFIX = 24, 48

_CLIENT_IN_PATH = re.compile(r"^(/console/api/limits/[^/]*/).*", re.DOTALL)


def shortened(data: bytes) -> bytes:
    """JSON, or lines of it, with what is of clients and users shortened. What is nested deeper than DEPTH_MAX, as no
    page is, is left out."""
    try:
        return msgspec.json.encode(_of(msgspec.json.decode(data))) + b"\n"
    except RecursionError:
        return b"null\n"
    except msgspec.DecodeError:
        return b"".join(map(_line, data.splitlines()))


@lru_cache(4096)
def shortened_address(text: str) -> str | None:
    """The network of an address; None for what is none. A network stays as it is."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    prefix = IPV4_PREFIX if address.version == 4 else IPV6_PREFIX
    return str(ipaddress.ip_network(f"{text.partition('%')[0]}/{prefix}", strict=False))


def widened_client(text: str) -> str:
    """What a reader may ask for in place of an address, or of a network that is smaller than those that are shown: the
    network that is shown. Anything else stays as it is."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return text
    prefix = IPV4_PREFIX if network.version == 4 else IPV6_PREFIX
    return str(network if network.prefixlen <= prefix else network.supernet(new_prefix=prefix))


def shortened_key(text: str) -> str:
    """The end of a key: those of a while begin alike."""
    return text if len(text) <= KEY_SHOWN else f"…{text[-KEY_SHOWN:]}"


def _line(line: bytes) -> bytes:
    try:
        return msgspec.json.encode(_of(msgspec.json.decode(line))) + b"\n"
    except RecursionError:
        return b"null\n"
    except msgspec.DecodeError:
        return line + b"\n"


def _of(value: Any, name: str = "", depth: int = 0) -> Any:
    if isinstance(value, dict | list) and depth == DEPTH_MAX:
        return None
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return {key: _of(each, key, depth + 1) for key, each in found.items()}
    if isinstance(value, list):
        return [_of(each, name, depth + 1) for each in cast("Sequence[Any]", value)]
    return _of_one(value, name)


def _of_one(value: Any, name: str) -> Any:
    if name == "path" and isinstance(value, str):  # what an operator did to the limits of a client, in the access log
        return _CLIENT_IN_PATH.sub(r"\1…", value)
    if name not in KEYS and name not in ADDRESSES:
        return value
    if isinstance(value, str):
        network = shortened_address(value) if name in ADDRESSES else None
        is_network = "/" in value
        return network or (value if is_network else shortened_key(value))
    return shortened_key(str(value)) if isinstance(value, int) and not isinstance(value, bool) else value
