"""`gatepost users`: makes, changes and lists users, and issues tokens, on the database that the settings name."""

import getpass
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from gatepost.cli.confirmation import agrees
from gatepost.cli.options import AppOption, JSONOption
from gatepost.cli.output import print_rows
from gatepost.cli.settings import database_settings
from gatepost.errors import ConfigurationError, OutcomeUnknown
from gatepost.hints import did_you_mean
from gatepost.logging.console import print_success, print_warning
from gatepost.server.loading import find_app, reference_of

if TYPE_CHECKING:
    from gatepost.actor import ActorId
    from gatepost.database.database import Database
    from gatepost.settings import Settings

T = TypeVar("T")


Email = Annotated[str, typer.Argument(help="The user's e-mail address.")]
Roles = Annotated[list[str] | None, typer.Option("--role", "-r", help="A role; may be repeated.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")]
Work = Callable[["Database", type[Any], "Settings"], Awaitable[T]]


users = typer.Typer(
    help="Make, change and list users, and issue tokens.",
    epilog="Example: gatepost users create ada@example.com --role editor",
    no_args_is_help=True,
)


@users.command(
    epilog='Example: printf %s "$PASSWORD" | gatepost users create ada@example.com -r editor --password-stdin'
)
def create(
    email: Email,
    role: Roles = None,
    password_stdin: FromStdin = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="name=value, a column of the users' model; may be repeated.")
    ] = None,
    app: AppOption = None,
) -> None:
    """Create a user. The password is asked for or read from stdin: others can see what is on the command line."""
    from gatepost.accounts.new_users import create_user
    from gatepost.accounts.user_values import split_values

    own = split_values(set_ or [])
    password, roles = _read_password(from_stdin=password_stdin), role or []
    key = _on_database(app, lambda database, model, _: create_user(database, model, email, password, roles, own=own))
    _record("create", key, f"was created{_with(roles)}")
    print_success(f"Created {email}{_with(roles)}.")
    _warn_of_unknown(roles, app)


@users.command("set-roles", epilog="Example: gatepost users set-roles ada@example.com -r editor -r admin")
def set_roles(email: Email, role: Roles = None, app: AppOption = None) -> None:
    """Give a user these roles. They replace all that the user has; without --role, the user has none."""
    roles = role or []
    key = _change(app, email, {"roles": roles})
    _record("set-roles", key, f"has the roles {', '.join(roles)}" if roles else "has no roles")
    print_success(f"{email} has the roles {', '.join(roles)}." if roles else f"{email} has no roles.")
    _warn_of_unknown(roles, app)


@users.command(
    "set-password",
    epilog='Example: printf %s "$PASSWORD" | gatepost users set-password ada@example.com --password-stdin',
)
def set_password(email: Email, password_stdin: FromStdin = False, app: AppOption = None) -> None:
    """Give a user another password. It is asked for, or read from stdin; all tokens of the user end."""
    from gatepost.accounts.new_users import change_user, hash_of_new

    password = _read_password(from_stdin=password_stdin)

    async def work(database: "Database", model: type[Any], _: "Settings") -> "ActorId":
        return await change_user(database, model, email, {"password_hash": await hash_of_new(password)})

    _record("set-password", _on_database(app, work), "was given another password")
    print_success(f"{email} has another password; all earlier tokens are void.")


@users.command(epilog="Example: gatepost users deactivate ada@example.com")
def deactivate(email: Email, app: AppOption = None) -> None:
    """Let a user neither sign in nor use tokens. The row stays, and `activate` undoes it."""
    _record("deactivate", _change(app, email, {"is_active": False}), "was deactivated")
    print_success(f"{email} is inactive.")


@users.command(epilog="Example: gatepost users activate ada@example.com")
def activate(email: Email, app: AppOption = None) -> None:
    """Let a user who was deactivated sign in again."""
    _record("activate", _change(app, email, {"is_active": True}), "was activated")
    print_success(f"{email} is active.")


@users.command(epilog="Example: gatepost users delete ada@example.com --yes")
def delete(
    email: Email,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    app: AppOption = None,
) -> None:
    """Delete a user for good. One to whom other rows refer is kept, and can be deactivated."""
    from gatepost.accounts.new_users import delete_user

    if not (yes or agrees(f"Delete {email}, with everything that the database deletes along?")):
        raise ConfigurationError("Nothing was deleted.", hint="Answer y, or write --yes.")
    key = _on_database(app, lambda database, model, _: delete_user(database, model, email))
    _record("delete", key, "was deleted")
    print_success(f"Deleted {email}.")


