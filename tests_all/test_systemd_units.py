"""The units of deploy/systemd: accepted, hardened, and a server lives with what they take away."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from debian_postgresql import DebianPostgreSQL
from test_deploy import GATEPOST, ROOT, Deployment, deployment
from test_tutorial import wait_for

assert deployment, "a fixture"

UNITS = ROOT / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
EXPOSURE_MAX = 2.0

CONFINED = """
import ctypes, os, sys
prctl = ctypes.CDLL(None, use_errno=True).prctl
PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 38, 65, 1
assert prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)  # Linux 6.3; older ones know no such refusal
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""NoNewPrivileges= and MemoryDenyWriteExecute=."""

READ_ONLY = """
set -e
for folder in "$1/state" "$1/run" "$1/log"; do mount --bind "$folder" "$folder"; done
mount --bind "$1/shop" "$1/shop"
mount -o remount,bind,ro "$1/shop"
mount -o remount,bind,ro /
if touch "$1/shop/written" 2>/dev/null; then echo "The file system can be written to." >&2; exit 9; fi
shift
exec "$@"
"""
"""ProtectSystem=strict with the folders that systemd makes."""


def analyze(*words: str | Path) -> str:
    """What systemd-analyze says."""
    done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for path in sorted(UNITS.iterdir()):
        text = re.sub(r"/srv/(shop|releases/%i)/\.venv/bin/gatepost", str(GATEPOST), path.read_text())
        (tmp_path / path.name).write_text(text)
    assert analyze("verify", *sorted(tmp_path.iterdir())) == ""


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_sees_little_of_the_machine(path: Path) -> None:
    said = analyze("security", "--offline=true", path)
    (level,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert float(level) <= EXPOSURE_MAX, said


def allowed_calls(unit: str) -> set[str]:
    """The system calls that a unit leaves, by the groups of this systemd."""

    def expanded(word: str) -> set[str]:
        if not word.startswith("@"):
            return {word}
        lines = analyze("syscall-filter", word).splitlines()[1:]
        names = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
        return set().union(*map(expanded, names))

    found: set[str] = set()
    for words in re.findall(r"^SystemCallFilter=(.+)$", unit, re.M):
        for word in words.removeprefix("~").split():
            found = found - expanded(word) if words.startswith("~") else found | expanded(word)
    return found


def test_a_server_lives_within_its_unit(deployment: Deployment, debian: DebianPostgreSQL) -> None:
    """Read-only but for its folders, no memory that is both written and executed, and only the system calls that the
    unit leaves; it tells the service manager when it serves and when it stops."""
    folder = deployment.folder
    deployment.run(GATEPOST, "migrate", "make", "first tables", DATABASE_URL=debian.dsn("shop", "postgres"))
    deployment.run(GATEPOST, "migrate", "up")
    (folder / "log" / str(deployment.ports[8001])).mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "run" / "notify"))
        manager.settimeout(60)
        environ = {**deployment.environ_of(8001), "NOTIFY_SOCKET": str(folder / "run" / "notify")}
        namespace = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
        command = [*namespace, "bash", "-c", READ_ONLY, "confine", str(folder)]
        command += ["strace", "--follow-forks", "--quiet=all", "--output", str(folder / "log" / "calls")]
        command += [sys.executable, "-c", CONFINED, *deployment.said("ExecStart", 8001)]
        with deployment.running("confined.log", *command, **environ) as server:
            assert manager.recv(100) == b"READY=1", (folder / "confined.log").read_text()
            url = f"http://127.0.0.1:{deployment.ports[8001]}/api/notes"
            asked = subprocess.run(["curl", "-s", "-H", "Host: shop.example", url], capture_output=True, check=True)
            assert asked.stdout.startswith(b'{"data":[]')
            wait_for(lambda: "/api/notes" in deployment.lines(8001), "the log file")
            assert list((folder / "state").glob("*/*")), "records are kept"
            master = int((folder / "log" / "calls").read_text().split(maxsplit=1)[0])
            os.kill(master, signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
            assert server.wait(60) == 0
    calls = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)[ (]", (folder / "log" / "calls").read_text(), re.M))
    assert {"memfd_create", "openat"} <= calls, "what strace wrote was read"
    started_by = {"execve", "prctl"}
    assert calls - started_by <= allowed_calls(deployment.unit), calls - allowed_calls(deployment.unit)
