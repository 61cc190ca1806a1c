"""`gatepost backup restore`: into the data folder of a project, or into one of PostgreSQL's own."""

import asyncio
import os
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import asyncpg

from gatepost.backups.recovering_server import RecoveringServer
from gatepost.backups.restored_rows import find_epoch_owners, last_transaction_at
from gatepost.backups.restoring import Restoration, RestorePlan, is_unfinished, plan_restore
from gatepost.backups.store_opening import open_store
from gatepost.backups.stores import BackupStore
from gatepost.cli.backups import ProgressLine
from gatepost.cli.durations import moment_in
from gatepost.cli.embedded_database import DATABASE
from gatepost.cli.output import print_json
from gatepost.cli.settings import DATA_FOLDER, quiet_settings
from gatepost.embedded.data_folder import DataFolder
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_success, print_warning
from gatepost.migrations.epoch_raising import raise_epoch_of
from gatepost.moments import shown_moment, shown_moment_or_none

_LOCK_SECONDS = 5.0


class Wanted(NamedTuple):
    """What the options say."""

    identifier: str | None
    to: str | None
    timeline: int | None
    into: Path | None
    data: Path | None


class Restored(NamedTuple):
    """What came of it."""

    cluster: Path
    last_transaction_at: datetime | None
    epochs: dict[str, int]
    problems: list[str]


def restore(wanted: Wanted, *, as_json: bool) -> bool:
    """Restore; True where the epoch could be raised as well. Raises ConfigurationError."""
    settings = quiet_settings()
    store = open_store(settings.backups)
    into, data = _place_of(wanted, has_url=settings.database.url is not None)
    moment = None if wanted.to is None else datetime.fromtimestamp(moment_in(wanted.to, "--to"), UTC)
    if into is not None:
        check_empty(into)
    plan = plan_restore(store, moment, identifier=wanted.identifier, timeline=wanted.timeline)
    began = time.monotonic()
    try:
        with ProgressLine() as line:
            restoration = Restoration(store, plan, line.show)
            restored = _restore_data(data, restoration) if into is None else _restore_into(into, restoration)
    except OSError as error:
        place = into or data
        raise ConfigurationError(f"The folder cannot be used: {error}.", location=str(place)) from error
    _print(restored, plan, store, time.monotonic() - began, is_embedded=into is None, as_json=as_json)
    return not restored.problems


