"""`/system` of the admin listener: the instances and workers, how instances differ, settings, migrations, licences."""

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any, NamedTuple

import msgspec

from gatepost.monitor.context import MonitorContext
from gatepost.monitor.deployment_watch import DeploymentWatch
from gatepost.monitor.other_instances import OtherInstances
from gatepost.monitor.page_table import Page, Request, json_page

ASKED_SECONDS = 30.0
OTHERS_MAX = 16
OWN_OF_EACH = frozenset(
    {
        *("GATEPOST_INSTANCE", "GATEPOST_HOST", "GATEPOST_PORT", "GATEPOST_RELEASE"),
        *("GATEPOST_ADMIN_BIND", "GATEPOST_ADMIN_SOCKET", "GATEPOST_LOG_FOLDER", "GATEPOST_RECORDS_FOLDER"),
    }
)
"""Settings that are meant to differ."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class _Differences(NamedTuple):
    found: list[dict[str, Any]]
    unanswered: list[dict[str, Any]]
    at: float


class SystemPage:
    """Serves it, of what the other pages say. Other instances are asked every ASKED_SECONDS at most."""

    def __init__(self, context: MonitorContext, deployment: DeploymentWatch) -> None:
        self._pages = context.pages
        self._instance = context.monitored.instance
        self._deployment = deployment
        self._others = OtherInstances(context)
        self._differences = _Differences([], [], 0.0)
        context.pages.add("GET", "/system", self._page)

    def _page(self, request: Request) -> Page:
        own = self._read(request, "/application")
        instances = self._read(request, "/instances")
        known = self._deployment.known
        if abs(time.time() - self._differences.at) > ASKED_SECONDS:
            self._differences = self._compare(request, own, instances["instances"])
        return json_page(
            200,
            {
                **instances,
                "workers": self._read(request, "/livez")["workers"],
                "settings": own["settings"],
                "levels": self._read(request, "/logs/levels")["changed"],
                "migrations": {"heads": known.heads, "fingerprint": known.fingerprint},
                "differences": self._differences.found,
                "unanswered": self._differences.unanswered,
                "licences": list(licences()),
            },
        )

    def _read(self, request: Request, path: str) -> Any:
        return msgspec.json.decode(self._pages.find(request._replace(path=path, query={}, name="")).body)

    def _compare(self, request: Request, own: Any, instances: list[dict[str, Any]]) -> _Differences:
        running = [each for each in instances if each["state"] == "running"]
        others: list[str] = [each["name"] for each in running if each["name"] != self._instance][:OTHERS_MAX]
        asked = request._replace(method="GET", path="/application", query={}, body=b"")
        with ThreadPoolExecutor(OTHERS_MAX) as threads:
            pages = dict(zip(others, threads.map(partial(self._others.ask, request=asked), others), strict=True))
        reports = {name: msgspec.json.decode(page.body) for name, page in pages.items()}
        values: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for each in running:
            values["release"][each["name"]] = each["release"]
            values["version"][each["name"]] = each["version"]
        for name, report in {self._instance: own, **reports}.items():
            for row in report.get("settings", ()):
                if row["variable"] not in OWN_OF_EACH:
                    values[row["variable"]][name] = row["value"]
        found = [{"of": of, "values": seen} for of, seen in values.items() if len(set(seen.values())) > 1]
        return _Differences(found, [reports[name] for name in others if pages[name].status != 200], time.time())


@cache
def licences() -> tuple[Mapping[str, str], ...]:
    """The packages that Gatepost runs on, with their licences as they state them."""
    return tuple(sorted(_licences("gatepost", set()), key=lambda row: row["name"].lower()))


def _licences(name: str, seen: set[str]) -> Iterator[Mapping[str, str]]:
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return
    seen.add(key)
    try:
        found = distribution(name)
    except PackageNotFoundError:  # of another system
        return
    stated = found.metadata.get_all("License-Expression") or found.metadata.get_all("License") or [""]
    classified = [
        each.rpartition(" :: ")[2] for each in found.metadata.get_all("Classifier") or () if "License" in each
    ]
    first = stated[0].strip().partition("\n")[0]
    licence = first if 0 < len(first) <= 60 else ", ".join(classified) or first[:60] or "not stated"
    yield {"name": found.metadata["Name"], "version": found.version, "licence": licence}
    for required in found.requires or ():
        match = _NAME.match(required)
        if match is not None and "extra ==" not in required:
            yield from _licences(match[0], seen)
