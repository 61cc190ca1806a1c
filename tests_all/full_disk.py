"""A topology on a small disk that fills up: prints what clients saw, as JSON. Run by `faults.py` in a namespace of its
own, in which an ordinary user may mount a file system:

    unshare --user --map-user=1000 --map-group=1000 --mount --keep-caps python tests_all/full_disk.py KIND
"""

import asyncio
import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import msgspec
from faults import APP, PATH, TITLES, going_on

from gatepost.errors import ConfigurationError
from gatepost.testing.topology import Site, topology

SIZE_MEGABYTES = 160
MNT_DETACH = 2
REPEATED = 20
"""So often a title has its key: then tables grow soon."""


@contextlib.contextmanager
def mounted(folder: Path) -> Generator[None]:
    """A file system of SIZE_MEGABYTES in memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", os.fsencode(folder), b"tmpfs", 0, f"size={SIZE_MEGABYTES}m".encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    try:
        yield
    finally:
        libc.umount2(os.fsencode(folder), MNT_DETACH)


def fill(ballast: Path) -> None:
    """Write until nothing more can be written."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass


async def fill_data(site: Site, ballast: Path) -> None:
    """Tables cannot grow; the log of PostgreSQL has room in the files that it has."""
    fill(ballast)


async def fill_log(site: Site, ballast: Path) -> None:
    """PostgreSQL needs a new file for its log, and ends when it cannot have it."""
    fill(ballast)
    while site.primary.pid is not None:
        with contextlib.suppress(ConfigurationError):
            await site.primary.execute("SELECT pg_switch_wal(); SELECT txid_current()")


async def main(folder: Path, kind: str) -> None:
    (folder / "app.py").write_text(APP)
    ballast = folder / "ballast"
    async with topology("app:app", folder=folder, temporary_folder=folder) as site:
        async with site.load(PATH, lambda key: {"title": key * REPEATED}) as history:
            await history.acknowledges(10)
            await {"data": fill_data, "log": fill_log}[kind](site, ballast)
            await going_on(site, history)
            ballast.unlink()
            if site.primary.pid is None:
                await site.primary.start()
            await history.acknowledges(10)
        keys = [title[: len(title) // REPEATED] for title in await site.column(TITLES)]
    seen = msgspec.json.encode({"attempts": history.attempts, "keys": keys})
    sys.stdout.write(seen.decode())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="gatepost-disk-", dir="/tmp") as path, mounted(Path(path)):
        asyncio.run(main(Path(path), sys.argv[1]))
