"""What readers of the console get of clients and users."""

import msgspec
import pytest

from gatepost.console.shortening import shortened, widened_client


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"client": "203.0.113.9"}, {"client": "203.0.113.0/24"}),
        ({"client": "2001:db8:1:2::3"}, {"client": "2001:db8:1::/48"}),
        ({"client": "2001:db8::/64"}, {"client": "2001:db8::/64"}),
        ({"client": "0193ab12-0000-7000-8000-0000deadbeef"}, {"client": "…adbeef"}),
        ({"actor_id": 1234567}, {"actor_id": "…234567"}),
        ({"user_id": "7"}, {"user_id": "7"}),
        ({"client": "fe80::1%eth0"}, {"client": "fe80::/48"}),
        ({"path": "/console/api/limits/address/203.0.113.9"}, {"path": "/console/api/limits/address/…"}),
        ({"path": "/api/books"}, {"path": "/api/books"}),
        ({"lines": [{"key": "203.0.113.9", "route": "/a"}]}, {"lines": [{"key": "203.0.113.0/24", "route": "/a"}]}),
        ({"client": None, "status": 203, "at": "203.0.113.9"}, {"client": None, "status": 203, "at": "203.0.113.9"}),
    ],
)
def test_addresses_are_networks_and_keys_have_their_ends(given: object, shown: object) -> None:
    assert msgspec.json.decode(shortened(msgspec.json.encode(given))) == shown


def test_each_line_is_shortened_whatever_stands_beside_it() -> None:
    lines = b'{"client":"203.0.113.9"}\nnot JSON 203.0.113.9\n{"actor_id":"0123456789"}\n'
    assert shortened(lines) == '{"client":"203.0.113.0/24"}\nnot JSON 203.0.113.9\n{"actor_id":"…456789"}\n'.encode()


@pytest.mark.parametrize("depth", [65, 900, 500_000])
def test_what_is_nested_too_deep_is_left_out(depth: int) -> None:
    assert b"203.0.113.9" not in shortened(b"[" * depth + b'{"client":"203.0.113.9"}' + b"]" * depth)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("203.0.113.9/32", "203.0.113.0/24"),
        ("203.0.113.128/25", "203.0.113.0/24"),
        (" 203.0.113.9", "203.0.113.0/24"),
        ("203.0.0.0/16", "203.0.0.0/16"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("…adbeef", "…adbeef"),
    ],
)
def test_readers_ask_for_no_less_than_what_is_shown_to_them(asked: str, found: str) -> None:
    assert widened_client(asked) == found
