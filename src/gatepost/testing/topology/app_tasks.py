"""What a site does with its app before clients come: `python -m gatepost.testing.topology.app_tasks TASK APP ...`.

In processes of their own, because the app of a site is not imported where its tests run. The tasks are `schema`, which
brings the database of DATABASE_URL to the models, and `token`, which prints an access token of a new user with the
roles that are named.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Sequence

from gatepost.accounts.new_users import create_user, issue_token
from gatepost.app import App
from gatepost.auth.keys import signing_key
from gatepost.auth.tokens import Tokens
from gatepost.database.database import Database
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.events import Events
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.server.loading import find_app


async def _bring_to_models(app: App, _: Sequence[str]) -> None:
    await apply_lossless(str(load_settings(os.environ).database.url), app.metadata, all_or_nothing=True)


async def _print_token(app: App, roles: Sequence[str]) -> None:
    settings = load_settings(os.environ)
    email = f"{secrets.token_hex(8)}@example.com"
    database = Database(str(settings.database.url), settings.database, Events())
    try:
        await create_user(database, app.user_model, email, None, roles)
        token = await issue_token(database, app.user_model, Tokens(settings.auth, signing_key(settings)), email)
    finally:
        await database.close()
    sys.stdout.write(token)


TASKS = {"schema": _bring_to_models, "token": _print_token}


def main() -> None:
    """Exit status 1, with a sentence, where the app or the database does not allow it."""
    task, app, *words = sys.argv[1:]
    try:
        asyncio.run(TASKS[task](find_app(app), words))
    except ConfigurationError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
