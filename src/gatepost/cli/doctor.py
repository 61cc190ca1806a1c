"""`gatepost doctor`: what a server needs, checked one by one, each failure with a hint."""

import asyncio
import importlib.metadata
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from gatepost.cli.doctor_backups import examine_backups
from gatepost.cli.doctor_database import examine_database
from gatepost.cli.doctor_environment import examine_environment
from gatepost.cli.doctor_findings import DoctorFinding, failed
from gatepost.cli.output import finding_line, print_json
from gatepost.cli.settings import DATA_FOLDER, database_settings
from gatepost.environment import load_settings, unknown_variables
from gatepost.errors import ConfigurationError
from gatepost.logging.console import GREEN, RED, YELLOW
from gatepost.server.loading import find_app, reference_of
from gatepost.server.safety import unknown_variable_message
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.app import App


def examine(reference: str | None, *, as_json: bool) -> bool:
    """Check what a server needs, and print every finding; True where all is well."""
    return print_findings(list(_findings(reference)), as_json=as_json)


def print_findings(findings: list[DoctorFinding], *, as_json: bool) -> bool:
    """True where all is well."""
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            sys.stdout.write(_line(finding) + "\n")
    return all(finding.ok or finding.is_warning for finding in findings)


def _line(finding: DoctorFinding) -> str:
    mark, colour = ("ok  ", GREEN) if finding.ok else ("WARN", YELLOW) if finding.is_warning else ("FAIL", RED)
    hint = None if finding.ok else finding.hint
    return finding_line(mark, colour, f"{finding.check}: {finding.detail}", hint)


def _findings(reference: str | None) -> Iterator[DoctorFinding]:
    yield _python()
    yield _packages()
    try:
        settings = load_settings(os.environ)
    except ConfigurationError as error:
        yield failed("settings", error)
        return
    yield DoctorFinding("settings", True, "can be read; see `gatepost config show`")
    yield examine_environment(settings)
    for name, nearest in unknown_variables(os.environ):
        yield DoctorFinding(
            "settings", False, unknown_variable_message(name, nearest), "Correct or remove it.", is_warning=True
        )
    yield _signing_key(settings)
    yield from examine_backups(settings.backups)
    app: App | None = None
    try:
        app = find_app(reference_of(reference))
        yield DoctorFinding("application", True, f"{reference_of(reference)}, {len(app.resources)} resource(s)")
        yield from _policies(app)
        yield from _indexes(app)
        yield from _relations(app)
    except ConfigurationError as error:
        yield failed("application", error)
    with ExitStack() as stack:
        try:
            settings = stack.enter_context(database_settings())
        except ConfigurationError as error:
            yield failed("database", error)
            return
        yield from asyncio.run(examine_database(settings, app))


def _policies(app: "App") -> Iterator[DoctorFinding]:
    """What of the policies can raise on a row."""
    found = app.declaration.policy_warnings()
    for policy, expression, reason in found:
        detail = f"{policy} has {expression}: {reason}, and one such row makes the list fail for everybody"
        hint = "Let a CHECK keep such rows out, or a column hold the result; see docs/how-to/write-a-policy.md."
        yield DoctorFinding("policies", False, detail, hint, is_warning=True)
    if not found:
        yield DoctorFinding("policies", True, "no expression of a policy can raise on a row")


def _indexes(app: "App") -> Iterator[DoctorFinding]:
    """Which values may be too long for an index, and which columns of owners have none."""
    found, owners = app.declaration.index_warnings(), app.declaration.owner_warnings()
    for policy, field, hint in owners:
        detail = f"{field} has no index, and {policy} reads the whole table in every list"
        yield DoctorFinding("indexes", False, detail, hint, is_warning=True)
    for field, index, hint in found:
        detail = f"{field} may be too long for the index {index}, and such a row is refused with 422"
        yield DoctorFinding("indexes", False, detail, hint, is_warning=True)
    if not (found or owners):
        yield DoctorFinding("indexes", True, "no value is too long for an index, and owners are found by one")


def _relations(app: "App") -> Iterator[DoctorFinding]:
    """Which relationships clients cannot use."""
    found = app.declaration.relation_warnings()
    for relation, location, reason, hint in found:
        yield DoctorFinding(
            "relations", False, f"{relation} ({location}) is not served: {reason}", hint, is_warning=True
        )
    if not found:
        yield DoctorFinding("relations", True, "every relationship between resources is served")


def _python() -> DoctorFinding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return DoctorFinding("python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")


def _packages() -> DoctorFinding:
    missing: list[str] = []
    wanted = importlib.metadata.requires("gatepost") or []
    names = [match[0] for line in wanted if "extra ==" not in line and (match := re.match(r"[\w.-]+", line))]
    for name in names:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    detail = f"missing: {', '.join(missing)}" if missing else f"{len(names)} required packages are installed"
    return DoctorFinding("packages", not missing, detail, f"Run `pip install {' '.join(missing)}`.")


def _signing_key(settings: Settings) -> DoctorFinding:
    from gatepost.auth.keys import KEY_FILE, load_signing_key

    if settings.auth.signing_key is None:
        kept = DATA_FOLDER / KEY_FILE
        if settings.is_production:
            make = f"openssl genpkey -algorithm ed25519 -out {KEY_FILE}"
            hint = f"Make one with `{make}`; set GATEPOST_SIGNING_KEY_FILE={KEY_FILE}."
            return DoctorFinding("signing key", False, "GATEPOST_SIGNING_KEY is not set", hint)
        detail = f"kept in {kept}" if kept.exists() else "`gatepost dev` will make one"
        return DoctorFinding("signing key", True, detail)
    try:
        load_signing_key(settings.auth.signing_key)
    except ConfigurationError as error:
        return failed("signing key", error)
    return DoctorFinding("signing key", True, "GATEPOST_SIGNING_KEY is an Ed25519 private key")
