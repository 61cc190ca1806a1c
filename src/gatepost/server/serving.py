"""From settings to a running server: check, listen, serve, say where. What `gatepost serve` does."""

import dataclasses
import socket
import sys
from collections.abc import Callable, Mapping

from gatepost.environment import load_settings
from gatepost.events import Events
from gatepost.logging.logs import Logs
from gatepost.logging.streams import StandardStreams
from gatepost.server.listening import listen
from gatepost.server.loading import preload, reference_of
from gatepost.server.monitoring import Monitoring, make_monitoring
from gatepost.server.safety import refuse_unsafe, warn_of_unknown
from gatepost.settings import Settings


def serve_app(reference: str | None, environ: Mapping[str, str], streams: StandardStreams) -> None:
    """Serve the application until a signal; raises ConfigurationError where it cannot even begin. `streams` are those
    of this process."""
    settings = load_settings(environ)
    warn_of_unknown(environ)
    refuse_unsafe(settings)
    name = reference_of(reference)
    with listen(settings.server.host, settings.server.port) as listener:
        monitoring = make_monitoring(settings, listener.getsockname()[1], name)
        said = f"Serving {name} on {url_of(listener)} with {settings.server.workers} worker(s).\n"
        said += "" if monitoring is None else monitoring.said
        run(listener, name, settings, master_events(settings, streams), lambda: _say(said), monitoring)


def run(  # noqa: PLR0913, PLR0917 - passed on to one place
    listener: socket.socket,
    reference: str,
    settings: Settings,
    events: Events,
    on_serving: Callable[[], None] = lambda: None,
    monitoring: Monitoring | None = None,
) -> None:
    """Serve on a socket that listens already; `events` gets what happens to the processes. `on_serving` is called when
    the first worker serves: until then the application may refuse to start."""
    from gatepost.server.granian_server import serve
    from gatepost.server.worker import Worker

    preload("gatepost.app")
    serve(listener, Worker(settings, reference), events, on_serving, monitoring)


def _say(line: str) -> None:
    sys.stderr.write(line)


def master_events(settings: Settings, streams: StandardStreams) -> Events:
    """What happens to the processes of a server, and where it is logged. The workers have logs of their own."""
    events = Events()
    logs = Logs(settings, writer=streams.out, has_files=True)
    logs.subscribe(events)
    logs.start()
    return events


def url_of(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return url_at(host, port)


def url_at(host: str, port: int) -> str:
    """The URL of a port."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def with_server(settings: Settings, **changes: object) -> Settings:
    """The settings with other server settings."""
    return dataclasses.replace(settings, server=dataclasses.replace(settings.server, **changes))  # type: ignore[arg-type]
