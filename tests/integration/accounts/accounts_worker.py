"""A process like one that serves: it identifies one token over and over, and reports each change of the response.

A report says what the response now is, when the first such response was asked for, and when the last one before it was
(seconds of the clock that all processes share). It ends when its standard input does.
"""

import asyncio
import json
import os
import sys
import time

from accounts_app import call_of, identified, make_tokens, running_accounts

from gatepost.accounts.user_accounts import UserAccounts
from gatepost.errors import Problem


async def response(accounts: UserAccounts, token: str) -> dict[str, object]:
    asked = call_of(token=token)
    hit = accounts.authenticators[0].find(asked) is not None
    try:
        actor = await identified(accounts, asked)
    except Problem as problem:
        return {"outcome": problem.code, "hit": hit}
    return {"outcome": "editor" if "editor" in actor.roles else "user", "hit": hit}


async def main() -> None:
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    previous, previous_at = None, 0.0
    async with running_accounts(os.environ["URL"], tokens=make_tokens(os.environ["KEY"])) as accounts:
        while not ended.done():
            asked_at = time.monotonic()
            now = await response(accounts, os.environ["TOKEN"])
            if now != previous:
                print(json.dumps({**now, "since": asked_at, "before": previous_at}), flush=True)
            previous, previous_at = now, asked_at
            await asyncio.sleep(0.001)


asyncio.run(main())
