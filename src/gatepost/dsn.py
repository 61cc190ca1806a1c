"""The form of a PostgreSQL DSN: its parts, and whether the driver can read it.

Checked when settings are loaded, before any connection; what the parts mean is left to `database` and the driver.
"""

import os
import re
from urllib.parse import parse_qsl, unquote, urlsplit

DSN_HINT = (
    "Write postgresql://user:password@host:port/database, and : / @ ? # % in the password as %3A %2F %40 %3F %23 %25."
)

# Recent versions of `urlsplit` refuse several hosts of which a later one is an IPv6 address.
DSN = re.compile(r"(?P<before>[^:/?#]+://(?:[^/?#]*@)?)(?P<hosts>[^/?#]*)(?P<path>[^?#]*)\??(?P<query>[^#]*)")

_HOST = re.compile(r"(?:(?P<address>\[[^\[\]]+\])|(?P<name>[^:\[\]]*))(?::(?P<port>[^:]*))?")
_PORT = re.compile(r"0*[1-9][0-9]{0,4}")
_PORT_MAX = 65_535
_PORT_DEFAULT = "5432"


def is_readable_dsn(dsn: str) -> bool:
    """Whether hosts, ports and query of a DSN can be read."""
    parts = DSN.match(dsn)
    if parts is None or "\0" in unquote(dsn):
        return False
    try:
        query = dict(parse_qsl(parts["query"], strict_parsing=True)) if parts["query"] else {}
    except ValueError:
        return False
    # A socket's folder has no port beside it, and may contain colons.
    named = [host for host in query.get("host", "").split(",") if not host.startswith("/")]
    hosts = [*parts["hosts"].split(","), *named]
    ports = [port for port in query.get("port", "").split(",") if port]
    return all(map(_is_host, hosts)) and all(map(_is_port, ports))


def address_of(dsn: str) -> str:
    """Host and port of a DSN, of each host that it names, or the socket: what messages say of it. Never the user or the
    password. The driver takes what the DSN leaves out from PGHOST and PGPORT, as libpq does."""
    parts = DSN.match(dsn)
    if parts is None or not is_readable_dsn(dsn):
        return "the address in DATABASE_URL"
    query = dict(parse_qsl(parts["query"]))
    named = parts["hosts"] or query.get("host") or os.environ.get("PGHOST") or ""
    ports = (query.get("port") or os.environ.get("PGPORT") or _PORT_DEFAULT).split(",")
    if not named:
        return f"a socket of this machine, or localhost:{ports[0]}"
    hosts = named.split(",")
    ports = ports if len(ports) == len(hosts) else ports[:1] * len(hosts)
    return ", ".join(_address(host, port) for host, port in zip(hosts, ports, strict=True))


def _address(host: str, port: str) -> str:
    parts = _HOST.fullmatch(host)
    if parts is None or unquote(host).startswith("/"):
        return f"the socket {unquote(host)}/.s.PGSQL.{port}"
    return f"{parts['address'] or parts['name'] or 'localhost'}:{unquote(parts['port'] or port)}"


def _is_host(text: str) -> bool:
    parts = _HOST.fullmatch(text)
    if parts is None:
        return False
    try:
        urlsplit(f"//{parts['address'] or ''}")
    except ValueError:
        return False
    return not parts["port"] or _is_port(unquote(parts["port"]))


def _is_port(text: str) -> bool:
    return _PORT.fullmatch(text) is not None and int(text) <= _PORT_MAX
