"""Every operation, as everybody: the responses are those of the table, and no row is fetched to be thrown away."""

from typing import Any

import pytest
from policy_matrix import EXPECTED
from policy_matrix_app import app
from policy_matrix_clients import IDENTITIES, PolicyMatrix

from gatepost.database.connection import Record
from gatepost.operations import Operation
from gatepost.testing import ClientResponse

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPERATIONS = {operation.name: operation for operation in app.operations}
MODELS = {resource.path or resource.model.__tablename__: resource.model for resource in app.resources}


async def test_the_table_has_a_row_for_every_operation_and_for_nothing_else() -> None:
    assert set(EXPECTED) == set(OPERATIONS)


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_what_everybody_gets(
    name: str, identity: str, matrix: PolicyMatrix, fetched: list[tuple[str, list[Record]]]
) -> None:
    operation, expected = OPERATIONS[name], EXPECTED[name][IDENTITIES.index(identity)]
    model = None if operation.resource is None else MODELS[operation.resource]
    row = await matrix.row(model) if model is not None else None
    body = {"title": "new", **{key: str(value) for key, value in (await _references(matrix, row)).items()}}
    fetched.clear()

    response = await _ask(matrix, identity, operation, row, body)

    outcome = _outcome(operation, response, row)
    assert outcome == expected, response.body
    if row is not None and outcome in ("-", "401", "403", "404") and operation.method == "GET":
        assert not any(row.title in repr(list(record.values())) for _, records in fetched for record in records)
    if response.status == 401:
        assert response.headers["www-authenticate"].startswith("Bearer")
    if row is not None:
        await _check_row(matrix, operation, response, row)


async def _references(matrix: PolicyMatrix, row: Any) -> dict[str, Any]:
    return await matrix.references(type(row)) if row is not None else {}


async def _ask(
    matrix: PolicyMatrix, identity: str, operation: Operation, row: Any, body: dict[str, Any]
) -> ClientResponse:
    client = matrix.clients[identity]
    path = operation.path.replace("{id}", str(getattr(row, "id", "")))
    if operation.name == "auth.login":
        return await client.post(path, json={})
    if operation.name.endswith(".list"):
        return await client.get(path, params={"limit": 1, "sort": "-id"})
    if operation.method == "PATCH":
        return await client.patch(path, json={"title": "new"})
    if operation.method == "POST":
        return await client.post(path, json=body)
    return await client.request(operation.method, path)


def _outcome(operation: Operation, response: ClientResponse, row: Any) -> str:
    if operation.name.endswith(".list") and response.status == 200:
        return "+" if str(row.id) in [shown["id"] for shown in response.data] else "-"
    if response.status == 201:
        assert response.headers["location"].startswith(operation.path)
        return "201" if response.body else "201-"
    return str(response.status)


async def _check_row(matrix: PolicyMatrix, operation: Operation, response: ClientResponse, row: Any) -> None:
    """A refused change changed nothing, an accepted one is there."""
    async with app.transaction() as tx:
        present = await tx.session.get(type(row), row.id)
        if operation.method == "DELETE" and response.status == 204:
            assert present is None
        else:
            assert present is not None
            changed = operation.method == "PATCH" and response.status == 200
            assert present.title == ("new" if changed else row.title)
