"""What a service manager is told, and what happens where none listens."""

import socket
from pathlib import Path

import pytest

from gatepost.server.service_manager import READY, tell_service_manager


@pytest.mark.parametrize("is_abstract", [False, True], ids=["a path", "an abstract name"])
def test_a_state_reaches_the_socket_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_abstract: bool
) -> None:
    name = f"gatepost-{tmp_path}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}" if is_abstract else name)
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if is_abstract else name)
        tell_service_manager(READY)
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("path", ["", "vsock:1:2", "/nowhere/notify"])
def test_no_manager_is_no_failure(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    tell_service_manager(READY)
