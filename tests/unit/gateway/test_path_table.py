from typing import Any

import pytest

from gatepost.declaring.cors import CORS
from gatepost.declaring.rate_limits import RateLimit, minutes
from gatepost.errors import ConfigurationError
from gatepost.gateway.path_rules import PathRules
from gatepost.gateway.path_table import PathTable
from gatepost.operations import JSON_TYPES
from gatepost.settings import GateSettings

EMPTY = PathRules()

PATHS = (
    "/login",
    "POST /login",
    "/items/{id}",
    "/items/new",
    "GET /items/*",
    "/admin/*",
    "/admin/{area}/log",
    "/admin/users/",
    "/a.b/{x}",
    "/items/feed/*",
    "/{area}/{page}",
    "/{area}/settings",
)

TABLE = PathTable({path: PathRules(body_bytes_max=size) for size, path in enumerate(PATHS)}, GateSettings())
"""The rules of each path have a size of their own, by which they are told apart."""


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/login", "/login"),
        ("POST", "/login", "POST /login"),
        ("PUT", "/login", "/login"),
        ("GET", "/items/7", "/items/{id}"),
        ("GET", "/items/new", "/items/new"),
        ("GET", "/items/7/parts", "GET /items/*"),
        ("HEAD", "/items/7/parts", "GET /items/*"),
        ("POST", "/items/7/parts", "/*"),
        ("GET", "/items", "GET /items/*"),
        ("GET", "/items/", "GET /items/*"),
        ("GET", "/itemsandmore", "/*"),
        ("GET", "/admin", "/admin/*"),
        ("GET", "/admin/users/log", "/admin/{area}/log"),
        ("GET", "/admin/users/", "/admin/users/"),
        ("GET", "/admin/users/\n/log", "/admin/*"),
        # The longer fixed path wins, segment by segment.
        ("GET", "/items/feed", "/items/feed/*"),
        ("POST", "/items/feed/7", "/items/feed/*"),
        ("GET", "/admin/users", "/admin/*"),
        ("GET", "/admin/settings", "/admin/*"),
        ("GET", "/shop/settings", "/{area}/settings"),
        ("POST", "/items/", "/*"),
        ("GET", "/aXb/1", "/{area}/{page}"),
        ("GET", "/a.b/1", "/a.b/{x}"),
        ("OPTIONS", "*", "/*"),
        ("GET", "/", "/*"),
    ],
)
def test_the_nearest_pattern_has_the_rules(method: str, path: str, name: str) -> None:
    rules, endpoint, values = TABLE.match(method, path)
    assert (endpoint, values) == (None, ())
    assert rules.body_bytes_max == (PATHS.index(name) if name in PATHS else None)


def test_an_undeclared_path_has_the_limits_of_an_api_and_takes_json() -> None:
    rules, _, _ = PathTable({}, GateSettings()).match("POST", "/anything")
    assert (rules.kind, rules.limits, rules.body_bytes_max, rules.headers, rules.cors) == (
        "api",
        (),
        None,
        None,
        None,
    )
    assert rules.content_types == JSON_TYPES
    assert rules.is_foreign


def test_what_a_path_leaves_out_is_as_the_next_wider_one_declares_it() -> None:
    cors = CORS("https://shop.example")
    paths = {
        "/*": PathRules(body_bytes_max=1, content_types=["text/csv"], cors=cors),
        "/auth/*": PathRules(auth=True, body_bytes_max=2),
        "POST /auth/token": PathRules(content_types=["application/x-www-form-urlencoded"]),
        "/auth/me": PathRules(auth=False, strict_json=False),
        "/auth/me/{id}": PathRules(),
    }
    made = PathTable(paths, GateSettings())
    token, _, _ = made.match("POST", "/auth/token")
    assert (token.kind, token.body_bytes_max, token.cors) == ("auth", 2, cors)
    assert token.content_types == {b"application/x-www-form-urlencoded"}
    me, _, _ = made.match("GET", "/auth/me")
    assert (me.kind, me.body_bytes_max, me.content_types) == ("api", 2, {b"text/csv"})
    assert me not in made.strict
    below, _, _ = made.match("GET", "/auth/me/7")
    assert below.kind == "auth", "a path is below a wide one only"
    assert below in made.strict


def test_limits_hold_together_and_are_raised_in_development() -> None:
    limits = [RateLimit(5, per=minutes(15)), RateLimit(2)]
    made = PathTable({"/rare": PathRules(rate_limit=limits)}, GateSettings(limit_factor=100))
    assert made.match("GET", "/rare")[0].limits == (
        ("/rare 500 / 15 min", RateLimit(500, per=minutes(15))),
        ("/rare 200 / 1 min", RateLimit(200)),
    )


ANY: Any = object()


@pytest.mark.parametrize(
    ("path", "rules", "sentence"),
    [
        (
            "login",
            EMPTY,
            "'login' is not a path. Write /login, POST /login, /items/{id}, or /admin/* for everything below it.",
        ),
        ("", EMPTY, "'' is not a path"),
        ("*", EMPTY, "is not a path"),
        ("POST", EMPTY, "is not a path"),
        ("BREW /pot", EMPTY, "is not a path"),
        ("/a//b", EMPTY, "is not a path"),
        ("/a/*/b", EMPTY, "is not a path"),
        ("/a*", EMPTY, "is not a path"),
        ("/a/x{id}", EMPTY, "is not a path"),
        ("/a/{}", EMPTY, "is not a path"),
        ("/a b", EMPTY, "is not a path"),
        (7, EMPTY, "7 is not a path"),
        ("/login", RateLimit(5), 'Write "/login": PathRules(rate_limit=...)'),
        ("/login", PathRules(rate_limit=ANY), 'Gate(paths["/login"]): rate_limit=<object'),
        ("/login", PathRules(rate_limit=[ANY]), "is not a RateLimit"),
        ("/login", PathRules(auth=ANY), "is not a bool"),
        ("/login", PathRules(auth=True, probe=True), "is both auth and probe"),
        ("/login", PathRules(body_bytes_max=ANY), "is not a number of bytes"),
        ("/login", PathRules(body_bytes_max=-1), "is not a number of bytes"),
        ("/login", PathRules(body_bytes_max=True), "is not a number of bytes"),
        ("/login", PathRules(content_types="text/csv"), "is not a list"),
        ("/login", PathRules(content_types=["text/CSV"]), "has 'text/CSV'"),
        ("/login", PathRules(content_types=["text/csv; charset=utf-8"]), "without parameters"),
        ("/login", PathRules(content_types=["*/*", "csv"]), "has 'csv'"),
        ("/login", PathRules(headers=ANY), "is not a mapping"),
        ("/login", PathRules(headers={"Set-Cookie": "a"}), "cannot set set-cookie"),
        ("/login", PathRules(cors=ANY), "is not a CORS"),
    ],
)
def test_a_mistake_is_a_sentence(path: Any, rules: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        PathTable({path: rules}, GateSettings())
    assert sentence in str(raised.value)
