"""Makes processes that take from a shared table without a pause, until somebody kills them.

    killed_takers.py DESCRIPTOR FOLDER      for each line of stdin, a name, one more; prints its process id

Each appends "before after" for each admission to its file in FOLDER. It asks the table for each token, so that it is
within the lock a good part of the time.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

from taker_process import KEYS, LIMIT

from gatepost.gateway.buckets import BucketTable, LocalBuckets, TakeRefused

_PR_SET_PDEATHSIG = 1


def main(descriptor: str, folder: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    while name := sys.stdin.readline().strip():
        pid = os.fork()
        if not pid:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            grab(BucketTable.opened(int(descriptor)), Path(folder) / name)
        print(pid, flush=True)


def grab(table: BucketTable, record: Path) -> None:
    buckets = LocalBuckets(table)
    group = buckets.group([("api", LIMIT)], strict=True)
    with record.open("ab", buffering=0) as file:
        while True:
            before = buckets.clock()
            if not isinstance(group.take(KEYS[0], before), TakeRefused):
                file.write(b"%d %d\n" % (before, buckets.clock()))


if __name__ == "__main__":
    main(*sys.argv[1:])
