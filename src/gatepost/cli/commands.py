"""All commands with their options and examples. Each calls its own module at once; groups are modules of their own."""

from pathlib import Path
from typing import Annotated

import typer

from gatepost.cli.alerts_commands import alerts
from gatepost.cli.backup_commands import backup
from gatepost.cli.changes_command import changes
from gatepost.cli.db_commands import db
from gatepost.cli.errors_commands import errors
from gatepost.cli.limits_commands import limits
from gatepost.cli.logs_commands import logs
from gatepost.cli.migrate import migrate
from gatepost.cli.monitoring_commands import monitoring
from gatepost.cli.openapi_commands import openapi
from gatepost.cli.options import AppArgument, AppOption, JSONOption, PortOption
from gatepost.cli.top_commands import top
from gatepost.cli.users import users

gatepost = typer.Typer(
    help="Gatepost turns SQLAlchemy models into a production API.",
    epilog="Example: gatepost new shop && cd shop && gatepost dev",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # the library for its boxes takes longer to load than all the rest
    context_settings={"help_option_names": ["-h", "--help"]},
)
config = typer.Typer(help="Look at the settings.", epilog="Example: gatepost config show", no_args_is_help=True)
gatepost.add_typer(migrate, name="migrate")
gatepost.add_typer(users, name="users")
gatepost.add_typer(db, name="db")
gatepost.add_typer(backup, name="backup")
gatepost.add_typer(errors, name="errors")
gatepost.add_typer(limits, name="limits")
gatepost.add_typer(logs, name="logs")
gatepost.add_typer(alerts, name="alerts")
gatepost.add_typer(monitoring, name="monitoring")
gatepost.add_typer(openapi, name="openapi")
gatepost.add_typer(config, name="config")
gatepost.command(epilog="Example: gatepost top operation books.list --once   or: gatepost top --json | jq .status")(top)
gatepost.command(epilog="Example: gatepost changes --since 2h   or: gatepost changes --instance all --json")(changes)


@gatepost.command(epilog="Example: gatepost new shop && cd shop && gatepost dev")
def new(
    name: Annotated[str, typer.Argument(help="Name of the project and of its folder.")],
    gatepost: Annotated[
        str | None,
        typer.Option("--gatepost", help="Where its Gatepost comes from: a URL or a folder. Default: as this one."),
    ] = None,
) -> None:
    """Make the smallest project that runs, with a test that passes."""
    from gatepost.cli.new import make_project
    from gatepost.cli.project_source import source_of

    make_project(name, Path.cwd(), source_of(gatepost))


@gatepost.command(
    epilog="Example: gatepost dev shop.app:app --port 8080   or: gatepost dev --instances 2 --balancer   or: "
    "DATABASE_URL=postgresql:///shop gatepost dev --migrate"
)
def dev(  # noqa: PLR0913, PLR0917 - the options of a command
    app: AppArgument = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 for any free one.")] = None,
    data: Annotated[Path, typer.Option(help="Folder of the embedded PostgreSQL and the signing key.")] = Path(
        ".gatepost"
    ),
    migrate: Annotated[
        bool,
        typer.Option(
            "--migrate", help="Also change a database that DATABASE_URL names, where its objects are Gatepost's."
        ),
    ] = False,
    extend: Annotated[
        bool, typer.Option("--extend", help="With --migrate: add to tables that Gatepost did not make.")
    ] = False,
    instances: Annotated[
        int, typer.Option("--instances", min=1, max=16, help="Servers, each at a port of its own, on one database.")
    ] = 1,
    balancer: Annotated[
        bool, typer.Option("--balancer", help="Have HAProxy at --port, in front of the instances.")
    ] = False,
) -> None:
    """Serve while you write.

    It has its own PostgreSQL, applies migrations, and reloads on change; limits are times 100.
    """
    if extend and not migrate:
        raise typer.BadParameter("Write --migrate --extend.", param_hint="--extend")
    if instances > 1 or balancer:
        from gatepost.cli.dev_instances import Options, develop_instances

        options = Options(instances, balancer, data, migrate, extend)
        develop_instances(app, options, host=host, port=port)
        return
    from gatepost.cli.dev import develop

    develop(app, host=host, port=port, data=data, migrates=migrate, extends=extend)


