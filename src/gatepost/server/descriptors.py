"""File descriptors: the standard ones open, as many as the system grants, and never so many connections that none is
left for the rest.

Before the request path. Where descriptors run out, Granian tries to accept again and again, with all the CPU there is;
below its own bound of connections it waits. Debian grants 1,024 unless it is asked for more.
"""

import os
import sys

CONNECTIONS_MAX = 16_384
"""Connections per worker. Not a limit of concurrent requests: that is the gate's, and the pool's."""

WANTED = 65_536
RESERVED = 256
"""For the database, files, and the server itself."""


def open_standard_descriptors() -> None:
    """Open the null device in place of standard input, output and error where they are closed: the next file or socket
    would get their number, and with it what is printed. Before anything else is opened."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number, which is this one
    # Python has none for what was closed when it started.
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def connections_max() -> int:
    """How many connections a worker may have; asks for the descriptors, for this process and those it starts."""
    if sys.platform == "win32":
        return CONNECTIONS_MAX
    import resource

    granted, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if most == resource.RLIM_INFINITY else min(WANTED, most)
    if granted != resource.RLIM_INFINITY and granted < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        except (OSError, ValueError):  # macOS grants less than it says
            wanted = granted
        granted = wanted
    if granted == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    return max(1, min(CONNECTIONS_MAX, granted - RESERVED))
