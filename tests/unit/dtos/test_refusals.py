"""Whatever is sent for whatever column: a reader gives a value or a refusal, and raises nothing else."""

import enum
import json
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from columns import attribute, decoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB

from gatepost.dtos.scalars import compile_scalar
from gatepost.dtos.violations import Violation
from gatepost.errors import Problem


class Colour(enum.Enum):
    RED = "red"


SCALARS: list[Any] = [
    sa.Boolean(),
    sa.SmallInteger(),
    sa.Integer(),
    sa.BigInteger(),
    sa.Float(),
    sa.REAL(),
    sa.Numeric(),
    sa.Numeric(6, 2),
    sa.Numeric(2, 5),
    sa.Numeric(asdecimal=False),
    sa.Text(),
    sa.String(4),
    sa.Uuid(),
    sa.Uuid(as_uuid=False),
    sa.DateTime(timezone=True),
    sa.Date(),
    sa.Time(),
    sa.Interval(),
    INTERVAL(precision=3),
    sa.LargeBinary(),
    sa.LargeBinary(4),
    sa.Enum("a", "b", name="letters"),
    sa.Enum(Colour),
    sa.JSON(),
    JSONB(),
]
KINDS: list[Any] = [*SCALARS, *(sa.ARRAY(kind) for kind in SCALARS)]

LONG = 5_000
"""More characters than Python converts to an integer."""

ODD = st.sampled_from(
    [
        "\ud800",
        "\udfff2030",
        "\0",
        "\x85",
        "\u0661",
        "\uff11",
        "\U0001f600",
        "\ufeff",
        "e",
        "E+",
        "-",
        "P",
        "T",
        "Z",
        "=",
    ]
)
NEAR = st.sampled_from(
    [
        "2030-01-31",
        "2030-01-31T12:00:00Z",
        "12:30:00.5",
        "P1DT2H",
        "12.50",
        "-0",
        "1e308",
        "1e99999",
        "true",
        "NaN",
        "a",
        "018f0e5a-7c4b-7c1e-8a52-6d0b5b1f3c2d",
        "aGVsbG8=",
        "red",
        "[1]",
        '{"a":1}',
        "9" * LONG,
        "0." + "1" * LONG,
    ]
)
REPEATED = st.builds(lambda sign, count: sign * count, ODD | st.sampled_from("10[{a=.:"), st.integers(1, LONG))
TEXTS = st.lists(ODD | NEAR | REPEATED | st.text(st.characters(), max_size=5), max_size=4).map("".join)
NUMBERS = st.sampled_from(
    ["0", "-0", "-0.0", "1e308", "-1e309", "1e99999999999999999999", "9" * LONG, "0." + "1" * LONG]
)
VALUES = st.recursive(
    TEXTS.map(json.dumps)
    | TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False))
    | NUMBERS
    | st.sampled_from(["null", "true", "[" * LONG, "[" * LONG + "]" * LONG, '{"a":' * LONG + "1" + "}" * LONG]),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda items: "[" + ",".join(items) + "]")
        | st.builds(lambda name, item: f'{{"{name}":{item}}}', st.sampled_from(["a", "\\ud800", "\\u0000"]), inner)
    ),
    max_leaves=3,
)
OFTEN = settings(max_examples=settings.default.max_examples // 5, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", KINDS, ids=repr)
@OFTEN
@given(VALUES, st.booleans())
def test_a_body_is_read_or_refused(kind: Any, value: str, is_array: bool) -> None:
    value = f"[{value}]" if is_array and isinstance(kind, sa.ARRAY) else value
    body = f'{{"f":{value}}}'.encode(errors="surrogatepass")
    made = decoder(attribute("f", kind, nullable=True))
    made.decode_fast(body)
    for read in (made.decode, made.decode_strictly):
        with suppress(Problem):
            read(body)


@pytest.mark.parametrize("kind", KINDS, ids=repr)
@OFTEN
@given(TEXTS | VALUES)
def test_a_text_is_parsed_or_refused(kind: Any, text: str) -> None:
    for stored in (False, True):
        with suppress(Violation):
            compile_scalar(attribute("f", kind), stored=stored)(text)


@pytest.mark.parametrize("kind", SCALARS, ids=repr)
@pytest.mark.parametrize(
    "text", ["\ud800", "\0", "2030-01-31\ud800", "\0" * 1_000_000], ids=lambda text: repr(text[:12])
)
def test_what_no_column_holds_is_refused_by_every_column(kind: Any, text: str) -> None:
    with pytest.raises(Violation):
        compile_scalar(attribute("f", kind), stored=True)(text)
