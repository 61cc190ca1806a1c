"""HeaderChecks: what a request may say before anybody looks at its path."""

from collections.abc import Sequence
from typing import Any

import pytest
from gate_conversation import call_of, scope

from gatepost.asgi import Scope
from gatepost.call import Call, Endpoint, Response
from gatepost.declaring.mount import Mount
from gatepost.declaring.policies import anyone
from gatepost.errors import ConfigurationError, Header, Problem
from gatepost.gateway.allowed_hosts import REMEMBERED_MAX, AllowedHosts
from gatepost.gateway.header_checks import HeaderChecks
from gatepost.operations import Operation, RouteRules
from gatepost.routes.route_table import RouteTable
from gatepost.settings import GateSettings

CLOSED = {"malformed_request", "headers_too_large", "unknown_host", "method_not_implemented"}


async def response(asked: Call) -> Response:
    return Response(200)


def endpoint(name: str, rules: RouteRules) -> Endpoint:
    return Endpoint(Operation(name=name, method="GET", rules=rules, allow=anyone, source="x"), response)


TABLE = RouteTable(
    [
        endpoint("livez", RouteRules(pattern="/livez", kind="probe")),
        endpoint("list", RouteRules(pattern="/api/books")),
    ],
    {"/legacy": Mount(response)},
)


def heads(**settings: Any) -> HeaderChecks:
    return HeaderChecks(GateSettings(**settings), TABLE.match)


def code(asked: Scope, **settings: Any) -> str | None:
    """The code of the refusal, None where there is none; what ends the connection says so."""
    try:
        heads(**settings).check(call_of(asked))
    except Problem as refusal:
        problem = refusal
    else:
        return None
    assert (problem.code in CLOSED) == ((b"connection", b"close") in problem.headers)
    return problem.code


def hosted(*hosts: bytes, http_version: str = "1.1", path: str = "/api/books") -> Scope:
    asked = scope(path=path, http_version=http_version)
    asked["headers"] = [(b"host", host) for host in hosts]
    return asked


GOOD_HOSTS = [
    b"shop.example", b"SHOP.Example:8000", b"localhost", b"a", b"127.0.0.1:1", b"[::1]", b"[2001:DB8::7]:65535",
    b"[::ffff:192.0.2.1]", b"under_score.example", b"xn--bcher-kva.example", b"shop.example.",
]  # fmt: skip

BAD_HOSTS = [
    b"", b" ", b"a b", b"a,b", b"a/b", b"a?b", b"a#b", b"a@b", b"user:pass@shop.example", b"a\\b", b"a:b", b"a:",
    b":80", b"a:65536", b"a:0123456", b"a:-1", b"a:80:80", b"http://shop.example", b"[::1", b"::1", b"[::1]x",
    b"[::1]:x", b"[:]", b"[:::::]", b"[1.2.3.4]", b"[fe80::1%25eth0]", b"..", b"a..b", b".a", b"-a",
    b"caf\xc3\xa9.example", b"a%2eb", b"a" * 300, b"a;b", b"a\tb", b"${jndi}", b"<script>", b"a'b", b'"a"',
    b"*", b"*.example",
]  # fmt: skip


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_a_well_formed_host_passes(host: bytes) -> None:
    assert code(hosted(host)) is None


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_malformed_host_is_refused(host: bytes) -> None:
    assert code(hosted(host)) == "malformed_request"
    assert code(hosted(host), allowed_hosts=("a",)) == "malformed_request"


def test_no_host_and_two_are_refused() -> None:
    assert code(hosted()) == "malformed_request"
    assert code(hosted(b"a", b"b")) == "malformed_request"
    assert code(hosted(b"a", b"a")) == "malformed_request"


def test_http_1_0_knows_no_host() -> None:
    assert code(hosted(b"", http_version="1")) is None
    assert code(hosted(http_version="1.0")) is None
    assert code(hosted(b"a b", http_version="1.0")) == "malformed_request"
    assert code(hosted(b"a", b"a", http_version="1.0")) == "malformed_request"


ALLOWED = ("shop.example", "*.shop.example", "admin.example:8443", "[::1]", "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        (b"shop.example", True),
        (b"SHOP.example:8000", True),
        (b"eu.shop.example", True),
        (b"a.eu.shop.example:80", True),
        (b"admin.example:8443", True),
        (b"[::1]:80", True),
        (b"127.0.0.1:8000", True),
        (b"admin.example", False),
        (b"admin.example:443", False),
        (b"evilshop.example", False),
        (b"shop.example.evil", False),
        (b"shop.example.", False),
        (b"evil.example", False),
        (b"[::2]", False),
        (b"127.0.0.2", False),
    ],
)
def test_the_list_of_hosts(host: bytes, allowed: bool) -> None:
    assert code(hosted(host), allowed_hosts=ALLOWED) == (None if allowed else "unknown_host")


