"""Who the client is: what trusted proxies say, and what nobody else can say."""

import contextlib
from collections.abc import Sequence
from typing import Any

import pytest
from gate_conversation import call_of, scope

from gatepost.errors import BadRequest, ConfigurationError, Header, NotFound
from gatepost.gateway.header_checks import HeaderChecks
from gatepost.gateway.trusted_proxies import TrustedProxies
from gatepost.settings import GateSettings

PROXY = "10.0.0.1"
FAR = "10.0.0.2"
CLIENT = "198.51.100.7"
SPOOF = "203.0.113.66"


def unmatched(method: str, path: str) -> Any:
    raise NotFound("not_found", "There is nothing here.")


def seen(trusted: Sequence[str], headers: Sequence[Header], *, peer: str = PROXY) -> tuple[str, str, str]:
    """The client, scheme and host that the layers below see."""
    asked = scope(headers=headers, client=peer)
    # Longer than what is let in: what is read here is bounded by itself.
    settings = GateSettings(trusted_proxies=tuple(trusted), header_bytes_max=10**9)
    found = call_of(asked)
    with contextlib.suppress(BadRequest):
        HeaderChecks(settings, unmatched).check(found)
    assert asked["client"][0] == found.client
    assert dict(asked["headers"])[b"host"] == found.headers[b"host"]
    return found.client, asked["scheme"], found.headers[b"host"].decode()


def xff(*lines: str) -> list[Header]:
    return [(b"x-forwarded-for", line.encode()) for line in lines]


def forwarded(*lines: str) -> list[Header]:
    return [(b"forwarded", line.encode()) for line in lines]


ALL = [
    *xff(SPOOF),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"evil.example"),
    *forwarded(f"for={SPOOF};proto=https;host=evil.example"),
]


def test_where_nobody_is_trusted_there_is_nothing_to_call() -> None:
    assert HeaderChecks(GateSettings(), unmatched)._trusted_proxies is None


@pytest.mark.parametrize("peer", [SPOOF, "10.0.0.9", "2001:db8::1", "::ffff:203.0.113.66", ""])
@pytest.mark.parametrize(
    "trusted", [[], [PROXY], [PROXY, "1"], [PROXY, "forwarded"], ["10.0.0.0/30", "2001:db8:1::/48"]]
)
def test_a_spoofed_header_of_a_stranger_changes_nothing(peer: str, trusted: list[str]) -> None:
    assert seen(trusted, ALL, peer=peer) == (peer, "http", "127.0.0.1:8000")


