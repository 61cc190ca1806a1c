"""What one decision costs a Valkey: `take.lua` against a script that increments a counter, in the server's own CPU.

The counter is the usual fixed window: INCR, and an expiry where the key is new. Both run over the same number of keys
with names of the same length, which are there already; every decision takes a token. Calls are sent one by one over one
connection, as a lone request is, and many at once, as the client sends what has come together.
"""

import os
import statistics
import struct
from collections.abc import Callable, Sequence
from importlib.resources import files

from tests.valkey_server import ValkeyServer

from benchmarks.gate_figures import Figure
from benchmarks.gate_wire import Wire, encoded
from gatepost.declaring.rate_limits import RateLimit, hours
from gatepost.gateway.buckets.valkey import ValkeyBuckets

BARE = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
"""
WINDOW_MS = 3_600_000
LIMIT = RateLimit(1_000_000, per=hours(1))
RATIO_MAX = 2.5
CALLS = 4_096
WAYS = {"one by one": 1, "32 at once": 32}
KEYS = {"1,000 keys": 1_000, "one key": 1}


def measure_script(rounds: int, core: int, progress: Callable[[str], None]) -> list[Figure]:
    """Both scripts by turns, each way of calling with many keys and with one; medians of what a round says."""
    part = "One decision by take.lua: CPU of the Valkey per call"
    figures: list[Figure] = []
    with ValkeyServer() as server, Wire(server) as wire:
        os.sched_setaffinity(server.pid, {core})
        bare, take = _Script(wire, BARE, "bare"), _Script(wire, take_text(), "take")
        for way, depth in WAYS.items():
            for keys, count in KEYS.items():
                progress(f"script: {way}, {keys}")
                requests = [bare.requests(_bare_argument(), count, depth), take.requests(_argument(), count, depth)]
                costs = [_round(wire, requests, depth) for _ in range(rounds + 1)][1:]
                means = [round(statistics.median(column), 3) for column in zip(*costs, strict=True)]
                ratio = round(statistics.median(cost[1] / cost[0] for cost in costs), 3)
                figures += [
                    Figure(part, f"a counter, {way}, {keys}", means[0], "us"),
                    Figure(part, f"take.lua, {way}, {keys}", means[1], "us"),
                    Figure(part, f"take.lua against the counter, {way}, {keys}", ratio, "x", RATIO_MAX),
                ]
        taken = struct.unpack("<3d", take.last(_argument()))[1]
        if taken != 1:
            raise RuntimeError("A decision took nothing: refusals were measured.")
    return figures


class _Script:
    def __init__(self, wire: Wire, text: str, name: str) -> None:
        self._wire = wire
        self._digest: bytes = wire.call("SCRIPT", "LOAD", text)
        self._name = name

    def requests(self, script_argument: bytes, keys: int, depth: int) -> list[bytes]:
        """CALLS calls, `depth` at once."""
        calls = [self._call(number % keys, script_argument) for number in range(CALLS)]
        return [b"".join(calls[start : start + depth]) for start in range(0, CALLS, depth)]

    def last(self, script_argument: bytes) -> bytes:
        """What the script returns."""
        returned: bytes = self._wire.send(self._call(0, script_argument))
        return returned

    def _call(self, number: int, script_argument: bytes) -> bytes:
        return encoded(
            "EVALSHA", self._digest, 1, f"gatepost:{{2001:db8:0:{number:04x}::/64}}:{self._name}", script_argument
        )


def _round(wire: Wire, requests: Sequence[Sequence[bytes]], depth: int) -> list[float]:
    costs: list[float] = []
    for batches in requests:
        before = wire.cpu_seconds()
        for batch in batches:
            wire.send(batch, depth)
        costs.append((wire.cpu_seconds() - before) / CALLS * 1e6)
    return costs


def take_text() -> str:
    return files("gatepost.gateway.buckets").joinpath("take.lua").read_text()


def _bare_argument() -> bytes:
    return str(WINDOW_MS).encode()


def _argument() -> bytes:
    return ValkeyBuckets("valkey://127.0.0.1").group([("api", LIMIT)]).script_argument(1, 1)