def test_probes_ask_by_address_whatever_the_list_says() -> None:
    assert code(hosted(b"10.1.2.3:8000", path="/livez"), allowed_hosts=ALLOWED) is None
    assert code(hosted(b"10.1.2.3:8000"), allowed_hosts=ALLOWED) == "unknown_host"
    assert code(hosted(b"a b", path="/livez"), allowed_hosts=ALLOWED) == "malformed_request"


def test_a_wildcard_with_a_port_is_for_that_port() -> None:
    hosts = AllowedHosts(["*.shop.example:8443"])
    hosts.check(b"eu.shop.example:8443")
    with pytest.raises(Problem):
        hosts.check(b"eu.shop.example")


@pytest.mark.parametrize(
    "entry", ["*", "https://shop.example", "shop.example/", "a b", "*shop.example", "a.*.b", ".a", ""]
)
def test_a_mistaken_list_of_hosts_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="GATEPOST_ALLOWED_HOSTS"):
        AllowedHosts([entry])


def test_hosts_that_strangers_invent_are_not_all_remembered() -> None:
    hosts = AllowedHosts(())
    for number in range(REMEMBERED_MAX * 2):
        hosts.check(b"h%d.example" % number)
    assert len(hosts.known) == REMEMBERED_MAX


@pytest.mark.parametrize("name", [b"content-length", b"content-type", b"authorization", b"origin"])
def test_a_header_that_two_readers_could_take_differently_stands_once(name: bytes) -> None:
    assert code(scope(headers=[(name, b"1"), (name, b"1")])) == "malformed_request"


@pytest.mark.parametrize(
    ("headers", "joined"),
    [
        ([(b"if-match", b'"1"'), (b"accept", b"a"), (b"if-match", b'"2"')], {b"if-match": b'"1", "2"'}),
        ([(b"cookie", b"a=1"), (b"cookie", b"b=2")], {b"cookie": b"a=1; b=2"}),
        ([(b"x-a", b"gzip"), (b"x-a", b"chunked")], {b"x-a": b"gzip, chunked"}),
    ],
)  # fmt: skip
def test_other_headers_in_many_lines_are_one_list(headers: Sequence[Header], joined: dict[bytes, bytes]) -> None:
    asked = call_of(scope(headers=headers))
    heads().check(asked)
    assert joined.items() <= asked.headers.items()


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (scope(headers=[(b"x-%d" % number, b"") for number in range(63)]), None),
        (scope(headers=[(b"x-%d" % number, b"") for number in range(64)]), "headers_too_large"),
        (scope(headers=[(b"x", b"")] * 63), None),
        (scope(headers=[(b"x", b"")] * 64), "headers_too_large"),
        (scope(headers=[(b"x", b"y" * (16_384 - 14))]), None),
        (scope(headers=[(b"x", b"y" * (16_384 - 13))]), "headers_too_large"),
        (scope(headers=[(b"x", b"y" * 8000), (b"z", b"y" * 8000)]), None),
        (scope(headers=[(b"x", b"y" * 8192), (b"x", b"y" * 8192)]), "headers_too_large"),
    ],
    ids=range(8),
)
def test_the_size_of_a_head(asked: Scope, refusal: str | None) -> None:
    assert code(asked) == refusal


def test_the_size_of_a_head_is_a_setting() -> None:
    assert code(scope(headers=[(b"x", b"")] * 10), header_count_max=8) == "headers_too_large"
    assert code(scope(headers=[(b"x", b"y" * 2000)]), header_bytes_max=1024) == "headers_too_large"


@pytest.mark.parametrize("method", ["get", "Get", "PROPFIND", "GE!T", "A" * 3000, "PRI"])
def test_an_unknown_method_is_not_implemented(method: str) -> None:
    assert code(scope(method)) == "method_not_implemented"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "QUERY"])
@pytest.mark.parametrize(
    ("path", "status", "allow"),
    [
        ("/api/books", 405, b"GET, HEAD, OPTIONS"),
        ("/livez", 405, b"GET, HEAD, OPTIONS"),
        ("/legacy/inner", 405, b"GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS"),
        ("/nothing", 404, None),
    ],
)
def test_trace_connect_and_query_are_allowed_on_no_path(
    method: str, path: str, status: int, allow: bytes | None
) -> None:
    with pytest.raises(Problem) as raised:
        heads().check(call_of(scope(method, path=path)))
    assert raised.value.status == status
    assert dict(raised.value.headers).get(b"allow") == allow


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_known_method_passes(method: str) -> None:
    assert code(scope(method)) is None


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        (b"100-continue", None),
        (b"100-Continue", None),
        (b"200-ok", "expectation_failed"),
        (b"", "expectation_failed"),
        (b"100-continue, x", "expectation_failed"),
    ],
)
def test_expectations(value: bytes, refusal: str | None) -> None:
    assert code(scope(headers=[(b"expect", value)])) == refusal