@pytest.mark.parametrize(
    ("trusted", "lines", "client"),
    [
        # Addresses and networks: from the right, through those that are trusted.
        ([PROXY], [CLIENT], CLIENT),
        ([PROXY], [f"{SPOOF}, {CLIENT}"], CLIENT),
        ([PROXY], [f"{SPOOF},{CLIENT}"], CLIENT),
        ([PROXY], [SPOOF, CLIENT], CLIENT),
        ([PROXY], [f"{SPOOF}, {CLIENT}, {FAR}"], FAR),
        (["10.0.0.0/24"], [f"{SPOOF}, {CLIENT}, {FAR}"], CLIENT),
        (["10.0.0.0/24"], [SPOOF, f"{CLIENT}, {FAR}", PROXY], CLIENT),
        ([PROXY, FAR], [f"{CLIENT}, {FAR}"], CLIENT),
        # An attacker who names trusted addresses stands left of his own.
        (["10.0.0.0/24"], [f"{FAR}, {PROXY}, {CLIENT}"], CLIENT),
        # Nobody but proxies: the one that is furthest away asks for itself.
        (["10.0.0.0/24"], [FAR], FAR),
        # A number of hops, alone and with networks.
        (["1"], [f"{SPOOF}, {CLIENT}"], CLIENT),
        (["2"], [f"{SPOOF}, {CLIENT}, 192.0.2.9"], CLIENT),
        (["3"], [CLIENT], CLIENT),
        (["10.0.0.0/24", "1"], [f"{CLIENT}, {FAR}"], FAR),
        (["10.0.0.0/24", "2"], [f"{SPOOF}, {CLIENT}, 192.0.2.9"], "192.0.2.9"),
        # What cannot be read ends the walk at the proxy that wrote it.
        ([PROXY], [], PROXY),
        ([PROXY], [""], PROXY),
        ([PROXY], ["unknown"], PROXY),
        ([PROXY], ["_hidden"], PROXY),
        ([PROXY], [f"{SPOOF}, unknown"], PROXY),
        ([PROXY], [f"{SPOOF}, 1.2.3"], PROXY),
        ([PROXY], [f"{SPOOF}, 1.2.3.4.5"], PROXY),
        ([PROXY], [f"{SPOOF}, 01.2.3.4"], PROXY),
        ([PROXY], [f"{SPOOF}, "], PROXY),
        ([PROXY], [f"{SPOOF};{CLIENT}"], PROXY),
        ([PROXY], ["'; DROP TABLE users"], PROXY),
        ([PROXY], [f"{SPOOF}, " + "1" * 5000], PROXY),
        (["10.0.0.0/24"], [f"{SPOOF}, unknown, {FAR}"], FAR),
        # Left of that it may be as broken as it likes.
        ([PROXY], [f'"unterminated, {CLIENT}'], CLIENT),
        ([PROXY], [f",,,;;==, {CLIENT}"], CLIENT),
        # With ports, in brackets, mapped, with a zone.
        ([PROXY], [f"{CLIENT}:4711"], CLIENT),
        ([PROXY], ["2001:DB8::7"], "2001:db8::7"),
        ([PROXY], ["[2001:db8::7]"], "2001:db8::7"),
        ([PROXY], ["[2001:db8::7]:443"], "2001:db8::7"),
        ([PROXY], ["[2001:db8::7"], PROXY),
        ([PROXY], ["[2001:db8::7]443"], PROXY),
        ([PROXY], ["[198.51.100.7]"], PROXY),
        ([PROXY], [f"::ffff:{CLIENT}"], CLIENT),
        ([PROXY], ["fe80::1%eth0"], "fe80::1"),
    ],
)  # fmt: skip
def test_x_forwarded_for(trusted: list[str], lines: list[str], client: str) -> None:
    assert seen(trusted, xff(*lines))[0] == client


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([f"for={CLIENT}"], (CLIENT, "http", "127.0.0.1:8000")),
        ([f"For={CLIENT};PROTO=HTTPS;Host=Shop.example"], (CLIENT, "https", "Shop.example")),
        ([f'for={CLIENT};proto=https;by=_us;host="shop.example:8443"'], (CLIENT, "https", "shop.example:8443")),
        ([f"for={CLIENT} ; proto=https;"], (CLIENT, "https", "127.0.0.1:8000")),
        (['for="[2001:db8::7]"'], ("2001:db8::7", "http", "127.0.0.1:8000")),
        (['for="[2001:db8::7]:_port"'], ("2001:db8::7", "http", "127.0.0.1:8000")),
        (['for="[2001:db8::7]:4711"'], ("2001:db8::7", "http", "127.0.0.1:8000")),
        ([f'for="{CLIENT}:4711"'], (CLIENT, "http", "127.0.0.1:8000")),
        ([f'for="\\{CLIENT}"'], (CLIENT, "http", "127.0.0.1:8000")),
        ([f"for={SPOOF}, for={CLIENT}"], (CLIENT, "http", "127.0.0.1:8000")),
        ([f"for={SPOOF}", f"for={CLIENT}"], (CLIENT, "http", "127.0.0.1:8000")),
        ([f"for={SPOOF};proto=https, for={CLIENT}"], (CLIENT, "http", "127.0.0.1:8000")),
        ([f"for={CLIENT};proto=https;host=a.example, for={FAR};host=b.example"], (CLIENT, "https", "a.example")),
        # Nothing before it is looked at: neither broken quotes nor what hides in them.
        ([f'for="unterminated, for={CLIENT}'], (CLIENT, "http", "127.0.0.1:8000")),
        ([f'host="a, for={SPOOF}";for={CLIENT}'], (CLIENT, "http", "a, for=203.0.113.66")),
        ([f'for={CLIENT};by="x, for={SPOOF};a="'], (CLIENT, "http", "127.0.0.1:8000")),
        ([f'for={CLIENT};by="x, for={SPOOF};a=\\"\\""'], (CLIENT, "http", "127.0.0.1:8000")),
        ([f'for={CLIENT};by="x, for={SPOOF};a=";ext="b"'], (CLIENT, "http", "127.0.0.1:8000")),
        # What cannot be read, hidden and unknown names end the walk at the proxy that wrote them.
        (["for=unknown;proto=https"], (PROXY, "https", "127.0.0.1:8000")),
        (["for=_SEVKISEK"], (PROXY, "http", "127.0.0.1:8000")),
        (["proto=https"], (PROXY, "https", "127.0.0.1:8000")),
        ([f"for={SPOOF}, for=unknown"], (PROXY, "http", "127.0.0.1:8000")),
        ([f"for={CLIENT};for={SPOOF}"], (PROXY, "http", "127.0.0.1:8000")),
        ([f"for={SPOOF}, for = {CLIENT}"], (PROXY, "http", "127.0.0.1:8000")),
        ([f"for={SPOOF}, for={CLIENT} x"], (PROXY, "http", "127.0.0.1:8000")),
        ([f"for={SPOOF}, {CLIENT}"], (PROXY, "http", "127.0.0.1:8000")),
        (["for=[2001:db8::7]"], (PROXY, "http", "127.0.0.1:8000")),
        ([f"for={CLIENT};proto=gopher"], (CLIENT, "http", "127.0.0.1:8000")),
        ([f"for={CLIENT};x=" + "y" * 4000], (PROXY, "http", "127.0.0.1:8000")),
        ([""], (PROXY, "http", "127.0.0.1:8000")),
        ([", ,"], (PROXY, "http", "127.0.0.1:8000")),
    ],
)  # fmt: skip
def test_forwarded(lines: list[str], found: tuple[str, str, str]) -> None:
    assert seen([PROXY, FAR, "forwarded"], forwarded(*lines)) == found


