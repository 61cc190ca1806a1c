"""`gatepost limits`: what is left of the limits of a key, and full buckets for it.

Asks the Valkey of the settings, or else the admin listener of the server that runs on this machine.
"""

import asyncio
import ipaddress
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from gatepost.accounts.models import normalise_email
from gatepost.auth.keys import signing_key
from gatepost.cli.admin_client import ask
from gatepost.cli.operator_acts import leave_record
from gatepost.cli.output import print_rows
from gatepost.cli.settings import quiet_settings
from gatepost.device_cookies import Devices
from gatepost.errors import ConfigurationError
from gatepost.events import BucketsLost, Events
from gatepost.gateway.addresses import network_of
from gatepost.gateway.buckets import BucketGroup
from gatepost.gateway.buckets.factory import make_buckets
from gatepost.gateway.gate import make_limiter
from gatepost.logging.console import print_success
from gatepost.server.loading import find_app, reference_of
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.app import App

T = TypeVar("T")

COLUMNS = ("limit", "rate", "left", "full_in_seconds")


def show_limits(reference: str | None, key: str, *, port: int | None, as_json: bool) -> None:
    """Print every limit that holds for the key."""

    async def peek(groups: list[BucketGroup], name: str) -> list[dict[str, Any]]:
        return [row for group in groups for row in _rows(group, await group.peek(name))]

    kind, name, app, settings = _asked(reference, key)
    if _keeps_on_this_machine(app, settings):
        rows = ask("GET", _path(kind, name), port=port)["limits"]
    else:
        rows = _on_buckets(app, settings, kind, name, peek)
    print_rows(rows, as_json=as_json, columns=COLUMNS)


def reset_limits(reference: str | None, key: str, *, port: int | None) -> None:
    """Fill every bucket of the key."""

    async def refill(groups: list[BucketGroup], name: str) -> int:
        for group in groups:
            await group.refill(name)
        return sum(len(group.specs) for group in groups)

    kind, name, app, settings = _asked(reference, key)
    if _keeps_on_this_machine(app, settings):
        count = ask("PUT", _path(kind, name), port=port)["refilled"]
    else:
        count = _on_buckets(app, settings, kind, name, refill)
        leave_record("limits reset", f"The rate limits of one {kind} were filled again.")
    print_success(f"Refilled {count} bucket(s) of {key}. A process may still refuse it for up to a second.")


def _asked(reference: str | None, key: str) -> "tuple[str, str, App, Settings]":
    # Without it the limits would be those of development, which differ.
    os.environ.setdefault("GATEPOST_ENV", "production")
    settings = quiet_settings()
    app = find_app(reference_of(reference))
    return *_meant(key, settings), app, settings


def _keeps_on_this_machine(app: "App", settings: Settings) -> bool:
    return settings.valkey.url is None and app.rate_limits is None


def _path(kind: str, name: str) -> str:
    return f"/limits/{kind}/{quote(name, safe='')}"


def _rows(group: BucketGroup, deficits: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    for spec, deficit in zip(group.specs, deficits, strict=True):
        left, seconds = spec.remaining(deficit)
        yield {"limit": spec.name, "rate": str(spec.limit), "left": left, "full_in_seconds": seconds}


def _on_buckets(
    app: "App", settings: Settings, kind: str, name: str, work: Callable[[list[BucketGroup], str], Awaitable[T]]
) -> T:
    """Work on the buckets in the Valkey of the settings, or on those that the app declares."""
    events = Events()
    buckets = make_buckets(app.rate_limits, settings.valkey)
    limiter = make_limiter(settings.gate, events, buckets)
    groups = [limit_set.group for limit_set in limiter.limit_sets(kind, app.composed(settings).rules)]

    lost: list[BucketsLost] = []
    events.subscribe(BucketsLost, lost.append)

    async def run() -> T:
        await buckets.start(events)
        try:
            for outage in lost:
                raise ConfigurationError(
                    f"Valkey at {outage.address} cannot be reached: {outage.reason}.",
                    location="GATEPOST_VALKEY_URL",
                    hint="Start Valkey, or correct the address: valkey://user:password@host:port/0.",
                )
            return await work(groups, name)
        finally:
            await buckets.stop()

    return asyncio.run(run())


def _meant(key: str, settings: Settings) -> tuple[str, str]:
    """What kind of key it is, and how buckets are named by it."""
    if "@" in key:
        devices = Devices(signing_key(settings).as_pem(private=True), "/")
        return "account", devices.account_of(normalise_email(key)).hex()
    try:
        return "address", network_of(str(ipaddress.ip_address(key.removesuffix("/64"))))
    except ValueError:
        return "actor", key
