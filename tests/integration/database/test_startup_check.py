"""The first connection: away is worth waiting for, a refusal is a sentence that names DATABASE_URL."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from gatepost.database.database import Database
from gatepost.database.pooler_detection import is_transaction_pooled
from gatepost.database.startup_check import connect_once
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import ConfigurationError, ServiceUnavailable
from gatepost.events import DatabaseLost, Events
from gatepost.settings import DatabaseSettings


def database(url: str, events: Events | None = None) -> Database:
    return Database(url, DatabaseSettings(), events or Events())


async def test_a_database_that_is_there_has_a_connection_afterwards(database_url: str) -> None:
    made = database(database_url)
    await connect_once(made)
    assert made.pool.size == 1
    await made.close()


async def test_a_database_that_is_away_is_no_reason_not_to_start(tmp_path: Path) -> None:
    lost: list[DatabaseLost] = []
    events = Events()
    events.subscribe(DatabaseLost, lost.append)
    await connect_once(database(f"postgresql://nobody@/nothing?host={tmp_path}", events))
    assert len(lost) == 1


@pytest.mark.parametrize(
    ("database_name", "user", "complaint", "hint"),
    [
        ("no_such_database", "gatepost", 'database "no_such_database" does not exist', "CREATE DATABASE"),
        ("postgres", "no_such_role", 'role "no_such_role" does not exist', "CREATE ROLE"),
    ],
)
async def test_postgresql_that_refuses_is_named_with_the_hint(
    postgresql: EmbeddedPostgreSQL, database_name: str, user: str, complaint: str, hint: str
) -> None:
    url = postgresql.dsn(database_name).replace("gatepost@", f"{user}@")
    with pytest.raises(ConfigurationError, match=r"PostgreSQL at .+ refuses the connection") as refused:
        await connect_once(database(url))
    assert complaint in refused.value.message
    assert (refused.value.location, hint in str(refused.value.hint)) == ("DATABASE_URL", True)


async def test_an_option_that_postgresql_does_not_know_is_refused(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match="conect_timeout"):
        await connect_once(database(f"{database_url}&conect_timeout=3"))


@pytest.mark.parametrize(
    "url",
    [
        "mysql://shop:hunter2@db/shop",
        "postgresql://shop:hunter2@db:54x2/shop",
        "postgresql://shop:hun:ter2@db:hunter2/shop",
        "postgresql://shop:hunter2@db/shop?sslmode=perhaps",
    ],
)
async def test_a_url_that_cannot_be_read_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        await connect_once(database(url))
    assert refused.value.location == "DATABASE_URL"
    assert "hunter2" not in str(refused.value)
    assert "postgresql://user:password@host:port/database" in str(refused.value)


async def test_connections_with_backends_of_their_own_are_not_pooled(database_url: str) -> None:
    made = database(database_url)
    connection = await made.connect()
    assert not await is_transaction_pooled(connection, made.connect)
    await connection.close()


async def test_where_only_one_connection_may_be_opened_the_app_starts_all_the_same(
    postgresql: EmbeddedPostgreSQL, database_url: str
) -> None:
    role = f"alone_{urlsplit(database_url).path.removeprefix('/test_')}"
    postgresql.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1")
    made = database(database_url.replace("gatepost@", f"{role}@"))
    assert await connect_once(made)
    assert made.pool.size == 1
    await made.close()
    postgresql.execute(f"DROP ROLE {role}")


@asynccontextmanager
async def server_with_another_hosts_certificate(folder: Path) -> AsyncGenerator[str]:
    """The DSN of what speaks TLS as PostgreSQL does, with a certificate that is not for it."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elsewhere")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    certificate, pem = builder.sign(key, None), serialization.Encoding.PEM
    (folder / "certificate").write_bytes(certificate.public_bytes(pem))
    private = serialization.PrivateFormat.PKCS8
    (folder / "key").write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # SSLRequest
        writer.write(b"S")
        with contextlib.suppress(OSError):
            await writer.start_tls(context)
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://me@127.0.0.1:{port}/db?sslmode=verify-full&sslrootcert={folder / 'certificate'}"


async def test_a_certificate_that_is_refused_is_named_at_the_start(tmp_path: Path) -> None:
    async with server_with_another_hosts_certificate(tmp_path) as dsn:
        with pytest.raises(ConfigurationError, match=r"certificate of PostgreSQL at 127\.0\.0\.1:\d+ is refused"):
            await connect_once(database(dsn))


async def test_while_a_server_runs_a_refused_certificate_is_an_outage(tmp_path: Path) -> None:
    async with server_with_another_hosts_certificate(tmp_path) as dsn:
        made = database(dsn)
        for _ in range(2):
            with pytest.raises(ServiceUnavailable, match="database_unavailable"):
                await made.pool.acquire()
        assert made.pool.reachability.is_lost
        await made.close()
