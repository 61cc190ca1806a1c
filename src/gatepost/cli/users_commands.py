"""`gatepost users`: options; the work is in `users.py`."""

from typing import Annotated

import typer

AppOption = Annotated[str | None, typer.Option("--app", help="The App, as MODULE:ATTRIBUTE.")]
JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Email = Annotated[str, typer.Argument(help="The user's e-mail address.")]

users = typer.Typer(
    help="Make and list users, and issue tokens.",
    epilog="Example: gatepost users create ada@example.com --role editor",
    no_args_is_help=True,
)


@users.command(
    epilog='Example: printf %s "$PASSWORD" | gatepost users create ada@example.com -r editor --password-stdin'
)
def create(
    email: Email,
    role: Annotated[list[str] | None, typer.Option("--role", "-r", help="A role; may be repeated.")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    app: AppOption = None,
) -> None:
    """Make a user. The password is asked for, or read from stdin; never from the command line, which others can see."""
    from gatepost.cli.users import create_user, read_password

    create_user(app, email, role or [], read_password(from_stdin=password_stdin))


@users.command("list", epilog="Example: gatepost users list --json")
def list_(app: AppOption = None, json: JSONOption = False) -> None:
    """List users with their roles."""
    from gatepost.cli.users import list_users

    list_users(app, as_json=json)


@users.command(epilog='Example: curl -H "Authorization: Bearer $(gatepost users token ada@example.com)" ...')
def token(email: Email, app: AppOption = None) -> None:
    """Print a short-lived access token of a user."""
    from gatepost.cli.users import print_token

    print_token(app, email)
