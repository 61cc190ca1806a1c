"""A client of every identity of the policy matrix, and the rows that they act on."""

import secrets
from dataclasses import dataclass
from typing import Any

from policy_matrix_app import Line, Member, Parent, app

from gatepost.models.entity import entity_of
from gatepost.testing import Client, TestApp

IDENTITIES = ("anonymous", "stranger", "owner", "editor")


@dataclass
class PolicyMatrix:
    """A running app, and a client of every identity."""

    running: TestApp
    clients: dict[str, Client]
    ids: dict[str, Any]

    async def add(self, *rows: Any) -> None:
        """Insert rows, whatever the policies say."""
        async with app.transaction() as tx:
            tx.session.add_all(rows)

    async def parent(self) -> Parent:
        """A parent that belongs to the owner."""
        parent = Parent(title="parent", owner_id=self.ids["owner"])
        await self.add(parent)
        return parent

    async def row(self, model: type[Any], **values: Any) -> Any:
        """A row that belongs to the owner, with a title found nowhere else."""
        values = {"title": secrets.token_hex(8), "owner_id": self.ids["owner"], **values}
        row = model(**{**values, **await self.references(model)})
        await self.add(row)
        return row

    async def references(self, model: type[Any]) -> dict[str, Any]:
        """The references that a row needs, to what belongs to the owner."""
        names = entity_of(model).attributes
        if "line_id" in names:
            return {"line_id": (await self.row(Line)).id}
        return {"parent_id": (await self.parent()).id} if "parent_id" in names else {}


async def policy_matrix_of(running: TestApp) -> PolicyMatrix:
    """Make the users; the owner is on the red team."""
    clients, ids = {"anonymous": running.anonymous}, {"anonymous": None}
    for name in IDENTITIES[1:]:
        clients[name], ids[name] = await running.user(*(["editor"] if name == "editor" else [])), None
        ids[name] = (await clients[name].get("/api/auth/me")).data["id"]
    matrix = PolicyMatrix(running, clients, ids)
    await matrix.add(Member(user_id=ids["owner"], team="red"), Member(user_id=ids["stranger"], team="blue"))
    return matrix
