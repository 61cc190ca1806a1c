"""One run of `pg_basebackup`, whose output is compressed, counted and compared with its manifest as it passes.

The password of the DSN is given in the environment, which other users cannot read, and never in the arguments.
"""

import hashlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode

from gatepost.backups.base_tar import BaseContents, DamagedBaseError
from gatepost.backups.source_server import LOCATION
from gatepost.dsn import DSN
from gatepost.embedded.processes import end, ending_with_parent
from gatepost.errors import ConfigurationError
from gatepost.zstandard import CHECKED_OPTIONS, zstd

PROGRESS_SECONDS = 1.0
STOP_SECONDS_MAX = 5.0
_DRAIN_BYTES = 64 * 1024

_HINTS = (
    (
        r'no pg_hba.conf entry for replication connection.*user "(?P<role>[^"]+)"',
        "Let pg_hba.conf of the server admit it, and reload it: host replication {role} ADDRESS scram-sha-256",
    ),
    (
        r"(?:permission denied to start WAL sender|must be superuser or replication role)",
        "Run as a superuser: ALTER ROLE ... REPLICATION;",
    ),
    (r"number of requested standby connections exceeds max_wal_senders", "Raise `max_wal_senders` of the server."),
    (r"WAL level not sufficient", "Set `wal_level = replica` and restart the server."),
    (
        r"was not compiled with|sslmode value .* invalid when SSL",
        "Run `apt install postgresql-client`: the wheel has no TLS.",
    ),
)


class CopiedBase(NamedTuple):
    """What was copied; places in the log are numbers."""

    timeline: int
    start_lsn: int
    stop_lsn: int
    files: int
    raw_bytes: int
    stored_bytes: int
    sha256: str


class BaseCopy:
    """`pg_basebackup`, started when this is made, by the main thread. `parts` is what to keep; then `result` says what
    that is.

    `is_waiting` once all was copied, until PostgreSQL has archived the WAL that it needs.
    """

    def __init__(self, programs: Path, dsn: str, label: str, report: Callable[[int], None]) -> None:
        shown, secrets = without_password(dsn)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._report = report
        self._contents = BaseContents()
        self._digest = hashlib.sha256()
        self._stored_bytes = 0
        self.is_waiting = False
        command = [str(programs / "pg_basebackup"), "--dbname", shown, "--pgdata=-", "--format=tar"]
        command += ["--wal-method=none", "--checkpoint=fast", "--manifest-checksums=SHA256", "--no-password"]
        self._process = subprocess.Popen(  # noqa: S603 - PostgreSQL's own program, no shell
            [*command, f"--label={label}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # asyncpg has connected by the variables of libpq as well. Messages are read, so they are in English.
            env={**os.environ, "LC_ALL": "C", **secrets},
            # It waits for as long as archiving fails: Ctrl-C reaches us alone, and it ends however we end.
            start_new_session=True,
            preexec_fn=ending_with_parent(signal.SIGTERM),  # noqa: PLW1509 - as in `embedded/processes.py`
        )

    def parts(self) -> Generator[bytes]:
        """The compressed tar file. Raises ConfigurationError where it is not whole: nothing is kept then."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        source = _Teed(self._process.stdout)
        compressor = zstd.ZstdCompressor(options=CHECKED_OPTIONS)
        try:
            reported = time.monotonic()
            for _ in self._contents.read(source):  # type: ignore[arg-type]
                yield from self._kept(compressor.compress(source.taken()))
                if time.monotonic() - reported > PROGRESS_SECONDS:
                    reported = time.monotonic()
                    self._report(self._contents.raw_bytes)
            self.is_waiting = True
            while source.read(_DRAIN_BYTES):  # zeros, until PostgreSQL has archived the WAL
                pass
        except DamagedBaseError as error:
            self._check_end()
            raise ConfigurationError(f"pg_basebackup sent something else: {error}.", location=LOCATION) from None
        self._check_end()
        yield from self._kept(compressor.compress(source.taken()) + compressor.flush())

    def result(self) -> CopiedBase:
        """What was kept. Raises ConfigurationError where it is not what the manifest says."""
        try:
            timeline, start, stop = self._contents.log_range()
        except DamagedBaseError as error:
            raise ConfigurationError(f"What pg_basebackup sent is not whole: {error}.", location=LOCATION) from None
        contents = self._contents
        return CopiedBase(
            timeline, start, stop, contents.files, contents.raw_bytes, self._stored_bytes, self._digest.hexdigest()
        )

    def stop(self) -> None:
        """End the program, if it runs; `parts` then raises."""
        end(self._process, signal.SIGTERM, STOP_SECONDS_MAX)

    def close(self) -> None:
        """Let go of what was opened, once nobody reads `parts` any more."""
        self._errors.close()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _kept(self, part: bytes) -> Generator[bytes]:
        if part:
            self._digest.update(part)
            self._stored_bytes += len(part)
            yield part

    def _check_end(self) -> None:
        if self._process.wait() == 0:
            return
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        words = " ".join(re.sub(r"^pg_basebackup: (?:error: |detail: )?", "", line) for line in lines[-3:])
        for pattern, hint in _HINTS:
            if match := re.search(pattern, words):
                raise ConfigurationError(
                    f"pg_basebackup failed: {words}.", location=LOCATION, hint=hint.format(**match.groupdict())
                )
        raise ConfigurationError(f"pg_basebackup failed: {words or 'it was ended'}.", location=LOCATION)


class _Teed:
    """A stream that notes what is read of it."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._noted: list[bytes] = []

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        if data:
            self._noted.append(data)
        return data

    def taken(self) -> bytes:
        """What has been read since this was last called."""
        data = b"".join(self._noted)
        self._noted.clear()
        return data


def without_password(dsn: str) -> tuple[str, dict[str, str]]:
    """A DSN without its password, and the environment that has it."""
    parts = DSN.match(dsn)
    assert parts is not None  # noqa: S101 - the settings have checked it
    scheme, _, rest = parts["before"].partition("://")
    user, colon, password = rest.removesuffix("@").partition(":")
    query = parse_qsl(parts["query"])
    secrets = {"PGPASSWORD": unquote(password)} if colon else {}
    secrets |= {"PGPASSWORD": value} if (value := dict(query).get("password")) else {}
    kept = urlencode([(name, value) for name, value in query if name != "password"], quote_via=quote)
    before = f"{scheme}://{user}@" if rest else f"{scheme}://"
    return f"{before}{parts['hosts']}{parts['path']}" + (f"?{kept}" if kept else ""), secrets
