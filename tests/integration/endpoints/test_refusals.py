"""The refusals of an own endpoint: each as a derived endpoint refuses."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from refusals_app import Sold, Ticket, app, cookies, office_app
from sqlalchemy import MetaData, update

from gatepost.testing import Client, ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Office(NamedTuple):
    """A client of every identity."""

    running: TestApp
    anonymous: Client
    holder: Client
    stranger: Client
    clerk: Client
    holder_id: UUID
    stranger_id: UUID
    clerk_id: UUID

    def by(self, name: str) -> Client:
        """The client of an identity's name."""
        client: Client = getattr(self, name)
        return client

    async def ticket(self, **values: Any) -> str:
        """The path of a ticket of the holder."""
        ticket = Ticket(**{"seat": "A1", "holder_id": self.holder_id, **values})
        async with app.transaction() as tx:
            tx.session.add(ticket)
            await tx.session.flush()
            return f"/api/tickets/{ticket.id}"


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the office."""
    assert Sold.metadata is app.metadata
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(module_database_url: str) -> AsyncIterator[Office]:
    """The app, started on an empty database."""
    async with TestApp(app, module_database_url) as running:
        holder, holder_id = await running.user_and_id()
        stranger, stranger_id = await running.user_and_id()
        clerk, clerk_id = await running.user_and_id("clerk")
        yield Office(running, running.anonymous, holder, stranger, clerk, holder_id, stranger_id, clerk_id)


def same(response: ClientResponse) -> tuple[int, Any, Any]:
    """A refusal without what tells two requests apart."""
    headers = {name: value for name, value in response.headers.items() if name not in ("x-request-id", "ratelimit")}
    return response.status, headers, {**response.json(), "request_id": ""}


MOVED: dict[str, Any] = {"json": {"text": "B2"}}


@pytest.mark.parametrize(
    ("who", "method", "path", "options", "status", "code"),
    [
        ("anonymous", "POST", "{ticket}/moved", MOVED, 401, "not_signed_in"),
        ("anonymous", "POST", "{ticket}/stamped", {}, 401, "not_signed_in"),
        ("anonymous", "GET", "/api/tickets/held", {}, 401, "not_signed_in"),
        ("stranger", "POST", "{ticket}/stamped", {}, 403, "forbidden"),
        ("stranger", "POST", "{ticket}/moved", MOVED, 403, "forbidden"),
        ("clerk", "POST", "{ticket}/moved", MOVED, 403, "forbidden"),
        ("anonymous", "GET", "{reserved}/seen", {}, 404, "not_found"),
        ("stranger", "GET", "{reserved}/looked-at", {}, 404, "not_found"),
        ("stranger", "POST", "{reserved}/moved", MOVED, 404, "not_found"),
        ("clerk", "POST", "{reserved}/stamped", {}, 404, "not_found"),
        ("holder", "GET", "/api/tickets/nothing/seen", {}, 404, "not_found"),
        ("holder", "PATCH", "{ticket}/moved", MOVED, 405, "method_not_allowed"),
        ("holder", "POST", "{ticket}/seen", {}, 405, "method_not_allowed"),
        ("holder", "GET", "{ticket}/seen?sea=1", {}, 400, "unknown_parameter"),
        ("holder", "GET", "{ticket}/looked-at?fields=seat", {}, 400, "unknown_parameter"),
        ("holder", "GET", "/api/tickets/held?sea=1", {}, 400, "unknown_parameter"),
        ("holder", "POST", "{ticket}/moved?seat=1", MOVED, 400, "unknown_parameter"),
        ("holder", "POST", "{ticket}/moved", {"json": {"text": "x" * 100}}, 413, "content_too_large"),
        (
            "holder",
            "POST",
            "{ticket}/moved",
            {"content": b"text=B2", "headers": {"content-type": "application/x-www-form-urlencoded"}},
            415,
            "unsupported_media_type",
        ),
        ("holder", "POST", "{ticket}/moved", {"content": b"{"}, 400, "malformed_json"),
        ("holder", "POST", "{ticket}/moved", {"json": {"txt": "B2"}}, 422, "invalid_body"),
        ("holder", "GET", "{ticket}/seen", {"headers": {"if-none-match": "5"}}, 400, "malformed_request"),
        ("holder", "GET", "{ticket}/looked-at", {"headers": {"if-none-match": "5"}}, 400, "malformed_request"),
    ],
)
async def test_each_refusal(
    office: Office, who: str, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    paths = {"ticket": await office.ticket(), "reserved": await office.ticket(is_reserved=True)}

    response = await office.by(who).request(method, path.format(**paths), **options)

    assert (response.status, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert "A1" not in response.body.decode()
    if status == 401:
        assert response.headers["www-authenticate"] == "Session"  # the last of two lines
    if status == 405:
        assert "A1" not in response.headers["allow"]


@pytest.mark.parametrize(("method", "path"), [("GET", "seen"), ("GET", "looked-at"), ("POST", "moved")])
async def test_a_hidden_row_is_refused_as_an_absent_one(office: Office, method: str, path: str) -> None:
    body = MOVED if path == "moved" else {}
    reserved, client = await office.ticket(is_reserved=True), office.stranger

    hidden = await client.request(method, f"{reserved}/{path}", **body)
    absent = await client.request(method, f"/api/tickets/{uuid4()}/{path}", **body)

    assert same(hidden) == same(absent)


async def test_lists_leave_out_hidden_rows(office: Office) -> None:
    seat = secrets.token_hex(6)
    await office.ticket(seat=seat, is_reserved=True)

    found = {who: (await office.by(who).get(f"/api/tickets/held?seat={seat}")).data for who in ("stranger", "holder")}

    assert (found["stranger"], len(found["holder"])) == ([], 1)


async def test_who_may_create_and_not_read_gets_a_location_and_no_body(office: Office) -> None:
    filed = await office.anonymous.post("/api/complaints/filed", json={"text": "loud"})

    location = filed.headers["location"]
    assert (filed.status, filed.body, "etag" in filed.headers) == (201, b"", False)
    assert (await office.anonymous.get(location)).status == 401
    assert (await office.clerk.get(location)).data["text"] == "loud"


async def test_owners_are_filled_and_others_refused(office: Office) -> None:
    mine = await office.holder.post("/api/tickets/sold", json={"seat": "C3"})
    named = await office.holder.post("/api/tickets/sold", json={"seat": "C3", "holder_id": str(office.holder_id)})
    forged = await office.holder.post("/api/tickets/sold", json={"seat": "C3", "holder_id": str(office.stranger_id)})
    given = await office.clerk.post("/api/tickets/sold", json={"seat": "C3", "holder_id": str(office.stranger_id)})

    assert [response.status for response in (mine, named, forged, given)] == [201, 201, 403, 201]
    assert mine.data["holder_id"] == named.data["holder_id"] == str(office.holder_id)
    assert given.data["holder_id"] == str(office.stranger_id)


async def test_a_cookie_from_another_origin_changes_nothing(office: Office) -> None:
    cookies.sessions[b"seven"] = office.clerk_id
    cookie = {"cookie": "session=seven"}
    path = f"{await office.ticket()}/stamped"

    async def status(**headers: str) -> int:
        sent = {**cookie, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return (await office.anonymous.post(path, headers=sent)).status

    assert await status(sec_fetch_site="same-origin") == 200
    assert await status(sec_fetch_site="cross-site") == 403
    assert await status(origin="https://evil.example") == 403
    seen = await office.anonymous.get(
        path.replace("stamped", "seen"), headers={**cookie, "sec-fetch-site": "cross-site"}
    )
    assert seen.status == 200


@pytest.mark.parametrize("path", ["seen", "looked-at"])
async def test_a_row_is_sent_again_when_a_role_shows_more_of_it(office: Office, path: str) -> None:
    client, key = await office.running.user_and_id()
    path = f"{await office.ticket()}/{path}"
    first = await client.get(path)
    unless = {"if-none-match": first.headers["etag"]}
    unchanged = await client.get(path, headers=unless)
    assert unchanged.status == 304
    assert unchanged.headers["cache-control"] == first.headers["cache-control"] == "private, max-age=5"

    async with app.transaction() as tx:
        users = app.user_model
        await tx.session.execute(update(users).where(users.id == key).values(roles=["clerk"]))
    shown = await client.get(path, headers=unless)
    async with asyncio.timeout(20):
        while shown.status == 304:  # a change of role is known everywhere within 100 ms
            await asyncio.sleep(0.01)
            shown = await client.get(path, headers=unless)

    assert ("cost" in first.data, shown.status, shown.data["cost"]) == (False, 200, 5)


async def test_an_endpoint_has_limits_of_its_own(module_database_url: str) -> None:
    async with TestApp(office_app(), module_database_url, GATEPOST_LIMIT_FACTOR="1") as limited:
        responses = [await limited.anonymous.post("/api/tickets/rung") for _ in range(3)]
        other = await limited.anonymous.get("/api/tickets/held")

    refused = responses[-1]
    assert [response.status for response in responses] == [200, 200, 429]
    assert refused.json()["code"] == "too_many_requests"
    assert int(refused.headers["retry-after"]) in range(1, 61)
    assert "tickets.rung" in refused.headers["ratelimit-policy"]
    assert other.status == 401


async def test_head_and_options(office: Office) -> None:
    path = await office.ticket()
    for name in ("seen", "looked-at"):
        whole, head = (
            await office.anonymous.get(f"{path}/{name}"),
            await office.anonymous.request("HEAD", f"{path}/{name}"),
        )
        assert (head.status, head.body) == (200, b"")
        assert head.headers["etag"] == whole.headers["etag"]
        assert (await office.anonymous.request("HEAD", f"/api/tickets/{uuid4()}/{name}")).status == 404
        options = await office.anonymous.request("OPTIONS", f"{path}/{name}")
        assert (options.status, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    options = await office.anonymous.request("OPTIONS", f"{path}/moved")
    assert (options.status, options.headers["allow"]) == (204, "POST, OPTIONS")
