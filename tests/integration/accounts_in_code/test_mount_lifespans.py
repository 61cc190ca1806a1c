"""The lifespans of mounted applications: they run inside that of the app."""

import asyncio

import pytest
from mounts_app import HallNote, HallUser, app, happened
from sqlalchemy import select

from gatepost import App, ConfigurationError
from gatepost.asgi import Receive, Scope, Send
from gatepost.events import TaskFailed
from gatepost.testing import TestApp


async def test_a_lifespan_runs_while_the_app_does(module_database_url: str) -> None:
    happened.clear()
    async with TestApp(app, module_database_url):
        assert happened == ["started"]
    assert happened == ["started", "stopped"]
    async with TestApp(app, module_database_url), app.transaction() as tx:
        assert "stopped" in (await tx.session.scalars(select(HallNote.text))).all()


async def test_an_app_does_not_start_where_a_mount_does_not(module_database_url: str) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "Traceback: ...\nno disk"})

    broken = App(users=HallUser, mount={"/failing": failing})
    with pytest.raises(ConfigurationError, match="mount='/failing': did not start: no disk"):
        async with TestApp(broken, module_database_url):
            pass
    with pytest.raises(ConfigurationError, match="not started"):
        _ = broken.running


async def test_a_mount_that_failed_is_not_waited_for_any_longer(module_database_url: str) -> None:
    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            await receive()
            await send({"type": "lifespan.startup.failed"})

    with pytest.raises(ConfigurationError, match="it gave no reason"):
        async with TestApp(App(users=HallUser, mount={"/stubborn": stubborn}), module_database_url):
            pass


async def test_a_lifespan_that_breaks_off_later_is_told(module_database_url: str) -> None:
    async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        raise ValueError("broken")

    broken = App(users=HallUser, mount={"/breaking": breaking})
    told: list[TaskFailed] = []
    broken.events.subscribe(TaskFailed, told.append)
    async with TestApp(broken, module_database_url):
        while not told:  # noqa: ASYNC110 - the task ends by itself
            await asyncio.sleep(0.001)
    assert [(each.task, repr(each.error)) for each in told] == [("lifespan of /breaking", "ValueError('broken')")]


async def test_a_mount_that_does_not_ask_for_events_has_no_lifespan(module_database_url: str) -> None:
    async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async with TestApp(App(users=HallUser, mount={"/deaf": deaf}), module_database_url) as started:
        assert (await started.anonymous.get("/livez")).status == 200
