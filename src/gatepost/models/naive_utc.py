"""`NaiveUTC`: a `timestamp without time zone` whose values are in UTC. The public interface re-exports it.

On the wire and in Python the values are those of `DateTime(timezone=True)`; the offset is taken off where a value is
bound, and put on where one is read.
"""

from datetime import UTC, datetime

from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeDecorator

from gatepost.out_of_range import OutOfRangeTimestamp


class NaiveUTC(TypeDecorator[datetime]):
    """A column of type `timestamp` (without time zone) whose values are in UTC: `mapped_column(NaiveUTC)`.

    Python code reads and writes datetimes with a time zone; one without is refused with a TypeError. `precision` is the
    number of digits of the seconds, by default six.
    """

    impl = TIMESTAMP
    cache_ok = True

    def __init__(self, precision: int | None = None) -> None:
        self.precision = precision
        super().__init__(timezone=False, precision=precision)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The same moment in UTC, without the time zone."""
        if value is None or isinstance(value, OutOfRangeTimestamp):
            return value
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone: write datetime.now(UTC), or datetime(..., tzinfo=UTC).")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The stored moment, with its time zone."""
        if isinstance(value, OutOfRangeTimestamp):
            return OutOfRangeTimestamp(value.place)
        return None if value is None else value.replace(tzinfo=UTC)
