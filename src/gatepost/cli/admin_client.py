"""The admin listener of a server on this machine, as commands ask it: JSON over its Unix socket."""

import http.client
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from gatepost.console.forwarding import AdminConnection
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.monitor.addresses import is_served, served_ports, socket_name, socket_path


def ask(method: str, path: str, body: Any = None, *, port: int | None = None) -> Any:
    """What the server responds. Raises ConfigurationError where none runs, or it refuses."""
    status, found = _asked(method, path, body, port)
    if status >= 400:
        raise ConfigurationError(found.get("detail", f"status {status}."))
    return found


def find(path: str, *, port: int | None = None) -> Any:
    """What the server responds to a GET; None where it has no such page. Raises ConfigurationError as `ask` does."""
    status, found = _asked("GET", path, None, port)
    if status == 404:
        return None
    if status >= 400:
        raise ConfigurationError(found.get("detail", f"status {status}."))
    return found


def _asked(method: str, path: str, body: Any, port: int | None) -> tuple[int, Any]:
    place = socket_of(port, may_be_any=method == "GET")
    connection = AdminConnection(place)
    try:
        connection.request(method, path, None if body is None else msgspec.json.encode(body))
        response = connection.getresponse()
        found = msgspec.json.decode(response.read(), type=dict[str, Any])
    except (FileNotFoundError, ConnectionRefusedError):
        raise ConfigurationError(
            f"No server that you run has the admin socket {place}.", hint=_hint_of(served_ports(place.parent))
        ) from None
    except PermissionError:
        raise ConfigurationError(f"You may not open {place}: be its owner, or in its group.") from None
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        raise ConfigurationError(f"{place} does not respond as an admin socket does: {error}.") from None
    finally:
        connection.close()
    return response.status, found


def socket_of(port: int | None, *, may_be_any: bool) -> Path:
    """The socket of the server on this port; where none is named, the usual one.

    Where that has no server, and with `may_be_any`, that of the only server on the machine. It may be of another
    project, so what changes something needs its port.
    """
    settings = load_settings(os.environ)
    path = socket_path(settings, settings.server.port if port is None else port)
    if path is None:
        raise ConfigurationError(
            "is `none`: there is no socket to ask.",
            location="GATEPOST_ADMIN_SOCKET",
            hint="Name the socket of the server.",
        )
    is_named = port is not None or settings.admin.socket is not None or "GATEPOST_PORT" in os.environ
    if is_named or not may_be_any or is_served(path):
        return path
    ports = served_ports(path.parent)
    return path.with_name(socket_name(ports[0])) if len(ports) == 1 else path


def _hint_of(ports: Sequence[int]) -> str:
    if ports:
        return f"Name its port with --port; there are servers on {', '.join(map(str, ports))}."
    return "Name its port with --port, or its socket with GATEPOST_ADMIN_SOCKET."
