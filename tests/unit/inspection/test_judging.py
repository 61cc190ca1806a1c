"""What the checks think of single values; what they find on whole servers stands in `tests/acceptance`."""

import pytest

from gatepost.declaring.origins import Origins
from gatepost.gateway.header_profiles import PAGES, STRICT
from gatepost.inspection.cross_origin import lets_in, tricks
from gatepost.inspection.raw_client import Reply
from gatepost.inspection.security_headers import hsts_fault, policy_fault
from gatepost.inspection.visit import first_post

JSON = Reply(200, [("content-type", "application/problem+json")])
HTML = Reply(200, [("content-type", "text/html")])
REST = "frame-ancestors 'self'; base-uri 'self'; form-action 'self'"
POLICY = "content-security-policy"


def test_gatepost_s_own_policies_are_good() -> None:
    for reply, profile in ((JSON, STRICT), (HTML, PAGES)):
        policies = [value.decode() for name, value in profile if name == POLICY.encode()]
        assert [policy_fault(policy, reply) for policy in policies] == [None]


@pytest.mark.parametrize(
    ("policy", "fault"),
    [
        (None, "absent"),
        ("", "no default-src"),
        ("default-src 'self'", "no frame-ancestors"),
        ("default-src 'self'; frame-ancestors 'self'", "no base-uri"),
        (f"default-src 'self' 'unsafe-inline'; {REST}", "script-src has 'unsafe-inline'"),
        (f"default-src 'self'; script-src 'unsafe-eval'; {REST}", "script-src has 'unsafe-eval'"),
        (f"default-src 'self'; style-src https: 'unsafe-inline'; {REST}", "style-src has 'unsafe-inline' https:"),
        (f"default-src *; {REST}", "script-src has *"),
        (f"default-src 'self'; object-src data:; {REST}", "object-src has data:"),
        (f"default-src 'self'; script-src 'nonce-abc' 'unsafe-inline'; {REST}", None),
        (f"DEFAULT-SRC 'none'; {REST}", None),
    ],
)
def test_a_policy_that_stops_nothing_is_seen_through(policy: str | None, fault: str | None) -> None:
    found = policy_fault(policy, HTML)
    assert found == fault if fault is None else fault in (found or "")


def test_json_has_nothing_to_load() -> None:
    assert "'none'" in (policy_fault(f"default-src 'self'; {REST}", JSON) or "")


@pytest.mark.parametrize(
    ("value", "is_well"),
    [
        (None, False),
        ("includeSubDomains", False),
        ("max-age=300", False),
        ("max-age=31536000; includeSubDomains", True),
    ],
)
def test_hsts_is_for_half_a_year_at_least(value: str | None, is_well: bool) -> None:
    assert (hsts_fault(value, JSON) is None) == is_well


@pytest.mark.parametrize("origin", ["https://shop.example", "http://localhost:3000"])
def test_every_trick_is_another_origin(origin: str) -> None:
    listed = Origins([origin], location="test")
    assert origin.encode() in listed
    assert [trick for trick in tricks(origin).values() if trick.encode() in listed] == []


@pytest.mark.parametrize(
    ("allowed", "credentials", "is_in"),
    [
        (None, None, False),
        ("https://a.example", None, True),
        ("*", None, False),
        ("*", "true", True),
        ("null", None, False),
    ],
)
def test_who_is_let_in(allowed: str | None, credentials: str | None, is_in: bool) -> None:
    headers = [("access-control-allow-origin", allowed), ("access-control-allow-credentials", credentials)]
    reply = Reply(200, [(name, value) for name, value in headers if value is not None])
    assert lets_in(reply, "https://a.example") == is_in


@pytest.mark.parametrize(
    ("described", "path"),
    [
        (b'{"paths": {"/a": {"get": {}}, "/b/{id}": {"post": {}}, "/c": {"post": {}}}}', "/c"),
        (b'{"paths": {}}', None),
        (b"<html>", None),
        (b"[]", None),
    ],
)
def test_a_path_that_takes_post_is_found_in_a_description(described: bytes, path: str | None) -> None:
    assert first_post(described) == path
