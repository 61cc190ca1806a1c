"""Background tasks: each is kept until it ends, and what it raises is emitted.

The event loop alone keeps only a weak reference to a task, and says what it raised when the task is collected, if ever.
Used wherever Gatepost starts a task; a test holds it to that.
"""

import asyncio
import functools
from collections.abc import Coroutine
from typing import Any, TypeVar

from gatepost.events import Events, TaskFailed

T = TypeVar("T")

_running: set["asyncio.Task[Any]"] = set()


def background(coroutine: Coroutine[Any, Any, T], name: str, events: Events) -> "asyncio.Task[T]":
    """Run a coroutine as a task. What it raises, but for its cancellation, is emitted as `TaskFailed`; where nobody
    subscribed it goes to the loop's exception handler."""
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    _running.add(task)
    task.add_done_callback(functools.partial(_ended, events))
    return task


def is_failure(error: BaseException) -> bool:
    """Whether an error is a failure of the code that raised it, and not the end of the running task or of the process.

    A `sys.exit()` in a service is a failure, and so is a cancellation that the running task was not asked for: it
    awaited another task, which was cancelled.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and not task.cancelling()
    return not isinstance(error, KeyboardInterrupt)


def stop_if_cancelled() -> None:
    """End the running task where it was cancelled, and what it awaited did not say so: `asyncio.wait_for` of Python
    3.11, which libraries call, returns instead if what it waits for comes at the same moment. For endless loops."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def report(name: str, error: BaseException, events: Events) -> None:
    """Report an error of a task that itself goes on."""
    if not events.emit(TaskFailed(task=name, error=error)):
        asyncio.get_running_loop().call_exception_handler({"message": f"{name} failed", "exception": error})


def _ended(events: Events, task: "asyncio.Task[Any]") -> None:
    _running.discard(task)
    error = None if task.cancelled() else task.exception()
    if error is not None:
        report(task.get_name(), error, events)
