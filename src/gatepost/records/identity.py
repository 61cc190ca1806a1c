"""Which instance of which release a server is. The master names the instance, before it starts others; each worker
reads its release.
"""

import contextlib
import socket
from pathlib import Path

from gatepost.settings import Settings

COMMIT_LENGTH = 12


def instance_name(settings: Settings, port: int) -> str:
    """The name that the settings give it, else that of the machine with the port."""
    return settings.records.instance or f"{socket.gethostname()}:{port}"


def release_name(settings: Settings, folder: Path) -> str | None:
    """What the settings say, else the commit of the clone of Git that the folder is in; None where it is in none."""
    return settings.records.release or _commit(folder)


def _commit(folder: Path) -> str | None:
    """The commit that is checked out, read from the files of Git: the program may not be there."""
    for above in (folder, *folder.parents):
        git = above / ".git"
        try:
            if git.is_file():  # of a worktree, or a submodule
                git = above / git.read_text().removeprefix("gitdir:").strip()
            head = (git / "HEAD").read_text().strip()
        except (OSError, UnicodeDecodeError):
            continue
        return (_resolved(git, head.removeprefix("ref: ")) if head.startswith("ref: ") else head)[
            :COMMIT_LENGTH
        ] or None
    return None


def _resolved(git: Path, reference: str) -> str:
    """The commit that a reference names; empty where there is none yet."""
    common = git
    with contextlib.suppress(OSError, UnicodeDecodeError):
        common = git / (git / "commondir").read_text().strip()
    for place in (git, common):
        try:
            return (place / reference).read_text().strip()
        except (OSError, UnicodeDecodeError):
            continue
    try:
        packed = (common / "packed-refs").read_text()
    except (OSError, UnicodeDecodeError):
        return ""
    return next((line.split()[0] for line in packed.splitlines() if line.endswith(f" {reference}")), "")
