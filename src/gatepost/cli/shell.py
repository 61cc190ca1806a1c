"""`gatepost shell`: Python with the application started, its models at hand, and `await` at the prompt.

The application's event loop runs in its own thread, and every statement runs on it; the prompt stays on the main
thread, where Ctrl-C arrives, and cancels the statement instead of ending the shell.
"""

import ast
import asyncio
import code
import importlib
import inspect
import sys
import threading
import traceback
import types
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from gatepost.actor import anonymous, system
from gatepost.cli.settings import database_settings
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_error
from gatepost.logging.logs import Logs
from gatepost.logging.masking import Masking
from gatepost.server.loading import find_app, reference_of

if TYPE_CHECKING:
    from gatepost.app import App

T = TypeVar("T")


def open_shell(reference: str | None, command: str | None) -> None:
    """Run `command`, or what is typed, with the application started; exit status 1 when the command raises."""
    with database_settings() as settings:
        app = find_app(reference_of(reference))
        logs = Logs(settings, descriptor=2)
        logs.subscribe(app.events)
        logs.mask(Masking(app.find_personal_data, app.find_personal_forms))
        loop = LoopThread()
        try:
            loop.run(app.start(settings))
            try:
                failed = _open_on(app, loop, command)
            finally:
                loop.run(app.stop())
        finally:
            loop.close()
    if failed:
        raise typer.Exit(1)


def _open_on(app: "App", loop: "LoopThread", command: str | None) -> bool:
    names = {model.__name__: model for model in [item.model for item in app.resources] + [app.user_model]}
    transaction = partial(app.transaction, actor=system)
    base = {"app": app, "system": system, "anonymous": anonymous, "tx": transaction, "asyncio": asyncio}
    console = AsyncConsole({**names, **base, "__name__": "__console__"}, loop)
    if command is not None:
        if console.runsource(command, "<command>", "exec"):
            raise ConfigurationError("ends before it is complete.", location="--command", hint="Close what it opens.")
        return console.failed
    if sys.stdin.isatty():
        importlib.import_module("readline")  # gives `input` its history and its keys

    console.interact(
        banner=f"Python {sys.version.split()[0]} with app, system, anonymous, tx, and {', '.join(sorted(names))}.\n"
        "`await` works:  async with tx() as t: print(await t.session.get(...))",
        exitmsg="",
    )
    return False


class LoopThread:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gatepost-shell", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result; Ctrl-C cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def close(self) -> None:
        """Stop the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class AsyncConsole(code.InteractiveConsole):
    """An interactive console whose statements run on a loop and may `await`."""

    def __init__(self, names: dict[str, Any], loop: LoopThread) -> None:
        super().__init__(names)
        self._names = names
        self._loop = loop
        self.failed = False
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def runcode(self, code: types.CodeType) -> None:
        """Called by the console with each complete statement."""
        statement: Callable[[], Any] = types.FunctionType(code, self._names)
        try:
            self._loop.run(_awaited(statement))
        except SystemExit:
            raise
        except ConfigurationError as error:
            self.failed = True
            print_error(error)
        except BaseException as error:
            self.failed = True
            self.write(_shown(error))

    def showsyntaxerror(self, *given: Any, **named: Any) -> None:
        """Called by the console with a statement that is none."""
        self.failed = True
        super().showsyntaxerror(*given, **named)


def _shown(error: BaseException) -> str:
    """The traceback from the statement on: how the shell runs it is of no interest."""
    frames = error.__traceback__
    while frames is not None and not frames.tb_frame.f_code.co_filename.startswith("<"):
        frames = frames.tb_next
    return "".join(traceback.format_exception(error.with_traceback(frames)))


async def _awaited(statement: Callable[[], Any]) -> None:
    result = statement()
    if inspect.isawaitable(result):
        await result
