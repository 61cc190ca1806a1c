"""`python -m gatepost.server`: what `gatepost serve` runs; without the command line library of the other commands."""

import argparse
import os
import sys
from collections.abc import Sequence

from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_error
from gatepost.logging.streams import StandardStreams
from gatepost.server.descriptors import open_standard_descriptors

_EXAMPLES = """\
examples:
  gatepost serve
  gatepost serve shop.app:app --port 8080 --workers 4
  DATABASE_URL=postgresql://shop@db/shop GATEPOST_SIGNING_KEY_FILE=/run/secrets/key gatepost serve --host 0.0.0.0

Settings come from the environment; `gatepost config show` prints them all. A missing or unsafe one is refused.
SIGTERM drains and ends with status 0; a second signal ends at once; SIGHUP replaces the workers one by one, without
a failed request.
"""

OPTIONS = {"host": "GATEPOST_HOST", "port": "GATEPOST_PORT", "workers": "GATEPOST_WORKERS"}
"""Options of the command, and the settings that they stand for."""


def parser() -> argparse.ArgumentParser:
    """The options of `gatepost serve`."""
    made = argparse.ArgumentParser(
        prog="gatepost serve",
        description="Serve an application in production: several processes, no reload, unsafe settings refused.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "app", nargs="?", help="the App, as MODULE:ATTRIBUTE (default: GATEPOST_APP, [tool.gatepost] app, or app:app)"
    )
    made.add_argument("--host", help="address to listen on (GATEPOST_HOST, default 127.0.0.1)")
    made.add_argument("--port", help="port to listen on (GATEPOST_PORT, default 8000)")
    made.add_argument("--workers", help="processes that serve (GATEPOST_WORKERS, default 1)")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, serve, and end with the status that the commands have in common: 2 for what the user has to fix."""
    open_standard_descriptors()
    options = vars(parser().parse_args(arguments))
    streams = StandardStreams()
    streams.start()
    from gatepost.server.serving import serve_app

    # Workers read the environment by themselves: what the command was given has to be in there.
    os.environ.setdefault("GATEPOST_ENV", "production")
    for option, variable in OPTIONS.items():
        if options[option] is not None:
            os.environ[variable] = options[option]
    try:
        serve_app(options["app"], os.environ, streams)
    except ConfigurationError as error:
        print_error(error)
        sys.exit(2)


if __name__ == "__main__":
    main()
