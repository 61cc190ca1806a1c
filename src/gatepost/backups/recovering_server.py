"""A PostgreSQL that brings a restored cluster to a point in time, and is then a server to which nobody else connects.

It runs with settings of ours alone, whatever the cluster's own say, because those may name libraries, certificates and
places that are not here, or would archive what is only tried.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote

from gatepost.backups.backup_records import BackupRecord
from gatepost.backups.held_version import VERSION_FILE, hold_version, is_held, release_version
from gatepost.backups.private_folders import private_folder
from gatepost.backups.wal_requests import RESTORE_FAILED_STATUS, WALRequests
from gatepost.embedded.account import Account, name_of_user
from gatepost.embedded.processes import end, spawn
from gatepost.errors import ConfigurationError

STOP_SECONDS = 120.0
SOCKET_PORT = 5432
_POLL_SECONDS = 0.02
_ENDED_EARLY = "recovery ended before configured recovery target was reached"

Fetch = Callable[[str], bytes]
"""The content of a WAL file, by its name. Raises FileNotFoundError."""


class RecoveryTarget(NamedTuple):
    """Where a recovery ends: at a moment, or at the end of the archive, on one timeline."""

    timeline: int
    moment: datetime | None


class EndedEarlyError(Exception):
    """The log in the archive ends before anything was committed after the moment."""


class RecoveringServer:
    """A server on `cluster`, which `recover` starts; a context manager.

    `keeps_wal` says that what it writes is to be archived once it runs as what it is restored for.
    """

    def __init__(  # noqa: PLR0913 - what a server is made of
        self,
        cluster: Path,
        programs: Path,
        account: Account,
        record: BackupRecord,
        fetch: Fetch,
        *,
        keeps_wal: bool,
    ) -> None:
        self._cluster = cluster
        self._programs = programs
        self._account = account
        self._record = record
        self._fetch = fetch
        self._keeps_wal = keeps_wal
        self._process: subprocess.Popen[bytes] | None = None
        self.last_fetched: str | None = None

    def __enter__(self) -> Self:
        self._private = private_folder("restore", self._account)
        self._folder = self._private.__enter__()
        self._log = self._folder / "log"
        self._requests = WALRequests(self._folder / "wal", self._account, self._cluster, self._handle)
        self._requests.__enter__()
        users = dict.fromkeys(name_of_user(uid) for uid in (os.geteuid(), self._account.uid))
        self._write("hba", "local all all peer map=gatepost\n")
        self._write("ident", "".join(f'gatepost "{name}" {_quoted(self._record.superuser)}\n' for name in users))
        self._write("conf", "")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._requests.__exit__()
            self._private.__exit__(None, None, None)

    def dsn(self, database: str) -> str:
        """How to connect, as the role that initdb made."""
        role = quote(self._record.superuser, safe="")
        return f"postgresql://{role}@/{quote(database, safe='')}?host={self._folder}"

    def recover(self, target: RecoveryTarget, report: Callable[[str], None]) -> None:
        """Start, recover up to the target, and accept connections. From then on no other server starts on the cluster,
        until `release_version`. Raises EndedEarlyError, and ConfigurationError with PostgreSQL's own words."""
        release_version(self._cluster)  # a recovery that ended early is begun anew
        with self._log.open("ab") as log:
            began = log.tell()
            command = [str(self._programs / "postgres"), "-D", str(self._cluster), *self._options(target)]
            self._process = spawn(command, self._account, death_signal=signal.SIGINT, output=log.fileno())
        reported = None
        while not self._is_ready(self._process.pid):
            if self._process.poll() is not None:
                raise self._did_not_recover(began)
            if self.last_fetched != reported:
                reported = self.last_fetched
                report(reported or "")
            time.sleep(_POLL_SECONDS)
        if not is_held(self._cluster):
            raise ConfigurationError("The recovery has read no WAL of the archive.", location=str(self._cluster))

    def stop(self) -> None:
        """Stop in order, so that the cluster is whole; idempotent."""
        if self._process is None:
            return
        end(self._process, signal.SIGINT, STOP_SECONDS)
        self._process = None

    def _handle(self, name: str, path: Path) -> None:
        hold_version(self._cluster)  # no recovery ends before this first request, which the server waits for
        data = self._fetch(name)
        path.write_bytes(data)
        if self._account.changes:
            os.chown(path, self._account.uid, self._account.gid)
        path.chmod(0o600)
        self.last_fetched = name

    def _options(self, target: RecoveryTarget) -> list[str]:
        moment = "" if target.moment is None else target.moment.isoformat(sep=" ")
        options = {
            **self._record.settings,
            "config_file": self._folder / "conf",
            "hba_file": self._folder / "hba",
            "ident_file": self._folder / "ident",
            "external_pid_file": "",
            "unix_socket_directories": self._folder,
            "unix_socket_permissions": "0700",
            "listen_addresses": "",
            "port": SOCKET_PORT,
            "ssl": "off",
            "shared_preload_libraries": "",
            "session_preload_libraries": "",
            "local_preload_libraries": "",
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_min_messages": "warning",
            "lc_messages": "C",
            "huge_pages": "off",
            "shared_buffers": "64MB",
            "hot_standby": "off",
            "autovacuum": "off",
            "synchronous_standby_names": "",
            **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
            "default_transaction_read_only": "off",
            # Without a command, what it writes waits to be archived by the server that takes over.
            "archive_mode": "on" if self._keeps_wal else "off",
            "archive_command": "",
            "archive_library": "",
            "restore_command": self._requests.command(RESTORE_FAILED_STATUS),
            "recovery_target": "",
            "recovery_target_name": "",
            "recovery_target_lsn": "",
            "recovery_target_xid": "",
            "recovery_target_time": moment,
            "recovery_target_inclusive": "on",
            "recovery_target_timeline": target.timeline,
            "recovery_target_action": "promote",
            "recovery_end_command": "",
            "archive_cleanup_command": "",
            "primary_conninfo": "",
        }
        if self._major < 15:
            del options["archive_library"]
        return [word for name, value in options.items() for word in ("-c", f"{name}={value}")]

    @property
    def _major(self) -> int:
        return int((self._cluster / VERSION_FILE).read_text().strip())

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = (self._cluster / "postmaster.pid").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _did_not_recover(self, since: int) -> Exception:
        self._process = None
        with self._log.open("rb") as log:
            log.seek(since)
            lines = log.read().decode(errors="replace").splitlines()
        if any(_ENDED_EARLY in line for line in lines):
            return EndedEarlyError()
        if self._requests.error is not None:
            return self._requests.error
        loud = [line for line in lines if "FATAL:" in line or "PANIC:" in line] or lines or ["it logged nothing"]
        reason = re.sub(r"^.*?(FATAL|PANIC):\s+", "", loud[-1])
        return ConfigurationError(
            f"The recovery ended: {reason}.", location=str(self._cluster), hint="\n" + "\n".join(lines[-15:])
        )

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.write_text(text)
        path.chmod(0o644)


def _quoted(name: str) -> str:
    """A name as it stands in the files of access, where `all` is a word."""
    return '"' + name.replace('"', '""') + '"'
