"""Values that travel as text: numbers, timestamps, intervals, UUIDs and base64, each with one strict form.

The same functions read bodies, query parameters and path keys. They raise `Violation` and nothing else; none of them
rounds, guesses or accepts what PostgreSQL could not give back unchanged.
"""

import math
import re
import struct
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import msgspec
from asyncpg.pgproto import pgproto

from gatepost.dtos.strict_json import SURROGATE
from gatepost.dtos.value_checks import WIDE
from gatepost.dtos.violations import NO_PARAMS, Violation, wrong_type

DIGITS_MAX = 500
"""Digits before and after the point that a number without a declared precision may have."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,499})(?:\.[0-9]{1,500})?(?:[eE][-+]?[0-9]{1,4})?")
_RAW_NUMBER = re.compile(rb'"?(-?(?:0|[1-9][0-9]{0,499})(?:\.[0-9]{1,500})?(?:[eE][-+]?[0-9]{1,4})?)"?')
_LONG_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,131071})(?:\.[0-9]{1,16383})?")
_ANY_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(?:s?nan[0-9]*|inf|infinity)", re.IGNORECASE)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.([0-9]+))?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_PLAIN_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3}(?:[0-9]{3})?)?Z"
).fullmatch
"""The form that nearly every client sends: in UTC already, and parsed by the fastest path."""

_TIME = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.([0-9]+))?")
_INTERVAL = re.compile(
    r"(-?)P(?=[0-9T])(?:([0-9]{1,9})W|(?:([0-9]{1,10})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,12})H)?(?:([0-9]{1,12})M)?(?:([0-9]{1,15})(?:\.([0-9]+))?S)?)?)"
)
INTERVAL_TEXT = (
    "-?P(?=[0-9T])([0-9]{1,8}W|([0-9]{1,9}D)?"
    r"(T(?=[0-9])([0-9]{1,9}H)?([0-9]{1,10}M)?([0-9]{1,12}(\.[0-9]{1,6})?S)?)?)"
)
"""What an interval in a body looks like, as a pattern for clients."""

BASE64_TEXT = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?"
"""What bytes look like, as a pattern for clients."""

_FIRST = ("too_small", "min", "0001-01-01T00:00:00Z")
_LAST = ("too_large", "max", "9999-12-31T23:59:59.999999Z")
"""The timestamps that can be stored; with the code of those before and after them, and the name in `params`."""

_INTERVAL_UNITS = ("weeks", "days", "hours", "minutes", "seconds")


def text_of(value: str) -> str:
    """Text that PostgreSQL can store: without NUL and without lone surrogates."""
    if "\0" in value:
        raise Violation("invalid_text", "The text holds a NUL character (\\u0000), which cannot be stored.")
    if not value.isascii() and SURROGATE.search(value):
        raise Violation("invalid_text", "The text holds a lone surrogate, which is not a character.")
    return value


def integer_of(text: str) -> int:
    """An integer in plain notation. Numbers far beyond the range of every column are refused before they are
    converted."""
    if not _INTEGER.fullmatch(text):
        raise wrong_type("an integer, in plain notation without fraction or exponent", expected="integer")
    if len(text) > 20:
        raise _beyond(text, "The integer has more digits than any column holds.")
    return int(text)


def boolean_of(text: str) -> bool:
    """`true` or `false`, as in JSON."""
    if text not in ("true", "false"):
        raise wrong_type("true or false", expected="boolean")
    return text == "true"


def float_of(text: str) -> float:
    """A finite double in decimal notation."""
    if not _ANY_NUMBER.fullmatch(text):
        raise _not_a_number(text, "a number in decimal notation, such as 12.5")
    value = float(text)
    if not math.isfinite(value):
        raise _beyond(text, "The number is beyond the range of a double-precision number.")
    return value


def is_single(value: float) -> bool:
    """Whether a single-precision column shows the number as it was sent."""
    return value == _shown_single(_single_of(value))


def compared_single(text: str) -> float:
    """A number to compare with a single-precision column: the stored number that is shown by these digits, where there
    is one. Beyond the range of the column every number is infinite."""
    found = float_of(text)
    stored = _single_of(found)
    return stored if math.isinf(stored) or _shown_single(stored) == found else found


def _single_of(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _shown_single(stored: float) -> float:
    """PostgreSQL shows the fewest digits by which the number is found again."""
    shown = (float(f"{stored:.{digits}g}") for digits in range(1, 10))
    return next((number for number in shown if _single_of(number) == stored), stored)


def raw_float(raw: Any) -> float:
    """The same from the bytes of one JSON value. Python reads a number near the end of the range of doubles in a tenth
    of a microsecond, msgspec in ten."""
    text = bytes(raw)
    try:
        value = float(text)
    except ValueError:
        raise wrong_type("a number") from None
    if not math.isfinite(value):
        raise _beyond(text.decode(), "The number is beyond the range of a double-precision number.")
    return value


def decimal_of(text: str, whole: int = DIGITS_MAX, scale: int = DIGITS_MAX) -> Decimal:
    """An exact number of at most `whole` digits before and `scale` digits after the point."""
    if not _NUMBER.fullmatch(text):
        if _ANY_NUMBER.fullmatch(text) and not re.match("-?0[0-9]", text):
            raise _beyond(text, f"The number has more than {DIGITS_MAX} digits.", {"digits": DIGITS_MAX})
        raise _not_a_number(text, 'a number in plain decimal notation, such as "12.50"')
    return _bounded(Decimal(text), min(whole, DIGITS_MAX), min(scale, DIGITS_MAX))


def long_decimal(text: str) -> Decimal | None:
    """A number with more digits than bodies may have, as PostgreSQL shows it; None for other texts."""
    whole, _, fraction = text.removeprefix("-").partition(".")
    is_long = len(whole) > DIGITS_MAX or len(fraction) > DIGITS_MAX
    return Decimal(text) if is_long and _LONG_NUMBER.fullmatch(text) else None


def raw_decimal_reader(whole: int, scale: int) -> Callable[[Any], Decimal]:
    """The same from the bytes of a JSON number or string: plain digits that fit are the quick case."""
    plain = _plain_decimal(whole, scale).fullmatch

    def read(raw: Any) -> Decimal:
        found = plain(raw)
        if found is not None:
            return Decimal(found[1].decode())
        found = _RAW_NUMBER.fullmatch(raw)
        if found is None:
            raise wrong_type("a number")
        return _bounded(Decimal(found[1].decode()), min(whole, DIGITS_MAX), min(scale, DIGITS_MAX))

    return read


def _plain_decimal(whole: int, scale: int) -> re.Pattern[bytes]:
    """Digits that fit by their count alone. Quotes need no check: the bytes are one valid JSON value."""
    if whole < 1 or scale < 0:
        return re.compile(rb'"?(0)"?')
    fraction = rf"(?:\.[0-9]{{1,{scale}}})?" if scale else ""
    return re.compile(rf'"?(-?(?:0|[1-9][0-9]{{0,{whole - 1}}}){fraction})"?'.encode())


def _bounded(value: Decimal, whole: int, scale: int) -> Decimal:
    if not value:
        return value if -max(scale, 0) <= value.adjusted() <= 0 else Decimal(0)
    if value.adjusted() >= whole:
        sign = "-" if value < 0 else ""
        raise _beyond(
            sign, f"The number has more than {max(whole, 0)} digits before the point.", {"digits": max(whole, 0)}
        )
    exponent = cast("int", WIDE.normalize(value).as_tuple().exponent)
    if exponent < -scale:
        digits = f"more than {scale} digits after the point" if scale >= 0 else f"a digit below 10^{-scale}"
        detail = f"The number has {digits}; it would have to be rounded."
        raise Violation("too_precise", detail, params={"digits": scale})
    return value


def _beyond(text: str, detail: str, params: Mapping[str, Any] = NO_PARAMS) -> Violation:
    return Violation("too_small" if text.startswith("-") else "too_large", detail, params=params)


def _malformed(form: str, detail: str) -> Violation:
    """`form` is the name of the form to send, as JSON Schema calls it."""
    return Violation("invalid_format", detail, params={"format": form})


def _not_a_number(text: str, noun: str) -> Violation:
    if _NOT_FINITE.fullmatch(text):
        return Violation("not_finite", "NaN and infinity are not accepted; send a finite number.")
    return wrong_type(noun, expected="number")


def uuid_of(text: str) -> UUID:
    """The canonical form of RFC 9562: 32 hexadecimal digits in groups of 8-4-4-4-12."""
    try:
        # asyncpg's own kind of UUID, the one that it returns: faster to make, to send and to write than its parent.
        found = pgproto.UUID(text)
        if str(found) == text or str(found) == text.lower():
            return found
    except ValueError:
        pass
    raise _malformed("uuid", 'Send a UUID in its canonical form, such as "018f0e5a-7c4b-7c1e-8a52-6d0b5b1f3c2d".')


def timestamp_of(text: str) -> datetime:
    """RFC 3339 with an offset, as an aware datetime in UTC."""
    normal = text if _PLAIN_TIMESTAMP(text) else _normal_timestamp(text)
    try:
        value = datetime.fromisoformat(normal)
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    except ValueError:
        raise _malformed("date-time", "There is no such date, time or offset.") from None
    except OverflowError:
        code, name, bound = _FIRST if text.startswith("0001") else _LAST
        detail = "The timestamp lies outside what can be stored: the years 1 to 9999 in UTC."
        raise Violation(code, detail, params={name: bound}) from None


def _normal_timestamp(text: str) -> str:
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        detail = 'Send a timestamp with its offset (RFC 3339), such as "2030-01-31T12:00:00Z".'
        raise _malformed("date-time", detail)
    _whole_microseconds(found[1])
    return _six_digits(text.upper(), found[1])


def date_of(text: str) -> date:
    """A date as `YYYY-MM-DD`."""
    try:
        return msgspec.convert(text, date)
    except (msgspec.ValidationError, UnicodeEncodeError):  # the latter is for lone surrogates
        raise _malformed("date", 'Send a date that exists, as "2030-01-31".') from None


def time_of(text: str) -> time:
    """A time of day without an offset."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise _malformed("time", 'Send a time of day without an offset, such as "12:30:00".')
    _whole_microseconds(found[1])
    try:
        return time.fromisoformat(_six_digits(text, found[1]))
    except ValueError:
        raise _malformed("time", "There is no such time of day.") from None


