"""What a database lacks or refuses, in a sentence for the person at the terminal, whichever command met it.

Loaded only once a command has failed. What is not the database's answer is a mistake in the code, and keeps its
traceback.
"""

import os
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import asyncpg
from asyncpg import exceptions as pg
from sqlalchemy.exc import StatementError

from gatepost.cli.options import FOLDER
from gatepost.database.connection_errors import LOCATION
from gatepost.database.database import driver_error
from gatepost.database.error_details import is_raised
from gatepost.database.failures import is_lost
from gatepost.database.privileges import orders_for
from gatepost.dsn import address_of
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError, DatabaseMistake, Problem
from gatepost.migrations.revisions import has_files

DOCTOR = "`gatepost doctor` lists what the database lacks."

_MISSING = (
    pg.UndefinedTableError,
    pg.UndefinedColumnError,
    pg.UndefinedObjectError,
    pg.UndefinedFunctionError,
    pg.InvalidSchemaNameError,
)


def refusal_of_database(error: BaseException) -> ConfigurationError | None:
    """The sentence for what a command met; None where the error is not about the database."""
    if isinstance(error, BaseExceptionGroup):
        errors: Sequence[BaseException] = cast("Any", error).exceptions
        found = [refusal_of_database(each) for each in errors]
        return found[0] if len(found) == 1 else None
    reply = driver_error(error) if isinstance(error, StatementError | Problem) else error
    if isinstance(reply, asyncpg.PostgresError):
        return _refusal(reply)
    if isinstance(reply, asyncpg.InterfaceError | asyncpg.InternalClientError) and is_lost(reply):
        return _lost(reply)
    if isinstance(reply, Problem):
        return ConfigurationError(reply.detail, location=LOCATION, hint=DOCTOR)
    return ConfigurationError(f"{reply}", location=LOCATION) if isinstance(reply, DatabaseMistake) else None


def _refusal(error: asyncpg.PostgresError) -> ConfigurationError:
    if is_lost(error):
        return _lost(error)
    words, hint = f"PostgreSQL refuses: {_words(error)}.", DOCTOR
    if isinstance(error, _MISSING) and not is_raised(error):
        words, hint = f"The database is not what the models need: {_words(error)}.", f"{_ways_to_migrate()} {DOCTOR}"
    elif isinstance(error, pg.InsufficientPrivilegeError):
        role = _role()
        hint = (role and orders_for(error, role)) or "Connect as a role that may do this."
    elif isinstance(error, pg.ReadOnlySQLTransactionError):
        hint = "The server or the database takes no writes: name its primary, or let it take writes again."
    return ConfigurationError(words, location=LOCATION, hint=hint)


def _lost(error: BaseException) -> ConfigurationError:
    return ConfigurationError(
        f"The connection to PostgreSQL at {address_of(_url())} was lost: {_words(error)}.",
        location=LOCATION,
        hint="Look what the command has written before you run it again.",
    )


def _words(error: BaseException) -> str:
    """PostgreSQL's own, without its hints and the statement."""
    return str(error.args[0] if error.args else type(error).__name__).rstrip(".")


def _ways_to_migrate() -> str:
    try:
        if has_files(FOLDER):
            return "Run `gatepost migrate up`."
    except ConfigurationError:
        pass  # the folder cannot be read: then no file of it has been run either
    return "In development, run `gatepost dev --migrate`; elsewhere `gatepost migrate make` and `gatepost migrate up`."


def _url() -> str:
    return str(load_settings(os.environ).database.url or "")


def _role() -> str | None:
    """The role that the command connects as; None where it is the system user."""
    return unquote(urlsplit(_url()).username or "") or os.environ.get("PGUSER")
