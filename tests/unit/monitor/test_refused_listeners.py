"""An admin port or socket that cannot be had is refused in words that name its setting."""

from pathlib import Path

import pytest

from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.monitor.addresses import admin_address
from gatepost.monitor.admin import open_socket


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "GATEPOST_ADMIN_TOKEN"),
        ({"GATEPOST_ADMIN_BIND": "9100"}, "host:port"),
        ({"GATEPOST_ADMIN_TOKEN": "short"}, "16 printable characters"),
        ({"GATEPOST_ADMIN_TOKEN_FILE": "/dev/null"}, "is empty"),
    ],
)
def test_a_port_without_a_good_address_and_token_is_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        admin_address(load_settings({"GATEPOST_ADMIN_BIND": "0.0.0.0:0", **settings}))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("path", "words"), [("/proc/nowhere/admin.sock", "cannot be made"), ("/var/" + "x" * 120, "longer than")]
)
def test_a_socket_that_cannot_be_made_is_refused(path: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_socket(Path(path))
    assert words in str(refused.value)
    assert "GATEPOST_ADMIN_SOCKET" in str(refused.value)
