"""The codecs of dates and times: every value that PostgreSQL stores is read, and written back as the same value."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import pytest_asyncio

from gatepost.database.connection import RawConnection
from gatepost.database.database import Database
from gatepost.events import Events
from gatepost.out_of_range import OutOfRangeDate, OutOfRangeInterval, OutOfRangeTime, OutOfRangeTimestamp
from gatepost.settings import DatabaseSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATES = ["infinity", "-infinity", "4714-11-24 BC", "0044-03-15 BC", "0001-12-31 BC", "10000-01-01", "5874897-12-31"]
MOMENTS = [
    "infinity", "-infinity", "4714-11-24 00:00:00+00 BC", "0044-03-15 12:00:00+00 BC",
    "0001-12-31 23:59:59.999999+00 BC", "10000-01-01 00:00:00+00", "294276-12-31 23:59:59.999999+00",
    "20000-02-29 01:02:03.04+00",
]  # fmt: skip
INTERVALS = [
    "P1M", "-infinity", "infinity", "P1Y", "P-1Y-2M3DT-4H-5M-6.789S", "P2147483647D", "P-178000000Y",
    "P1MT0.000001S", "P1MT-0.5S", "P1Y2M3DT4H5M6S",
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connection(module_database_url: str) -> AsyncIterator[RawConnection]:
    """A connection as the pool has them."""
    settings = DatabaseSettings(url=module_database_url)
    raw = await Database(module_database_url, settings, Events()).connect()
    yield raw
    await raw.close()


async def _read(connection: RawConnection, kind: str, text: str) -> Any:
    return await connection.fetchval(f"SELECT '{text}'::{kind}")


async def _stored(connection: RawConnection, kind: str, value: Any) -> str:
    return str(await connection.fetchval(f"SELECT $1::{kind}::text", value))


@pytest.mark.parametrize(
    ("kind", "text", "made"),
    [
        *(("date", text, OutOfRangeDate) for text in DATES),
        *(("timestamptz", text, OutOfRangeTimestamp) for text in MOMENTS),
        *(("timestamp", text.replace("+00", ""), OutOfRangeTimestamp) for text in MOMENTS),
        ("time", "24:00:00", OutOfRangeTime),
        *(("interval", text, OutOfRangeInterval) for text in INTERVALS),
    ],
)
async def test_what_python_cannot_hold_is_read_and_written_as_it_is(
    connection: RawConnection, kind: str, text: str, made: Any
) -> None:
    found = await _read(connection, kind, text)
    assert isinstance(found, made)
    assert str(found) == found.isoformat() == text
    assert await _stored(connection, kind, found) == text
    assert await _read(connection, f"{kind}[]", f'{{"{text}",NULL}}') == [found, None]
    if kind != "timestamp":
        parsed = made.parse(text)
        assert parsed == found
        assert await _stored(connection, kind, parsed) == text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date", date.max), ("date", date.min), ("date", date(2000, 1, 1)),
        ("timestamptz", datetime.max.replace(tzinfo=UTC)), ("timestamptz", datetime.min.replace(tzinfo=UTC)),
        ("timestamp", datetime.max), ("timestamp", datetime.min), ("timestamp", datetime(1969, 7, 20, 20, 17, 40, 1)),
        ("time", time.max), ("time", time.min), ("interval", timedelta.max), ("interval", timedelta.min),
        ("interval", timedelta(days=-1, microseconds=1)),
    ],
)  # fmt: skip
async def test_what_python_holds_stays_what_it_is(connection: RawConnection, kind: str, value: Any) -> None:
    assert await connection.fetchval(f"SELECT $1::{kind}", value) == value
    assert "infinity" not in await _stored(connection, kind, value)


async def test_values_are_compared_as_postgresql_compares_them(connection: RawConnection) -> None:
    for kind, texts in (
        ("date", [*DATES, "9999-12-31", "0001-01-01"]),
        ("timestamptz", [*MOMENTS, "9999-12-31 23:59:59.999999+00", "0001-01-01 00:00:00+00"]),
        ("time", ["24:00:00", "23:59:59.999999", "00:00:00"]),
        ("interval", [*INTERVALS, "P29D", "P31D"]),
    ):
        found = [await _read(connection, kind, text) for text in texts]
        order = await connection.fetchval(f"SELECT array_agg(v::text ORDER BY v) FROM unnest($1::{kind}[]) v", found)
        assert [await _stored(connection, kind, value) for value in sorted(found)] == order


async def test_a_month_is_not_thirty_days(connection: RawConnection) -> None:
    month = await _read(connection, "interval", "P1M")
    assert month != timedelta(days=30)
    assert timedelta(days=29) < month < timedelta(days=31)
    with pytest.raises(OverflowError, match="P1M is out of the range"):
        _ = month + timedelta(days=1)
