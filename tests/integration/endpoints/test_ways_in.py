"""Every way in to a row against the overridden verbs of its service: which it has to come through, and which ways are
under policies alone."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import MetaData
from ways_in_app import Vault, VaultItem, VaultKey, Vaults, app, called

from gatepost import NotFound
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAYS: list[tuple[str, str, Any, int, list[str], int]] = [
    # method, path, body, status, overridden verbs, status where `get` hides the row
    ("GET", "/vaults/{id}", None, 200, ["get"], 404),
    ("GET", "/vaults?name={name}", None, 200, ["list"], 200),
    ("POST", "/vaults", {"name": "{new}"}, 201, ["create"], 201),
    ("PATCH", "/vaults/{id}", {"name": "{new}"}, 200, ["update"], 200),
    ("DELETE", "/vaults/{empty}", None, 204, ["delete"], 204),
    ("GET", "/vaults/{id}/again", None, 200, ["get"], 404),
    ("GET", "/vaults/named/{name}", None, 200, ["get"], 404),
    ("POST", "/vaults/{id}/locked", None, 200, ["get locked"], 404),
    ("GET", "/vaults/found/{name}", None, 200, ["get"], 404),
    ("POST", "/vaults/made/{new}", None, 201, ["create", "get"], 201),
    ("POST", "/vaults/renamed/{id}/{new}", None, 200, ["get", "update"], 404),
    ("POST", "/vaults/ensured/{new}", None, 200, ["create"], 200),
    ("POST", "/vaults/ensured/{name}", None, 200, ["get"], 409),
    ("DELETE", "/vaults/discarded/{empty_name}", None, 200, ["get locked", "delete"], 200),
    ("GET", "/vaults/{name}/items", None, 200, ["get"], 404),
    ("GET", "/vaults/{name}/items/{item}", None, 200, ["get"], 404),
    ("POST", "/vaults/{name}/items", {}, 201, ["get"], 404),
    ("PATCH", "/vaults/{name}/items/{item}", {}, 200, ["get"], 404),
    ("GET", "/vaults/{name}/items/count", None, 200, ["get"], 404),
    ("DELETE", "/vaults/{name}/items/{item}", None, 204, ["get"], 404),
    # under policies alone
    ("GET", "/vaults/selected/{name}", None, 200, [], 200),
    ("GET", "/keys/{key}?expand=vault", None, 200, [], 200),
    ("GET", "/keys/{key}/card", None, 200, [], 200),
    ("GET", "/keys?vault.name={name}", None, 200, [], 200),
    ("POST", "/keys", {"vault_id": "{id}"}, 201, [], 201),
]


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the vault."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(module_database_url: str) -> AsyncIterator[Client]:
    """The app, started on an empty database."""
    async with TestApp(app, module_database_url) as running:
        yield running.anonymous


async def values_of(prefix: str) -> dict[str, str]:
    """A vault with an item and a key, another one with neither, and a name that none has."""
    names = [f"{prefix}{secrets.token_hex(6)}" for _ in range(3)]
    async with app.transaction() as tx:
        vaults = [Vault(name=name) for name in names[:2]]
        tx.session.add_all(vaults)
        await tx.session.flush()
        item, key = VaultItem(vault_id=vaults[0].id), VaultKey(vault_id=vaults[0].id)
        tx.session.add_all([item, key])
        await tx.session.flush()
        ids = {"id": vaults[0].id, "empty": vaults[1].id, "item": item.id, "key": key.id}
    return {
        "name": names[0],
        "empty_name": names[1],
        "new": names[2],
        **{name: str(value) for name, value in ids.items()},
    }


@pytest.mark.parametrize(("method", "path", "body", "status", "verbs", "_hidden"), WAYS)
async def test_it_comes_through_what_is_overridden(
    client: Client, method: str, path: str, body: Any, status: int, verbs: list[str], _hidden: int
) -> None:
    response = await _request(client, method, path, body, await values_of("open"))

    assert (response.status, called) == (status, verbs)


@pytest.mark.parametrize(("method", "path", "body", "_status", "_verbs", "hidden"), WAYS)
async def test_what_get_hides(
    client: Client, method: str, path: str, body: Any, _status: int, _verbs: list[str], hidden: int
) -> None:
    values = await values_of("hidden")
    response = await _request(client, method, path, body, values)

    assert response.status == hidden
    if hidden == 404:
        assert values["name"] not in response.body.decode()
    if "made" in path:
        assert response.body == b""
    if "discarded" in path:
        assert response.data is False


async def test_code_comes_through_what_is_overridden(client: Client) -> None:
    values = await values_of("hidden")
    async with app.transaction() as tx:
        for service in (tx.service(Vaults), tx.service(Vault)):
            with pytest.raises(NotFound):
                await service.get((await tx.session.get_one(Vault, values["id"])).id, tx.actor)


async def _request(client: Client, method: str, path: str, body: Any, values: dict[str, str]) -> Any:
    called.clear()
    sent = {} if body is None else {"json": {name: value.format(**values) for name, value in body.items()}}
    return await client.request(method, "/api" + path.format(**values), **sent)
