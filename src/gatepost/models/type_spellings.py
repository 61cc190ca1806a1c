"""How a type of PostgreSQL is written in a model, for hints. Types that are not here have no short spelling."""

import re

SPELLINGS = {
    "bigint": "BigInteger",
    "boolean": "Boolean",
    "bytea": "LargeBinary",
    "character": "CHAR",
    "character varying": "String",
    "citext": "CITEXT",
    "date": "Date",
    "double precision": "Double",
    "integer": "Integer",
    "interval": "Interval",
    "json": "JSON",
    "jsonb": "JSONB",
    "numeric": "Numeric",
    "real": "REAL",
    "smallint": "SmallInteger",
    "text": "Text",
    "time without time zone": "Time",
    "timestamp with time zone": "DateTime(timezone=True)",
    "timestamp without time zone": "NaiveUTC",
    "uuid": "Uuid",
}

_FORM = re.compile(r"([a-z ]+?)(?:\(([\d,]+)\))?(\[\])?")


def type_spelling(type_text: str) -> str | None:
    """`String(80)` for `character varying(80)`, as `format_type()` writes it; None where there is no such spelling."""
    found = _FORM.fullmatch(type_text)
    if found is None or (name := SPELLINGS.get(found[1])) is None:
        return None
    spelling = f"{name}({found[2].replace(',', ', ')})" if found[2] else name
    return f"ARRAY({spelling})" if found[3] else spelling
