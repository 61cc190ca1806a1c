"""Dates, times and intervals that PostgreSQL stores and Python's types cannot hold: infinity, years before 1 and after
9999, `24:00:00`, intervals with months.

Other programs write them. They are read as values of these classes, so that no row is lost because of one, and are
bound as the same values again. `str()` is the text by which responses show one, and `parse` reads it. In comparisons
they stand where PostgreSQL sorts them; calculating with one raises `OverflowError`.
"""

import operator
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NoReturn, Self, cast

EPOCH_DAY = date(2000, 1, 1).toordinal()
"""PostgreSQL counts days and microseconds from the year 2000 on."""

EPOCH = datetime(2000, 1, 1)
EPOCH_UTC = EPOCH.replace(tzinfo=UTC)

INFINITY = {32: 2**31 - 1, 64: 2**63 - 1}
"""How PostgreSQL stores infinity, by the bits of the type; minus infinity is one less than its negative."""

_DAYS = range(-2_451_545, 2_145_031_949)
_MICROSECONDS = range(-211_813_488_000_000_000, 9_223_371_331_200_000_000)
"""What PostgreSQL stores besides: from 4714 BC on, to the years 5874897 and 294276."""

SECOND = 1_000_000
DAY = 86_400 * SECOND
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
"""The Gregorian calendar repeats itself."""

_DATE = re.compile(r"([0-9]{4,7})-([0-9]{2})-([0-9]{2})( BC)?")
_TIMESTAMP = re.compile(r"([0-9]{4,6}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)(\+00)?( BC)?")
_COUNT = "(?:(-?[0-9]{1,10})%s)?"
_INTERVAL = re.compile(
    f"P{_COUNT % 'Y'}{_COUNT % 'M'}{_COUNT % 'D'}(?:T{_COUNT % 'H'}{_COUNT % 'M'}"
    r"(?:(-?)([0-9]{1,10})(?:\.([0-9]{1,6}))?S)?)?"
)


def _compared(compare: Callable[[Any, Any], bool]) -> Any:
    def method(self: Any, other: object) -> bool:
        place = self.place_of(other)
        return NotImplemented if place is None else compare(self.place, place)

    return method


def _refuse(self: object, *_: Any, **__: Any) -> NoReturn:
    raise OverflowError(f"{self} is out of the range of Python's types")


class _OutOfRange:
    """What the classes have in common. `place` is where PostgreSQL sorts the value, and `place_of` that of another one,
    which need not be out of range; None for values of other types."""

    __slots__ = ()

    __eq__, __lt__, __le__, __gt__, __ge__ = map(
        _compared, (operator.eq, operator.lt, operator.le, operator.gt, operator.ge)
    )
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __floordiv__ = _refuse
    __neg__ = __abs__ = replace = timestamp = total_seconds = strftime = _refuse

    def __hash__(self) -> int:
        return hash(cast("Any", self).place)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def isoformat(self, *_: Any, **__: Any) -> str:
        """As responses show it."""
        return str(self)

    @classmethod
    def _shown(cls, value: Self | None, text: str) -> Self | None:
        """A value has one text: any other is refused."""
        return value if value is not None and str(value) == text else None


