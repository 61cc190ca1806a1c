"""`policy(expression)`: a condition that names the model, with values of the actor, wherever policies are."""

from typing import Any

import asyncpg
import pytest
from gazette_app import Member, Story
from gazette_rows import Gazette

from gatepost import App, Field, Resource, actor_column, actor_id, anyone, nobody, policy, role
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINE = policy(Story.author_id == actor_id)
OF_TEAM = policy(Story.team == actor_column(Member.team))

expressed = App(
    Resource(
        Member, read=anyone, write=nobody, fields={"phone": Field(read=policy(Member.id == actor_id), write=nobody)}
    ),
    Resource(
        Story,
        read=(policy(Story.is_public) & ~policy(Story.title == "Part b")) | MINE,
        create=MINE & OF_TEAM,
        update=OF_TEAM & policy(lambda story, actor: story.author_id == actor_id),
        fields={"note": Field(read=policy(Story.author.has(Member.id == actor_id)), write=role("editor"))},
    ),
    users=Member,
)


async def test_expressions_are_policies_of_rows_and_fields(
    gazette: Gazette, module_database_url: str, sql: "asyncpg.Connection[Any]"
) -> None:
    async with TestApp(expressed, module_database_url) as running:
        mine, mine_id = await running.user_and_id()
        other = await running.user()
        await sql.execute("UPDATE members SET team = 7 WHERE id = $1::text::uuid", str(mine_id))
        update = "UPDATE stories SET author_id = $1::text::uuid, team = 7 WHERE title = 'Draft'"
        await sql.execute(update, str(mine_id))
        shown = {
            name: {row["title"]: row.get("note") for row in (await client.get("/api/stories")).data}
            for name, client in (("anonymous", running.anonymous), ("other", other), ("mine", mine))
        }
        public = dict.fromkeys(("Whole", "Part a", "Part c"))
        assert shown == {"anonymous": public, "other": public, "mine": {**public, "Draft": "a note"}}
        path = f"/api/stories/{gazette.draft}"
        assert (await mine.patch(path, json={"title": "Drafted"})).status == 200
        assert (await mine.patch(path, json={"team": 8})).status == 403
        assert (await other.patch(f"/api/stories/{gazette.story}", json={"title": "Taken"})).status == 403
        body = {"title": "Made", "author_id": str(mine_id), "team": 7}
        assert (await mine.post("/api/stories", json=body)).status == 201
        assert (await mine.post("/api/stories", json={**body, "team": 1})).status == 403
        assert (
            await mine.post("/api/stories", json={**body, "author_id": str(gazette.members["author"])})
        ).status == 403
