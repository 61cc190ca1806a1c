"""A DSN is read before anything connects with it; one that cannot be read does not show its password."""

import pytest

from gatepost.dsn import address_of
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://",
        "postgresql:///shop",
        "postgres://shop:hunter2@db:5432/shop?sslmode=require",
        "postgresql://db:/shop",
        "postgresql://[::1]/shop",
        "postgresql://a:1,[::1]:65535,c/shop",
        "postgresql://shop:a%3Ab%2F%40@db/shop",
        "postgresql://%2Frun%2Fpostgresql/shop",
        "postgresql://shop@/shop?host=/run/a:b&port=5433",
        "postgresql:///shop?host=a,b&port=1,2",
    ],
)
def test_what_the_driver_reads_is_taken(dsn: str) -> None:
    assert load_settings({"DATABASE_URL": dsn}).database.url == dsn


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://shop:hunter2@[::1/shop",
        "postgresql://shop:hunter2@::1/shop",
        "postgresql://shop:hunter2@[nonsense]/shop",
        "postgresql://shop:hunter2@db:99999/shop",
        "postgresql://shop:hunter2@db:0/shop",
        "postgresql://shop:hunter2@db:port/shop",
        "postgresql://shop:hunter2@a,b:65536/shop",
        "postgresql://shop:hunter2@/shop?host=a,b&port=1,99999",
        "postgresql://shop:hunter2@/shop?host=[::1",
        "postgresql://shop:hunter2@db/shop?sslmode",
        "postgresql://shop:hunter2@db/shop%00",
        "postgresql://shop:hunter2/@db/shop",
    ],
)
def test_what_the_driver_cannot_read_is_refused_without_showing_the_password(dsn: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        load_settings({"DATABASE_URL": dsn})
    sentence = str(refusal.value)
    assert sentence.startswith("DATABASE_URL: cannot be read. Write postgresql://user:password@host:port/database")
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    ("dsn", "address"),
    [
        ("postgresql://ada:hunter2@db.internal:5433/shop", "db.internal:5433"),
        ("postgresql://ada:hunter2@db/shop", "db:5432"),
        ("postgresql://ada:hunter2@a:1,b/shop", "a:1, b:5432"),
        ("postgresql://ada:hunter2@[::1]:55/shop", "[::1]:55"),
        ("postgresql:///shop?host=a,b&port=1,2", "a:1, b:2"),
        ("postgresql:///shop?host=/run/pg&port=5433", "the socket /run/pg/.s.PGSQL.5433"),
        ("postgresql://ada@%2Frun%2Fpg/shop", "the socket /run/pg/.s.PGSQL.5432"),
        ("postgresql:///shop", "a socket of this machine, or localhost:5432"),
        ("postgresql://ada:hunter2@db:hunter2/shop", "the address in DATABASE_URL"),
    ],
)
def test_an_address_is_said_without_user_and_password(dsn: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    monkeypatch.delenv("PGPORT", raising=False)

    assert address_of(dsn) == address


def test_what_a_dsn_leaves_out_comes_from_the_environment_as_for_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.internal")
    monkeypatch.setenv("PGPORT", "6000")

    assert address_of("postgresql:///shop") == "db.internal:6000"
