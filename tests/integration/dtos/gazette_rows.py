"""The rows of the gazette, and the identities that ask for them."""

from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from gazette_app import app

from gatepost.events import StatementFinished
from gatepost.testing import Client, TestApp

FOUR = ("anonymous", "stranger", "author", "editor")

STATEMENTS: list[str] = []
"""The names of the statements that the gazette has run."""

app.events.subscribe(StatementFinished, lambda event: STATEMENTS.append(event.name))


class Gazette(NamedTuple):
    """The clients by identity, the keys of the members and of the stories."""

    clients: dict[str, Client]
    members: dict[str, UUID]
    story: UUID
    draft: UUID
    running: TestApp


async def filled(running: TestApp, sql: "asyncpg.Connection[Any]") -> Gazette:
    """A story with comments, one of them flagged, reactions, ratings and parts."""
    clients: dict[str, Client] = {"anonymous": running.anonymous}
    members: dict[str, UUID] = {}
    for name in FOUR[1:]:
        clients[name], key = await running.user_and_id(*(["editor"] if name == "editor" else []))
        members[name] = UUID(str(key))
        update = "UPDATE members SET username = $2, phone = $3, team = 1 WHERE id = $1"
        await sql.execute(update, members[name], name, f"phone of {name}")
    insert = (
        "INSERT INTO stories (title, cost, note, data, author_id, parent_id, is_public, team, secret) "
        "VALUES ($1, 5, 'a note', $2, $3, $4, $5, 1, 'hidden') RETURNING id"
    )
    author = members["author"]
    story = await sql.fetchval(insert, "Whole", '{"pages": "seven"}', author, None, True)
    draft = await sql.fetchval(insert, "Draft", '{"pages": 7}', author, story, False)
    for title in ("Part b", "Part a", "Part c"):
        await sql.execute(insert, title, "{}", author, story, True)
    comment = (
        "INSERT INTO comments (text, flag, pause, is_flagged, story_id, author_id) "
        "VALUES ($1, 'seen', $2::text::interval, $3, $4, $5) RETURNING id"
    )
    reaction = "INSERT INTO reactions (kind, took, comment_id, member_id) VALUES ($1, '90 seconds'::interval, $2, $3)"
    for text, pause, is_flagged, by in (
        ("z flagged", "1 hour", True, "stranger"),
        ("y", "2 hours", False, "author"),
        ("x", None, False, "author"),
        ("w", "3 hours", False, "author"),
    ):
        key = await sql.fetchval(comment, text, pause, is_flagged, story, members[by])
        for kind in ("like", "wow", "hm")[: {"x": 0, "y": 3}.get(text, 1)]:
            await sql.execute(reaction, kind, key, members["stranger"])
    for stars in (1, 4, 3, 5):
        await sql.execute("INSERT INTO ratings (story_id, stars) VALUES ($1, $2)", story, stars)
    return Gazette(clients, members, story, draft, running)
