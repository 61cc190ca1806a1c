"""How another ASGI application is mounted: with which headers, and for which origins."""

from collections.abc import Mapping
from typing import Any

from gatepost.asgi import ASGIApp
from gatepost.declaring.cors import CORS
from gatepost.declaring.headers import Headers
from gatepost.errors import ConfigurationError


class Mount:
    """A mounted application with its own rules: `App(mount={"/legacy": Mount(legacy, headers={...}, cors=CORS(...))})`.

    `headers` replace those of the gate (None leaves one out), unless the application itself sends them. `cors` stands
    in place of the app's own rule for other origins. `paths` are rules of single paths below the mount, as those of
    `Gate(app, paths=)`: `paths={"POST /login": PathRules(auth=True)}`, or `{"/*": PathRules()}` for all.
    """

    __slots__ = ("app", "cors", "headers", "paths")

    def __init__(
        self,
        app: ASGIApp,
        *,
        headers: Mapping[str, str | None] | None = None,
        cors: CORS | None = None,
        paths: Mapping[str, Any] | None = None,
    ) -> None:
        self.app = app
        self.paths = paths or {}
        self.headers = Headers(headers, location="Mount") if headers else None
        self.cors = cors


def taken_by_mount(prefix: str, name: str, argument: str = "path=") -> ConfigurationError:
    """The refusal of a mount at a path that is taken already."""
    return ConfigurationError(
        f"mount={prefix!r} is also the path of {name}.",
        location="App",
        hint=f"Mount it elsewhere, such as {prefix + '/more'!r}: the longer path wins. Or choose another {argument}.",
    )
