"""Where others reach the admin port of an instance."""

import psutil
import pytest

from gatepost.monitor.addresses import reached_at


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.3", "2001:db8::3", "shop.example", "localhost"])
def test_an_address_of_its_own_is_told_as_it_is(host: str) -> None:
    assert reached_at(host) == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - what is asked about
def test_of_every_address_one_of_this_machine_is_told_where_it_has_a_network(host: str) -> None:
    own = {each.address for addresses in psutil.net_if_addrs().values() for each in addresses}
    assert reached_at(host) in {*own, host}
