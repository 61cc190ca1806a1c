"""`gatepost console`: opens a port of this machine for a browser, and prints the address that opens it once."""

import socket
import sys

from gatepost.cli.admin_client import find, socket_of
from gatepost.cli.output import print_json
from gatepost.console.console_files import DATA
from gatepost.errors import ConfigurationError
from gatepost.monitor.loopback_console import LoopbackConsole

LOOPBACK = "127.0.0.1"


def open_console(*, port: int | None, listen: int, as_json: bool) -> None:
    """Serve the console of the server on this port until Ctrl-C. Raises ConfigurationError."""
    session = find(f"{DATA}session", port=port)
    if session is None:
        raise ConfigurationError("The server is of a version that has no console.", hint="Start it again.")
    admin = socket_of(port, may_be_any=True)
    try:
        listener = socket.create_server((LOOPBACK, listen))
    except OSError as error:
        raise ConfigurationError(
            f"{LOOPBACK}:{listen} cannot be had: {error.strerror}.", location="--listen", hint="Name another port."
        ) from None
    server = LoopbackConsole(listener, admin)
    if as_json:
        print_json({"address": server.address, "instance": session["instance"], "socket": str(admin)})
    else:
        sys.stdout.write(
            f"The console of {session['instance']} is at\n\n  {server.address}\n\n"
            "The address works once, in one browser, until Ctrl-C ends this command.\n"
        )
    sys.stdout.flush()
    with server:
        server.serve_forever()
