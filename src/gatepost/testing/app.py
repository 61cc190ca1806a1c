"""A started app for tests, and clients that act as users made for the test."""

import secrets
import sys
import traceback
import weakref
from types import TracebackType
from typing import Any

from gatepost.accounts.new_users import add_user, token_of
from gatepost.app import App
from gatepost.declaring.provided import Provide
from gatepost.environment import load_settings, unknown_settings
from gatepost.errors import ConfigurationError
from gatepost.events import RequestFailed
from gatepost.testing.client import Client

_shown: weakref.WeakSet[App] = weakref.WeakSet()


def _show(failure: RequestFailed) -> None:
    """A test that gets a 500 wants to see why."""
    traceback.print_exception(failure.error, file=sys.stderr)


_DEFAULTS = {"GATEPOST_LIMIT_FACTOR": "100000", "GATEPOST_QUEUE_SECONDS": "60"}
"""Tests may send more at once than a busy machine can do in a second."""

SETTLE_SECONDS = 10.0
"""So long a client waits for what runs after a response."""


class TestApp:
    """Starts an app on a database, brought to its models, for the length of a block.

    The database is brought to the models as far as it is Gatepost's to change: what is missing is added, and what
    Gatepost made is changed. Entering the block raises ConfigurationError with the list of what would have to be done
    besides, and then nothing has been done. To tables that Gatepost did not make something is added only with
    `extend`.

    `provide` puts test doubles in place of what the app provides: objects, which need not inherit what they stand for,
    or functions that make them.

    Its clients return when also what runs after the response (`call.after_response`) is done.

    `settings` are environment variables by name; ConfigurationError is raised for one that is not a setting. Limits are
    a hundred thousand times as generous unless they say otherwise.
    """

    __test__ = False

    def __init__(
        self, app: App, database_url: str, *, extend: bool = False, provide: Provide | None = None, **settings: str
    ) -> None:
        for name, similar in unknown_settings(settings):
            hint = f"Did you mean {similar}?" if similar else "The reference lists all settings."
            raise ConfigurationError(f"{name} is not a setting.", location="TestApp", hint=hint)
        self.app = app
        self._extend = extend
        self._provide = provide
        self._environ = {"DATABASE_URL": database_url, **_DEFAULTS, **settings}
        self.anonymous = Client(app, settle=self._settle)

    async def __aenter__(self) -> "TestApp":
        from gatepost.migrations.safe_changes import apply_lossless

        url = self._environ["DATABASE_URL"]
        await apply_lossless(url, self.app.metadata, extend=self._extend, all_or_nothing=True)
        if self.app not in _shown:
            _shown.add(self.app)
            self.app.events.subscribe(RequestFailed, _show)
        await self.app.start(load_settings(self._environ), provide=self._provide)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.app.stop()

    async def user(self, *roles: str, email: str | None = None, password: str | None = None, **columns: Any) -> Client:
        """A new user with these roles, signed in. `columns` are values of the model's own columns; a text is read in
        the form that it has in a query string, such as a key that a response shows."""
        client, _ = await self.user_and_id(*roles, email=email, password=password, **columns)
        return client

    async def user_and_id(
        self, *roles: str, email: str | None = None, password: str | None = None, **columns: Any
    ) -> tuple[Client, Any]:
        """A new user with these roles, signed in, and the user's key."""
        running = self.app.running
        address = email or f"{secrets.token_hex(8)}@example.com"
        users = running.accounts.identities.users
        key = await add_user(users, address, password, roles, columns)
        token = await token_of(users, running.tokens, address)
        return Client(self.app, token=token, scheme=running.tokens.scheme, settle=self._settle), key

    async def _settle(self) -> None:
        """A test that has its response may look at what the endpoint does after it."""
        await self.app.running.gate.callbacks.wait_idle(SETTLE_SECONDS)
