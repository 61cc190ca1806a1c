"""The epoch: what was issued before a database was restored is refused, and before that nothing says anything of it."""

import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from accounts_app import until
from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped

from gatepost import App, Controller, Model, Resource, anyone, authenticated, patch
from gatepost.console.console_sessions import COOKIE
from gatepost.database.database import Database
from gatepost.database.startup_check import connect_once
from gatepost.errors import ConfigurationError
from gatepost.events import Events
from gatepost.migrations.epoch_raising import raise_epoch_of
from gatepost.settings import DatabaseSettings
from gatepost.testing import Client, TestApp
from gatepost.testing.client import ClientResponse

PASSWORD = "correct horse battery"


class EpochNote(Model):
    """A row that anybody may change."""

    __tablename__ = "epoch_notes"
    text: Mapped[str]


class NoteRoutes(Controller[EpochNote]):
    """An endpoint that compares the version of its row."""

    @patch("/{note}/text", allow=anyone)
    async def rename(self, note: EpochNote) -> EpochNote:
        """Rename it."""
        note.text = f"{note.text}!"
        return note


class EpochSecret(Model):
    """A row that only those who have signed in may see."""

    __tablename__ = "epoch_secrets"
    text: Mapped[str]


app = App(
    Resource(EpochNote, read=anyone, write=anyone, controller=NoteRoutes, sort=["text"]),
    Resource(EpochSecret, read=authenticated),
)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return app.metadata


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[TestApp]:
    """The app as it serves, with a trusted listener and two rows."""
    async with TestApp(app, database_url, GATEPOST_CONSOLE="public") as started:
        await until(lambda: app.running.accounts.identities.listener.is_trusted)
        for text in ("a", "b"):
            assert (await started.anonymous.post("/api/epoch_notes", json={"text": text})).status == 201
        yield started


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


class Issued:
    """What clients have from one epoch."""

    def __init__(self, user: Client, cookie: str, note: ClientResponse, path: str, cursor: str) -> None:
        self.user = user
        self.cookie = cookie
        self.path = path
        self.tag = note.headers["etag"]
        self.cursor = cursor


async def issued(running: TestApp, email: str = "ada@example.com") -> Issued:
    """A token, the cookie of the console, an entity tag and a cursor."""
    user = await running.user("console", email=email, password=PASSWORD)
    transport: Any = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers={"origin": "http://test"}) as web:
        await web.post("/console/session", json={"email": email, "password": PASSWORD})
        cookie = f"{COOKIE}={web.cookies[COOKIE]}"
    page = (await running.anonymous.get("/api/epoch_notes?sort=text&limit=1")).json()
    path = f"/api/epoch_notes/{page['data'][0]['id']}"
    return Issued(user, cookie, await running.anonymous.get(path), path, page["page"]["next"])


async def looks(running: TestApp, cookie: str) -> str:
    """How the console knows who looks."""
    found: str = (await running.anonymous.get("/console/api/session", headers={"cookie": cookie})).json()["how"]
    return found


def claims_of(user: Client) -> dict[str, Any]:
    payload = user._headers["authorization"].split(".")[1]
    found: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=="))
    return found


async def test_before_the_first_restore_nothing_says_anything_of_it(running: TestApp) -> None:
    had = await issued(running)
    assert claims_of(had.user).keys() == {"iss", "aud", "sub", "pv", "iat", "exp", "jti"}
    assert had.tag[:3] == '"1.'
    assert len(had.tag) == len('"1.9f86d081"')
    assert (await running.anonymous.get(f"/api/epoch_notes?sort=text&after={had.cursor}")).status == 200


async def test_what_was_issued_before_a_restore_is_refused_and_what_is_issued_after_it_is_good(
    running: TestApp, database_url: str
) -> None:
    old = await issued(running)
    assert (await written(running, "before"))[0].startswith('"1.')
    assert (await old.user.get("/api/epoch_secrets")).status == 200
    assert await looks(running, old.cookie) == "user"

    began = time.time()
    epoch = await raise_epoch_of(database_url)
    assert began - 1 <= epoch <= time.time() + 1
    await until(lambda: app.running.database.epoch.value == epoch)

    refused = await old.user.get("/api/epoch_secrets")
    assert (refused.status, refused.json()["code"]) == (401, "invalid_token")
    assert await looks(running, old.cookie) == "none"
    await assert_not_accepted(running, old)

    assert all(tag.startswith(f'"{epoch}-') for tag in await written(running, "after"))
    new = await issued(running, "eva@example.com")
    assert claims_of(new.user)["epo"] == epoch
    assert (await new.user.get("/api/epoch_secrets")).status == 200
    assert await looks(running, new.cookie) == "user"
    assert new.tag == f'"{epoch}-{old.tag[1:]}'
    assert (await running.anonymous.get(f"/api/epoch_notes?sort=text&after={new.cursor}")).status == 200
    assert (await running.anonymous.get(new.path, headers={"if-none-match": new.tag})).status == 304
    changed = await running.anonymous.patch(new.path, json={"text": "c"}, headers={"if-match": new.tag})
    assert (changed.status, changed.headers["etag"][: len(f'"{epoch}-2.')]) == (200, f'"{epoch}-2.')
    renamed = await running.anonymous.patch(
        f"{new.path}/text", headers={"if-match": f'"0-1", {changed.headers["etag"]}'}
    )
    assert renamed.status == 200


