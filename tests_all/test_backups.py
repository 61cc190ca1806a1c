"""`gatepost backup` as an operator uses it: Debian's PostgreSQL with an `archive_command`, a role that can only
copy it, a folder and a bucket; restored into a folder that a PostgreSQL is then started on.
"""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from debian_postgresql import DebianPostgreSQL, psql
from tests.ports import free_port

from gatepost.embedded.account import drop_privileges
from gatepost.embedded.processes import spawn

ROOT = Path(__file__).parents[1]
GATEPOST = [sys.executable, "-c", "from gatepost.cli.main import main; main()"]
DUMP = "SELECT md5(string_agg(book::text, ';' ORDER BY id)) FROM book"
KEYS = {"GATEPOST_BACKUP_S3_KEY_ID": "shopkey", "GATEPOST_BACKUP_S3_SECRET_KEY": "a-secret-of-the-bucket"}
START_SECONDS_MAX = 90.0
CAP_DAC_READ_SEARCH = 2


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The settings for a bucket of SeaweedFS, a real server of S3."""
    folder = tmp_path_factory.mktemp("seaweed")
    identity = {"name": "shop", "credentials": [{"accessKey": "shopkey", "secretKey": "a-secret-of-the-bucket"}]}
    (folder / "s3.json").write_text(json.dumps({"identities": [{**identity, "actions": ["Admin"]}]}))
    ports = {name: free_port() for name in ("s3", "master", "volume", "filer")}
    grpc = {f"{name}.port.grpc": free_port() for name in ports}
    words = [f"-{name}.port={port}" for name, port in ports.items()] + [f"-{key}={port}" for key, port in grpc.items()]
    program = Path(sys.executable).with_name("weed")
    command = [program, f"-logdir={folder}", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    # Two of its ports are fixed unless they are switched off: of two runs at once, one would not start.
    command += ["-s3", "-volume.max=5", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, *words, f"-s3.config={folder / 's3.json'}"], stdout=log, stderr=log)
    try:
        endpoint = f"http://127.0.0.1:{ports['s3']}"
        make_bucket(endpoint, process, folder / "log")
        yield {
            "GATEPOST_BACKUP_STORE": "s3://backups/shop",
            "GATEPOST_BACKUP_S3_ENDPOINT": endpoint,
            "GATEPOST_BACKUP_S3_REGION": "us-east-1",
            **KEYS,
        }
    finally:
        process.kill()
        process.wait()
        for port in (*ports.values(), *grpc.values()):  # it puts them there, whatever the folder
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                left.unlink()


def make_bucket(endpoint: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """By the name of an object in it: SeaweedFS makes buckets that are written to."""
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        "backups",
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="shopkey",
        secret_access_key="a-secret-of-the-bucket",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "timeout": "5s"},
        retry_config={"max_retries": 0},
    )
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            obstore.put(store, "made", b"")
            return
        except Exception:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


class Operator:
    """Runs commands of one store as the user of PostgreSQL."""

    def __init__(self, server: DebianPostgreSQL, settings: Mapping[str, str], folder: Path) -> None:
        self.server = server
        self.settings = settings
        self.folder = folder

    def run(self, *words: str | Path, status: int = 0) -> str:
        done = subprocess.run(
            [*GATEPOST, "backup", *map(str, words)],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=self.become,
            check=False,
        )
        assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
        assert "secret" not in done.stdout + done.stderr
        return done.stdout if status == 0 else done.stderr

    def json(self, *words: str | Path) -> Any:
        return json.loads(self.run(*words, "--json"))

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            "GATEPOST_BACKUP_DATABASE_URL": self.server.dsn("shop", "copier"),
            **self.settings,
        }

    def become(self) -> None:
        if self.server.account.changes:
            drop_privileges(self.server.account)

    def archive_all(self) -> None:
        server = self.server
        name = switched(server)
        deadline = time.monotonic() + 60
        while psql(server.dsn("shop", "postgres"), "SELECT last_archived_wal FROM pg_stat_archiver") < name:
            assert time.monotonic() < deadline, (server.folder / "log").read_text()
            time.sleep(0.05)


def switched(server: DebianPostgreSQL) -> str:
    superuser = server.dsn("shop", "postgres")
    psql(superuser, "SELECT pg_logical_emit_message(false, 'test', 'something')")
    name = psql(superuser, "SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    psql(superuser, "SELECT pg_switch_wal()")
    return name


@contextmanager
def operated(settings: Mapping[str, str], folder: Path) -> Iterator[Operator]:
    """A server that archives to the store of the settings."""
    variables = " ".join(f"{name}='{value}'" for name, value in settings.items())
    code = "from gatepost.cli.main import main; main()"
    command = f"{variables} PYTHONPATH='{ROOT / 'src'}' {sys.executable} -c '{code}' backup archive %p"
    archiving = {"archive_mode": "on", "archive_command": command}
    server = DebianPostgreSQL(settings=archiving)
    if server.account.changes:
        # The Python of root's tests is in a folder of root's.
        server.account = dataclasses.replace(server.account, capability=CAP_DAC_READ_SEARCH)
    with server:
        superuser = server.dsn("postgres", "postgres")
        psql(superuser, "CREATE ROLE copier LOGIN REPLICATION")
        server.create_database("shop")
        server.execute("CREATE TABLE book (id int PRIMARY KEY, title text)", "shop")
        yield Operator(server, settings, folder)


@contextmanager
def started(server: DebianPostgreSQL, cluster: Path, folder: Path) -> Iterator[str]:
    """What an operator starts on a restored folder; the DSN."""
    options = [f"--unix_socket_directories={folder}", "--listen_addresses=", "--archive_mode=off"]
    command = [str(server.programs / "postgres"), "-D", str(cluster), *options]
    with (folder / "started.log").open("wb") as log:
        process = spawn(command, server.account, death_signal=signal.SIGINT, output=log.fileno())
    try:
        deadline = time.monotonic() + 60
        while subprocess.run([server.programs / "pg_isready", "-q", "-h", folder], check=False).returncode != 0:
            assert process.poll() is None, (folder / "started.log").read_text()
            assert time.monotonic() < deadline, (folder / "started.log").read_text()
            time.sleep(0.05)
        yield f"postgresql://postgres@/shop?host={folder}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the user of PostgreSQL may enter, and owns."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="gatepost-backups-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_server_is_restored_as_it_was_before_it_was_destroyed(
    kind: str, place: Path, request: pytest.FixtureRequest
) -> None:
    folder_settings = {"GATEPOST_BACKUP_STORE": str(place / "store")}
    settings = request.getfixturevalue("bucket") if kind == "bucket" else folder_settings
    with operated(settings, place) as operator:
        server = operator.server
        server.execute("INSERT INTO book SELECT i, 'title ' || i FROM generate_series(1, 20000) AS i", "shop")
        created = operator.json("create", "--label", "nightly")
        server.execute("UPDATE book SET title = upper(title) WHERE id % 3 = 0", "shop")
        good = server.execute(DUMP, "shop")
        moment = psql(
            server.dsn("shop"), "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        )
        time.sleep(0.01)
        server.execute("TRUNCATE book", "shop")
        operator.archive_all()

        (listed,) = operator.json("list")["backups"]
        verified = operator.json("verify", "--restore", "--scratch", place)
        restored = operator.json("restore", "--to", f"{moment}+00:00", "--into", place / "cluster")
        assert "The folder is not empty" in operator.run("restore", "--into", place / "cluster", status=2)
        with started(server, place / "cluster", place) as dsn:
            assert psql(dsn, DUMP) == good
            assert psql(dsn, "SELECT epoch FROM gatepost.epoch" if restored["epochs"] else "SELECT 1") != ""
            assert psql(dsn, "SELECT pg_is_in_recovery()") == "f"

    assert created["label"] == "nightly"
    assert (listed["id"], listed["state"]) == (created["id"], "good")
    assert [item["problem"] for item in verified] == [None] * len(verified)
    assert restored["backup"] == created["id"]
    if kind == "folder":
        modes = {path.stat().st_mode & 0o077 for path in (place / "store").rglob("*")}
        assert modes == {0}
