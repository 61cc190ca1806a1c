"""Why there is no connection to PostgreSQL: the address, its own words, and what to do about it.

Outside the request path: at the start of a process, in commands and in migrations. A client gets 503, whatever it was.
"""

import os
import re
import socket
import ssl

import asyncpg
from asyncpg import exceptions as pg

from gatepost.database.failures import REFUSED, is_lost, is_unreadable
from gatepost.dsn import DSN_HINT
from gatepost.errors import ConfigurationError

LOCATION = "DATABASE_URL"
_POOLER = "Point it at PostgreSQL itself, or see docs/how-to/run-in-production.md#connections."
_NO_TLS = "rejected SSL upgrade"
"""asyncpg has no class of its own for a server without TLS, only these words."""

_HINTS: tuple[tuple[type[Exception], str, str], ...] = (
    (pg.InvalidPasswordError, "", "Correct the user or the password in it."),
    (pg.InvalidCatalogNameError, 'database "(.+)" does not exist', 'Create it: CREATE DATABASE "{0}"; or correct it.'),
    (pg.InvalidCatalogNameError, "", "Create the database, or correct its name."),
    (
        pg.InvalidAuthorizationSpecificationError,
        'role "(.+)" does not exist',
        "Create it: CREATE ROLE \"{0}\" LOGIN PASSWORD '...'; or correct the user.",
    ),
    (
        pg.InvalidAuthorizationSpecificationError,
        'role "(.+)" is not permitted to log in',
        'Let it: ALTER ROLE "{0}" LOGIN; or name another user.',
    ),
    (
        pg.InvalidAuthorizationSpecificationError,
        "pg_hba.*no encryption",
        "Connect with TLS (add ?sslmode=require), or let pg_hba.conf of the server admit this client without, and "
        "reload it.",
    ),
    (
        pg.InvalidAuthorizationSpecificationError,
        "pg_hba",
        "Let pg_hba.conf of the server admit this client, user and database, and reload it: SELECT pg_reload_conf();",
    ),
    (
        pg.InvalidAuthorizationSpecificationError,
        "(?:Peer|Ident) authentication failed",
        "A socket admits the role that is named as the system user: name a host to sign in with a password, as in "
        "postgresql://user:password@localhost/database.",
    ),
    (
        pg.InvalidAuthorizationSpecificationError,
        "",
        "PostgreSQL does not admit this user: its log says more, and pg_hba.conf decides.",
    ),
    (
        pg.InsufficientPrivilegeError,
        'database "(.+)"',
        'Let its owner run: GRANT CONNECT ON DATABASE "{0}" TO the user in it.',
    ),
    (
        pg.TooManyConnectionsError,
        "",
        "Raise the limit that PostgreSQL names: the CONNECTION LIMIT of the role (ALTER ROLE) or of the database "
        "(ALTER DATABASE), or max_connections; or end other clients.",
    ),
    (pg.ProtocolViolationError, "", f"There is a pooler in between. {_POOLER}"),
    (pg.ObjectNotInPrerequisiteStateError, "", "Name another database, or ALTER DATABASE ... ALLOW_CONNECTIONS true."),
)
"""By class, and by what is in PostgreSQL's words; the first that fits. Where its words are translated, those without
any."""


def refusal_of(error: BaseException | None, address: str) -> ConfigurationError | None:
    """What an operator has to change before there can be a connection; None where waiting may help."""
    if isinstance(error, pg.DuplicatePreparedStatementError | pg.InvalidSQLStatementNameError):
        return transaction_pooling_error()  # another client's statements are on the backend that we were given
    if isinstance(error, asyncpg.PostgresError) and (isinstance(error, REFUSED) or not is_lost(error)):
        return _refused(error, address)
    if isinstance(error, pg.ClientConfigurationError):
        return ConfigurationError(
            f"{error}.", location=LOCATION, hint="Write postgresql://user:password@host:port/database."
        )
    if (refusal := _tls_refusal(error, address)) is not None:
        return refusal
    if error is not None and is_unreadable(error):
        # The driver's message may contain a part of the password.
        return ConfigurationError("cannot be read.", location=LOCATION, hint=DSN_HINT)
    return None


def connection_error(error: BaseException | None, address: str) -> ConfigurationError:
    """The error of a command that needs a connection and gets none, now or ever."""
    if (refusal := refusal_of(error, address)) is not None:
        return refusal
    if isinstance(error, pg.TooManyConnectionsError):
        return ConfigurationError(
            f"PostgreSQL at {address} has no connection left for this command: {_words(error)}.",
            location=LOCATION,
            hint=_hint(error),
        )
    return ConfigurationError(
        f"PostgreSQL at {address} cannot be reached: {_reason(error)}.",
        location=LOCATION,
        hint="Start PostgreSQL, or correct DATABASE_URL: postgresql://user:password@host:port/database.",
    )


def transaction_pooling_error() -> ConfigurationError:
    """The error for a pooler that hands each transaction to another backend."""
    return ConfigurationError(
        "a pooler in transaction mode stands in front of PostgreSQL. What Gatepost keeps on a connection (prepared "
        "statements, LISTEN, time limits) would be on another backend with the next transaction.",
        location=LOCATION,
        hint=f"{_POOLER} Session mode works.",
    )


def _tls_refusal(error: BaseException | None, address: str) -> ConfigurationError | None:
    if isinstance(error, ConnectionError) and _NO_TLS in str(error):
        return ConfigurationError(
            f"PostgreSQL at {address} has no TLS, which DATABASE_URL asks for.",
            location=LOCATION,
            hint="Switch it on there (`ssl = on`); sslmode=prefer does without where there is none.",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigurationError(
            f"the certificate of PostgreSQL at {address} is refused: {error.verify_message}.",
            location=LOCATION,
            hint="Renew it, or name the authority that signed it with sslrootcert= and the host that it is made for.",
        )
    return None


def _refused(error: asyncpg.PostgresError, address: str) -> ConfigurationError:
    return ConfigurationError(
        f"PostgreSQL at {address} refuses the connection: {_words(error)}.", location=LOCATION, hint=_hint(error)
    )


def _words(error: asyncpg.PostgresError) -> str:
    """PostgreSQL's own, in one line; asyncpg's text has a line for each of its parts."""
    words, detail = str(error.args[0] if error.args else type(error).__name__), getattr(error, "detail", None)
    return f"{words} ({str(detail).rstrip('.')})" if detail else words


def _hint(error: asyncpg.PostgresError) -> str:
    words = _words(error)
    for kind, pattern, hint in _HINTS:
        if isinstance(error, kind) and (found := re.search(pattern, words)) is not None:
            return hint.format(*found.groups())
    return "Run `gatepost doctor` for details."


def _reason(error: BaseException | None) -> str:
    if isinstance(error, socket.gaierror):
        return f"its name leads nowhere ({error.strerror})"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # asyncio's own words repeat the address, for each of a name's
    return str(error or "").strip().rstrip(".") or "no reply in time"
