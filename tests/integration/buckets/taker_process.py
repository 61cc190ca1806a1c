"""Processes that take tokens: as fast as they can, or when they are told to.

    taker_process.py STORE PREFIX SECONDS SOCKET...    at the end print "key before after" for each admission
    taker_process.py STORE PREFIX "" SOCKET...         reply to each line of input, a key, with 1 or 0

STORE is the URL of a Valkey or the descriptor of a shared table. There is one process for each inherited socket, which
is its input and output. They are forked after the imports, which cost more than all that they do. `before` and `after`
are when it was asked and when it replied, in nanoseconds of the machine.
"""

import asyncio
import os
import sys

from token_taking import admits

from gatepost.declaring.rate_limits import RateLimit
from gatepost.events import Events
from gatepost.gateway.buckets import Buckets, BucketTable, LocalBuckets
from gatepost.gateway.buckets.valkey import ValkeyBuckets

LIMIT = RateLimit(200, per=1.0, burst=50)
KEYS = ("192.0.2.1", "192.0.2.2")
SECOND = 1_000_000_000


async def main(store: str, prefix: str, seconds: str) -> None:
    buckets: Buckets
    if store.isdigit():
        buckets = LocalBuckets(BucketTable.opened(int(store)))
    else:
        buckets = ValkeyBuckets(store, prefix=prefix, timeout_seconds=5)
    group = buckets.group([("api", LIMIT)])
    await buckets.start(Events())
    print("ready", flush=True)
    if seconds:
        admitted: list[str] = []
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        end = buckets.clock() + float(seconds) * SECOND
        while (before := buckets.clock()) < end:
            for key in KEYS:
                if await admits(buckets, group, key):
                    admitted.append(f"{key} {before} {buckets.clock()}")
                before = buckets.clock()
            await asyncio.sleep(0.0005)
        await buckets.stop()
        print("\n".join(admitted), flush=True)
    else:
        while key := (await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)).strip():
            print(int(await admits(buckets, group, key)), flush=True)


if __name__ == "__main__":
    arguments, sockets = sys.argv[1:4], [int(descriptor) for descriptor in sys.argv[4:]]
    for descriptor in sockets:
        if not os.fork():
            os.dup2(descriptor, sys.stdin.fileno())
            os.dup2(descriptor, sys.stdout.fileno())
            for inherited in sockets:
                os.close(inherited)
            asyncio.run(main(*arguments))
            os._exit(0)  # what is printed is flushed; an interpreter's end costs as much as a test
    for descriptor in sockets:
        os.close(descriptor)
    sys.exit(max([os.wait()[1] for _ in sockets]) != 0)
