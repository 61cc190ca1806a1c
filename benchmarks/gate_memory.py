"""A million idle keys: what they take in the memory of a process, and in a Valkey.

The keys are networks of IPv6 clients, and in the Valkey the ids of users, too, as the limiter names them. Each has used
its limit up: a bucket that is full again is no bucket.
"""

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import psutil  # type: ignore[import-untyped]
from tests.valkey_server import ValkeyServer

from benchmarks.gate_figures import Figure
from benchmarks.gate_script import take_text
from benchmarks.gate_wire import Wire, encoded
from gatepost.declaring.rate_limits import RateLimit, hours
from gatepost.gateway.buckets import BucketTable, LocalBuckets, TakeRefused
from gatepost.gateway.buckets.valkey import ValkeyBuckets

KEYS = 1_000_000
LIMIT = RateLimit(2, per=hours(24))
MIB_MAX = 200.0
KEY_BYTES_MAX = 150.0
BATCH = 500
SAMPLES = 1000


def measure_memory(progress: Callable[[str], None]) -> list[Figure]:
    """Fill a private table, a shared one, and a Valkey."""
    part = f"{KEYS:,} idle keys"
    progress(f"memory: {part} in a private table")
    private, _ = _table_mib(None)
    progress(f"memory: {part} in a shared table")
    shared, crowded = _table_mib(BucketTable.shared("gatepost-benchmark"))
    progress(f"memory: {part} in a Valkey, networks")
    used, largest = _key_bytes("api", list(_networks()))
    progress(f"memory: {part} in a Valkey, users")
    used_by_users, largest_of_users = _key_bytes("api-actor", list(_users()))
    return [
        Figure(part, "resident memory, buckets of the process", private, "MiB", MIB_MAX),
        Figure(part, "resident memory, shared buckets with leases", shared, "MiB", MIB_MAX),
        Figure(part, "keys that share a bucket with others", crowded, "keys"),
        Figure(part, "Valkey, used_memory per network", used, "bytes", KEY_BYTES_MAX),
        Figure(part, "Valkey, MEMORY USAGE of the largest", largest, "bytes", KEY_BYTES_MAX),
        Figure(part, "Valkey, used_memory per user", used_by_users, "bytes", KEY_BYTES_MAX),
        Figure(part, "Valkey, MEMORY USAGE of the largest of these", largest_of_users, "bytes", KEY_BYTES_MAX),
    ]


def _networks() -> Iterator[str]:
    """Different ones, in the same order each time; as long as such names get."""
    numbers = random.Random(1).sample(range(1 << 28, 1 << 32), KEYS)
    return (f"2001:db8:{1 + (number >> 16):x}:{1 + (number & 0xFFFF):x}::/64" for number in numbers)


def _users() -> Iterator[str]:
    numbers = random.Random(1)
    return (str(UUID(int=numbers.getrandbits(128))) for _ in range(KEYS))


def _table_mib(table: BucketTable | None) -> tuple[float, int]:
    """How much a process grows, and how many new keys found their bucket used by others."""
    keys = list(_networks())
    process = psutil.Process()
    before = process.memory_info().rss
    buckets = LocalBuckets(table)
    group = buckets.group([("api", LIMIT)])
    crowded = 0
    for key in keys:
        outcome = group.take(key, buckets.clock())
        crowded += isinstance(outcome, TakeRefused) or outcome[0] > group.specs[0].units_per_token
    return round((process.memory_info().rss - before) / 2**20, 1), crowded


def _key_bytes(rule: str, keys: Sequence[str]) -> tuple[float, float]:
    """`used_memory` per key, and MEMORY USAGE of the largest of some."""
    group = ValkeyBuckets("valkey://127.0.0.1").group([(rule, LIMIT)])
    script_argument = group.script_argument(2, 2)
    with ValkeyServer() as server, Wire(server) as wire:
        digest: bytes = wire.call("SCRIPT", "LOAD", take_text())
        before = int(wire.info("memory")["used_memory"])
        bucket_keys = [group.bucket_keys(key)[0] for key in keys]
        for start in range(0, KEYS, BATCH):
            calls = [
                encoded("EVALSHA", digest, 1, name, script_argument) for name in bucket_keys[start : start + BATCH]
            ]
            response: bytes = wire.send(b"".join(calls), len(calls))
            if struct.unpack("<3d", response)[1] != 2:
                raise RuntimeError("A key was there before: too few were counted.")
        used = (int(wire.info("memory")["used_memory"]) - before) / KEYS
        sizes = [wire.call("MEMORY", "USAGE", name) for name in bucket_keys[:: KEYS // SAMPLES]]
        if wire.call("DBSIZE") != KEYS:
            raise RuntimeError("Keys have been forgotten: too few were counted.")
    return round(used, 1), float(max(sizes))
