"""An app on a database that Patroni runs in synchronous mode: a node dies, and the primary changes as planned."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from faults import APP, BUSY, PATH, READ_ONLY, TIMEOUT, TITLES, UNAVAILABLE, UNKNOWN
from patroni_cluster import TTL_SECONDS, PatroniCluster

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.embedded.programs import run_script
from gatepost.testing.topology.instances import Instance
from gatepost.testing.topology.load import Load, LoadPlan
from gatepost.testing.topology.processes import Launcher

BACK_SECONDS = TTL_SECONDS + 5
SLOWNESS = 2
"""How much longer everything may take on a busy machine."""


@asynccontextmanager
async def serving(folder: Path, dsn: str) -> AsyncGenerator[Instance]:
    """An instance of the app on a database."""
    (folder / "app.py").write_text(APP)
    development_key(folder)
    launcher = Launcher()
    made = Instance("instance", "app:app", folder, launcher, folder / "instance.log")
    made.environ = {
        **os.environ,
        "DATABASE_URL": dsn,
        "GATEPOST_SIGNING_KEY_FILE": str(folder / KEY_FILE),
        "GATEPOST_LIMIT_API": "1000000000",
        "GATEPOST_ADMIN_SOCKET": str(folder / "admin.sock"),
    }
    command = [sys.executable, "-m", "gatepost.testing.topology.app_tasks", "schema", "app:app"]
    await asyncio.to_thread(subprocess.run, command, cwd=folder, env=made.environ, check=True)
    try:
        await made.start()
        yield made
    finally:
        made.kill()
        launcher.close()


async def test_nothing_that_was_acknowledged_is_lost() -> None:
    with tempfile.TemporaryDirectory(prefix="gatepost-patroni-", dir="/tmp") as path:
        async with PatroniCluster(Path(path)) as cluster, serving(Path(path), cluster.dsn) as instance:
            await check_failover(cluster, instance)


async def check_failover(cluster: PatroniCluster, instance: Instance) -> None:
    """Kill the node of the primary, then change the primary as planned, and judge."""
    plan = LoadPlan([instance.port], PATH, lambda key: {"title": key}, PATH, {}, 4, 0.05, 30.0)
    async with Load(plan) as history:
        await history.acknowledges(20)
        (await cluster.find("primary", "master")).kill()
        await history.sees("database_unavailable")
        await history.acknowledges(20, seconds=SLOWNESS * BACK_SECONDS)
        after_kill = history.gap_seconds
        await cluster.becomes_whole(2)
        await cluster.switch_over()
        await history.acknowledges(100, seconds=SLOWNESS * BACK_SECONDS)
    keys = (await asyncio.to_thread(run_script, cluster.dsn, TITLES)).splitlines()
    verdict = history.verdict(keys)
    assert verdict.holds, verdict
    assert after_kill < SLOWNESS * BACK_SECONDS
    seen = history.outcomes()
    assert set(seen["write"]) | set(seen["read"]) <= {"200", "201", UNAVAILABLE, UNKNOWN, READ_ONLY, TIMEOUT, BUSY}, (
        seen
    )
    print(f"back after {after_kill:.1f} s; {verdict}; {seen}")
