"""The hosts of a DSN that names several: each gets its share of the time that an opening has.

The driver tries one after the other within one timeout, so that a host that is silent would keep all others from being
tried: after a failover, for ever. Parsed once, when the process starts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

import asyncpg

from gatepost.dsn import DSN

T = TypeVar("T")

OF_NO_USE = (
    OSError,
    asyncpg.TargetServerAttributeNotMatched,
    asyncpg.PostgresConnectionError,  # a proxy took the connection and closed it
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)
"""After these the next host is tried. One that refuses the role or the database ends the search."""


def split_hosts(dsn: str) -> tuple[str, ...]:
    """A DSN for each host, in their order; the DSN itself where it names one, or wants a choice among all of them
    (`target_session_attrs=prefer-standby`)."""
    parts = DSN.match(dsn)
    if parts is None:
        return (dsn,)
    before, hosts, path, query_string = parts.groups()
    query = dict(parse_qsl(query_string))
    if query.get("target_session_attrs") == "prefer-standby":
        return (dsn,)
    if "," in hosts:
        after = dsn[parts.end("hosts") :]
        return tuple(f"{before}{host}{after}" for host in hosts.split(","))
    names = query.get("host", "").split(",")
    ports = query.get("port", "").split(",")
    if hosts or len(names) == 1 or len(ports) not in (1, len(names)):
        return (dsn,)
    ports = ports if len(ports) == len(names) else ports * len(names)
    made = [{**query, "host": name, "port": port} for name, port in zip(names, ports, strict=True)]
    return tuple(f"{before}{path}?{urlencode({key: text for key, text in one.items() if text})}" for one in made)


async def connect_first(dsns: Sequence[str], seconds: float, connect: Callable[[str], Awaitable[T]]) -> T:
    """What `connect` opens at the first of the DSNs that replies in its share of `seconds`, and is such as it asks for.
    Raises what the last one raised."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    for number, dsn in enumerate(dsns[:-1]):
        try:
            async with asyncio.timeout((deadline - loop.time()) / (len(dsns) - number)):
                return await connect(dsn)
        except OF_NO_USE:
            continue
    async with asyncio.timeout_at(deadline):
        return await connect(dsns[-1])
