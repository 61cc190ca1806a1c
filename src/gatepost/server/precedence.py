"""Who may interrupt whom in a worker: the threads of the HTTP library wait while the application's thread computes.

Before the request path. The kernel lets a thread that wakes up interrupt the one that runs, so each packet that came in
cut the application off, at the price of two switches and of its warm caches; under overload a fifth of the time went
there. Threads with the policy SCHED_BATCH interrupt nobody: what has come meanwhile they read together, as soon as the
application waits or its slice of time is over. On an idle processor they run at once, as ever.
`docs/decisions/0013-precedence-of-threads.md` has the figures.
"""

import asyncio
import contextlib
import os
import sys

SETTLED_SECONDS = 0.1
"""Between the application's start and this moment of the loop the server makes its threads."""


def let_application_finish() -> None:
    """At the end of the start, in the application's thread: those that the server makes next will interrupt nobody.

    A thread inherits the policy of the one that makes it. Does nothing where the system knows no such policy or forbids
    it, or where whoever started the process has chosen another one than the usual.
    """
    if sys.platform != "linux" or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        asyncio.get_running_loop().call_later(
            SETTLED_SECONDS, os.sched_setscheduler, 0, os.SCHED_OTHER, os.sched_param(0)
        )
