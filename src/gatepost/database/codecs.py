"""How the driver reads and writes the types for which Python's are too small or too inexact. Set once per connection.

asyncpg takes `date.max` for infinity, and raises for years that Python does not have: a single row would make a list
fail, or a date be stored as another one. Here every value is read, and written as the same value.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from gatepost.exact_json import decode
from gatepost.out_of_range import (
    DAY,
    EPOCH,
    EPOCH_DAY,
    EPOCH_UTC,
    SECOND,
    OutOfRangeDate,
    OutOfRangeInterval,
    OutOfRangeTime,
    OutOfRangeTimestamp,
    microseconds_of,
    time_microseconds,
)

_DAYS = range(1 - EPOCH_DAY, date.max.toordinal() - EPOCH_DAY + 1)
_MICROSECONDS = range(_DAYS.start * DAY, _DAYS.stop * DAY)


def _read_date(stored: tuple[int]) -> date:
    days = stored[0]
    return date.fromordinal(days + EPOCH_DAY) if days in _DAYS else OutOfRangeDate(days)


def _write_date(value: date) -> tuple[int]:
    if isinstance(value, OutOfRangeDate):
        return (value.place,)
    return (value.toordinal() - EPOCH_DAY,)


def _read_timestamp(stored: tuple[int]) -> datetime:
    moment = stored[0]
    return EPOCH + timedelta(0, 0, moment) if moment in _MICROSECONDS else OutOfRangeTimestamp(moment, is_aware=False)


def _write_timestamp(value: date) -> tuple[int]:
    if isinstance(value, OutOfRangeTimestamp):
        return (value.place,)
    return (microseconds_of(_moment(value) - EPOCH),)


def _read_timestamptz(stored: tuple[int]) -> datetime:
    moment = stored[0]
    return EPOCH_UTC + timedelta(0, 0, moment) if moment in _MICROSECONDS else OutOfRangeTimestamp(moment)


def _write_timestamptz(value: date) -> tuple[int]:
    if isinstance(value, OutOfRangeTimestamp):
        return (value.place,)
    moment = _moment(value)
    return (microseconds_of((moment if moment.tzinfo is not None else moment.astimezone()) - EPOCH_UTC),)


def _moment(value: date) -> datetime:
    """The driver takes a date for its midnight."""
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)


def _read_time(stored: tuple[int]) -> time:
    return (EPOCH + timedelta(microseconds=stored[0])).time() if stored[0] < DAY else OutOfRangeTime()


def _write_time(value: time) -> tuple[int]:
    return (DAY if isinstance(value, OutOfRangeTime) else time_microseconds(value),)


def _read_interval(stored: tuple[int, int, int]) -> timedelta:
    months, days, microseconds = stored
    if not months:
        try:
            return timedelta(days, 0, microseconds)
        except OverflowError:
            pass
    return OutOfRangeInterval(months, days, microseconds)


def _write_interval(value: timedelta) -> tuple[int, int, int]:
    if isinstance(value, OutOfRangeInterval):
        return value.stored
    return 0, value.days, value.seconds * SECOND + value.microseconds


def _read_char(text: str) -> str:
    """The spaces with which PostgreSQL fills up `char(n)` are not part of the value."""
    return text.rstrip(" ")


CODECS: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "json": ("text", str, decode),
    "jsonb": ("text", str, decode),
    "bpchar": ("text", str, _read_char),
    "float4": ("text", str, float),  # 0.1 instead of the double-precision number that is nearest to what is stored
    "date": ("tuple", _write_date, _read_date),
    "timestamp": ("tuple", _write_timestamp, _read_timestamp),
    "timestamptz": ("tuple", _write_timestamptz, _read_timestamptz),
    "time": ("tuple", _write_time, _read_time),
    "interval": ("tuple", _write_interval, _read_interval),
}
"""By the name of the type: the driver's format, and the functions to it and from it."""