@gatepost.command(epilog="Example: gatepost serve shop.app:app --workers 4")
def serve(
    app: AppArgument = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[str | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[str | None, typer.Option(help="Processes that serve.")] = None,
) -> None:
    """Serve in production.

    One process, or as many as --workers says; no reload; unsafe settings are refused.
    """
    # Here for the list of commands and for completion: `main.py` hands `gatepost serve` over before this is loaded.
    from gatepost.server.__main__ import main

    given = {"--host": host, "--port": port, "--workers": workers}
    main([word for option, value in given.items() if value for word in (option, value)] + ([app] if app else []))


@gatepost.command(
    epilog="Example: gatepost shell -c 'async with tx() as t: print(await t.service(Book).get(1, t.actor))'"
)
def shell(
    app: AppArgument = None,
    command: Annotated[str | None, typer.Option("--command", "-c", help="Run this and exit.")] = None,
) -> None:
    """Open an interactive Python with the app started. It has the models, and `await`."""
    from gatepost.cli.shell import open_shell

    open_shell(app, command)


@gatepost.command(epilog="Example: gatepost routes --json | jq '.[].path'")
def routes(app: AppArgument = None, json: JSONOption = False) -> None:
    """Print every route. With its operation, who is allowed, the rate limit, and where it is handled."""
    from gatepost.cli.routes import print_routes

    print_routes(app, as_json=json)


@gatepost.command(
    epilog='Example: gatepost explain "GET /api/books?price[lt]=5"   or: '
    "gatepost explain 'PATCH /api/books/1' --role editor --body '{\"stock\": 3}'"
)
def explain(  # noqa: PLR0913, PLR0917 - the options of a command
    request: Annotated[str, typer.Argument(help='Method, path and query string: "GET /api/books?price[lt]=5".')],
    as_: Annotated[str | None, typer.Option("--as", help="E-mail address of the user who sends it.")] = None,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", "-r", help="A role of a made-up user who sends it; may be repeated."),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="A header, as 'If-Match: \"1\"'; may be repeated.")
    ] = None,
    body: Annotated[
        str | None, typer.Option("--body", help="The JSON body. Default: the example of the OpenAPI document.")
    ] = None,
    app: AppOption = None,
    json: JSONOption = False,
) -> None:
    """Print what a request goes through, without running it. Exit status 1 where it would be refused.

    Limits, allow rule, handler with file and line, the SQL with the policy and the values in it, the index that
    PostgreSQL uses, and whether caches may store the response. Without --as and --role the client is anonymous.
    """
    from gatepost.cli.explain import Sender
    from gatepost.cli.explain import explain as explain_request
    from gatepost.cli.explained_request import parse_request

    asked = parse_request(request, header or [], body)
    raise typer.Exit(0 if explain_request(asked, Sender(as_, role or []), app, as_json=json) else 1)


@gatepost.command(
    epilog="Example: gatepost eject Book.service --to shop/books.py   or: gatepost eject Book.dto > shop/book_dtos.py"
)
def eject(  # noqa: PLR0913, PLR0917 - the options of a command
    part: Annotated[str, typer.Argument(help="MODEL.service or MODEL.dto: Book.service, shop.models.Book.dto.")],
    to: Annotated[Path | None, typer.Option("--to", help="The file to write. Default: stdout.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    verb: Annotated[
        list[str] | None,
        typer.Option(
            "--verb", help="Of a service, only this verb: get, list, create, update, delete; may be repeated."
        ),
    ] = None,
    group: Annotated[str, typer.Option("--group", help="The group of resources that it is in, such as v2.")] = "",
    app: AppOption = None,
    json: JSONOption = False,
) -> None:
    """Write a derived class out as ordinary source.

    It behaves the same, for those who want to own it. Of a service: its verbs, in SQLAlchemy. Of the DTOs: what
    responses show and bodies set, member by member. What to change in the declaration goes to stderr.
    """
    from gatepost.cli.eject import Destination, write_ejected
    from gatepost.ejection.ejecting import parse_asked

    if force and to is None:
        raise typer.BadParameter("Write --to FILE --force.", param_hint="--force")
    write_ejected(parse_asked(part, verb or [], group), Destination(to, is_forced=force), app, as_json=json)


@gatepost.command(
    epilog="Example: gatepost console   or, from another machine: "
    "ssh -L 9000:127.0.0.1:9000 shop gatepost console --listen 9000"
)
def console(
    port: PortOption = None,
    listen: Annotated[
        int, typer.Option("--listen", min=0, max=65_535, help="The port to open on 127.0.0.1; 0 for any free one.")
    ] = 0,
    json: JSONOption = False,
) -> None:
    """Open the console of a running server for a browser.

    It prints an address that works once, until Ctrl-C. What is done there is logged as done by you. No database is
    needed.
    """
    from gatepost.cli.console_command import open_console

    open_console(port=port, listen=listen, as_json=json)


@config.command(epilog="Example: gatepost config show --json")
def show(json: JSONOption = False) -> None:
    """Print every setting. With its value (secrets are masked) and where it came from."""
    from gatepost.cli.config import print_settings

    print_settings(as_json=json)


@gatepost.command(
    epilog="Example: gatepost doctor && gatepost serve   or: gatepost doctor --haproxy /etc/haproxy/haproxy.cfg"
)
def doctor(  # noqa: PLR0913, PLR0917 - the options of a command
    app: AppArgument = None,
    gate: Annotated[
        str | None, typer.Option("--gate", help="Examine the running server at this URL instead, from outside.")
    ] = None,
    post: Annotated[str | None, typer.Option("--post", help="With --gate: a path that takes POST.")] = None,
    origin: Annotated[str | None, typer.Option("--origin", help="With --gate: an origin that may call.")] = None,
    patience: Annotated[
        float,
        typer.Option("--patience", help="With --gate: seconds for which a slow client may be tolerated.", min=0.1),
    ] = 20.0,
    haproxy: Annotated[
        Path | None, typer.Option("--haproxy", help="Check this configuration file of HAProxy instead.")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Check what a server needs, and say how to fix it.

    With --gate, check what a running one shows from outside; with --haproxy, a balancer's configuration and whether the
    instances fit it. Exit status 1 for findings.
    """
    if haproxy is not None:
        from gatepost.cli.doctor import print_findings
        from gatepost.cli.doctor_balancer import examine_balancer

        raise typer.Exit(0 if print_findings(examine_balancer(haproxy), as_json=json) else 1)
    if gate is not None:
        from gatepost.cli.gate_doctor import examine_gate

        is_well = examine_gate(gate, post_path=post, origin=origin, patience_seconds=patience, as_json=json)
        raise typer.Exit(0 if is_well else 1)
    from gatepost.cli.doctor import examine

    raise typer.Exit(0 if examine(app, as_json=json) else 1)
