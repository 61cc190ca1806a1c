"""Taking tokens as the limiter does."""

from gatepost.gateway.buckets import BucketGroup, Buckets, TakeRefused


async def take(buckets: Buckets, group: BucketGroup, key: str, at: int | None = None) -> tuple[int, ...] | TakeRefused:
    """What is given back is given back for the moment `at` when it was taken."""
    outcome = group.take(key, buckets.clock() if at is None else at)
    return outcome if outcome is not None else await group.take_remote(key)


async def admits(buckets: Buckets, group: BucketGroup, key: str = "192.0.2.1") -> bool:
    return not isinstance(await take(buckets, group, key), TakeRefused)


def left(group: BucketGroup, deficits: tuple[int, ...]) -> list[int]:
    """Whole tokens."""
    return [spec.remaining(deficit)[0] for spec, deficit in zip(group.specs, deficits, strict=True)]
