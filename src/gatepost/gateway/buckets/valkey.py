"""Buckets that all instances of an application keep together, in a Valkey or Redis (7 or newer).

Each decision is one atomic script by the server's clock (`valkey_group.py`). Where the server is slow or down,
decisions are made with the buckets of this machine, stricter ones for signing in, and counted.
"""

from collections.abc import Callable, Mapping, Sequence

from gatepost.declaring.rate_limits import RateLimit
from gatepost.errors import ConfigurationError
from gatepost.events import BucketsLost, BucketsRestored, Events
from gatepost.gateway.buckets import bucket_spec
from gatepost.gateway.buckets.bucket_spec import MICROSECONDS, BucketSpec
from gatepost.gateway.buckets.local import LocalBuckets
from gatepost.gateway.buckets.valkey_client import ValkeyClient
from gatepost.gateway.buckets.valkey_group import GIVE_BACK, TAKE, ValkeyGroup

TIMEOUT_SECONDS = 0.02
"""How long one batch may take. Then the server is given up, until it is found again."""

PREFIX = "gatepost"
EXACT_MAX = 1 << 53
"""Lua counts with doubles: whole numbers up to here."""


class ValkeyBuckets:
    """Rate limits in the Valkey at `url`: `valkey://`, `valkeys://` with TLS, or `unix:///socket`.

    `prefix` begins the names of its keys: applications that share a server have different ones. `local` are the buckets
    that stand in; by default of this process alone.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = PREFIX,
        timeout_seconds: float = TIMEOUT_SECONDS,
        local: LocalBuckets | None = None,
        clock: Callable[[], int] = bucket_spec.clock,
    ) -> None:
        self.clock = clock
        self.prefix = prefix
        self.local = local or LocalBuckets(clock=clock)
        self._client = ValkeyClient(
            url, timeout_seconds, (TAKE, GIVE_BACK), on_lost=self._note_lost, on_restored=self._note_restored
        )
        self._lost: Callable[[BucketsLost], None] | None = None
        self._restored: Callable[[BucketsRestored], None] | None = None
        self._groups: list[ValkeyGroup] = []

    @property
    def decided_locally(self) -> int:
        """How many decisions were made without the server since it was lost."""
        return sum(group.decided_locally for group in self._groups)

    @property
    def is_unavailable(self) -> bool:
        """True while decisions are made with the buckets of this machine."""
        return self._client.circuit.is_open

    @property
    def details(self) -> Mapping[str, object]:
        """For `/readyz`: while the server is away, that it is, and how many decisions this process made without it."""
        if not self.is_unavailable:
            return {"limits": "ok"}
        return {"limits": "local", "limits_decided_locally": self.decided_locally}

    def group(self, specs: Sequence[tuple[str, RateLimit]], *, strict: bool = False) -> "ValkeyGroup":
        """These rules, by name."""
        made = tuple(BucketSpec(name, limit, MICROSECONDS) for name, limit in specs)
        for spec in made:
            if spec.capacity_units >= EXACT_MAX:
                raise ConfigurationError(
                    f"RateLimit {spec.limit} of {spec.name} is too large to be counted exactly in Valkey.",
                    hint="Choose a shorter time, or numbers that divide it.",
                )
        local = self.local.group(
            [(name, _stricter(limit) if strict else limit) for name, limit in specs], strict=strict
        )
        group = ValkeyGroup(made, self._client, local, prefix=self.prefix, clock=self.clock)
        self._groups.append(group)
        return group

    async def start(self, events: Events) -> None:
        """Connect. A server that is away is said so, and no reason not to start."""
        self._lost = events.emitter(BucketsLost)
        self._restored = events.emitter(BucketsRestored)
        await self._client.start(events)

    async def stop(self) -> None:
        """Give back what this process holds and close the connection."""
        for group in self._groups:
            group.clear()
        self._groups.clear()
        await self._client.stop()
        await self.local.stop()

    def _note_lost(self, reason: str) -> None:
        for group in self._groups:
            group.decided_locally = 0
        if self._lost is not None:
            self._lost(BucketsLost(reason, self._client.address))

    def _note_restored(self, seconds: float) -> None:
        if self._restored is not None:
            self._restored(BucketsRestored(seconds=seconds, decided_locally=self.decided_locally))


def _stricter(limit: RateLimit) -> RateLimit:
    """Half: what another machine may admit at the same time is not known while the server is away."""
    return RateLimit(max(1, limit.count // 2), limit.per, sliding=limit.sliding)
