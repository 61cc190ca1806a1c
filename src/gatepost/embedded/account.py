"""Which user the embedded PostgreSQL runs as, and how a forked child becomes that user.

Outside the request path: only its neighbours use it. PostgreSQL refuses to run as root. An ordinary
user runs it as himself; root runs it as the owner of its folder, or as `nobody`. No user is created and no folder of
others is changed: where root's own folders are closed to `nobody` (a project in /root), the server keeps the one
Linux capability that lets it pass them, and nothing else of root's.
"""

import contextlib
import ctypes
import os
import pwd
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from gatepost.errors import ConfigurationError

UNPRIVILEGED_USER = "nobody"

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP = 28, 1 << 2
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


@dataclass(frozen=True, slots=True)
class Account:
    """The user that the server's processes run as.

    `changes` says that we are another user (root) and hand over; `capability` is the number of the Linux capability
    that is kept to pass closed folders, None for none.
    """

    uid: int
    gid: int
    changes: bool
    capability: int | None = None


def name_of_user(uid: int) -> str:
    """The user's name; PostgreSQL needs one as well. Raises ConfigurationError where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise ConfigurationError(
            f"The user id {uid} has no name, and PostgreSQL does not run without one.",
            location="embedded PostgreSQL",
            hint="Add the user to /etc/passwd, or set DATABASE_URL to your own PostgreSQL.",
        ) from None


def choose_account(cluster: Path, program: Path, helper: Path | None = None) -> Account:
    """The account for the cluster's folder (which need not exist), the program `postgres`, and one that it runs.

    Raises ConfigurationError when the folder belongs to another user, or no account can reach it.
    """
    uid = os.geteuid()
    owner = cluster.stat().st_uid if cluster.exists() else None
    if uid != 0:
        if owner not in (None, uid):
            raise _wrong_owner(cluster, owner or 0, f"user id {uid} cannot use it")
        name_of_user(uid)
        return Account(uid, os.getegid(), changes=False)
    if owner == 0:
        raise _wrong_owner(cluster, 0, "PostgreSQL refuses to run as root")
    user = _unprivileged_user() if owner is None else pwd.getpwnam(name_of_user(owner))
    paths = [cluster, program] if helper is None else [cluster, program, helper.resolve()]
    is_reachable = all(_reachable(path, user.pw_uid) for path in paths)
    capability = None if is_reachable else _passing_capability(cluster, program)
    return Account(user.pw_uid, user.pw_gid, changes=True, capability=capability)


def _unprivileged_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        raise ConfigurationError(
            f'PostgreSQL refuses to run as root, and there is no user "{UNPRIVILEGED_USER}" to run it as.',
            location="embedded PostgreSQL",
            hint="Run the command as an ordinary user, or set DATABASE_URL.",
        ) from None


def _wrong_owner(cluster: Path, owner: int, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The folder belongs to user id {owner}, and {reason}.",
        location=str(cluster),
        hint="Run the command as the owner, choose another data folder, or change the owner with chown -R.",
    )


def _reachable(path: Path, uid: int) -> bool:
    """Whether the mode bits let this user, who is in no group of ours, search all folders above the path."""
    for folder in path.parents:
        if not folder.exists():
            continue
        found = folder.stat()
        if not found.st_mode & (stat.S_IXUSR if found.st_uid == uid else stat.S_IXOTH):
            return False
    return True


def _passing_capability(cluster: Path, program: Path) -> int:
    """Reading everywhere is the smaller power; a container often has only the larger, writing everywhere."""
    held = 0
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        held = int(next(line for line in status.splitlines() if line.startswith("CapPrm")).split()[1], 16)
    # A program that others may not execute (installed under umask 077) needs the larger one.
    executable = program.stat().st_mode & stat.S_IXOTH
    for capability in [_CAP_DAC_READ_SEARCH] * bool(executable) + [_CAP_DAC_OVERRIDE]:
        if held >> capability & 1:
            return capability
    raise ConfigurationError(
        f"PostgreSQL refuses to run as root, and the user {UNPRIVILEGED_USER!r} cannot reach this folder or {program}.",
        location=str(cluster),
        hint="Choose a data folder whose parents are open to others, run as an ordinary user, or set DATABASE_URL.",
    )


def drop_privileges(account: Account) -> None:
    """Become the account: runs in a forked child, as root; root's powers end here, but for the capability."""
    if account.capability is not None:
        with contextlib.suppress(OSError):
            # access(2), by which initdb looks for its programs, ignores the capabilities of ordinary users otherwise.
            prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
        prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(account.gid)
    os.setuid(account.uid)
    if account.capability is not None:
        _keep_only(account.capability)


def _keep_only(capability: int) -> None:
    """Capabilities(7): an ambient capability is what survives exec of an ordinary program by an ordinary user."""
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; low and high words
    if _LIBC.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def prctl(option: int, *arguments: int) -> None:
    """prctl(2), which Python does not offer. Raises OSError."""
    words = [ctypes.c_ulong(word) for word in (*arguments, 0, 0, 0, 0)][:4]
    if _LIBC.prctl(option, *words) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")