async def written(running: TestApp, text: str) -> list[str]:
    """The entity tags of all that writes and reads a row. The second time, statements of writes are known."""
    found: list[ClientResponse] = []
    for number in range(2):
        found.append(await running.anonymous.post("/api/epoch_notes", json={"text": f"z {text} {number}"}))
        path = f"/api/epoch_notes/{found[-1].data['id']}"
        found.append(await running.anonymous.patch(path, json={"text": f"zz {text} {number}"}))
        found.append(await running.anonymous.patch(path, json={"text": f"zz {text} {number}"}))
        found += [await running.anonymous.get(path), await running.anonymous.get(f"{path}?fields=text")]
        found.append(await running.anonymous.patch(f"{path}/text"))
    return [response.headers["etag"] for response in found]


async def assert_not_accepted(running: TestApp, old: Issued) -> None:
    """The row has the version of the entity tag, and the cursor is of this very list: only the epoch is another."""
    page = await running.anonymous.get(f"/api/epoch_notes?sort=text&after={old.cursor}")
    assert (page.status, page.json()["code"]) == (400, "invalid_cursor")
    assert (await running.anonymous.get(old.path, headers={"if-none-match": old.tag})).status == 200
    for method, path, body in (("PATCH", old.path, b'{"text": "x"}'), ("DELETE", old.path, None)):
        changed = await running.anonymous.request(method, path, content=body, headers={"if-match": old.tag})
        assert (changed.status, changed.json()["code"]) == (412, "version_mismatch")
    renamed = await running.anonymous.patch(f"{old.path}/text", headers={"if-match": old.tag})
    assert renamed.status == 412
    alone = await running.anonymous.patch(old.path, json={"text": "x"}, headers={"if-match": '"1"'})
    assert alone.status == 412, "a version without its epoch may be of any"


async def restore(running: TestApp, sql: "asyncpg.Connection[Any]", dsn: str) -> None:
    """The server goes, and comes back with another history, of which nobody tells: as after `gatepost backup restore`
    for a process that has not used its connections."""
    await app.running.accounts.identities.listener.stop()
    await raise_epoch_of(dsn)
    await sql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'gatepost'"
    )
    await until(lambda: app.running.database.pool.size == 0)


async def test_the_first_request_of_an_idle_process_is_not_answered_by_the_epoch_before(
    running: TestApp, sql: "asyncpg.Connection[Any]", database_url: str
) -> None:
    anonymous = running.anonymous
    requests: dict[str, Callable[[Issued], Awaitable[ClientResponse]]] = {
        "token": lambda old: old.user.get("/api/epoch_secrets"),
        "cursor": lambda old: anonymous.get(f"/api/epoch_notes?sort=text&after={old.cursor}"),
        "if-none-match": lambda old: anonymous.get(old.path, headers={"if-none-match": old.tag}),
        "if-match": lambda old: anonymous.patch(old.path, json={"text": "x"}, headers={"if-match": old.tag}),
        "cookie": lambda old: anonymous.get("/console/api/session", headers={"cookie": old.cookie}),
    }
    for name, request in requests.items():
        old = await issued(running, f"{name}@example.com")
        before = app.running.database.epoch.value
        await restore(running, sql, database_url)
        first = await request(old)
        assert app.running.database.epoch.value > before, name
        if name != "token":
            assert (first.status, first.json().get("code")) == (503, "database_unavailable"), name
            assert first.headers["retry-after"], name
        second = await request(old)
        expected = {"token": 401, "cursor": 400, "if-none-match": 200, "if-match": 412, "cookie": 200}
        assert second.status == expected[name], name
        if name == "cookie":
            assert second.json()["how"] == "none"


