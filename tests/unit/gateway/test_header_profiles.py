"""The profiles, beside what helmet 8.3.0 sends (`helmet()` without options, recorded from a running server)."""

from typing import Any

import pytest

from gatepost.declaring.headers import Headers
from gatepost.errors import ConfigurationError, Header
from gatepost.gateway.header_profiles import HeaderProfiles, HeaderTable, hsts_of
from gatepost.settings import GateSettings

HELMET = {
    "content-security-policy": "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';"
    "frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';"
    "style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "origin-agent-cluster": "?1",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-dns-prefetch-control": "off",
    "x-download-options": "noopen",
    "x-frame-options": "SAMEORIGIN",
    "x-permitted-cross-domain-policies": "none",
    "x-xss-protection": "0",
}
STRICTER = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-frame-options": "DENY",
}
BEYOND = {"cross-origin-embedder-policy", "permissions-policy"}


def profiles_of(**settings: Any) -> HeaderProfiles:
    return HeaderProfiles(hsts_of(GateSettings(**settings)))


def sent_by(table: HeaderTable, *, is_tls: bool = False, is_private: bool = False) -> dict[str, str]:
    return of(table[is_tls * 2 + is_private])


def of(headers: tuple[Header, ...]) -> dict[str, str]:
    assert len({name for name, _ in headers}) == len(headers), "no header twice"
    return {name.decode(): value.decode() for name, value in headers}


def directives(policy: str) -> dict[str, set[str]]:
    parts = [part.split() for part in policy.split(";")]
    return {words[0]: set(words[1:]) for words in parts if words}


def test_json_carries_the_twelve_of_helmet_or_stricter_ones_and_two_more() -> None:
    sent = sent_by(profiles_of().json, is_tls=True)
    assert {name: sent[name] for name in HELMET} == {**HELMET, **STRICTER}
    assert sent.keys() - HELMET.keys() == BEYOND | {"server"}
    assert sent["server"] == "gatepost"


def test_a_page_of_others_carries_the_twelve_and_its_policy_allows_nothing_that_helmets_forbids() -> None:
    sent = sent_by(profiles_of().pages, is_tls=True)
    policy = sent.pop("content-security-policy")
    assert {name: sent[name] for name in HELMET if name in sent} == {
        name: value for name, value in HELMET.items() if name != "content-security-policy"
    }
    ours, theirs = directives(policy), directives(HELMET["content-security-policy"])
    fetched = {name for name in theirs if name.endswith("-src")} | {"default-src", "connect-src", "frame-src"}
    for name in fetched:
        assert ours.get(name, ours["default-src"]) <= theirs.get(name, theirs["default-src"]), name
    for name in ("base-uri", "form-action", "frame-ancestors", "script-src-attr", "upgrade-insecure-requests"):
        assert ours[name] == theirs[name], name
    assert "unsafe" not in policy


def test_without_tls_nothing_speaks_of_tls() -> None:
    for table in (profiles_of().json, profiles_of().pages):
        sent = sent_by(table)
        assert "strict-transport-security" not in sent
        assert "upgrade-insecure-requests" not in sent["content-security-policy"]


def test_what_is_for_somebody_is_not_stored() -> None:
    for table in (profiles_of().json, profiles_of().pages):
        assert sent_by(table, is_private=True)["cache-control"] == "no-store"
        assert "cache-control" not in sent_by(table)


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"hsts_seconds": 0}, "max-age=0; includeSubDomains"),
        ({"hsts_seconds": 300, "hsts_subdomains": False}, "max-age=300"),
        ({"hsts_seconds": 63072000, "hsts_preload": True}, "max-age=63072000; includeSubDomains; preload"),
    ],
)
def test_hsts_is_a_setting(settings: dict[str, Any], value: str) -> None:
    for table in (profiles_of(**settings).json, profiles_of(**settings).pages):
        assert sent_by(table, is_tls=True)["strict-transport-security"] == value


@pytest.mark.parametrize("settings", [{"hsts_seconds": 300}, {"hsts_subdomains": False}])
def test_a_preload_that_browsers_would_refuse_is_refused_at_start(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="GATEPOST_HSTS_PRELOAD"):
        hsts_of(GateSettings(hsts_preload=True, **settings))


def test_what_a_path_declares_replaces_removes_and_adds() -> None:
    declared = Headers(
        {"Cross-Origin-Resource-Policy": "cross-origin", "X-Frame-Options": None, "X-Robots-Tag": "noindex"},
        location="test",
    )
    profiles = profiles_of()
    for is_page in (False, True):
        usual = sent_by(profiles.pages if is_page else profiles.json, is_tls=True, is_private=True)
        table = profiles.declared(declared, is_page=is_page, is_caching_decided=False)
        assert table is profiles.declared(declared, is_page=is_page, is_caching_decided=False), "made once"
        assert sent_by(table, is_tls=True, is_private=True) == {
            **{name: value for name, value in usual.items() if name != "x-frame-options"},
            "cross-origin-resource-policy": "cross-origin",
            "x-robots-tag": "noindex",
        }


@pytest.mark.parametrize(
    ("is_private", "is_caching_decided", "value"),
    [
        (False, False, "public, max-age=60"),
        (True, False, "public, max-age=60"),
        (True, True, "no-store"),
        (False, True, None),
    ],
)
def test_a_rule_for_caches_holds_for_what_is_shown_and_not_for_refusals(
    is_private: bool, is_caching_decided: bool, value: str | None
) -> None:
    declared = Headers({"cache-control": "public, max-age=60"}, location="test")
    table = profiles_of().declared(declared, is_page=False, is_caching_decided=is_caching_decided)
    assert sent_by(table, is_private=is_private).get("cache-control") == value


def test_a_draining_server_says_the_same_and_closes() -> None:
    profiles = profiles_of(hsts_seconds=300)
    closing = profiles.closing()
    declared = Headers({"x-robots-tag": "noindex"}, location="test")
    for before, after in (
        (profiles.json, closing.json),
        (profiles.pages, closing.pages),
        *((item.declared(declared, is_page=True, is_caching_decided=False) for item in (profiles, closing)),),
    ):
        assert [of(headers) for headers in after] == [{**of(headers), "connection": "close"} for headers in before]
