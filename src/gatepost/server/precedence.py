"""Who may interrupt whom in a worker: nobody. Its threads take turns, each when the one that computes waits.

Before the request path. The kernel lets a thread that wakes up interrupt the one that runs. In a worker that helps
nobody: what one thread has read or answered has to wait for the interpreter, which the interrupted one holds. It costs
two switches and warm caches, at every packet that comes in and at every body that is read. Threads with the policy
SCHED_BATCH interrupt nobody; on an idle processor they run at once, as ever.
`docs/decisions/0013-precedence-of-threads.md` has the figures.
"""

import contextlib
import os
import sys


def take_turns() -> None:
    """At the start of a worker, before it has threads: they inherit the policy of the one that makes them.

    Does nothing where the system knows no such policy or forbids it, or where whoever started the process has chosen
    another one than the usual.
    """
    if sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
