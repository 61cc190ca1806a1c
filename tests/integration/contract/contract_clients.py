"""A client of every identity in the tests of the contract, and what every refusal must have."""

from typing import Any
from uuid import UUID

import msgspec
from all_types_app import app
from hypothesis import HealthCheck, settings

from gatepost.error_codes import CODES
from gatepost.events import RequestFailed
from gatepost.testing import Client, ClientResponse, TestApp

failures: list[RequestFailed] = []
"""What was behind the internal errors of the test that is running."""

app.events.subscribe(RequestFailed, failures.append)


def random_requests(factor: float) -> settings:
    """Decorates a test that sends requests made by Hypothesis: `factor` times the profile's number of examples.

    The profile says 30 in `make test` and 3000 in `make soak`.
    """
    return settings(
        max_examples=round(settings.default.max_examples * factor),
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


class Clients(msgspec.Struct):
    """A client for each identity; `member_id` and `stranger_id` are the keys of those two users."""

    anonymous: Client
    stranger: Client
    member: Client
    editor: Client
    guard: Client
    stranger_id: UUID
    member_id: UUID

    def by(self, name: str) -> Client:
        """The client of an identity's name."""
        client: Client = getattr(self, name)
        return client


async def clients_of(running: TestApp) -> Clients:
    """New users of every kind."""
    stranger, stranger_id = await running.user_and_id()
    member, member_id = await running.user_and_id()
    return Clients(
        anonymous=running.anonymous,
        stranger=stranger,
        member=member,
        editor=await running.user("editor"),
        guard=await running.user("guard", "editor"),
        stranger_id=stranger_id,
        member_id=member_id,
    )


def problem(response: ClientResponse, status: int, code: str) -> dict[str, Any]:
    """The problem details of a refusal, which must have this status and code and the whole form."""
    assert response.status == status, (response.status, response.body)
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert set(found) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert (found["status"], found["code"]) == (status, code), found
    assert found["type"] == (f"/problems/{code}" if code in CODES else "about:blank")
    return found


def pointers(response: ClientResponse) -> dict[str, str]:
    """The violations of a refusal: code by pointer."""
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


def without_id(response: ClientResponse) -> dict[str, Any]:
    """A refusal without what differs from request to request."""
    return {name: value for name, value in response.json().items() if name != "request_id"}