class OutOfRangeDate(_OutOfRange, date):
    """A date, by its days since 2000-01-01 as PostgreSQL counts them."""

    __slots__ = ("place",)
    place: int

    def __new__(cls, days: int) -> Self:
        made = date.__new__(cls, *((9999, 12, 31) if days > 0 else (1, 1, 1)))
        made.place = days
        return made

    def __reduce__(self) -> Any:
        return type(self), (self.place,)

    def __str__(self) -> str:
        text, era = _date_text(self.place)
        return _infinity_text(self.place, 32) or text + era

    @staticmethod
    def place_of(other: object) -> int | None:
        if isinstance(other, OutOfRangeDate):
            return other.place
        is_date = isinstance(other, date) and not isinstance(other, datetime)
        return cast("date", other).toordinal() - EPOCH_DAY if is_date else None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The date that is shown as this text; None where there is none."""
        days = _infinity_of(text, 32) or _days_of(_DATE.fullmatch(text))
        return cls._shown(None if days is None else cls(days), text)


class OutOfRangeTimestamp(_OutOfRange, datetime):
    """A timestamp, by its microseconds since 2000-01-01 as PostgreSQL counts them; `is_aware` where it has a time
    zone."""

    __slots__ = ("place",)
    place: int

    def __new__(cls, microseconds: int, is_aware: bool = True) -> Self:
        nearest = (9999, 12, 31, 23, 59, 59, 999999) if microseconds > 0 else (1, 1, 1, 0, 0, 0, 0)
        made = datetime.__new__(cls, *nearest, UTC if is_aware else None)
        made.place = microseconds
        return made

    def __reduce__(self) -> Any:
        return type(self), (self.place, self.tzinfo is not None)

    def __reduce_ex__(self, _: Any) -> Any:  # datetime has one of its own
        return self.__reduce__()

    def __str__(self) -> str:
        days, microseconds = divmod(self.place, DAY)
        text, era = _date_text(days)
        clock = without_zeros(str((datetime.min + timedelta(microseconds=microseconds)).time()))
        zone = "" if self.tzinfo is None else "+00"
        return _infinity_text(self.place, 64) or f"{text} {clock}{zone}{era}"

    def astimezone(self, tz: Any = None) -> Self:
        """The same: a place in time."""
        return self

    def place_of(self, other: object) -> int | None:
        if isinstance(other, OutOfRangeTimestamp):
            return other.place
        if not isinstance(other, datetime) or (other.tzinfo is None) is not (self.tzinfo is None):
            return None
        return microseconds_of(other - (EPOCH if other.tzinfo is None else EPOCH_UTC))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The timestamp with a time zone that is shown as this text; None where there is none."""
        place = _infinity_of(text, 64)
        found = _TIMESTAMP.fullmatch(text)
        if found is not None and found[3] is not None:
            days = _days_of(_DATE.fullmatch(found[1] + (found[4] or "")))
            clock = _clock_of(found[2])
            if days is not None and clock is not None and days * DAY + clock in _MICROSECONDS:
                place = days * DAY + clock
        return cls._shown(None if place is None else cls(place), text)


class OutOfRangeTime(_OutOfRange, time):
    """The time of day `24:00:00`, which follows all others."""

    __slots__ = ()
    place = DAY

    def __new__(cls) -> Self:
        return time.__new__(cls, 23, 59, 59, 999999)

    def __reduce__(self) -> Any:
        return type(self), ()

    def __reduce_ex__(self, _: Any) -> Any:
        return self.__reduce__()

    def __str__(self) -> str:
        return "24:00:00"

    @staticmethod
    def place_of(other: object) -> int | None:
        if isinstance(other, OutOfRangeTime):
            return DAY
        return time_microseconds(other) if isinstance(other, time) else None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The time for its text; None for others."""
        return cls() if text == "24:00:00" else None


class OutOfRangeInterval(_OutOfRange, timedelta):
    """An interval, by the months, days and microseconds that PostgreSQL keeps apart; a month counts as 30 days in
    comparisons, but equals none of them."""

    __slots__ = ("stored",)
    stored: tuple[int, int, int]

    def __new__(cls, months: int, days: int, microseconds: int) -> Self:
        made = timedelta.__new__(cls)
        made.stored = months, days, microseconds
        return made

    def __bool__(self) -> bool:
        return True  # what is read or parsed as one is not zero

    @property
    def place(self) -> tuple[int, int]:
        months, days, microseconds = self.stored
        return (months * 30 + days) * DAY + microseconds, months

    def __reduce__(self) -> Any:
        return type(self), self.stored

    def __str__(self) -> str:
        months, days, microseconds = self.stored
        if abs(months) >= INFINITY[32] and abs(microseconds) >= INFINITY[64]:
            return "infinity" if months > 0 else "-infinity"
        dated = _counted(("Y", _quotient(months, 12)), ("M", months - 12 * _quotient(months, 12)), ("D", days))
        seconds = _quotient(microseconds, SECOND)
        hours, minutes = _quotient(seconds, 3600), _quotient(seconds, 60)
        clock = _counted(("H", hours), ("M", minutes - 60 * hours))
        rest = microseconds - 60 * SECOND * minutes
        if rest:
            number = f"{abs(rest) // SECOND}.{abs(rest) % SECOND:06d}".rstrip("0").rstrip(".")
            clock += f"{'-' * (rest < 0)}{number}S"
        return f"P{dated}" + (f"T{clock}" if clock else "") if dated or clock else "PT0S"

    @staticmethod
    def place_of(other: object) -> tuple[int, int] | None:
        if isinstance(other, OutOfRangeInterval):
            return other.place
        return (microseconds_of(other), 0) if isinstance(other, timedelta) else None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The interval that is shown as this text; None where there is none."""
        if text in ("infinity", "-infinity"):
            sides = [cast("int", _infinity_of(text, bits)) for bits in (32, 32, 64)]
            return cls(*sides)
        found = _INTERVAL.fullmatch(text)
        if found is None:
            return None
        years, months, days, hours, minutes, sign, seconds, fraction = [part or "" for part in found.groups()]
        whole = int(hours or 0) * 3600 + int(minutes or 0) * 60
        rest = int(seconds or 0) * SECOND + int(fraction.ljust(6, "0"))
        made = cls(int(years or 0) * 12 + int(months or 0), int(days or 0), whole * SECOND + (-rest if sign else rest))
        is_kept = all(abs(value) <= INFINITY[bits] for value, bits in zip(made.stored, (32, 32, 64), strict=True))
        return cls._shown(made if is_kept and not made.fits else None, text)

    @property
    def fits(self) -> bool:
        """Whether a `timedelta` says the same."""
        months, days, microseconds = self.stored
        return not months and timedelta.min.days <= days + microseconds // DAY <= timedelta.max.days


