"""Of several instances that share an alert, the first one tells that it fires, and the last one that it is over."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from gatepost.alerting.alerts import Alert
from gatepost.alerting.claims import claimed

FIRING = Alert("1", "objective:reads", "page", "firing", 1.0, "Wrong.", "look")
RESOLVED = Alert("1", "objective:reads", "page", "resolved", 1.0, "Wrong.", "look")
INSTANCE = "INSERT INTO gatepost.instances (name, version, started_at, beat_at) VALUES ($1, '1', now(), now())"


@pytest.fixture
async def connections(database_url: str) -> AsyncIterator[list[Any]]:
    """Three connections, one of each instance: 0, 1 and 2."""
    opened = [await asyncpg.connect(database_url) for _ in range(3)]
    await opened[0].executemany(INSTANCE, [("0",), ("1",), ("2",)])
    yield opened
    for connection in opened:
        await connection.close()


async def claim(connections: list[Any], number: int, alert: Alert) -> bool:
    return await claimed(connections[number], alert, str(number))


async def test_one_of_those_that_claim_at_once_tells(connections: list[Any]) -> None:
    for _ in range(5):
        assert sum(await asyncio.gather(*(claim(connections, number, FIRING) for number in range(3)))) == 1
        assert sum(await asyncio.gather(*(claim(connections, number, RESOLVED) for number in range(3)))) == 1


async def test_it_is_over_when_it_is_at_all_instances(connections: list[Any]) -> None:
    assert [await claim(connections, number, FIRING) for number in range(3)] == [True, False, False]
    assert [await claim(connections, number, RESOLVED) for number in range(2)] == [False, False]
    assert await claim(connections, 0, FIRING) is False, "it still fires at another"
    assert await claim(connections, 2, RESOLVED) is False
    assert await claim(connections, 0, RESOLVED)


@pytest.mark.parametrize("gone", ["beat_at = now() - interval '61 s'", "stopped_at = now()"])
async def test_an_instance_that_is_gone_keeps_nobody_silent(connections: list[Any], gone: str) -> None:
    assert await claim(connections, 0, FIRING)
    await connections[0].execute(f"UPDATE gatepost.instances SET {gone} WHERE name = '0'")
    assert await claim(connections, 1, FIRING)
    assert await claim(connections, 1, RESOLVED)


async def test_alerts_of_other_names_are_others(connections: list[Any]) -> None:
    assert await claim(connections, 0, FIRING)
    assert await claim(connections, 1, Alert("2", "database", "page", "firing", 1.0, "Away.", "look"))
