"""Held by generated values of every column: what is accepted comes back equal, is found, and changes nothing when it is
sent again. What is refused, is refused as a value: 422 at its place.
"""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from urllib.parse import quote

import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from value_columns import COLUMNS, ValueColumn
from values_app import app, is_sortable
from values_json import is_same, param, parsed

from gatepost.models.shape import Form, Shape, shape_of
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXACT = [column for column in COLUMNS if not shape_of(column.kind).is_converted]
"""Those without a `TypeDecorator` that stores other values."""

EXAMPLES = max(5, settings.default.max_examples // 10)
ENDS = ["-0", "0.1", "5e-324", "1e23", "16777217", "3.4028235e38", "1.7976931348623157e308"]


def _interval(length: timedelta) -> str:
    return msgspec.json.encode(length).decode().strip('"')


def _json_of(shape: Shape) -> st.SearchStrategy[str]:
    """The JSON texts of values of a shape, most of which a body may have."""
    quoted = {
        Form.TEXT: st.text(max_size=shape.bound("max_length") or 12),
        Form.UUID: st.uuids().map(str),
        Form.TIMESTAMP: st.datetimes(timezones=st.just(UTC)).map(lambda value: value.isoformat()),
        Form.DATE: st.dates().map(str),
        Form.TIME: st.times().map(str),
        Form.INTERVAL: st.timedeltas().map(_interval),
        Form.BYTES: st.binary(max_size=9).map(lambda value: base64.b64encode(value).decode()),
        Form.ENUM: st.sampled_from([text for _, text in shape.choices] or [""]),
    }
    if shape.form in quoted:
        return quoted[shape.form].map(json.dumps)
    if shape.items is not None:
        return st.lists(_json_of(shape.items), max_size=4).map(lambda items: f"[{','.join(items)}]")
    whole, scale = shape.digits or (20, 10)
    digits = st.decimals(-(10**whole) + 1, 10**whole - 1, places=scale).map(lambda value: format(value, "f"))
    return {
        Form.BOOLEAN: st.sampled_from(["true", "false"]),
        Form.INTEGER: st.integers(shape.bound("ge"), shape.bound("le")).map(str),
        Form.FLOAT: st.floats(allow_nan=False, allow_infinity=False, width=32 if shape.is_single else 64).map(
            lambda value: f"{value:.6g}" if shape.is_single else repr(value)
        )
        | st.sampled_from(ENDS),
        Form.DECIMAL: digits,
        Form.DOCUMENT: _documents(),
    }[shape.form]


def _documents() -> st.SearchStrategy[str]:
    scalars = st.sampled_from(["null", "true", "1.10", "-0", "12345678901234.123456"]) | st.text(max_size=5).map(
        json.dumps
    )
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
            | st.dictionaries(st.text(max_size=3).map(json.dumps), inner, max_size=3).map(
                lambda members: "{" + ",".join(f"{name}: {value}" for name, value in members.items()) + "}"
            )
        ),
        max_leaves=6,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(module_database_url: str) -> AsyncIterator[Client]:
    """Anybody, before empty tables."""
    async with TestApp(app, module_database_url) as running:
        yield running.anonymous


@pytest.mark.parametrize("column", EXACT, ids=lambda column: column.name)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_a_value_comes_back_as_it_was_sent(client: Client, column: ValueColumn, data: st.DataObject) -> None:
    text = data.draw(_json_of(shape_of(column.kind)))
    path, body = f"/api/{column.name}_derived", f'{{"value":{text}}}'.encode()
    created = await client.post(path, content=body)
    if created.status == 422:
        assert {error["pointer"].split("/")[1] for error in created.json()["errors"]} == {"value"}
        return
    assert created.status == 201, (body, created.body)
    row = parsed(created.body)["data"]
    shown, sent = row["value"], parsed(body)["value"]
    form = shape_of(column.kind).form
    if form is Form.FLOAT:
        assert float(shown) == float(sent)
    elif form in (Form.TEXT, Form.UUID, Form.DATE, Form.ENUM, Form.BYTES, Form.DOCUMENT, Form.INTEGER):
        assert is_same(shown, sent), (shown, sent)
    shown_text = json.dumps(shown) if type(shown) is str else text
    again = await client.post(path, content=f'{{"value":{shown_text}}}'.encode())
    assert is_same(parsed(again.body)["data"]["value"], shown), again.body
    if is_sortable(column) and not isinstance(shown, dict):
        found = await client.get(f"{path}?limit=100&sort=-id&value={quote(param(shown), safe='')}")
        assert row in parsed(found.body)["data"], (shown, found.body)
    tag = created.headers["etag"]
    patched = await client.patch(f"{path}/{row['id']}", content=body)
    assert (patched.status, patched.headers["etag"]) == (200, tag), (body, patched.body)
