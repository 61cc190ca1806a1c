"""The client of Valkey: pipelines calls over one connection, behind a circuit breaker.

Calls that arrive while a batch is under way go with the next one. A batch that fails, or takes longer than
`timeout_seconds`, opens the circuit: calls then fail at once, until a probe in the background succeeds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha1
from typing import Any

import msgspec

from gatepost.background import background, report
from gatepost.backoff import Backoff, CircuitBreaker
from gatepost.errors import ConfigurationError
from gatepost.events import Events

PROBE_SECONDS = (0.1, 2.0)
"""The first and the longest pause between probes while the circuit is open."""

BATCH_MAX = 256

LAG_SECONDS = 0.005
"""A timer that fires later than this shows that this process was busy, and that the response may be unread here."""

LOCATION = "GATEPOST_VALKEY_URL"
SCHEMES = {"valkey": "redis", "valkeys": "rediss", "redis": "redis", "rediss": "rediss", "unix": "unix"}


class ValkeyUnavailable(Exception):
    """The server did not reply in time, or replied with an error."""


class Script:
    """A Lua script, called by its digest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = sha1(text.encode(), usedforsecurity=False).hexdigest()


class ScriptCall(msgspec.Struct, eq=False):
    """One call that waits for its reply."""

    script: Script
    keys: Sequence[str]
    arguments: Sequence[object]
    reply: asyncio.Future[Any]


class ValkeyClient:
    """The connection of one process to a Valkey or Redis.

    `on_lost` is called with the reason when the circuit opens, `on_restored` with the seconds it was open when it
    closes. `address` is host and port, or the socket.
    """

    def __init__(
        self,
        url: str,
        timeout_seconds: float,
        scripts: Sequence[Script],
        *,
        on_lost: Callable[[str], None],
        on_restored: Callable[[float], None],
    ) -> None:
        self._client = _connect(url, timeout_seconds)
        self.address = _address_of(self._client)
        from redis.exceptions import NoScriptError, RedisError

        self._unknown_script = NoScriptError
        self._failures = (OSError, RedisError)
        self._timeout_seconds = timeout_seconds
        self._scripts = scripts
        self._on_lost = on_lost
        self._on_restored = on_restored
        self._waiting: list[ScriptCall] = []
        self._sending: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._events = Events()
        self.circuit = CircuitBreaker(Backoff(*PROBE_SECONDS))

    async def start(self, events: Events) -> None:
        """Connect. An unavailable server does not prevent the start."""
        self._events = events
        self.circuit.record_success()
        try:
            await self._load_scripts()
        except ValkeyUnavailable as failure:
            self._open_circuit(str(failure))

    async def stop(self) -> None:
        """Send the calls that wait and close the connection."""
        if self._sending is not None:
            await self._sending
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
            self._probing = None
        await self._client.aclose()

    def call(self, script: Script, keys: Sequence[str], arguments: Sequence[object]) -> "asyncio.Future[Any]":
        """Run a script. The reply is a future, which raises `ValkeyUnavailable`."""
        loop = asyncio.get_running_loop()
        call = ScriptCall(script, keys, arguments, loop.create_future())
        self._waiting.append(call)
        if self._sending is None:
            self._sending = background(self._send_batches(), "ask Valkey", self._events)
        return call.reply

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete keys; raises `ValkeyUnavailable`. For operators."""
        await self._with_timeout(self._client.delete(*keys))

    async def _send_batches(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                try:
                    for call, reply in zip(batch, await self._run(batch), strict=True):
                        _resolve(call, reply)
                except ValkeyUnavailable as failure:
                    self._open_circuit(str(failure))
                    for call in batch:
                        _resolve(call, failure)
                except Exception as error:
                    report("ask Valkey", error, self._events)
                    for call in batch:
                        _resolve(call, error)
        finally:
            self._sending = None

    async def _run(self, batch: Sequence[ScriptCall]) -> list[Any]:
        if self.circuit.is_open:
            raise ValkeyUnavailable("the circuit is open")
        replies = await self._send(batch)
        again = [index for index, reply in enumerate(replies) if isinstance(reply, self._unknown_script)]
        if again:  # after SCRIPT FLUSH
            await self._load_scripts()
            for index, reply in zip(again, await self._send([batch[index] for index in again]), strict=True):
                replies[index] = reply
        return replies

    async def _load_scripts(self) -> None:
        for script in self._scripts:
            await self._with_timeout(self._client.script_load(script.text))

    async def _send(self, batch: Sequence[ScriptCall]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for call in batch:
            pipeline.evalsha(call.script.digest, len(call.keys), *call.keys, *call.arguments)
        replies: list[Any] = await self._with_timeout(pipeline.execute(raise_on_error=False))
        return replies

    async def _with_timeout(self, work: Awaitable[Any]) -> Any:
        """The result of `work`; raises `ValkeyUnavailable` when it fails, or is late although this process was not."""
        task = asyncio.ensure_future(work)
        deadline = time.monotonic() + self._timeout_seconds
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=max(0.0, deadline - time.monotonic()))
                late = time.monotonic() - deadline
                if task.done() or late < 0:
                    continue
                if late < LAG_SECONDS:
                    raise ValkeyUnavailable(f"it did not reply within {self._timeout_seconds * 1000:g} ms")
                deadline = time.monotonic() + LAG_SECONDS
            return task.result()
        except self._failures as error:
            raise ValkeyUnavailable(f"{type(error).__name__}: {error}") from None
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await self._client.connection_pool.disconnect()

    def _open_circuit(self, reason: str) -> None:
        if not self.circuit.is_open:
            self.circuit.record_failure()
            self._on_lost(reason)
            self._probing = background(self._probe(), "probe Valkey", self._events)

    async def _probe(self) -> None:
        seconds: float | None = None
        while seconds is None:
            await asyncio.sleep(self.circuit.pause)
            try:
                await self._load_scripts()
            except Exception as error:
                if not isinstance(error, ValkeyUnavailable):
                    report("probe Valkey", error, self._events)
                self.circuit.record_failure()
            else:
                seconds = self.circuit.record_success()
        self._probing = None
        self._on_restored(seconds)


def _resolve(call: ScriptCall, reply: Any) -> None:
    if call.reply.done():  # the request was cancelled meanwhile
        return
    if isinstance(reply, Exception):
        call.reply.set_exception(
            reply if isinstance(reply, ValkeyUnavailable) else ValkeyUnavailable(f"{type(reply).__name__}: {reply}")
        )
    else:
        call.reply.set_result(reply)


def _connect(url: str, timeout_seconds: float) -> Any:
    try:
        import redis.asyncio
    except ModuleNotFoundError:
        raise ConfigurationError(
            "needs the redis library.", location=LOCATION, hint="Install it: pip install 'gatepost[valkey]'."
        ) from None
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ConfigurationError(
            "is not a Valkey URL.",
            location=LOCATION,
            hint="Write valkey://host:6379/0, valkeys://... or unix:///socket.",
        )
    try:
        return redis.asyncio.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            f"{SCHEMES[scheme]}://{rest}",
            socket_timeout=None,  # `_with_timeout` bounds every command
            socket_connect_timeout=timeout_seconds,
            retry=None,
            retry_on_error=[],
            max_connections=2,
            health_check_interval=0,
        )
    except ValueError as error:
        raise ConfigurationError(f"cannot be read: {error}.", location=LOCATION) from None


def _address_of(client: Any) -> str:
    place = client.connection_pool.connection_kwargs
    if "path" in place:
        return f"the socket {place['path']}"
    return f"{place.get('host', 'localhost')}:{place.get('port', 6379)}"