def check_empty(folder: Path) -> None:
    """Raise ConfigurationError unless a cluster can be restored into the folder."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ConfigurationError("It is not a folder.", location=str(folder))
    if (pid := _running_in(folder)) is not None:
        raise ConfigurationError(
            f"A PostgreSQL is running in this folder (process {pid}).",
            location=str(folder),
            hint="Stop it and move its folder away, or restore into another one.",
        )
    if is_unfinished(folder):
        raise ConfigurationError(
            "A restore into this folder was interrupted, and what is in it is no database.",
            location=str(folder),
            hint=f"Remove it: find {shlex.quote(str(folder))} -mindepth 1 -delete",
        )
    if any(folder.iterdir()):
        raise ConfigurationError(
            "The folder is not empty.",
            location=str(folder),
            hint=f"Keep what is in it: mv {shlex.quote(str(folder))} {shlex.quote(str(folder) + '.before')}",
        )


def _place_of(wanted: Wanted, *, has_url: bool) -> tuple[Path | None, Path]:
    if wanted.into is not None and wanted.data is not None:
        raise ConfigurationError("Both --into and --data are given.", hint="Keep one.")
    if wanted.into is None and wanted.data is None and has_url:
        raise ConfigurationError(
            "Where to?",
            location="gatepost backup restore",
            hint="Name an empty folder for the data of PostgreSQL with --into, or that of a project with --data.",
        )
    into = None if wanted.into is None else Path(os.path.abspath(wanted.into))
    return into, wanted.data or DATA_FOLDER


def _restore_into(folder: Path, restoration: Restoration) -> Restored:
    account = restoration.account_for(folder) if folder.exists() or os.geteuid() != 0 else None
    if account is None:
        raise ConfigurationError(
            "The folder does not exist, and root cannot know whose it is to be.",
            location=str(folder),
            hint=f"Run `install -d -o postgres -g postgres -m 700 {shlex.quote(str(folder))}` first.",
        )
    made = not folder.exists()
    try:
        restoration.make_cluster(folder, account)
        with restoration.restored(folder, account, keeps_wal=True) as server:
            restored = asyncio.run(_complete(server, folder, None))
    except BaseException:
        if made and folder.exists():
            folder.rmdir()
        raise
    restoration.remove_traces(folder)
    return restored


def _restore_data(data: Path, restoration: Restoration) -> Restored:
    folder = DataFolder(data / "postgresql")
    folder.make()
    folder.lock(time.monotonic() + _LOCK_SECONDS)
    try:
        if (server := folder.find_server()) is not None:
            raise folder.already_running(str(server.pid))
        if folder.cluster.exists():
            raise ConfigurationError(
                "There is a database already.",
                location=str(folder.cluster),
                hint=f"Keep it: mv {shlex.quote(str(folder.cluster))} {shlex.quote(str(folder.cluster) + '.before')}",
            )
        folder.remove_unfinished_clusters()
        account = restoration.account_for(folder.cluster)
        unfinished = folder.make_unfinished_cluster(account)
        try:
            with restoration.restored(unfinished, account, keeps_wal=True) as recovered:
                restored = asyncio.run(_complete(recovered, folder.cluster, DATABASE))
        except BaseException:
            unfinished.rmdir()
            raise
        restoration.remove_traces(unfinished)
        unfinished.rename(folder.cluster)
    finally:
        folder.unlock()
    return restored


async def _complete(server: RecoveringServer, cluster: Path, database: str | None) -> Restored:
    """Raise the epoch: what was revoked after the moment is not revoked in what was restored."""
    epochs: dict[str, int] = {}
    problems: list[str] = []
    last: datetime | None = None
    try:
        last = await last_transaction_at(server)
        for name, owner in (await find_epoch_owners(server, database)).items():
            epochs[name] = await raise_epoch_of(f"{server.dsn(name)}&role={quote(owner, safe='')}")
    except (ConfigurationError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        # What was restored is not thrown away for that.
        problems.append(f"The epoch was not raised in every database: {error}")
    return Restored(cluster, last, epochs, problems)


def _print(  # noqa: PLR0913 - what there is to say
    restored: Restored, plan: RestorePlan, store: BackupStore, seconds: float, *, is_embedded: bool, as_json: bool
) -> None:
    last = restored.last_transaction_at
    if as_json:
        print_json(
            {
                "backup": plan.record.id,
                "store": store.shown,
                "cluster": str(restored.cluster),
                "to": shown_moment_or_none(plan.moment),
                "last_transaction_at": shown_moment_or_none(last),
                "timeline": plan.coverage.timeline,
                "epochs": restored.epochs,
                "problems": restored.problems,
                "seconds": round(seconds, 3),
            }
        )
        return
    moment = "the end of the archive" if plan.moment is None else shown_moment(plan.moment)
    print_success(f"Restored the backup {plan.record.id} to {moment} in {restored.cluster}, in {seconds:.1f} s.")
    if last is not None:
        sys.stdout.write(f"The last transaction in it was committed at {shown_moment(last)}.\n")
    for name, epoch in restored.epochs.items():
        sys.stdout.write(f"The epoch of the database {name} is {epoch}: everybody signs in again.\n")
    for problem in restored.problems:
        print_warning(f"{problem} Run `gatepost backup new-epoch` before it serves.")
    start = "gatepost dev" if is_embedded else "the server"
    sys.stdout.write(f"Now start {start}, look at the data, and make a backup: gatepost backup create\n")


def _running_in(folder: Path) -> int | None:
    from gatepost.embedded.processes import command_line

    try:
        pid = (folder / "postmaster.pid").read_text(errors="replace").splitlines()[0].strip()
    except (OSError, IndexError):
        return None
    return int(pid) if pid.isdigit() and "postgres" in command_line(int(pid)) else None
