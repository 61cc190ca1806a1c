"""The player sends what a step says, and finds what a response has wrong."""

from collections.abc import Callable

import httpx
import pytest
from tests.acceptance.conduit.expectations import TEXT, other_than
from tests.acceptance.conduit.player import failures
from tests.acceptance.conduit.steps import PASSWORD, Scenario, Step, register

SCENARIO = Scenario(
    "two steps",
    ("ann",),
    (
        register("ann", shows={"user": {"token": TEXT}}, keeps={"ann_token": "user.token"}),
        Step("DELETE /articles/{ann}", 204, by="ann"),
        Step("GET /user", 200, {"user": {"token": other_than("{ann_token}")}}, by="ann"),
    ),
    headers={"X-Everywhere": "yes"},
)

Handler = Callable[[httpx.Request], httpx.Response]


def played(handler: Handler) -> list[str]:
    """What the scenario finds wrong with a server."""
    with httpx.Client(base_url="http://conduit.test", transport=httpx.MockTransport(handler)) as client:
        return failures(SCENARIO, client)


def right(request: httpx.Request) -> httpx.Response:
    """As the scenario wants it."""
    assert request.headers["X-Everywhere"] == "yes"
    match request.method, request.url.path:
        case "POST", "/api/users":
            assert f'"username":"ann_two_steps","email":"ann_two_steps@example.test","password":"{PASSWORD}"' in (
                request.content.decode()
            )
            return httpx.Response(201, json={"user": {"token": "first"}})
        case "DELETE", "/api/articles/ann_two_steps":
            assert request.headers["Authorization"] == "Token first"
            return httpx.Response(204)
    return httpx.Response(200, json={"user": {"token": "second"}})


def test_a_right_server_is_found_right() -> None:
    assert played(right) == []


@pytest.mark.parametrize(
    ("method", "response", "sentences"),
    [
        ("POST", httpx.Response(200, json={"user": {"token": "first"}}), ["1. POST /users by anonymous: expected 201"]),
        ("POST", httpx.Response(201, json={"user": {}}), ["1. POST /users by anonymous: .user.token: is absent"]),
        ("DELETE", httpx.Response(204, text="gone"), ["2. DELETE /articles/{ann} by ann: expected no body"]),
        (
            "GET",
            httpx.Response(200, text='{"user": {"token": "2"}}'),
            ["3. GET /user by ann: expected application/json"],
        ),
        ("GET", httpx.Response(200, json={"user": {"token": "first"}}), ["3. GET /user by ann: .user.token"]),
        (
            "GET",
            httpx.Response(200, json={"user": {"token": f"the token of {PASSWORD}"}}),
            ["3. GET /user by ann: must not be there"],
        ),
        (
            "GET",
            httpx.Response(200, json={"user": {"token": "second", "passwordHash": "$"}}),
            ["3. GET /user by ann: must not be there", "3. GET /user by ann: .user.passwordHash: must not be there"],
        ),
    ],
)
def test_a_wrong_response_is_found(method: str, response: httpx.Response, sentences: list[str]) -> None:
    found = played(lambda request: response if request.method == method else right(request))
    own = [sentence for sentence in found if "no earlier response" not in sentence]
    assert len(own) == len(sentences)
    assert all(sentence.startswith(start) for sentence, start in zip(own, sentences, strict=True))


def test_steps_that_need_what_nobody_gave_fail() -> None:
    found = played(lambda _request: httpx.Response(500, json={}))
    assert [sentence.partition(": ")[2][:12] for sentence in found] == ["expected 201", *["no earlier r"] * 2]
