"""Prepares the database of `responses_app.py`: tables, rows, users. Prints what requests name, as JSON."""

import asyncio
import json
import os

from app import Note, app

from gatepost.accounts.new_users import create_user, issue_token
from gatepost.environment import load_settings
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.testing import Client


async def main() -> None:
    await apply_lossless(os.environ["DATABASE_URL"], app.metadata)
    await app.start(load_settings(os.environ))
    async with app.transaction() as tx:
        names = {"id": str((await tx.service(Note).create(Note(title="First"), tx.actor)).id)}
        for number in range(30):
            await tx.service(Note).create(Note(title=f"A note with a title, number {number}"), tx.actor)
    running = app.running
    for name, roles in (("token", ["editor"]), ("reader", [])):
        email = f"{name}@shop.example"
        await create_user(running.database, app.user_model, email, None, roles)
        names[name] = await issue_token(running.database, app.user_model, running.tokens, email)
    names["tag"] = (await Client(app).get(f"/api/notes/{names['id']}")).headers["etag"]
    await app.stop()
    print(json.dumps(names))


asyncio.run(main())
