"""Sockets of servers that were killed are removed; those of others are left alone."""

import os
import socket
from pathlib import Path

from gatepost.monitor.admin import open_socket, remove_abandoned

LONG_AGO = (0.0, 0.0)


def test_only_sockets_at_which_nobody_listens_are_removed(tmp_path: Path) -> None:
    abandoned, new, other = (tmp_path / f"admin-{port}.sock" for port in (1, 2, 3))
    for path in (abandoned, new):
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    with open_socket(other):
        (tmp_path / "admin-4.sock").write_text("a file")
        for path in (abandoned, other, tmp_path / "admin-4.sock"):
            os.utime(path, LONG_AGO)
        remove_abandoned(tmp_path.glob("admin-*.sock"))
        assert {path.name for path in tmp_path.iterdir()} == {"admin-2.sock", "admin-3.sock", "admin-4.sock"}
