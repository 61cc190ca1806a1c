"""A command that names no port asks the only server on the machine; where there are several, it lists their ports."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gatepost.cli import admin_client
from gatepost.errors import ConfigurationError
from gatepost.monitor.addresses import served_ports, socket_name


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where sockets are: one of a server that is gone, and a file that is none."""
    for name in ("RUNTIME_DIRECTORY", "GATEPOST_ADMIN_SOCKET", "GATEPOST_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    made = tmp_path / "gatepost"
    made.mkdir()
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(made / socket_name(8000)))
    (made / "admin-x.sock").touch()
    return made


@pytest.fixture
def open_sockets() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def listen(folder: Path, port: int, opened: ExitStack) -> Path:
    server = opened.enter_context(socket.socket(socket.AF_UNIX))
    server.bind(str(folder / socket_name(port)))
    server.listen()
    return folder / socket_name(port)


def test_the_only_server_needs_no_port(folder: Path, open_sockets: ExitStack) -> None:
    only = listen(folder, 8411, open_sockets)
    assert admin_client.socket_of(None, may_be_any=True) == only
    assert admin_client.socket_of(8000, may_be_any=True) == folder / socket_name(8000)
    assert admin_client.socket_of(None, may_be_any=False) == folder / socket_name(8000), (
        "a command that changes something"
    )


def test_several_servers_are_listed(folder: Path, open_sockets: ExitStack) -> None:
    for port in (8412, 8411):
        listen(folder, port, open_sockets)
    assert served_ports(folder) == [8411, 8412]
    with pytest.raises(ConfigurationError, match="No server that you run") as refused:
        admin_client.ask("GET", "/state")
    assert "8411, 8412" in str(refused.value.hint)


def test_a_port_of_the_settings_is_not_replaced(
    folder: Path, open_sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(folder, 8411, open_sockets)
    monkeypatch.setenv("GATEPOST_PORT", "8000")
    assert admin_client.socket_of(None, may_be_any=True) == folder / socket_name(8000)
