"""The processes of the embedded PostgreSQL: started so that none outlives us, and looked up after a crash.

Outside the request path: only its neighbours use it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gatepost.embedded.account import Account, drop_privileges, prctl
from gatepost.errors import ConfigurationError

_PR_SET_PDEATHSIG = 1


def spawn(
    command: Sequence[str],
    account: Account,
    *,
    death_signal: signal.Signals,
    output: int,
) -> subprocess.Popen[bytes]:
    """Start a process that runs as the account and gets `death_signal` when we die, however we die (Linux).

    The signal is tied to the THREAD that called this, not to the process: call it from the main thread, or from one
    that lives as long. The process has its own session, so that Ctrl-C in a terminal reaches only us, and we
    stop it in order. Raises ConfigurationError when it cannot be started.
    """
    end_with_parent = ending_with_parent(death_signal)

    def become() -> None:
        if account.changes:
            drop_privileges(account)
        end_with_parent()  # last, because every change of user clears it

    try:
        return subprocess.Popen(  # noqa: S603 - our own program, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=clean_environment(os.environ),
            start_new_session=True,
            preexec_fn=become,  # noqa: PLW1509 - nothing else can tie the child's life to ours; start before threads
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(
            f"The program could not be started as user id {account.uid}: {error}",
            location=command[0],
            hint="Run the command as an ordinary user, or set DATABASE_URL.",
        ) from error


def ending_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the process gets the signal when the thread that started it ends, however it does (Linux)."""
    parent = os.getpid()

    def tie() -> None:
        if sys.platform == "linux":
            prctl(_PR_SET_PDEATHSIG, death_signal)
            if os.getppid() != parent:
                os._exit(1)

    return tie


def end(process: "subprocess.Popen[bytes]", request: signal.Signals, seconds: float) -> None:
    """Ask a process to end by a signal, and end it by force where it has not within so many seconds. One that has ended
    already is no error."""
    process.send_signal(request)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Without the variables by which a PostgreSQL or a locale of the machine would leak in."""
    kept = {k: v for k, v in environment.items() if not k.startswith(("PG", "LC_")) and k not in ("LANG", "LANGUAGE")}
    return {**kept, "LC_ALL": "C.UTF-8" if sys.platform == "linux" else "C", "TZ": "UTC"}


def command_line(pid: int) -> str:
    """The process's command line; empty for one that is gone or a zombie."""
    if sys.platform != "linux":
        command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a number
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="surrogateescape")
    except OSError:
        return ""
