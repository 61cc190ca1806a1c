"""Passwords are hashed while nobody's connection waits for that."""

import asyncio
import secrets
import threading

import pytest
from members_app import ClubMember, app

from gatepost.accounts.passwords import Passwords
from gatepost.testing import Client, TestApp

PASSWORD = "correct horse battery"


@pytest.mark.parametrize(
    ("path", "status"), [("/api/auth/login", 200), ("/api/door/enter", 200), ("/api/door/register", 201)]
)
async def test_the_only_connection_serves_others_while_a_password_is_hashed(
    module_database_url: str, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    name = f"m{secrets.token_hex(6)}"
    async with TestApp(app, module_database_url, GATEPOST_DATABASE_POOL_SIZE="1") as club:
        await app.accounts.register(ClubMember(username=name, email=f"{name}@example.com"), PASSWORD)
        is_hashing, is_done = threading.Event(), threading.Event()
        for method in ("_verify", "_hash"):
            monkeypatch.setattr(Passwords, method, _slowed(getattr(Passwords, method), is_hashing, is_done))
        other = "new" if path.endswith("register") else name
        body = {"email": f"{other}@example.com", "password": PASSWORD}
        if path.endswith("register"):
            body["username"] = other + secrets.token_hex(4)
        signing_in = asyncio.ensure_future(Client(app).post(path, json=body))
        try:
            await asyncio.to_thread(is_hashing.wait, 30)
            assert (await club.anonymous.get("/api/members")).status == 200
        finally:
            is_done.set()

        assert (await signing_in).status == status


def _slowed(method: object, is_hashing: threading.Event, is_done: threading.Event) -> object:
    def slowed(*arguments: object) -> object:
        is_hashing.set()
        assert is_done.wait(30)
        return method(*arguments)  # type: ignore[operator]

    return slowed
