"""A primary without its standby, in synchronous replication: what waits for it, and what clients see meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tests.acceptance.test_fail_over import APP, TITLES

from gatepost.testing.topology import Site, topology

POOL_SIZE = 5
OF_INSTANCES = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'gatepost'"
SECONDS_MAX = 60.0


def short_topology(folder: Path) -> AbstractAsyncContextManager[Site]:
    """A primary that waits for its standby, and an instance that does not wait long."""
    (folder / "app.py").write_text(APP)
    return topology(
        "app:app",
        standbys=1,
        synchronous=True,
        folder=folder,
        GATEPOST_DATABASE_STATEMENT_SECONDS="1",
        GATEPOST_DATABASE_POOL_SIZE=str(POOL_SIZE),
    )


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def waiting(site: Site) -> int:
    """How many backends of the instance wait for a standby."""
    return int(await site.primary.execute(f"SELECT count(*) {OF_INSTANCES}"))


async def test_writes_that_wait_for_a_standby_leave_as_many_backends_as_the_pool_has(tmp_path: Path) -> None:
    async with short_topology(tmp_path) as site:
        primary, standby = site.primary, site.standbys[0]
        async with site.load("/api/notes", lambda key: {"title": key}, read="/api/notes") as history:
            await history.acknowledges(20)
            site.cut(primary, standby)
            await history.sees("database_read_only")
            refused = history.outcomes()["write"]["503 database_read_only"]
            reads = history.outcomes()["read"]["200"]

            async def goes_on() -> bool:
                seen = history.outcomes()
                return seen["write"]["503 database_read_only"] > refused + 50 and seen["read"]["200"] > reads + 50

            await until(goes_on)
            assert 1 <= await waiting(site) <= POOL_SIZE
            assert (await site.instances[0].get("/readyz")).status == 200
            site.heal(primary, standby)
            await history.acknowledges(20)
        assert await waiting(site) == 0
        verdict = history.verdict(await site.column(TITLES))
        assert verdict.holds, verdict
        seen = history.outcomes()
        refusals = {"outcome_unknown", "database_read_only", "database_unavailable", "database_busy"}
        allowed = {"201", "504 database_timeout", *(f"503 {code}" for code in refusals)}
        assert set(seen["write"]) <= allowed, seen
        assert set(seen["read"]) <= {"200", "503 database_busy"}, seen
        assert seen["write"]["503 outcome_unknown"] <= POOL_SIZE
        assert "database_read_only" in site.instances[0].log
        assert "database_writable" in site.instances[0].log


async def test_a_wait_that_is_ended_shows_what_a_promoted_standby_lacks(tmp_path: Path) -> None:
    """Which is why such backends are not terminated."""
    async with short_topology(tmp_path) as site:
        instance, primary = site.instances[0], site.primary
        site.cut(primary, site.standbys[0])
        response = await instance.post("/api/notes", {"title": "lost"})
        assert response.status == 503
        assert "lost" not in await titles(site), "who looks before repeating it sees that it is not confirmed"

        await primary.execute(f"SELECT pg_terminate_backend(pid) {OF_INSTANCES}")

        async def is_shown() -> bool:
            return "lost" in await titles(site)

        await until(is_shown)
        primary.kill()
        await site.promote(site.standbys[0])

        async def is_gone() -> bool:
            return (await instance.get("/api/notes")).status == 200 and "lost" not in await titles(site)

        await until(is_gone)


async def titles(site: Site) -> str:
    return str((await site.instances[0].get("/api/notes")).body)