OUT_OF_RANGE_TYPES = (OutOfRangeDate, OutOfRangeTimestamp, OutOfRangeTime, OutOfRangeInterval)


def microseconds_of(length: timedelta) -> int:
    """The length in microseconds, exactly."""
    return (length.days * 86_400 + length.seconds) * SECOND + length.microseconds


def time_microseconds(value: time) -> int:
    """The microseconds since midnight."""
    return ((value.hour * 60 + value.minute) * 60 + value.second) * SECOND + value.microsecond


def _infinity_text(place: int, bits: int) -> str | None:
    if place == INFINITY[bits]:
        return "infinity"
    return "-infinity" if place == -INFINITY[bits] - 1 else None


def _infinity_of(text: str, bits: int) -> int | None:
    return {"infinity": INFINITY[bits], "-infinity": -INFINITY[bits] - 1}.get(text)


def _date_text(days: int) -> tuple[str, str]:
    """A date and its era, for every day that PostgreSQL counts."""
    cycles, day = divmod(days + EPOCH_DAY - 1, _CYCLE_DAYS)
    found = date.fromordinal(day + 1)
    year = found.year + cycles * _CYCLE_YEARS
    era = "" if year > 0 else " BC"
    return f"{year if year > 0 else 1 - year:04d}-{found.month:02d}-{found.day:02d}", era


def _days_of(found: re.Match[str] | None) -> int | None:
    """The days of a date that Python cannot hold; None for others, and where there is no such date."""
    if found is None:
        return None
    year = 1 - int(found[1]) if found[4] else int(found[1])
    cycles, rest = divmod(year - 1, _CYCLE_YEARS)
    try:
        day = date(rest + 1, int(found[2]), int(found[3])).toordinal()
    except ValueError:
        return None
    days = day + cycles * _CYCLE_DAYS - EPOCH_DAY
    return days if days in _DAYS and not 1 <= year <= 9999 else None


def _clock_of(text: str) -> int | None:
    whole, _, fraction = text.partition(".")
    try:
        return time_microseconds(time.fromisoformat(f"{whole}.{fraction.ljust(6, '0')}"))
    except ValueError:
        return None


def without_zeros(text: str) -> str:
    """A time of day as PostgreSQL writes it: without zeros at the end of a fraction."""
    return text.rstrip("0") if "." in text else text


def _quotient(value: int, divisor: int) -> int:
    """Rounded towards zero, as PostgreSQL does."""
    return -(-value // divisor) if value < 0 else value // divisor


def _counted(*counts: tuple[str, int]) -> str:
    return "".join(f"{count}{unit}" for unit, count in counts if count)
