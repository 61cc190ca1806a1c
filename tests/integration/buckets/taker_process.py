"""A process that takes tokens: as fast as it can, or when it is told to.

    taker_process.py URL-or-descriptor PREFIX SECONDS     prints "key before after" for each admission, at the end
    taker_process.py URL-or-descriptor PREFIX             answers each line of stdin, a key, with 1 or 0

`before` and `after` are when it was asked and when it was answered, in nanoseconds of the machine.
"""

import asyncio
import sys

from token_taking import admits

from gatepost.declaring.rate_limits import RateLimit
from gatepost.events import Events
from gatepost.gateway.buckets import Buckets, BucketTable, LocalBuckets
from gatepost.gateway.buckets.valkey import ValkeyBuckets

LIMIT = RateLimit(200, per=1.0, burst=50)
KEYS = ("192.0.2.1", "192.0.2.2")
SECOND = 1_000_000_000


async def main(store: str, prefix: str, seconds: str = "") -> None:
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
    asyncio.run(main(*sys.argv[1:]))
