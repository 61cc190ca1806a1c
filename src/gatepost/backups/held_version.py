"""The file without which PostgreSQL refuses a data folder, held back while a restore is not over.

A recovery ends by making the cluster an ordinary one. What has to happen before anybody starts it, above all that the
epoch is raised, comes after that: a restore that is killed in between must not leave a cluster that starts. A server
reads `PG_VERSION` of its folder once, before it recovers.
"""

import os
from pathlib import Path

VERSION_FILE = "PG_VERSION"
_HELD_BACK = f"{VERSION_FILE}.unfinished"


def hold_version(cluster: Path) -> None:
    """Have every server refuse to start on the folder; durable when this returns. One that runs goes on."""
    _rename(cluster, VERSION_FILE, _HELD_BACK)


def release_version(cluster: Path) -> None:
    """Let servers start on it."""
    _rename(cluster, _HELD_BACK, VERSION_FILE)


def is_held(cluster: Path) -> bool:
    """Whether a restore into the folder is not over, or never will be."""
    return (cluster / _HELD_BACK).exists()


def _rename(cluster: Path, old: str, new: str) -> None:
    if not (cluster / old).exists():
        return
    (cluster / old).rename(cluster / new)
    descriptor = os.open(cluster, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
