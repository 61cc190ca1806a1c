"""Who the embedded PostgreSQL runs as, and who can reach it: as root and as an ordinary user."""

import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.integration.database.embedded_processes import SMALL, processes_of

from gatepost.embedded.account import UNPRIVILEGED_USER, Account, choose_account
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.embedded.processes import spawn
from gatepost.embedded.programs import find_programs
from gatepost.errors import ConfigurationError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

LIFE = """
import json, os, sys
from pathlib import Path
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import ConfigurationError

try:
    with EmbeddedPostgreSQL(Path(sys.argv[1]), settings={"fsync": "off", "shared_buffers": "16MB"}) as server:
        owner = os.stat(f"/proc/{server.pid}").st_uid
        print(json.dumps({"user": os.geteuid(), "server": owner, "one": server.execute("SELECT 1")}))
except ConfigurationError as error:
    print(json.dumps({"refusal": str(error)}))
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can pass, as few of pytest's are."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def open_data(data: Path, open_folder: Path) -> Iterator[Path]:
    """`data`, in a folder that everybody can pass."""
    moved = data.rename(open_folder / "data")
    yield moved
    moved.rename(data)


def life_of(account: Account, data: Path) -> dict[str, object]:
    """Start, ask and stop a server in a process of another user."""
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-c", LIFE, str(data)]
        process = spawn(command, account, death_signal=signal.SIGKILL, output=output.fileno())
        process.wait(60)
        output.seek(0)
        report: dict[str, object] = json.loads(output.readline())
        if "COVERAGE_PROCESS_CONFIG" not in os.environ:  # which prints warnings of its own
            assert output.read() == b""
        return report


def ordinary_user() -> Account:
    """`nobody`, able to read this interpreter even where it is installed in /root."""
    return choose_account(Path("/nonexistent/cluster"), Path(sys.executable).resolve())


def status_of(server: EmbeddedPostgreSQL, name: str) -> str:
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith(f"{name}:"))


@as_root
def test_root_runs_it_as_nobody_without_any_power(open_data: Path) -> None:
    assert choose_account(open_data / "cluster", Path("/bin/true")).capability is None
    with EmbeddedPostgreSQL(open_data, settings=SMALL) as server:
        assert psutil.Process(server.pid).username() == UNPRIVILEGED_USER
        assert status_of(server, "Groups") == ""
        powers = 0 if choose_account(open_data / "cluster", find_programs()).capability is None else 1
        assert int(status_of(server, "CapPrm"), 16).bit_count() == powers


@as_root
def test_in_a_closed_folder_of_root_it_keeps_the_power_to_pass_and_no_other(data: Path) -> None:
    modes = [parent.stat().st_mode for parent in data.parents]
    with EmbeddedPostgreSQL(data, settings=SMALL) as server:
        assert psutil.Process(server.pid).username() == UNPRIVILEGED_USER
        assert int(status_of(server, "CapPrm"), 16).bit_count() == 1
        assert status_of(server, "CapPrm") == status_of(server, "CapEff")
        assert server.execute("SELECT value FROM kept", database="gatepost") == "42"
    assert [parent.stat().st_mode for parent in data.parents] == modes


@as_root
def test_programs_in_a_closed_folder_of_root_find_each_other(tmp_path: Path) -> None:
    """As with an environment in /root: initdb asks access(2) for the programs beside it."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    account = choose_account(tmp_path / "cluster", program)
    question = f"import os; os._exit(not os.access({str(program)!r}, os.X_OK))"

    process = spawn([sys.executable, "-c", question], account, death_signal=signal.SIGKILL, output=2)

    assert account.capability is not None
    assert process.wait(60) == 0


@as_root
def test_an_ordinary_user_runs_it_as_himself(open_folder: Path) -> None:
    user = ordinary_user()
    os.chown(open_folder, user.uid, user.gid)
    assert life_of(user, open_folder / "data") == {"user": user.uid, "server": user.uid, "one": "1"}
    assert processes_of(open_folder) == []


@as_root
def test_root_runs_the_folder_of_an_ordinary_user_as_that_user_and_the_user_goes_on(open_folder: Path) -> None:
    somebody = pwd.getpwnam("daemon")
    user = Account(somebody.pw_uid, somebody.pw_gid, changes=True, capability=ordinary_user().capability)
    os.chown(open_folder, user.uid, user.gid)
    data = open_folder / "data"
    assert life_of(user, data)["one"] == "1"
    with EmbeddedPostgreSQL(data, settings=SMALL) as server:
        assert psutil.Process(server.pid).username() == "daemon"
    (data / "postgresql.log").unlink()
    with EmbeddedPostgreSQL(data, settings=SMALL):
        pass
    assert life_of(user, data) == {"user": user.uid, "server": user.uid, "one": "1"}


@as_root
def test_an_ordinary_user_cannot_start_the_folder_of_root(open_data: Path) -> None:
    assert "cannot be used" in str(life_of(ordinary_user(), open_data)["refusal"])


@as_root
def test_a_cluster_of_root_is_refused(data: Path) -> None:
    owner = (data / "cluster").stat()
    os.chown(data / "cluster", 0, 0)
    with pytest.raises(ConfigurationError, match="refuses to run as root"):
        EmbeddedPostgreSQL(data, settings=SMALL).start()
    os.chown(data / "cluster", owner.st_uid, owner.st_gid)


@as_root
def test_the_user_it_runs_as_cannot_connect(open_data: Path) -> None:
    """Other programs of `nobody` can enter the socket's folder; the kernel's word on who they are stops them."""
    user = pwd.getpwnam(UNPRIVILEGED_USER)
    with EmbeddedPostgreSQL(open_data, settings=SMALL) as server:
        result = subprocess.run(
            [server.programs / "psql", "-X", "-d", server.dsn("postgres"), "-c", "SELECT 1"],
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    assert "Peer authentication failed" in result.stderr


def test_the_log_is_for_the_owner_only(data: Path) -> None:
    with EmbeddedPostgreSQL(data, settings=SMALL) as server:
        assert server.log.stat().st_mode & 0o777 == 0o600


def test_a_link_in_place_of_the_log_is_not_followed(data: Path, tmp_path: Path) -> None:
    (data / "postgresql.log").unlink(missing_ok=True)
    (data / "postgresql.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        EmbeddedPostgreSQL(data, settings=SMALL).start()
    assert not (tmp_path / "elsewhere").exists()
