"""The tutorial, done as its reader does it, with bash and curl: every command is run, every response compared.

Keys, tokens, times and revisions differ at every run: what the page shows and what came back are paired in their
order, and a key that the page repeats in a later command is replaced by the one that came back.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from tests.ports import free_port

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial" / "shop.md"
PART = re.compile(
    r"^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$|^<!-- (?P<note>stop) -->$", re.M | re.S
)
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"eyJ[\w.-]+"), "<token>"),
    (re.compile(r'"request_id":"[^"]+"'), "<request>"),
    (re.compile(r"versions/\d{8}_\d+_"), "versions/<time>_"),
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])"), "<revision>"),
    (re.compile(r"in \d+\.\d+s"), "in <seconds>"),
    (re.compile(r"\d+ statement"), "<count> statement"),
)
END = "--- end of the command ---"
SECONDS_MAX = 60.0


class Reader:
    """Somebody with two terminals and an editor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEPOST_", "DATABASE_"))}
        path = f"{Path(sys.executable).parent}:{kept.get('PATH', '')}"
        # A page shows no colours, and pytest's plug-ins of this environment are none of the reader's.
        page = {"NO_COLOR": "1", "COLUMNS": "80", "PYTEST_DEBUG_TEMPROOT": str(folder)}
        self.environ = {**kept, **page, "PATH": path, "GATEPOST_PORT": str(self.port)}
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=self.environ,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._lines: Queue[str] = Queue()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        self._server: subprocess.Popen[bytes] | None = None
        self._keys: dict[str, str] = {}

    def run(self, console: str) -> None:
        """The commands of a block, each with the response below it."""
        for part in re.split(r"^\$ ", console, flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            if command == "gatepost dev":
                self.serve(expected)
                continue
            response = self.type(self._with_own_keys(command))
            self._keys |= dict(zip(UUID.findall(expected), UUID.findall(response), strict=False))
            assert self._plain(response) == self._plain(expected), command
            if command.startswith("cd "):
                self.folder /= command.removeprefix("cd ")

    def type(self, command: str) -> str:
        """One command in the second terminal, and all that it prints."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{command}\necho; echo '{END}'\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=2 * SECONDS_MAX)
            except Empty:
                raise AssertionError(f"{command} does not come to an end: {''.join(lines)}") from None
            if line.strip() == END:
                return "".join(lines)
            lines.append(line)

    def serve(self, expected: str) -> None:
        """`gatepost dev` in the first terminal."""
        with self._log.open("w") as log:
            self._server = subprocess.Popen(
                ["gatepost", "dev"], cwd=self.folder, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )
        self.see(expected)
        wait_for(self._is_ready, "readiness")

    def see(self, expected: str) -> None:
        """These lines appear in the first terminal."""
        try:
            wait_for(lambda: self._plain(expected) in self._plain(self._log.read_text()), "the lines")
        except AssertionError:
            assert self._plain(self._log.read_text()) == self._plain(expected)
            raise

    def write(self, title: str, text: str) -> None:
        """Save a file; a server that runs takes it up."""
        changes = self._migrations()
        (self.folder / title).write_text(text)
        if self._server is not None and title == "app.py":
            wait_for(lambda: self._migrations() > changes, f"a reload: {self._log.read_text()}")
            wait_for(self._is_ready, "readiness")

    def edit(self, title: str, change: str) -> None:
        """Apply a diff, whose hunks follow each other without their places."""
        lines, place = (self.folder / title).read_text().splitlines(), 0
        for line in change.splitlines():
            mark, words = line[:1], line[1:]
            if mark == "+":
                lines.insert(place, words)
                place += 1
                continue
            assert words in lines[place:], f"{title} has no line {words!r} there"
            place = lines.index(words, place)
            if mark == "-":
                del lines[place]
            else:
                place += 1
        self.write(title, "\n".join([*lines, ""]))

    def stop(self) -> None:
        """Ctrl-C in the first terminal."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGINT)
            self._server.wait(SECONDS_MAX)
            self._server = None

    def leave(self) -> None:
        """Close both terminals."""
        self.stop()
        self._shell.kill()
        self._reading.join(SECONDS_MAX)
        self._shell.__exit__(None, None, None)

    @property
    def _log(self) -> Path:
        return self.folder.parent / "dev.log"

    def _read(self) -> None:
        assert self._shell.stdout is not None
        for line in self._shell.stdout:
            self._lines.put(line)

    def _migrations(self) -> int:
        return self._log.read_text().count("Migrated the database") if self._log.exists() else 0

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=SECONDS_MAX) as response:
                return response.status == 200  # type: ignore[no-any-return]
        except (URLError, ConnectionError):
            return False

    def _with_own_keys(self, text: str) -> str:
        return UUID.sub(lambda found: self._keys.get(found[0], found[0]), text).replace(":8000", f":{self.port}")

    def _plain(self, text: str) -> str:
        text = UUID.sub("<key>", text.replace(f":{self.port}", ":8000"))
        for pattern, name in CHANGING:
            text = pattern.sub(name, text)
        return "\n".join(line.rstrip() for line in text.strip("\n ").splitlines())


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Returns as soon as the condition holds; fails after SECONDS_MAX."""
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"waited {SECONDS_MAX:g} s for {what}"
        time.sleep(0.02)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.leave()


def test_the_tutorial_works_as_it_is_written(reader: Reader) -> None:
    for part in PART.finditer(TUTORIAL.read_text()):
        kind, title, text = part["kind"], part["title"], part["text"]
        if part["note"] == "stop":
            reader.stop()
        elif kind == "console":
            reader.run(text)
        elif kind == "text":
            reader.see(text)
        elif title is None:
            assert (reader.folder / "app.py").read_text() == text, "the page shows what `gatepost new` makes"
        elif kind == "diff":
            reader.edit(title, text)
        else:
            reader.write(title, text)