def interval_of(text: str) -> timedelta:
    """An ISO 8601 duration of weeks, or of days, hours, minutes and seconds; months and years have no fixed length."""
    found = _INTERVAL.fullmatch(text)
    if found is None:
        raise _malformed("duration", _interval_hint(text))
    sign, *amounts, fraction = found.groups()
    lengths = {unit: int(amount or 0) for unit, amount in zip(_INTERVAL_UNITS, amounts, strict=True)}
    _whole_microseconds(fraction)
    try:
        length = timedelta(**lengths, microseconds=int((fraction or "0").ljust(6, "0")[:6]))
        return -length if sign else length
    except OverflowError:
        params = {"min": "-P999999999D"} if sign else {"max": "P999999999D"}
        raise _beyond(text, "The interval is longer than 999999999 days.", params) from None


def _interval_hint(text: str) -> str:
    if re.match("-?P[0-9]+[YM]", text):
        return "Years and months have no fixed length: send days, hours, minutes and seconds."
    return 'Send an ISO 8601 duration, such as "P1DT12H" or "PT90S".'


def bytes_of(text: str) -> bytes:
    """Base64 (RFC 4648 section 4) with its padding."""
    try:
        value = a2b_base64(text, strict_mode=True)
    except ValueError:
        value = None
    # Unused bits in the last character would be lost: the same bytes must have exactly one text.
    if value is None or b64encode(value).decode() != text:
        raise _malformed("base64", 'Send base64 with its padding, such as "aGVsbG8=".')
    return value


def _whole_microseconds(fraction: str | None) -> None:
    if fraction is not None and len(fraction) > 6 and fraction[6:].strip("0"):
        detail = "Send at most six digits of a second: microseconds are what is stored."
        raise Violation("too_precise", detail, params={"digits": 6})


def _six_digits(text: str, fraction: str | None) -> str:
    """Python reads exactly three or six digits of a second in every version; zeros beyond them change nothing."""
    return text if fraction is None else text.replace(f".{fraction}", f".{fraction[:6].ljust(6, '0')}")
