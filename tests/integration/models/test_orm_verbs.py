"""Verbs that go through the ORM by themselves: what validators refuse, and the listeners of sessions."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from orm_verbs_app import LISTENERS, AuditedSession, app, heard, make_app
from sqlalchemy import MetaData, event
from sqlalchemy.orm import Session

from gatepost import ConfigurationError
from gatepost.settings import Settings
from gatepost.testing import Client, ClientResponse, TestApp

in_module_loop = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """The database here has the tables of the app."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(module_database_url: str) -> AsyncIterator[Client]:
    """A client that is not signed in."""
    async with TestApp(app, module_database_url) as running:
        yield running.anonymous


@pytest.fixture
def listening() -> Iterator[None]:
    """Listeners on a session class of the application's own."""
    heard.clear()
    for name, listener in LISTENERS.items():
        event.listen(AuditedSession, name, listener)
    yield
    for name, listener in LISTENERS.items():
        event.remove(AuditedSession, name, listener)


def error_of(response: ClientResponse) -> tuple[int, str, str, str]:
    [error] = response.json()["errors"]
    return response.status, error["pointer"], error["code"], error["detail"]


@in_module_loop
async def test_an_address_is_stored_in_lower_case_whatever_the_way_in(client: Client) -> None:
    made = await client.post("/api/members", json={"email": "Ada@Example.com"})
    assert (made.status, made.data["email"]) == (201, "ada@example.com")
    moved = await client.patch(f"/api/members/{made.data['id']}", json={"email": "Ada@Example.org"})
    assert (moved.status, moved.data["email"]) == (200, "ada@example.org")


@in_module_loop
async def test_a_value_that_a_validator_refuses_is_reported_at_its_attribute(client: Client) -> None:
    body = {"title": "as it is", "slug": "much too long"}
    refused = 422, "/slug", "invalid_value", "The slug 'much too long' has more than ten characters."
    assert error_of(await client.post("/api/pages", json=body)) == refused
    made = await client.post("/api/pages", json={"title": "as it is"})
    path = f"/api/pages/{made.data['id']}"
    assert error_of(await client.patch(path, json={"slug": "much too long"})) == refused
    assert error_of(await client.patch(path, json={"rank": -1})) == (
        422, "/rank", "invalid_value", "The value is not valid.",
    )  # fmt: skip
    assert (await client.get(path)).data == made.data


@in_module_loop
async def test_a_value_that_no_body_set_is_reported_at_the_attribute_that_refuses_it(client: Client) -> None:
    made = await client.post("/api/pages", json={"title": "short"})
    path = f"/api/pages/{made.data['id']}"
    for response in (
        await client.post("/api/pages", json={"title": "longer than ten"}),
        await client.patch(path, json={"title": "from the service"}),
    ):
        assert error_of(response)[:3] == (422, "/slug", "invalid_value")


@in_module_loop
async def test_a_hidden_attribute_is_not_named(client: Client) -> None:
    refused = await client.post("/api/pages", json={"title": "tell"})
    assert error_of(refused) == (422, "", "invalid_value", "The row is not valid.")


@in_module_loop
@pytest.mark.parametrize("title", ["bug", "own mistake"])
async def test_any_other_exception_is_a_bug(client: Client, title: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = await client.post("/api/pages", json={"title": "short"})
    response = await client.patch(f"/api/pages/{made.data['id']}", json={"title": title})
    assert response.status == 500
    assert "A mistake in the" in capsys.readouterr().err


@in_module_loop
async def test_a_private_attribute_is_hidden_unless_a_field_opens_it(client: Client) -> None:
    made = await client.post("/api/pages", json={"title": "short", "_opened": "x"})
    assert made.data["_opened"] == "x"
    assert "_private" not in made.data
    refused = await client.post("/api/pages", json={"title": "short", "_private": "x"})
    assert error_of(refused)[:3] == (422, "/_private", "unknown_field")


@in_module_loop
async def test_a_listener_fills_a_required_field_that_no_client_sets(client: Client) -> None:
    made = await client.post("/api/filled", json={"name": "Ada"})
    assert (made.status, made.data["slug"]) == (201, "ada")


@in_module_loop
@pytest.mark.parametrize("path", ["/api/noted", "/api/checked"])
async def test_null_is_stored_as_null_though_the_column_has_a_default(client: Client, path: str) -> None:
    made = await client.post(path, json={"name": "null", "note": None})
    assert (made.status, made.data["note"]) == (201, None)
    left_out = await client.post(path, json={"name": "left out"})
    assert left_out.data["note"] == "nothing"


@in_module_loop
@pytest.mark.parametrize("path", ["/api/noted", "/api/checked"])
async def test_true_and_1_are_different_documents(client: Client, path: str) -> None:
    made = await client.post(path, json={"name": "document", "data": {"a": [1, {"b": 1}]}})
    row = f"{path}/{made.data['id']}"
    same = await client.patch(row, json={"data": {"a": [1, {"b": 1}]}})
    assert same.headers["etag"] == made.headers["etag"]
    moved = await client.patch(row, json={"data": {"a": [1, {"b": True}]}})
    assert moved.body == (await client.get(row)).body
    assert moved.data["data"]["a"][1]["b"] is True


@in_module_loop
async def test_a_policy_sees_what_a_validator_leaves(client: Client) -> None:
    made = await client.post("/api/checked", json={"name": "Policy"})
    assert (made.status, made.data["name"], made.data["revision"]) == (201, "policy", 1)
    moved = await client.patch(f"/api/checked/{made.data['id']}", json={"name": "Policies"})
    assert (moved.status, moved.data["name"], moved.data["revision"]) == (200, "policies", 2)


@in_module_loop
async def test_a_user_is_created_as_the_mapper_says(module_database_url: str) -> None:
    async with TestApp(make_app(), module_database_url) as running:
        user, key = await running.user_and_id(email="Grace@Example.com")
        assert (await user.get(f"/api/members/{key}")).data["badge"] == "GRACE@EXAMPLE.COM"
        with pytest.raises(ConfigurationError, match="exists already"):
            await running.user(email="grace@example.com")
        with pytest.raises(ConfigurationError, match=r"Member refuses .*Nobody is root here\."):
            await running.user("root")


@in_module_loop
@pytest.mark.usefixtures("listening")
async def test_listeners_to_commits_and_rollbacks_of_other_session_classes_are_called(module_database_url: str) -> None:
    async with TestApp(make_app(), module_database_url) as running:
        client = running.anonymous
        assert (await client.post("/api/logged", json={"name": "once"})).status == 201
        assert heard == ["before_commit", "after_commit"]
        names = [row["name"] for row in (await client.get("/api/filled")).data]
        assert "Made Before Commit" in names
        heard.clear()
        assert (await client.post("/api/logged", json={"name": "once"})).status == 409
        assert heard == ["after_rollback"]


@pytest.mark.parametrize("name", ["do_orm_execute", "after_begin"])
@pytest.mark.parametrize("target", [Session, AuditedSession])
def test_an_app_with_a_listener_that_changes_statements_does_not_start(target: type[Session], name: str) -> None:
    def hide_deleted_rows(*_: object) -> None:
        """Would add a condition to every SELECT."""

    event.listen(target, name, hide_deleted_rows)
    try:
        with pytest.raises(ConfigurationError, match=rf"{name} listener hide_deleted_rows \(.*test_orm_verbs.py:\d+\)"):
            app.composed(Settings())
    finally:
        event.remove(target, name, hide_deleted_rows)
    app.composed(Settings())
