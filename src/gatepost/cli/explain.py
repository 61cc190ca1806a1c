"""`gatepost explain`: what a request goes through, from limits to the index that PostgreSQL uses. Nothing is run."""

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gatepost.actor import Actor, anonymous
from gatepost.cli.doctor_database import connected
from gatepost.cli.explained_request import AskedRequest
from gatepost.cli.explained_walk import Walk
from gatepost.cli.explanations import ExplainedStatement, Explanation
from gatepost.cli.output import print_json
from gatepost.cli.settings import database_settings
from gatepost.cli.sql_layout import laid_out
from gatepost.database.statement_recording import RecordingDatabase
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.events import Events
from gatepost.logging.text import escaped, without_values
from gatepost.server.loading import find_app, reference_of
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.app import App

_LABEL_WIDTH = 12


class Sender(NamedTuple):
    """Who sends the request: the user with an e-mail address, a made-up one with some roles, nobody without both."""

    email: str | None
    roles: Sequence[str]


def explain(asked: AskedRequest, sender: Sender, reference: str | None, *, as_json: bool) -> bool:
    """Print the walk of a request. False where the request would be refused."""
    if sender.email is not None and sender.roles:
        raise ConfigurationError("--as and --role are given.", hint="A user has roles already: leave one of them out.")
    with ExitStack() as stack:
        away: ConfigurationError | None = None
        try:
            settings = stack.enter_context(database_settings())
        except ConfigurationError as error:
            settings, away = load_settings(os.environ), error
        if away is not None and sender.email is not None:
            raise away
        found = asyncio.run(_explained(find_app(reference_of(reference)), settings, asked, sender, away))
    if as_json:
        print_json(found)
    else:
        sys.stdout.write("".join(f"{escaped(line)}\n" for line in _lines(found)))
    return found.refusal is None


async def _explained(
    app: "App", settings: Settings, asked: AskedRequest, sender: Sender, away: ConfigurationError | None
) -> Explanation:
    """The explanation; `away` is why there is no database."""
    actor, name = await _actor(app, settings, sender)
    target = asked.raw_path + (b"?" + asked.query_string if asked.query_string else b"")
    found = Explanation(f"{asked.method} {target.decode()}", name)
    walk = Walk(app.composed(settings, RecordingDatabase), asked, actor, found)
    await walk.go()
    if found.statements:
        reason = str(away) if away is not None else await _ask_for_plans(settings, walk)
        if reason is not None:
            found.unknown.append(f"The indexes are not known. {reason}")
    return _masked(found, walk.personal_forms())


def _masked(found: Explanation, forms: Sequence[str]) -> Explanation:
    """The explanation without these texts."""
    found.request = without_values(found.request, forms)
    for statement in found.statements:
        statement.values = [
            msgspec.structs.replace(each, value=without_values(each.value, forms)) for each in statement.values
        ]
    if (refusal := found.refusal) is not None:
        errors = tuple(
            msgspec.structs.replace(
                each, detail=without_values(each.detail, forms), params=without_values(dict(each.params), forms)
            )
            for each in refusal.errors
        )
        found.refusal = msgspec.structs.replace(refusal, detail=without_values(refusal.detail, forms), errors=errors)
    return found


async def _actor(app: "App", settings: Settings, sender: Sender) -> tuple[Actor, str]:
    """The actor of the request, and how it is shown."""
    if sender.email is not None:
        actor = await _user(app, settings, sender.email)
        return actor, f"{sender.email} (id {actor.id}, roles: {', '.join(sorted(actor.roles)) or 'none'})"
    if not sender.roles:
        return anonymous, "anonymous"
    sample = app.declaration.sample_user()
    if sample is None:
        raise ConfigurationError(
            "No user can be made up.", location="--role", hint="Name a user of the database: --as EMAIL."
        )
    actor = Actor(sample.id, frozenset(sender.roles), user=sample.user)
    return actor, f"a made-up user (id {actor.id}, roles: {', '.join(sorted(actor.roles))})"


async def _user(app: "App", settings: Settings, email: str) -> Actor:
    from gatepost.accounts.new_users import actor_of_user
    from gatepost.database.database import Database

    database = Database(str(settings.database.url), settings.database, Events())
    try:
        async with connected(database):  # raises what is wrong where there is none
            return await actor_of_user(database, app.user_model, email)
    finally:
        await database.close()


async def _ask_for_plans(settings: Settings, walk: Walk) -> str | None:
    """Ask PostgreSQL for the plans of the statements. Returns why there are none."""
    from gatepost.cli.explained_plans import add_plans
    from gatepost.database.database import Database

    database = Database(str(settings.database.url), settings.database, Events())
    try:
        async with connected(database) as connection:
            return await add_plans(connection, walk.recorded, walk.found.statements)
    except ConfigurationError as error:
        return str(error)


def _lines(found: Explanation) -> Iterator[str]:
    yield from _labelled("request", [found.request])
    yield from _labelled("actor", [found.actor])
    if found.path is not None:
        yield from _labelled("route", [f"{found.operation}, {found.path}"])
        yield from _labelled("limits", [_limits(found)])
    if found.allow is not None:
        yield from _labelled("allow", [found.allow])
    if found.handler is not None:
        yield from _labelled("handler", [found.handler])
    yield from _labelled("parameters", [f"{item.name}: {item.source}" for item in found.parameters])
    if found.body is not None:
        yield from _labelled("body", [found.body])
    if found.transaction is not None:
        yield from _labelled("transaction", [found.transaction])
    for statement in found.statements:
        yield from _statement_lines(statement)
    yield from _labelled("unknown", found.unknown)
    if found.caching is not None:
        yield from _labelled("cacheable", [found.caching])
    if (refusal := found.refusal) is not None:
        yield from _labelled("REFUSED", [f"{refusal.status} {refusal.code} at the {refusal.step}: {refusal.detail}"])
        yield from _labelled("", [f"{error.pointer or '(body)'}: {error.detail}" for error in refusal.errors])


def _limits(found: Explanation) -> str:
    per_client = "none" if found.limits == "none" else f"{found.limits} per client"
    return f"{per_client}; a body has at most {found.body_bytes_max} bytes"


def _statement_lines(statement: ExplainedStatement) -> Iterator[str]:
    yield from _labelled("SQL", laid_out(statement.sql))
    yield from _labelled("values", [f"{item.parameter} = {item.value}" for item in statement.values])
    yield from _labelled("index", statement.plan)
    if statement.other_plan and statement.other_plan != statement.plan:
        others = "; ".join(statement.other_plan)
        yield from _labelled("", [f"at the table's present size; kept from that: {others}"])


def _labelled(label: str, lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{'' if number else label:{_LABEL_WIDTH}}{line}"
