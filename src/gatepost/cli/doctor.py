"""`gatepost doctor`: what a server needs, checked one by one, each failure with its cure."""

import asyncio
import importlib.metadata
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from gatepost.cli.output import print_json
from gatepost.cli.running import DATA_FOLDER, database_settings
from gatepost.errors import ConfigurationError
from gatepost.logging.complaints import GREEN, RED, is_coloured
from gatepost.server.loading import find_app, reference_of
from gatepost.settings import Settings, load

if TYPE_CHECKING:
    from gatepost.app import App

POSTGRESQL_VERSION_MIN = 14
CLOCK_SECONDS_MAX = 2.0


class Finding(msgspec.Struct, frozen=True):
    """One check: what was looked at, whether it is well, what was seen, and how to mend it."""

    check: str
    ok: bool
    detail: str
    cure: str | None = None


def examine(reference: str | None, *, as_json: bool) -> bool:
    """Print every finding; True where all is well."""
    findings = list(_findings(reference))
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            sys.stdout.write(_line(finding) + "\n")
    return all(finding.ok for finding in findings)


def _line(finding: Finding) -> str:
    mark = "ok  " if finding.ok else "FAIL"
    if is_coloured(sys.stdout):
        mark = f"\x1b[{GREEN if finding.ok else RED}m{mark}\x1b[0m"
    cure = f"\n       {finding.cure}" if finding.cure and not finding.ok else ""
    return f"{mark} {finding.check}: {finding.detail}{cure}"


def _findings(reference: str | None) -> Iterator[Finding]:
    yield _python()
    yield _packages()
    try:
        settings = load(os.environ)
    except ConfigurationError as error:
        yield _failed("settings", error)
        return
    yield Finding("settings", True, f"{settings.server.environment}; see `gatepost config show`")
    yield _signing_key(settings)
    app: App | None = None
    try:
        app = find_app(reference_of(reference))
        yield Finding("application", True, f"{reference_of(reference)}, {len(app.resources)} resource(s)")
    except ConfigurationError as error:
        yield _failed("application", error)
    with ExitStack() as stack:
        try:
            settings = stack.enter_context(database_settings())
        except ConfigurationError as error:
            yield _failed("database", error)
            return
        yield from asyncio.run(_database(str(settings.database.url), app))


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")


def _packages() -> Finding:
    missing: list[str] = []
    wanted = importlib.metadata.requires("gatepost") or []
    names = [match[0] for line in wanted if "extra ==" not in line and (match := re.match(r"[\w.-]+", line))]
    for name in names:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    detail = f"missing: {', '.join(missing)}" if missing else f"{len(names)} packages that Gatepost needs are there"
    return Finding("packages", not missing, detail, f"Run `pip install {' '.join(missing)}`.")


def _signing_key(settings: Settings) -> Finding:
    from gatepost.auth.keys import KEY_FILE, load_signing_key

    if settings.auth.signing_key is None:
        kept = DATA_FOLDER / KEY_FILE
        if settings.is_production:
            cure = "Make one with `openssl genpkey -algorithm ed25519 -out key.pem`; set GATEPOST_SIGNING_KEY_FILE."
            return Finding("signing key", False, "GATEPOST_SIGNING_KEY is not set", cure)
        detail = f"kept in {kept}" if kept.exists() else "`gatepost dev` will make one"
        return Finding("signing key", True, detail)
    try:
        load_signing_key(settings.auth.signing_key)
    except ConfigurationError as error:
        return _failed("signing key", error)
    return Finding("signing key", True, "GATEPOST_SIGNING_KEY is an Ed25519 private key")


async def _database(url: str, app: "App | None") -> list[Finding]:
    import asyncpg

    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        cure = "Start PostgreSQL, or correct DATABASE_URL: postgresql://user:password@host:port/database."
        return [Finding("database", False, f"cannot be reached: {reason}", cure)]
    try:
        number = int(await connection.fetchval("SELECT current_setting('server_version_num')"))
        version = await connection.fetchval("SELECT current_setting('server_version')")
        theirs = float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
        ours = time.time()
    finally:
        await connection.close()
    old = f"Gatepost needs PostgreSQL {POSTGRESQL_VERSION_MIN} or newer."
    found = [
        Finding("database", number // 10000 >= POSTGRESQL_VERSION_MIN, f"PostgreSQL {version}", old),
        _clock(ours - theirs),
    ]
    return [*found, await _migrated(url, app)] if app is not None else found


def _clock(seconds: float) -> Finding:
    detail = f"{abs(seconds):.3f} s {'ahead of' if seconds > 0 else 'behind'} the database's"
    return Finding("clock", abs(seconds) <= CLOCK_SECONDS_MAX, detail, "Synchronise the clocks (NTP): tokens expire.")


async def _migrated(url: str, app: "App") -> Finding:
    from gatepost.cli.migrate import differences

    try:
        found = await differences(url, app)
    except ConfigurationError as error:
        return _failed("migrations", error)
    detail = "; ".join(found[:3]) if found else "the database is what the models declare"
    return Finding("migrations", not found, detail, "Run `gatepost migrate up`; `gatepost migrate check` says more.")


def _failed(check: str, error: ConfigurationError) -> Finding:
    place = f"{error.place}: " if error.place else ""
    return Finding(check, False, f"{place}{error.message}", error.cure)
