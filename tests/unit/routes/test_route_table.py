"""The route table: which methods a path knows, and what it says about the others."""

from typing import Any

import pytest

from gatepost.asgi import Receive, Scope, Send
from gatepost.call import Call, Endpoint, Response
from gatepost.declaring.mount import Mount
from gatepost.declaring.policies import anyone
from gatepost.errors import ConfigurationError, Problem
from gatepost.operations import Kind, Operation, RouteRules
from gatepost.routes.route_table import RouteTable


async def _never_called(call: Call) -> Response:
    raise AssertionError("only the table is asked")


async def _never(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("nothing is asked of it here")


def endpoint(method: str, pattern: str, kind: Kind = "api") -> Endpoint:
    rules = RouteRules(pattern=pattern, kind=kind)
    operation = Operation(name=f"{method} {pattern}", method=method, rules=rules, allow=anyone, source="x")
    return Endpoint(operation, _never_called)


TABLE = RouteTable(
    [
        endpoint("GET", "/api/books"),
        endpoint("POST", "/api/books"),
        endpoint("GET", "/api/books/{id}"),
        endpoint("PATCH", "/api/books/{id}"),
        endpoint("POST", "/api/auth/login", "auth"),
        endpoint("GET", "/livez", "probe"),
        endpoint("POST", "/api/books/{book}/restock"),
        endpoint("GET", "/api/books/{book:isbn}/{chapter}"),
        endpoint("GET", "/api/books/best/{year}"),
        endpoint("GET", "/api/{kind}/best/pages"),
        endpoint("GET", "/api/{kind}/best/{page}"),
    ],
    {
        "/legacy": Mount(_never),
        "/legacy/inner": Mount(_never),
        "/api": Mount(_never),
        "/api/books/feed": Mount(_never),
    },
)


def found(method: str, path: str) -> Any:
    """Pattern and values of the path, or the code of the refusal with what it allows."""
    try:
        rules, _, values = TABLE.match(method, path)
    except Problem as problem:
        return problem.code, dict(problem.headers).get(b"allow")
    return rules.pattern, values


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/books", ("/api/books", ())),
        ("HEAD", "/api/books", ("/api/books", ())),
        ("HEAD", "/livez", ("/livez", ())),
        ("HEAD", "/api/books/7", ("/api/books/{id}", ("7",))),
        ("GET", "/legacy", ("/legacy/*", ())),
        ("GET", "/legacy/inner/x", ("/legacy/inner/*", ())),
        ("DELETE", "/legacy/x", ("/legacy/*", ())),
        # The longer fixed path wins, whatever the method.
        ("GET", "/api/books/feed", ("/api/books/feed/*", ())),
        ("PATCH", "/api/books/feed", ("/api/books/feed/*", ())),
        ("HEAD", "/api/books/feed", ("/api/books/feed/*", ())),
        ("OPTIONS", "/api/books/feed", ("/api/books/feed/*", ())),
        ("PROPFIND", "/api/books/feed", ("/api/books/feed/*", ())),
        ("GET", "/api/books/feed/", ("/api/books/feed/*", ())),
        ("GET", "/api/books/feed/7", ("/api/books/feed/*", ())),
        ("GET", "/api/books/feeder", ("/api/books/{id}", ("feeder",))),
        ("DELETE", "/api/books/feeder", ("method_not_allowed", b"GET, HEAD, PATCH, OPTIONS")),
        ("GET", "/api", ("/api/*", ())),
        ("GET", "/api/authors", ("/api/*", ())),
        ("GET", "/api/auth/login/x", ("/api/*", ())),
        ("PUT", "/api/books", ("method_not_allowed", b"GET, HEAD, POST, OPTIONS")),
        ("DELETE", "/api/books/7", ("method_not_allowed", b"GET, HEAD, PATCH, OPTIONS")),
        ("HEAD", "/api/auth/login", ("method_not_allowed", b"POST, OPTIONS")),
        ("GET", "/api/auth/login", ("method_not_allowed", b"POST, OPTIONS")),
        ("POST", "/livez", ("method_not_allowed", b"GET, HEAD, OPTIONS")),
        ("GET", "*", ("method_not_allowed", b"OPTIONS")),
        ("TRACE", "/livez", ("method_not_allowed", b"GET, HEAD, OPTIONS")),
        ("get", "/livez", ("method_not_implemented", None)),
        # What is unusual means itself.
        ("GET", "/api/books/", ("/api/*", ())),
        ("GET", "/API/books", ("not_found", None)),
        ("GET", "/api/books;v=1", ("/api/*", ())),
        ("GET", "/api/books/a;v=1", ("/api/books/{id}", ("a;v=1",))),
        ("GET", "/api/books/7/", ("/api/*", ())),
        ("GET", "/api/books/7/8", ("/api/books/{book:isbn}/{chapter}", ("7", "8"))),
        ("GET", "/api/books/7/8/9", ("/api/*", ())),
        ("GET", "/api/books//8", ("/api/*", ())),
        # Of two paths with parameters, the one that is fixed at the first segment in which they differ.
        ("POST", "/api/books/7/restock", ("/api/books/{book}/restock", ("7",))),
        ("GET", "/api/books/7/restock", ("method_not_allowed", b"POST, OPTIONS")),
        ("GET", "/api/books/best/2020", ("/api/books/best/{year}", ("2020",))),
        ("GET", "/api/films/best/pages", ("/api/{kind}/best/pages", ("films",))),
        ("GET", "/api/films/best/7", ("/api/{kind}/best/{page}", ("films", "7"))),
        ("GET", "/legacyx", ("not_found", None)),
        ("GET", "/legacy;x/y", ("not_found", None)),
        ("GET", "/Legacy", ("not_found", None)),
        ("GET", "/", ("not_found", None)),
    ],
)
def test_what_a_method_and_a_path_lead_to(method: str, path: str, expected: tuple[str, Any]) -> None:
    assert found(method, path) == expected


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/books", b"GET, HEAD, POST, OPTIONS"),
        ("/api/auth/login", b"POST, OPTIONS"),
        ("/livez", b"GET, HEAD, OPTIONS"),
        ("*", b"GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS"),
    ],
)
async def test_options_name_the_methods_of_a_path(path: str, allow: bytes) -> None:
    _, chosen, _ = TABLE.match("OPTIONS", path)
    assert chosen is not None
    call: Any = None
    response = await chosen.handler(call)
    assert (response.status, dict(response.headers)) == (204, {b"allow": allow})


@pytest.mark.parametrize(
    ("path", "name"),
    [("/api/books", "GET /api/books/{id}"), ("/api/auth/login", "POST /api/auth/login"), ("/livez", "GET /livez")],
)
def test_a_mount_at_the_path_of_something_else_is_refused(path: str, name: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        RouteTable(
            [endpoint("GET", "/api/books/{id}"), endpoint("POST", "/api/auth/login"), endpoint("GET", "/livez")],
            {path: Mount(_never)},
        )
    assert f"mount='{path}' is also the path of {name}." in str(refusal.value)