@users.command("list", epilog="Example: gatepost users list --json")
def list_(app: AppOption = None, json: JSONOption = False) -> None:
    """List users with their roles."""
    from gatepost.accounts.user_store import UserStore

    rows = [
        {
            "email": line.email,
            "roles": list(line.roles) if json else ", ".join(line.roles),
            "is_active": line.is_active,
            "id": str(line.id),
        }
        for line in _on_database(app, lambda database, model, _: UserStore(database, model).list())
    ]
    print_rows(rows, as_json=json, columns=("email", "roles", "is_active", "id"))


@users.command(epilog='Example: curl -H "Authorization: Bearer $(gatepost users token ada@example.com)" ...')
def token(email: Email, app: AppOption = None) -> None:
    """Print a short-lived access token of a user."""
    from gatepost.accounts.new_users import issue_token
    from gatepost.auth.bearer_tokens import accept_tokens
    from gatepost.auth.keys import signing_key
    from gatepost.auth.tokens import Tokens

    if not accept_tokens(find_app(reference_of(app)).declaration.authenticators):
        raise ConfigurationError(
            "accepts no access tokens, so a token would identify no user.",
            location="App(authenticators=)",
            hint="Add BearerTokens(), or authenticate in one of the ways that the app declares.",
        )

    async def work(database: "Database", model: type[Any], settings: "Settings") -> tuple[str, str]:
        tokens = Tokens(settings.auth, signing_key(settings), epoch=database.epoch)
        issued = await issue_token(database, model, tokens, email)
        return issued, tokens.verify(issued).subject

    issued, key = _on_database(app, work)
    _record("token", key, "has a token that an operator issued")
    sys.stdout.write(issued + "\n")


def _record(command: str, key: "ActorId | str", outcome: str) -> None:
    from gatepost.cli.operator_acts import leave_record

    leave_record(f"users {command}", f"The user {key} {outcome}.", is_quiet=True)


def _change(reference: str | None, email: str, values: dict[str, Any]) -> "ActorId":
    from gatepost.accounts.new_users import change_user

    return _on_database(reference, lambda database, model, _: change_user(database, model, email, values))


def _with(roles: Sequence[str]) -> str:
    return f" with the roles {', '.join(roles)}" if roles else " without roles"


def _warn_of_unknown(roles: Sequence[str], reference: str | None) -> None:
    """Point out a role that may be misspelt. Policies that are functions may ask for any."""
    from gatepost.console.console_sessions import READER, WRITER

    known = find_app(reference_of(reference)).declaration.role_names | {READER, WRITER}
    for role in roles:
        if role not in known:
            print_warning(f"No policy of the app names the role {role!r}.{did_you_mean(role, known)}")


def _read_password(*, from_stdin: bool) -> str:
    """A new password: the first line of stdin, or what is typed, twice, without being shown."""
    try:
        password = sys.stdin.readline().rstrip("\n") if from_stdin else _ask_for_password()
        password.encode()
    except UnicodeError:
        # The error itself would show the password.
        raise ConfigurationError("The password is not UTF-8.", hint="Write its characters in UTF-8.") from None
    return password


def _ask_for_password() -> str:
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "There is no terminal to ask for the password on.", hint="Pass it on stdin with --password-stdin."
        )
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigurationError("The two passwords differ.", hint="Try again.")
    return password


def _on_database(reference: str | None, work: Work[T]) -> T:
    import asyncio

    with database_settings() as settings:
        model = find_app(reference_of(reference)).user_model
        return asyncio.run(_run(work, model, settings))


async def _run(work: Work[T], model: type[Any], settings: "Settings") -> T:
    from gatepost.database.connection_errors import connection_error
    from gatepost.database.database import Database
    from gatepost.database.startup_check import connect_once
    from gatepost.events import Events
    from gatepost.models.constraint_violations import ConstraintErrors

    describe = ConstraintErrors([model.metadata])
    database = Database(str(settings.database.url), settings.database, Events(), describe)
    try:
        if not await connect_once(database):
            raise connection_error(database.pool.reachability.reason, database.address)
        return await work(database, model, settings)
    except OutcomeUnknown as problem:
        raise ConfigurationError(
            problem.detail, location="DATABASE_URL", hint="`gatepost users list` shows it."
        ) from None
    finally:
        await database.close()
