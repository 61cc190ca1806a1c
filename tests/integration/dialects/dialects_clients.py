"""A running app in one dialect, with a client that may write."""

import secrets
from dataclasses import dataclass
from typing import Any

from gatepost.testing import Client, TestApp


@dataclass
class Spoken:
    """A running app with an editor."""

    running: TestApp
    editor: Client

    async def poet(self, **values: Any) -> dict[str, Any]:
        """A new poet."""
        name = secrets.token_hex(6)
        made = await self.editor.post("/api/poets", json={"fullName": name, **values})
        assert made.status == 201, made.body
        row: dict[str, Any] = made.data
        return row

    async def poem(self, **values: Any) -> dict[str, Any]:
        """A new poem of a new poet."""
        body = {"shortTitle": "Ode", "poetId": (await self.poet())["id"], **values}
        made = await self.editor.post("/api/poems", json=body)
        assert made.status == 201, made.body
        row: dict[str, Any] = made.data
        return row
