"""Taking tokens as the limiter does."""

from gatepost.gateway.buckets import Buckets, Group, Refusal


async def take(buckets: Buckets, group: Group, key: str) -> tuple[int, ...] | Refusal:
    outcome = group.take(key, buckets.clock())
    return outcome if outcome is not None else await group.ask(key)


async def admits(buckets: Buckets, group: Group, key: str = "192.0.2.1") -> bool:
    return not isinstance(await take(buckets, group, key), Refusal)


def left(group: Group, lacks: tuple[int, ...]) -> list[int]:
    """Whole tokens."""
    return [rule.figures(lack)[0] for rule, lack in zip(group.rules, lacks, strict=True)]
