"""Where the admin listener is: the path of the socket, and what a port wants."""

import ipaddress
import os
import re
import secrets
import socket
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from gatepost.errors import ConfigurationError
from gatepost.settings import Settings

NO_SOCKET = "none"
TOKEN_LENGTH_MIN = 16

_ELSEWHERE = {4: (socket.AF_INET, "192.0.2.1"), 6: (socket.AF_INET6, "2001:db8::1")}
"""Addresses that are nobody's (RFC 5737, RFC 3849)."""
_SOCKET_NAME = re.compile(r"admin-(\d+)\.sock")


def socket_path(settings: Settings, port: int) -> Path | None:
    """The Unix socket of the instance on this port; None where the settings want none."""
    given = settings.admin.socket
    if given == NO_SOCKET:
        return None
    return Path(given) if given is not None else _runtime_folder() / socket_name(port)


def socket_name(port: int) -> str:
    """The name of the file where no path is set."""
    return f"admin-{port}.sock"


def served_ports(folder: Path) -> list[int]:
    """The ports whose sockets in this folder have a server, in order."""
    names = (_SOCKET_NAME.fullmatch(path.name) for path in folder.glob("admin-*.sock"))
    return sorted(int(name[1]) for name in names if name is not None and is_served(folder / name[0]))


def is_served(path: Path) -> bool:
    """Whether a server listens on a socket; also where only others may ask it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True


def _runtime_folder() -> Path:
    """Where sockets of this user belong: what systemd or the session says, else a folder of the user's own."""
    for variable in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        if given := os.environ.get(variable):
            return Path(given.split(":")[0]) / "gatepost"
    folder = Path(tempfile.gettempdir()) / f"gatepost-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        # Anybody may make folders there.
        raise ConfigurationError(
            f"{folder} is not a folder that only this user can write to.",
            location="GATEPOST_ADMIN_SOCKET",
            hint="Remove it, or name a path for the socket.",
        )
    return folder


def admin_address(settings: Settings) -> tuple[str, int, str] | None:
    """Host, port and token of the admin port; None where there is none. On loopback a token is made where none is set.

    Raises ConfigurationError for an address that is none, and for one that others reach without a token.
    """
    bind = settings.admin.bind
    if bind is None:
        return None
    try:
        parts = urlsplit(f"//{bind}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or port is None:
        raise ConfigurationError(
            f"is {bind!r}.", location="GATEPOST_ADMIN_BIND", hint="Write host:port, such as 127.0.0.1:9100."
        )
    if (token := settings.admin.token) is not None:
        if len(token) < TOKEN_LENGTH_MIN or not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigurationError(
                f"is not {TOKEN_LENGTH_MIN} printable characters of ASCII, or more, without spaces.",
                location="GATEPOST_ADMIN_TOKEN",
                hint="Make one: python -c 'import secrets; print(secrets.token_urlsafe(24))'.",
            )
        return host, port, token
    if not _is_loopback(host):
        raise ConfigurationError(
            f"{bind} is reached from other machines, and there is no token.",
            location="GATEPOST_ADMIN_BIND",
            hint="Set GATEPOST_ADMIN_TOKEN, or GATEPOST_ADMIN_TOKEN_FILE.",
        )
    return host, port, secrets.token_urlsafe(24)


def reached_at(host: str) -> str:
    """Where others reach a port of this host: of one that is every address, that of the route to other networks."""
    try:
        address = ipaddress.ip_address(host)
        if not address.is_unspecified:
            return host
        family, elsewhere = _ELSEWHERE[address.version]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))  # of datagrams: nothing is sent
            return str(probe.getsockname()[0])
    except (ValueError, OSError):
        return host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
