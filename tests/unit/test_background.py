"""Tasks in the background: none is lost, none dies silently, and there is one way to start one."""

import asyncio
import gc
import re
from pathlib import Path

import pytest

import gatepost
from gatepost.background import background
from gatepost.events import Events, TaskFailed

SOURCE = Path(gatepost.__file__).parent
AWAITED_AT_ONCE = {
    "backups/creating.py",
    "database/transactions.py",
    "gateway/buckets/valkey_client.py",
    "inspection/raw_client.py",
    "inspection/examination.py",
    "routes/mounted_lifespan.py",
    "testing/client.py",
    "testing/topology/load.py",
    "testing/topology/site.py",
    "monitor/alert_records.py",
    "monitor/backup_watch.py",
    "monitor/monitor.py",
    "monitor/parts.py",
}
"""Where a task is awaited by the one who made it."""


@pytest.fixture
def told() -> list[TaskFailed]:
    return []


@pytest.fixture
def events(told: list[TaskFailed]) -> Events:
    made = Events()
    made.subscribe(TaskFailed, told.append)
    return made


async def _raise(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


async def test_what_a_task_raises_is_told_with_its_name(events: Events, told: list[TaskFailed]) -> None:
    error = AttributeError("no such thing")
    task = background(_raise(error), "sweep", events)
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert [(event.task, event.error) for event in told] == [("sweep", error)]


async def test_a_task_that_is_cancelled_is_not_told(events: Events, told: list[TaskFailed]) -> None:
    task = background(asyncio.sleep(60), "sleep", events)
    task.cancel()
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert told == []


async def test_without_a_subscriber_the_loop_is_told() -> None:
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    task = background(_raise(ValueError("wrong")), "sweep", Events())
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert [context["message"] for context in told] == ["sweep failed"]


async def test_a_task_that_only_its_own_future_knows_is_not_collected(events: Events) -> None:
    """Without a reference of ours the task, its coroutine and the future are an island for the collector."""
    done: list[bool] = []

    async def wait() -> None:
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda _: None)
        futures.append(id(future))
        try:
            await future
        finally:
            done.append(True)

    futures: list[int] = []
    name = background(wait(), "wait", events).get_name()
    await asyncio.sleep(0)
    gc.collect()
    assert done == []
    (task,) = [task for task in asyncio.all_tasks() if task.get_name() == name]
    task.cancel()
    await asyncio.wait({task})


def test_no_other_module_starts_a_task_that_nobody_awaits() -> None:
    starts = re.compile(r"\b(create_task|ensure_future|TaskGroup)\(")
    found = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if starts.search(path.read_text())}
    assert found - AWAITED_AT_ONCE == {"background.py"}
