"""One of the instances of `gatepost dev --instances`: a process of its own, which ends with the one that started it.

`python -m gatepost.cli.dev_instance`; `dev_processes.py` starts it. Its settings are in the environment.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from gatepost.cli.dev import DRAIN_SECONDS, introduce, serve_reloading
from gatepost.cli.dev_migration import migrate
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_error
from gatepost.logging.streams import StandardStreams
from gatepost.server.listening import listen
from gatepost.server.serving import master_events, with_server


def arguments_of(  # noqa: PLR0913 - what an instance is told
    name: str, *, data: Path, is_embedded: bool, migrates: bool, extends: bool, address: str | None
) -> list[str]:
    """The arguments of an instance. One that gets an `address` says at each start where the API is there."""
    flags = {"--embedded": is_embedded, "--migrate": migrates, "--extend": extends}
    given = [] if address is None else ["--address", address]
    return [name, "--data", str(data), *given, *(flag for flag, is_set in flags.items() if is_set)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until stdin ends, or a signal."""
    parser = argparse.ArgumentParser(prog="python -m gatepost.cli.dev_instance")
    parser.add_argument("app")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--address")
    for flag in ("--embedded", "--migrate", "--extend"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_args(arguments)
    streams = StandardStreams()
    streams.start()
    threading.Thread(target=_end_with_stdin, name="gatepost-parent-watch", daemon=True).start()
    try:
        settings = with_server(load_settings(os.environ), drain_seconds=DRAIN_SECONDS)
        with listen(settings.server.host, settings.server.port) as listener:
            data = options.data if options.embedded else None
            prepare = partial(migrate, data=data, migrates=options.migrate, extends=options.extend)
            say_where = None if options.address is None else partial(introduce, options.address)
            events = master_events(settings, streams)
            serve_reloading(options.app, settings, listener, events, prepare, say_where)
    except ConfigurationError as error:
        print_error(error)
        sys.exit(2)


def _end_with_stdin() -> None:
    """`gatepost dev` holds the other end, and writes nothing: the kernel closes it when that process ends."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
