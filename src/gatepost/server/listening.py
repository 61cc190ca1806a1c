"""The listening socket: one, exclusive, opened before any process is started and shared by all of them.

Before the request path. Granian by itself opens one per worker with SO_REUSEPORT, by which a second server, or the
orphans of one that was killed, share the port unnoticed.
"""

import errno
import os
import socket
import sys
import time

from gatepost.errors import ConfigurationError

BACKLOG = 2048

STALLED_SECONDS = 30.0
"""How long a client may leave a response unread before the kernel resets its connection (RFC 5482; every connection
inherits it). In practice one that takes less than some 4 KiB a second of a large response."""

WAIT_SECONDS = 1.0


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens exclusively at `host`, `port` (0: any free one).

    Waits a moment for the workers of a server that was killed, which are about to let go. Raises ConfigurationError
    when the port is taken, not permitted, or the host is not an address of this machine.
    """
    family, address = _resolve(host, port)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return _open(family, address)
        except OverflowError as error:
            raise _refusal(host, port, error) from None
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise _refusal(host, port, error) from None
        time.sleep(0.02)


def stop_accepting(listener: socket.socket) -> None:
    """Leave new connections to the other processes that share the listener; this one keeps those it has.

    Closing it would not do: the threads of the HTTP server keep using the descriptor. So a listener on an unknown port
    takes its place under the same number, in one step.
    """
    loopback = "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"
    with _open(listener.family, (loopback, 0)) as unknown:
        os.dup2(unknown.fileno(), listener.fileno())


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, OverflowError, UnicodeError) as error:
        raise _refusal(host, port, error) from None
    family, _, _, _, address = min(found, key=lambda item: item[0] != socket.AF_INET)
    return family, (str(address[0]), port)


def _open(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # REUSEADDR admits connections in TIME_WAIT, not a second listener.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALLED_SECONDS * 1000))
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        listener.set_inheritable(True)
    except BaseException:
        listener.close()
        raise
    return listener


def _refusal(host: str, port: int, error: Exception) -> ConfigurationError:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        message = f"Another program is already listening on {host}:{port}."
        hint = "Stop it, or choose another port with --port or GATEPOST_PORT."
    elif number == errno.EACCES:
        message = f"This user may not listen on port {port}."
        hint = "Choose a port above 1023 with --port or GATEPOST_PORT."
    elif isinstance(error, OverflowError):
        message, hint = f"{port} is not a port.", "Choose one from 0 to 65535."
    else:
        message = f"Cannot listen on {host}:{port}: {error}."
        hint = "Choose an address of this machine with --host or GATEPOST_HOST."
    return ConfigurationError(message, hint=hint)
