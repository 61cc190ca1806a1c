"""HAProxy in front of two instances: what clients, logs and limits see, and what a killed instance costs."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from balanced_shop import BalancedShop, balanced_shop, curl
from test_tutorial import free_port
from tests.acceptance.conftest import wait_for
from tests.conftest import FAST_AND_FORGETFUL

from gatepost.balancer.haproxy import HAProxy
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

DEPLOY = Path(__file__).parents[1] / "deploy"
PAUSE_SECONDS = 0.02


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BalancedShop]:
    folder = tmp_path_factory.mktemp("shop")
    with (
        EmbeddedPostgreSQL(folder / "postgresql", settings=FAST_AND_FORGETFUL) as postgresql,
        balanced_shop(folder, postgresql) as started,
    ):
        yield started


def both_up(shop: BalancedShop) -> bool:
    return set(shop.balancer.states().values()) == {"UP"}


def test_log_limiter_and_haproxy_have_the_same_client(shop: BalancedShop) -> None:
    forged = ["-H", "X-Forwarded-For: 203.0.113.9", "-H", "Forwarded: for=203.0.113.9;host=evil.example"]
    forged += ["-H", "X-Forwarded-Proto: https", "-H", "X-Forwarded-Host: evil.example"]
    responses = [curl("--interface", "127.0.0.2", *forged, f"{shop.balancer.url}/api/limited/ten") for _ in range(4)]
    other = curl("--interface", "127.0.0.3", f"{shop.balancer.url}/api/limited/ten")

    assert all(response.startswith("HTTP/1.1 200") for response in responses)
    assert "strict-transport-security" not in "".join(responses), "the scheme is HAProxy's to say"
    wait_for(lambda: '"client":"127.0.0.3"' in shop.output(), "the access lines")
    assert shop.output().count('"client":"127.0.0.2"') == 4
    assert "203.0.113.9" not in shop.output()
    assert "evil.example" not in shop.output()
    lines = shop.balancer.log.read_text().splitlines()
    assert sum(line.startswith("127.0.0.2:") and "/api/limited/ten" in line for line in lines) == 4
    assert left(other) == 9
    assert left(responses[-1]) <= 8, "a bucket of its own"


def left(response: str) -> int:
    """The tokens that a response says are left."""
    found = re.search(r"^ratelimit: .*;r=(\d+)", response, re.M)
    assert found is not None, response
    return int(found[1])


def test_the_proxy_protocol_says_who_the_client_is(shop: BalancedShop) -> None:
    balancer = HAProxy(shop.balancer.instances, free_port(), shop.folder / "proxy", accepts_proxy_protocol=True)
    with balancer, socket.create_connection(("127.0.0.1", balancer.port), 30.0) as client:
        wait_for(lambda: "UP" in balancer.states().values(), "an instance")
        client.sendall(b"PROXY TCP4 198.51.100.7 127.0.0.1 5000 80\r\nGET /api/notes HTTP/1.1\r\nhost: shop\r\n\r\n")
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")
    wait_for(lambda: '"client":"198.51.100.7"' in shop.output(), "the access line")
    assert "\n198.51.100.7:5000 " in balancer.log.read_text()
