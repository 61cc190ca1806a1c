"""What the server gets where an application does not start: never one that responds as if it had."""

import asyncio
import logging

import pytest

from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send
from gatepost.errors import ConfigurationError
from gatepost.logging.logs import Logs
from gatepost.server.lifespan import Lifespan, RefusalApp
from gatepost.settings import Settings


@pytest.fixture
def logs() -> Logs:
    """A log that the tests do not look at."""
    return Logs(Settings(), adopts=False)


async def started(app: Lifespan) -> list[str]:
    """The types of the messages that a server gets while it starts and stops the application."""
    sent: list[str] = []
    orders = asyncio.Queue[Message]()
    orders.put_nowait({"type": "lifespan.startup"})

    async def send(message: Message) -> None:
        sent.append(message["type"])
        if message["type"] == "lifespan.startup.complete":
            orders.put_nowait({"type": "lifespan.shutdown"})

    await app({"type": "lifespan"}, orders.get, send)
    return sent


def failing(error: Exception) -> ASGIApp:
    """An application that raises when it is started."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise error

    return app


@pytest.mark.parametrize("error", [ConfigurationError("a setting is missing."), TypeError("a mistake of ours")])
async def test_an_application_that_fails_to_start_is_replaced_by_its_refusal(
    error: Exception, logs: Logs, caplog: pytest.LogCaptureFixture
) -> None:
    refused: list[str] = []

    def refuse(reason: ConfigurationError) -> ASGIApp:
        refused.append(str(reason))
        return RefusalApp(str(reason))

    with caplog.at_level(logging.ERROR, "gatepost"):
        sent = await started(
            Lifespan(failing(error), logs, refuse=refuse, on_ready=lambda: refused.append("ready")).serve
        )

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    [reason] = refused
    assert str(error) in reason
    unexpected = [record for record in caplog.records if record.exc_info is not None]
    assert bool(unexpected) == isinstance(error, TypeError), "a traceback for what no sentence explains"


async def test_readiness_is_reported_once_the_application_has_started(logs: Logs) -> None:
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        order.append("started")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def prepare() -> None:
        order.append("prepared")

    await started(Lifespan(app, logs, prepare=prepare, on_ready=lambda: order.append("ready")).serve)
    assert order == ["prepared", "started", "ready"]


async def test_a_failure_at_the_end_is_the_servers_to_report(logs: Logs) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise TypeError("while it stopped")

    with pytest.raises(TypeError):
        await started(Lifespan(app, logs, refuse=lambda reason: RefusalApp(str(reason))).serve)
