"""Failover: an app goes on with the server that was promoted, and nothing that it acknowledged is lost."""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path

from gatepost.testing.topology import DatabaseServer, History, Instance, Site, topology

APP = '''
"""One model that anybody writes, and one that is for signed-in users."""
from sqlalchemy.orm import Mapped

from gatepost import App, Model, Resource, anyone, role


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str]


class Page(Model):
    __tablename__ = "pages"
    title: Mapped[str]


app = App(Resource(Note, read=anyone, create=anyone), Resource(Page, read=role("editor")))
'''
TITLES = "SELECT title FROM notes"
SEEN = {"200", "201", "503 database_unavailable", "503 database_read_only", "503 outcome_unknown"}
"""What clients may see while the primary changes."""


def check_outcomes(history: History, allowed: Iterable[str] = SEEN) -> None:
    """Nobody has seen anything else."""
    seen = history.outcomes()
    assert set(seen["write"]) | set(seen["read"]) <= set(allowed), seen


async def test_a_promoted_standby_takes_over(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    async with topology("app:app", standbys=1, synchronous=True, folder=tmp_path) as site:
        token = await site.token("editor")
        instance = site.instances[0]
        async with site.load("/api/notes", lambda key: {"title": key}, read="/api/pages", token=token) as history:
            await history.acknowledges(20)
            site.primary.kill()
            await history.sees("database_unavailable")
            await site.promote(site.standbys[0])
            await history.acknowledges(20)
        check_outcomes(history)
        verdict = history.verdict(await site.column(TITLES))
        assert verdict.holds, verdict
        await until_a_changed_user_is_noticed(site, instance, token)


async def until_a_changed_user_is_noticed(site: Site, instance: Instance, token: str) -> None:
    """The listener hears of the user at the server that is the primary now."""
    assert (await instance.get("/api/pages", token=token)).status == 200
    await site.primary.execute("UPDATE users SET is_active = false")
    deadline = time.monotonic() + 30
    while (status := (await instance.get("/api/pages", token=token)).status) == 200:
        assert time.monotonic() < deadline
    assert status == 401


async def test_an_address_that_moved_is_followed_although_the_former_primary_lives(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    async with topology(
        "app:app",
        standbys=1,
        synchronous=True,
        one_address=True,
        folder=tmp_path,
        GATEPOST_DATABASE_CONNECTION_SECONDS_MAX="1",
        GATEPOST_DATABASE_STATEMENT_SECONDS="1",
    ) as site:
        token = await site.token("editor")
        former = site.primary
        async with site.load("/api/notes", lambda key: {"title": key}, read="/api/pages", token=token) as history:
            await history.acknowledges(20)
            await site.promote(site.standbys[0])
            await history.acknowledges(20)
            await until_nobody_uses(former)
        check_outcomes(history)
        verdict = history.verdict(await site.column(TITLES))
        assert verdict.holds, verdict
        await until_a_changed_user_is_noticed(site, site.instances[0], token)


async def until_nobody_uses(server: DatabaseServer) -> None:
    """No process of an instance is connected to a server any more. (A backend that waits for a standby does not notice
    that its client has left.)"""
    deadline = time.monotonic() + 60
    sql = """
        SELECT application_name, state, wait_event FROM pg_stat_activity
        WHERE application_name LIKE 'gatepost%' AND wait_event IS DISTINCT FROM 'SyncRep'
    """
    while left := await server.execute(sql):
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.1)
