"""Types of PostgreSQL as a model writes them."""

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from gatepost import NaiveUTC
from gatepost.models.type_spellings import SPELLINGS, type_spelling


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("character varying(80)", "String(80)"),
        ("character(8)", "CHAR(8)"),
        ("numeric(10,2)", "Numeric(10, 2)"),
        ("text[]", "ARRAY(Text)"),
        ("timestamp without time zone", "NaiveUTC"),
        ("email_address", None),
        ("time(3) without time zone", None),
        ("store.citext", None),
    ],
)
def test_a_type_is_spelled_as_in_a_model(text: str, spelling: str | None) -> None:
    assert type_spelling(text) == spelling


@pytest.mark.parametrize("text", sorted(SPELLINGS))
def test_each_spelling_is_a_type_that_postgresql_writes_so(text: str) -> None:
    names = {**vars(postgresql), **vars(sa), "NaiveUTC": NaiveUTC}
    kind = eval(SPELLINGS[text], names)  # noqa: S307 - our own table
    compiled = sa.types.to_instance(kind).compile(postgresql.dialect()).lower()
    assert {"varchar": "character varying", "char": "character", "float": "double precision"}.get(
        compiled, compiled
    ) == text