async def test_a_process_that_hears_nothing_reads_it_again_and_again(
    sql: "asyncpg.Connection[Any]", database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the triggers on the users' table the listener does not listen."""
    monkeypatch.setattr("gatepost.database.listener.DOUBT_SECONDS", 0.05)
    monkeypatch.setattr("gatepost.database.listener.PING_SECONDS", 0.02)
    await sql.execute("ALTER TABLE users DISABLE TRIGGER gatepost_identity_update")
    async with TestApp(app, database_url):
        epoch = await raise_epoch_of(database_url)
        await until(lambda: app.running.database.epoch.value == epoch)
        assert not app.running.accounts.identities.listener.is_trusted


async def test_a_process_whose_listener_is_refused_reads_it_by_a_connection_that_it_has(
    sql: "asyncpg.Connection[Any]", database_url: str
) -> None:
    """The role has no connection left: nothing is heard, and no connection is opened that would tell of it."""
    name = await sql.fetchval("SELECT current_database()")
    rights = (f'DATABASE "{name}"', "SCHEMA public, gatepost", "ALL TABLES IN SCHEMA public, gatepost")
    await sql.execute("CREATE ROLE narrow LOGIN")
    for right in rights:
        await sql.execute(f"GRANT ALL ON {right} TO narrow")
    try:
        async with TestApp(app, dsn_of("narrow", database_url), GATEPOST_CONSOLE="public") as running:
            listener = app.running.accounts.identities.listener
            await until(lambda: listener.is_trusted)
            for text in ("a", "b"):
                await running.anonymous.post("/api/epoch_notes", json={"text": text})
            old = await issued(running)
            await sql.execute("ALTER ROLE narrow CONNECTION LIMIT 0")
            assert listener._connection is not None
            await sql.execute("SELECT pg_terminate_backend($1)", listener._connection.get_server_pid())
            await until(lambda: not listener.is_trusted)
            assert (await old.user.get("/api/epoch_secrets")).status == 200
            epoch = await raise_epoch_of(database_url)
            await until(lambda: app.running.database.epoch.value == epoch)
            assert app.running.database.pool.size > 0, "by one that it had"
            assert (await old.user.get("/api/epoch_secrets")).status == 401
    finally:
        await sql.execute("DROP OWNED BY narrow CASCADE; DROP ROLE narrow")


async def test_an_epoch_never_comes_again(sql: "asyncpg.Connection[Any]", database_url: str) -> None:
    """The database that is restored knows nothing of the epochs that were begun since."""
    first = await raise_epoch_of(database_url)
    second = await raise_epoch_of(database_url)
    assert second > first
    await sql.execute("UPDATE gatepost.epoch SET epoch = 4102444800")
    assert await raise_epoch_of(database_url) == 4102444801, "clocks that went ahead count"
    await sql.execute("DROP SCHEMA gatepost CASCADE")
    assert await raise_epoch_of(database_url) >= first, "also in a database from before the table was made"


async def test_a_notification_alone_raises_nothing(running: TestApp, sql: "asyncpg.Connection[Any]") -> None:
    await sql.execute("NOTIFY gatepost_epoch, '4102444800'")
    await sql.execute("NOTIFY gatepost_identity, ''")
    await until(lambda: app.running.accounts.identities.listener.is_trusted)
    assert app.running.database.epoch.value == 0


async def test_a_role_that_may_not_read_it_gets_no_connection(
    sql: "asyncpg.Connection[Any]", database_url: str
) -> None:
    await raise_epoch_of(database_url)
    await sql.execute("CREATE ROLE epochless LOGIN")
    try:
        dsn = dsn_of("epochless", database_url)
        assert await started(dsn), "everybody may read it"
        await sql.execute("REVOKE SELECT ON gatepost.epoch FROM PUBLIC")
        with pytest.raises(ConfigurationError, match=r"may not read gatepost\.epoch") as refused:
            await started(dsn)
        assert 'GRANT SELECT ON gatepost.epoch TO "epochless"' in str(refused.value.hint)
        by_option = f"{database_url}{'&' if '?' in database_url else '?'}options=-crole%3Depochless"
        with pytest.raises(ConfigurationError, match="role epochless may not read"):
            await started(by_option)
    finally:
        await sql.execute("DROP ROLE epochless")


def dsn_of(role: str, dsn: str) -> str:
    """The same database, for another role."""
    return f"postgresql://{role}@{dsn.partition('@')[2] or dsn.partition('//')[2]}"


async def started(dsn: str) -> bool:
    database = Database(dsn, DatabaseSettings(), Events())
    try:
        return await connect_once(database)
    finally:
        await database.close()
