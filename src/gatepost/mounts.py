"""The mounted applications of an app: what their paths are, who calls them, and how they start and stop.

Composed once, by `composition.py`. Those that declare paths get there what `Gate(app)` has for its paths.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from gatepost.asgi import ASGIApp
from gatepost.auth.access_control import AccessControl
from gatepost.call import Call, Match
from gatepost.declaring.mount import Mount
from gatepost.device_cookies import Devices
from gatepost.dtos.json_check import JSONCheck
from gatepost.dtos.json_values import Bounds
from gatepost.events import Events
from gatepost.gateway.cross_site_requests import CrossSiteRequests
from gatepost.gateway.foreign_requests import ForeignRequests, sign_ins_of
from gatepost.gateway.limiter import Limiter
from gatepost.gateway.path_table import PathTable
from gatepost.operations import RouteRules
from gatepost.routes.mounted_application import APP, MountedApplication
from gatepost.routes.mounted_lifespan import MountedLifespan
from gatepost.settings import GateSettings

FindPath = Callable[[str, str], Match | None]


class Mounts:
    """The mounted applications by their prefixes. `find` has what finds the declared paths of each, `rules` are those
    of these paths. Raises `ConfigurationError` for paths that are not well declared."""

    def __init__(self, mounts: Mapping[str, Mount], settings: GateSettings, events: Events) -> None:
        self._events = events
        self._mounts = mounts
        self._settings = settings
        self._paths = {
            prefix: PathTable(mount.paths, settings, prefix=prefix, location=f"Mount(at {prefix!r}, paths")
            for prefix, mount in mounts.items()
        }
        self._applications: dict[str, MountedApplication] = {}
        self.find: Mapping[str, FindPath] = {prefix: table.find for prefix, table in self._paths.items()}
        self.rules = tuple(rules for table in self._paths.values() for rules in table.declared)

    def compose(
        self, access: AccessControl, forms: CrossSiteRequests, limiter: Limiter, devices: Devices, app: Any
    ) -> None:
        """Make them ready to be called: `app` is what they find in their scopes."""
        settings = self._settings
        bounds = Bounds(settings.json_depth_max, settings.json_items_max, settings.body_bytes_max, doubles=True)
        check_json = JSONCheck(bounds)
        admit = partial(_admit, access, forms)
        for prefix, mount in self._mounts.items():
            table = self._paths[prefix]
            sign_ins = sign_ins_of(table.sign_ins, lambda _pattern: devices)
            requests = ForeignRequests(table.strict, check_json, sign_ins, limiter)
            lifespan = MountedLifespan(prefix, mount.app, {APP: app}, self._events)
            self._applications[prefix] = MountedApplication(prefix, mount.app, admit, requests.prepare, lifespan)

    def by_route(self, routes: tuple[RouteRules, ...]) -> dict[RouteRules, ASGIApp]:
        """The applications by the rules that a request is matched to: those of `routes` that are of mounts, and those
        of declared paths."""
        found: dict[RouteRules, ASGIApp] = {
            rules: self._applications[rules.pattern.removesuffix("/*")] for rules in routes if rules.kind == "mount"
        }
        for prefix, table in self._paths.items():
            found.update(dict.fromkeys(table.declared, self._applications[prefix]))
        return found

    async def start(self) -> None:
        """Run their startups. Raises `ConfigurationError` where one does not start."""
        for application in self._applications.values():
            await application.lifespan.start()

    async def stop(self, seconds: float) -> None:
        """Run their shutdowns, each for so many seconds at most."""
        for application in reversed(self._applications.values()):
            await application.lifespan.stop(seconds)


def _admit(access: AccessControl, forms: CrossSiteRequests, call: Call) -> Awaitable[None]:
    """Find the actor. At declared paths, forms of pages of other origins are refused, as by `Gate(app)`."""
    if not call.is_mounted:
        forms.check_form(call)
    return access.admit_mounted(call)
