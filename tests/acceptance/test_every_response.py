"""Every kind of response of a running `gatepost serve`, byte by byte: its headers, and what they give away."""

import json
import re
from collections.abc import Iterator

import pytest
from tests.acceptance.response_kinds import KINDS, Kind
from tests.acceptance.responses_site import Site, serving

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

VOLATILE = {"date", "x-request-id", "ratelimit", "ratelimit-policy", "content-length"}


@pytest.fixture(scope="module")
def site(postgresql: EmbeddedPostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(postgresql, tmp_path_factory.mktemp("responses")) as started:
        yield started


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_a_response_carries_the_headers_of_its_kind_and_nothing_that_names_a_version(site: Site, kind: Kind) -> None:
    for _ in range(kind.asked_before):
        site.ask(kind)
    status, pairs, body = site.ask(kind)
    assert status == kind.status, body
    names = [name for name, _ in pairs]
    assert {name for name in names if names.count(name) > 1} <= {"vary"}

    headers = dict(pairs)
    headers["vary"] = ", ".join(sorted(value for name, value in pairs if name == "vary"))
    expected = kind.expected()
    assert headers.keys() - VOLATILE == expected.keys()
    assert [name for name, value in expected.items() if not re.fullmatch(value, headers[name])] == []
    assert "x-request-id" in headers
    assert ("ratelimit" in headers) == ("ratelimit-policy" in headers) == kind.is_limited

    given_away = f"{headers} {body.decode('latin-1')}"
    assert not re.search(r"granian|hyper|python|leaky|secret|traceback|\.py\b", given_away, re.IGNORECASE)
    if headers.get("content-type") == "application/problem+json" and body:
        problem = json.loads(body)
        assert problem["type"] == f"/problems/{problem['code']}"
    if kind.request.startswith("HEAD") or status in (204, 304):
        assert body == b""
