"""What a server tells the service manager that started it: that it serves, and that it stops (sd_notify(3)).

Before the request path, in the master. A unit of `Type=notify` counts as started when the first worker serves, so that
what comes after it, such as the restart of the next instance, finds it serving. Without `NOTIFY_SOCKET` in the
environment nothing is told.
"""

import os
import socket
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"


def tell_service_manager(state: str) -> None:
    """Send a state. A manager that does not listen is no reason not to serve."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    # An "@" stands for the null byte of a name in the abstract namespace.
    address = "\0" + path[1:] if path[0] == "@" else path
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setblocking(False)
        manager.sendto(state.encode(), address)
