"""Testing an app: a client that acts as a given user, on a real database, undone after each test.

    async with TestApp(app, database_url) as running:
        editor = await running.user("editor")
        response = await editor.post("/api/authors", json={"name": "Ursula K. Le Guin"})

Requests go through the whole chain, the gate included; only the socket is left out.
"""

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.testing.app import TestApp
from gatepost.testing.client import Client, ClientResponse
from gatepost.testing.streams import ClientStream

__all__ = ["Client", "ClientResponse", "ClientStream", "EmbeddedPostgreSQL", "TestApp"]