@pytest.mark.parametrize(
    ("protos", "hosts", "found"),
    [
        (["https"], ["shop.example"], ("https", "shop.example")),
        (["HTTPS"], [], ("https", "127.0.0.1:8000")),
        (["http, https"], ["evil.example, shop.example"], ("https", "shop.example")),
        (["http", "https"], ["evil.example", "shop.example"], ("https", "shop.example")),
        (["https, gopher"], [""], ("http", "127.0.0.1:8000")),
        (["https\x00"], [], ("http", "127.0.0.1:8000")),
    ],
)
def test_scheme_and_host_are_the_word_of_the_same_proxy(
    protos: list[str], hosts: list[str], found: tuple[str, str]
) -> None:
    headers = [(b"x-forwarded-proto", line.encode()) for line in protos]
    headers += [(b"x-forwarded-host", line.encode()) for line in hosts]

    assert seen([PROXY], [*xff(f"{SPOOF}, {CLIENT}"), *headers]) == (CLIENT, *found)
    assert seen([PROXY], headers) == (PROXY, *found)


def test_behind_two_proxies_the_scheme_is_that_of_the_outer_one() -> None:
    headers = [*xff(f"{SPOOF}, {CLIENT}, {FAR}"), (b"x-forwarded-proto", b"http, https, http")]

    assert seen([PROXY, FAR], headers)[:2] == (CLIENT, "https")


def test_of_both_sorts_of_headers_only_the_chosen_one_is_read() -> None:
    headers = [*xff(CLIENT), *forwarded(f"for={SPOOF};proto=https;host=evil.example")]
    assert seen([PROXY], headers) == (CLIENT, "http", "127.0.0.1:8000")

    headers = [*xff(SPOOF), (b"x-forwarded-proto", b"https"), *forwarded(f"for={CLIENT}")]
    assert seen([PROXY, "forwarded"], headers) == (CLIENT, "http", "127.0.0.1:8000")


@pytest.mark.parametrize("sort", [[], ["forwarded"]])
def test_ten_thousand_entries_are_no_work_and_no_gain(sort: list[str]) -> None:
    entries = [SPOOF] * 10_000 + [CLIENT]
    headers = [*xff(", ".join(entries)), *forwarded(", ".join(f"for={entry}" for entry in entries))]

    assert seen([PROXY, *sort], headers)[0] == CLIENT
    # Not even from within the trusted network does the walk go on for ever.
    headers = [*xff(", ".join([SPOOF] + [FAR] * 10_000)), *forwarded(", ".join(f"for={FAR}" for _ in entries))]
    assert seen(["10.0.0.0/24", *sort], headers)[0] == FAR


@pytest.mark.parametrize("junk", [",", "a=b;", 'a="', '"', "\\", 'x="\\",', "for=1,;"])
def test_junk_takes_no_time(junk: str) -> None:
    headers = forwarded(junk * 20_000 + f", for={CLIENT}")

    assert seen([PROXY, "forwarded"], headers)[0] == CLIENT


@pytest.mark.parametrize(
    ("trusted", "client"), [(["unix"], CLIENT), (["1"], CLIENT), ([PROXY], ""), (["unix", PROXY, "1"], CLIENT)]
)
def test_a_unix_socket_is_trusted_where_it_is_named_or_hops_are_counted(trusted: list[str], client: str) -> None:
    assert seen(trusted, xff(f"{SPOOF}, {CLIENT}"), peer="")[0] == client


@pytest.mark.parametrize("peer", [f"::ffff:{PROXY}", PROXY])
def test_a_mapped_address_is_the_one_it_maps(peer: str) -> None:
    assert seen([PROXY], xff(CLIENT), peer=peer)[0] == CLIENT
    assert seen([f"{PROXY}/32"], xff(CLIENT), peer=peer)[0] == CLIENT


@pytest.mark.parametrize("entry", ["0", "99", "10.0.0.0/33", "10.0.0.1/8", "proxy.example", "0.0.0.0/0", "::/0", "-1"])
def test_a_mistaken_setting_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="GATEPOST_TRUSTED_PROXIES"):
        TrustedProxies([entry])


def test_the_name_of_a_header_trusts_nobody() -> None:
    with pytest.raises(ConfigurationError, match="does not say which proxies to trust"):
        TrustedProxies(["forwarded"])
