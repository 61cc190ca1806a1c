"""What runs after a response, in a task of its own: the client has its response, and can no longer stop it."""

import asyncio
import inspect

from gatepost.background import background, is_failure
from gatepost.call import Call
from gatepost.events import AfterResponseFailed, Events
from gatepost.response_additions import AfterResponse, ResponseAdditions

CANCEL_SECONDS = 1.0
"""So long what was cancelled may take to end."""


class ResponseCallbacks:
    """Runs the callbacks of the calls of one gate. Those of one call run one after the other, in their order."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._running: set[asyncio.Task[None]] = set()

    def start(self, call: Call, additions: ResponseAdditions) -> None:
        """Run the callbacks of a call that is over, unless it was refused or never answered."""
        is_answered = call.status != 0 and call.code is None
        if additions.callbacks and (additions.is_kept or is_answered):
            task = background(self._run(call.id, additions), f"after the response of {call.id}", self._events)
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait for what is running, but for the task that asks; False where that took longer."""
        others = self._running - {asyncio.current_task()}
        if not others:
            return True
        _, late = await asyncio.wait(others, timeout=timeout_seconds)
        return not late

    async def stop(self) -> None:
        """Cancel what is running."""
        for task in self._running:
            task.cancel()
        await self.wait_idle(CANCEL_SECONDS)

    async def _run(self, request_id: str, additions: ResponseAdditions) -> None:
        for callback in additions.callbacks:
            try:
                waited = callback()
                if inspect.isawaitable(waited):
                    await waited
            except BaseException as error:
                self._events.emit(AfterResponseFailed(request_id, _name(callback), error))
                if not is_failure(error):
                    raise


def _name(callback: AfterResponse) -> str:
    return getattr(callback, "__qualname__", repr(callback))
