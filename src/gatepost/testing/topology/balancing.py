"""The balancer of a site: HAProxy as `deploy/haproxy.cfg` sets it up."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from gatepost.balancer.haproxy import HAProxy
from gatepost.errors import ConfigurationError
from gatepost.testing.topology.instances import Instance, free_port
from gatepost.testing.topology.processes import Launcher, is_in_time, signal_tree

UP = "UP"


class Balancer:
    """HAProxy in front of the instances of a site."""

    name = "balancer"

    def __init__(self, instances: Sequence[Instance], folder: Path, launcher: Launcher) -> None:
        addresses = {each.name: f"127.0.0.1:{each.port}" for each in instances}
        self._proxy = HAProxy(addresses, free_port(), folder)
        self._launcher = launcher

    def __repr__(self) -> str:
        return self.name

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return self._proxy.port

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return self._proxy.url

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._proxy.log.read_text(errors="replace") if self._proxy.log.exists() else ""

    async def start(self) -> None:
        """Start it, or start it again; returns when it takes connections."""
        await self._launcher.run(self._proxy.start)

    async def reload(self) -> None:
        """Replace its worker, as after a change of its configuration."""
        await asyncio.to_thread(self._proxy.reload)

    async def states(self) -> dict[str, str]:
        """How each instance is for it: `UP`, `DOWN`, or on the way from one to the other (`UP 1/2`)."""
        return await asyncio.to_thread(self._proxy.states)

    async def sees(self, instance: Instance, state: str = UP) -> None:
        """Wait until an instance has this state for it."""

        async def is_seen() -> bool:
            return (await self.states())[instance.name] == state

        if not await is_in_time(is_seen):
            raise ConfigurationError(
                f"{instance} is {(await self.states())[instance.name]}, not {state}.", location=self.name
            )

    def kill(self) -> None:
        """End it as a crash would."""
        self._proxy.kill()

    def pause(self) -> None:
        """Let it hang."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        self._signal(signal.SIGCONT)

    async def close(self) -> None:
        """End it, and its connections."""
        self.resume()
        await asyncio.to_thread(self._proxy.close)

    def _signal(self, number: signal.Signals) -> None:
        if (pid := self._proxy.pid) is not None:
            signal_tree(pid, number)
