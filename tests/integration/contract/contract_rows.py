"""Rows for the tests that only read: written once for a module, through the ORM."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import cycle
from typing import Any
from uuid import UUID

from all_types_app import Country, Genre, Person, Sample, Shelf, Vault, Work, app
from sqlalchemy import inspect

WORDS = ("sea", "100%", "a_b", "axb", "back\\slash", "Ödland", "", None, 'Sea, "land"', '"SEA"')
VALUES: dict[str, tuple[Any, ...]] = {
    "small": (-7, 0, 3, 3, None),
    "large": (-(2**63), 0, 2**53 + 1, 2**63 - 1, None, None, 5),
    "word": WORDS,
    "amount": (Decimal("-1.5"), Decimal("0"), Decimal("1.245"), Decimal("999999999.999"), None, Decimal("1.245")),
    "ratio": (0.1, -1e300, 1.5, 5e-324, None, 2.0, 0.30000000000000004),
    "flag": (True, False, None),
    "genre": (Genre.NOVEL, Genre.POEMS, None, Genre.ESSAY),
    "mood": (Genre.ESSAY, None, Genre.NOVEL, Genre.POEMS, Genre.POEMS),
    "grade": ("c", "a", None, "b"),
    "day": (date(1999, 12, 31), date(1, 1, 2), None, date(9999, 12, 30), date(2024, 2, 29)),
    "hour": (time(0, 0), time(23, 59, 59, 999999), None, time(12, 30)),
    "moment": (
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, microsecond=1, tzinfo=UTC),
        None,
        datetime(1969, 7, 20, 20, 17, 40, 120000, tzinfo=UTC),
    ),
    "span": (timedelta(0), timedelta(days=-1, microseconds=1), None, timedelta(days=400, hours=5), timedelta(hours=-3)),
    "token": (UUID(int=1), UUID(int=2**127), None),
    "data": (b"", b"\x00\xff", None),
    "texts": (["a", "b,c"], [], None, ['"', "\\"]),
    "numbers": ([1, -2], [], None),
    "genres": ([Genre.POEMS, Genre.NOVEL], [], None),
    "amounts": ([Decimal("1.50"), Decimal("-2")], [], None),
    "moments": ([datetime(2024, 1, 1, 12, tzinfo=UTC)], [], None),
    "document": (
        {"a": [1, {"b": None}], "ü": "\n"},
        [1, "2"],
        None,
        "text",
        1.5,
        False,
        {"color": "red", "size": 12, "tags": ["red", 12, True, None]},
        {"color": "12", "size": "12", "tags": "red"},
        {"color": True, "size": 12.0, "tags": []},
        {"color": None, "size": {"width": -3, "ü.": "x"}, "tags": ["12"]},
        {"color": "true", "size": {"width": "wide, very"}, "tags": [["red"], {"red": 1}]},
        [{"color": "red"}],
    ),
}
"""The values of every column of `Sample`, taken round and round; lengths differ, so that combinations do."""

SAMPLES = 33


def samples() -> list[Sample]:
    """Rows of every combination that comes about."""
    columns = {name: cycle(values) for name, values in VALUES.items()}
    return [Sample(**{name: next(values) for name, values in columns.items()}) for _ in range(SAMPLES)]


async def write_samples() -> list[dict[str, Any]]:
    """Write the samples; the rows as Python sees them, with their keys."""
    async with app.transaction() as work:
        rows = samples()
        work.session.add_all(rows)
        await work.session.flush()
        names = [column.key for column in inspect(Sample).column_attrs]
        return [{name: getattr(row, name) for name in names} for row in rows]


async def write_works(member_id: UUID, stranger_id: UUID) -> dict[str, int]:
    """Write people, works and what surrounds them; keys by name."""
    async with app.transaction() as work:
        session = work.session
        session.add_all([Country(code="no", name="Norway"), Country(code="é/x", name="Odd")])
        vault = Vault(name="north")
        shelf, other = Shelf(label="mine", keeper_id=member_id), Shelf(label="theirs", keeper_id=stranger_id)
        ann = Person(name="Ann", country_code="no", account_id=member_id, diary="Ann's", password="p", salary=1)
        session.add_all([vault, shelf, other, ann])
        await session.flush()
        bob = Person(name="Bob", mentor_id=ann.id, account_id=stranger_id, diary="Bob's", born=date(1950, 1, 1))
        session.add(bob)
        await session.flush()
        cyd = Person(name="Cyd", mentor_id=bob.id)
        session.add(cyd)
        await session.flush()
        works = [
            Work(title="Sea", author_id=ann.id, editor_id=bob.id, ghost_id=cyd.id, vault_id=vault.id,
                 shelf_id=shelf.id, limit=1, order=9, cost=Decimal("9.50"), isbn="1", extra={"a": 1}, files={"a": 1}),
            Work(title="Land", author_id=bob.id, shelf_id=other.id, limit=2, genre=Genre.POEMS, pages=300),
            Work(title="Sky", author_id=cyd.id, editor_id=ann.id, state="worn", available=False),
        ]  # fmt: skip
        session.add_all(works)
        await session.flush()
        keys = {row.name.lower(): row.id for row in (ann, bob, cyd)}
        keys |= {row.title.lower(): row.id for row in works}
        return keys | {"vault": vault.id, "mine": shelf.id, "theirs": other.id}
