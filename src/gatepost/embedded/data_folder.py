"""The folder of an embedded PostgreSQL: what lies where, who holds it, and what a crash left behind.

Outside the request path: only `postgresql.py` uses it. In the folder lie

    cluster/           PostgreSQL's own data folder
    cluster.new-*/     one that initdb has not finished; removed at the next start
    socket/            the Unix socket, where its path is short and plain enough
    postgresql.log     the server's log, emptied at a start when it has grown
    supervisor.lock    locked, and holding the process id, while a supervisor is at work
    pg_hba.conf, pg_ident.conf    who may connect; written at each start
"""

import fcntl
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, NamedTuple

from gatepost.embedded.account import Account, name_of_user
from gatepost.embedded.processes import command_line
from gatepost.errors import ConfigurationError

LOG_BYTES_MAX = 10 * 1024 * 1024
DYING_SECONDS_MAX = 0.5
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES_MAX = 107 if sys.platform == "linux" else 103
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]+")


class RunningServer(NamedTuple):
    """A server found in a folder; `is_ours` is false for one started by hand (`pg_ctl start`)."""

    pid: int
    is_ours: bool


class DataFolder:
    """The paths below `path`, the lock, and the inspection of a server that may still be there.

    The folder is made when missing. Raises ConfigurationError when it is PostgreSQL's own data folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute().resolve()
        self.cluster = self.path / "cluster"
        self.log = self.path / "postgresql.log"
        self.hba_file = self.path / "pg_hba.conf"
        self.ident_file = self.path / "pg_ident.conf"
        self.socket_folder = _socket_folder(self.path)
        self._lock: IO[str] | None = None

    def make(self) -> None:
        """Make the folder; others may traverse a new one, not list it: root's server runs as another user."""
        if (self.path / "PG_VERSION").exists():
            raise ConfigurationError(
                "This is a data folder of PostgreSQL itself; Gatepost keeps its own in a subfolder `cluster`.",
                location=str(self.path),
                hint="Name another folder, or the parent folder of one that Gatepost made.",
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(mode=0o711, exist_ok=True)

    def lock(self, deadline: float) -> None:
        """Hold the folder until `unlock` or our death; wait while the process that held it is dying.

        Raises ConfigurationError, naming the folder and the process, when another one is at work in it.
        """
        lock = self._open(self.path / "supervisor.lock", "r+")
        patience = time.monotonic() + DYING_SECONDS_MAX
        while not _try_lock(lock):
            lock.seek(0)
            holder = lock.read().strip()
            # Forked children (workers) share the lock and outlive a killed parent by moments: that is worth waiting.
            is_at_work = holder.isdigit() and command_line(int(holder)) != ""
            if time.monotonic() > (min(patience, deadline) if is_at_work else deadline):
                lock.close()
                raise self.already_running(holder or "unknown")
            time.sleep(0.01)
        lock.truncate(0)
        lock.seek(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    @property
    def is_locked(self) -> bool:
        """Whether this object, or the one that it is a forked child's copy of, holds the folder."""
        return self._lock is not None

    def unlock(self) -> None:
        """Let the folder go; idempotent."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def already_running(self, holder: str) -> ConfigurationError:
        """The refusal of a second start; `holder` is the process to stop."""
        server = self.find_server()
        which = f"PostgreSQL is process {server.pid}, " if server and str(server.pid) != holder else ""
        return ConfigurationError(
            f"An embedded PostgreSQL is already running in this folder ({which}started by process {holder}).",
            location=str(self.path),
            hint=f"Stop it (Ctrl-C where it runs, or `kill {holder}`), or choose another data folder.",
        )

    def find_server(self) -> RunningServer | None:
        """The server that lives in the cluster, None when there is none.

        The file that PostgreSQL leaves at a crash may name a process that is by now some other program: only one
        that is a `postgres` for this cluster counts.
        """
        pid = (_lines(self.cluster / "postmaster.pid") or [""])[0].strip()
        line = command_line(int(pid)) if pid.isdigit() else ""
        if not re.search(r"(^|/)postgres[\0\s:]", line):
            return None
        if not re.search(re.escape(str(self.cluster)) + r"[\0\s]", line) and not self._is_worked_in_by(int(pid)):
            return None
        return RunningServer(int(pid), is_ours=str(self.hba_file) in line)

    def remove_stale_pid_files(self) -> None:
        """PostgreSQL refuses to start while the process named in them lives, whatever that process is.

        Only while the lock is held and `find_server` finds none.
        """
        for stale in (self.cluster / "postmaster.pid", self.socket_folder / f"{SOCKET_NAME}.lock"):
            stale.unlink(missing_ok=True)

    def is_ready(self, pid: int) -> bool:
        """Whether the server accepts connections: the eighth line of its file says so, as `pg_ctl` reads it."""
        lines = _lines(self.cluster / "postmaster.pid")
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def make_unfinished_cluster(self, account: Account) -> Path:
        """A new empty folder for initdb, which becomes the cluster by a rename. Only while the lock is held."""
        folder = Path(tempfile.mkdtemp(dir=self.path, prefix="cluster.new-"))
        os.chown(folder, account.uid, account.gid)
        return folder

    def remove_unfinished_clusters(self) -> None:
        """Remove what interrupted initdbs left; one that is dying may still write, the next start gets the rest."""
        for folder in self.path.glob("cluster.new-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def remove_socket(self) -> None:
        """Remove the socket's folder, of which a killed server leaves the files. Only while the lock is held."""
        if self.socket_folder.exists():
            shutil.rmtree(self.socket_folder)

    def make_private(self, folder: Path, account: Account) -> None:
        """Make a folder that only the account may enter, or refuse one there that another user made."""
        try:
            folder.mkdir(mode=0o700)
            os.chown(folder, account.uid, account.gid)
        except FileExistsError:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
                raise ConfigurationError(
                    f"It is not a folder that only user id {account.uid} may enter.",
                    location=str(folder),
                    hint="Remove it, or choose a data folder with a shorter path.",
                ) from None

    def write_access_rules(self) -> None:
        """Only we and the folder's owner may connect, as any role: the kernel tells PostgreSQL who is asking.

        A password would have to be kept somewhere; `trust` would make every process of `nobody` a superuser.
        """
        names = dict.fromkeys(name_of_user(uid) for uid in (os.geteuid(), self.path.stat().st_uid))
        rules = "local all all peer map=gatepost\nlocal replication all peer map=gatepost\n"
        self._replace(self.hba_file, rules)
        self._replace(self.ident_file, "".join(f'gatepost "{name}" all\n' for name in names))

    def open_log(self) -> IO[str]:
        """The log, open for appending; emptied when it is larger than LOG_BYTES_MAX."""
        log = self._open(self.log, "a")
        if os.fstat(log.fileno()).st_size > LOG_BYTES_MAX:
            log.truncate(0)
        return log

    def last_complaint(self, since_bytes: int) -> str:
        """The last FATAL or PANIC line that the server logged after `since_bytes`, or its last line."""
        with self.log.open("rb") as log:
            log.seek(since_bytes)
            lines = log.read(65536).decode(errors="replace").splitlines()
        loud = [line for line in lines if "FATAL:" in line or "PANIC:" in line] or lines
        return re.sub(r"^.*?(FATAL|PANIC):\s+", "", loud[-1]) if loud else "it logged nothing"

    def _is_worked_in_by(self, pid: int) -> bool:
        """For a server that was started by hand, with a relative path."""
        try:
            return Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.cluster
        except OSError:
            return False  # gone meanwhile, of another user, or a system without /proc

    def _open(self, path: Path, mode: str) -> IO[str]:
        """Never through a link, which root would follow; the file belongs to the folder's owner."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        self._give_to_owner(descriptor)
        return os.fdopen(descriptor, mode)

    def _replace(self, path: Path, text: str) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self.path, prefix=f"{path.name}.")
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            os.fchmod(descriptor, 0o644)
            self._give_to_owner(descriptor)
        Path(temporary).replace(path)

    def _give_to_owner(self, descriptor: int) -> None:
        owner = self.path.stat()
        if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _socket_folder(path: Path) -> Path:
    """`socket` in the folder, or a short private one where that cannot be a socket's path or would need quoting."""
    folder = path / "socket"
    if len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX and _PLAIN_PATH.fullmatch(str(folder)):
        return folder
    # Not tempfile.gettempdir(): TMPDIR may be long too. `make_private` refuses one planted there.
    return Path("/tmp") / f"gatepost-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}"  # noqa: S108


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
