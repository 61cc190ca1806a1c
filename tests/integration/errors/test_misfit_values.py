"""A value that the program gives to a column that cannot hold it: a 500 whose log names the attribute, and a clear
exception outside of requests. The client is not told of fields that it did not send."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import ARRAY, Integer, MetaData, Numeric, String
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Resource, Service, anyone
from gatepost.events import RequestFailed
from gatepost.models.base import NAMING
from gatepost.services.misfit_values import MisfitValue
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

given: dict[str, Any] = {}
"""What the defaults and the service of a test make."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


def _column(name: str, kind: Any, value: Any) -> Any:
    return mapped_column(kind, default=lambda: given.get(name, value))


class _Columns:
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str | None]
    short: Mapped[str | None] = mapped_column(DOMAIN("short_text", String(), check="length(value) < 4"))
    n: Mapped[int] = _column("n", Integer, 0)
    token: Mapped[UUID | None] = _column("token", None, None)
    tags: Mapped[list[int]] = _column("tags", ARRAY(Integer), [])
    word: Mapped[str] = _column("word", String(3), "")
    amount: Mapped[Any] = _column("amount", Numeric(5, 2), 0)


class Plain(_Columns, Base):
    __tablename__ = "plain"


class Served(_Columns, Base):
    __tablename__ = "served"


class ServedService(Service[Served]):
    async def before_create(self, draft: Served, actor: Any) -> None:
        for name, value in given.get("service", {}).items():
            setattr(draft, name, value)

    async def before_update(self, row: Served, changes: Any, actor: Any) -> None:
        for name, value in given.get("service", {}).items():
            setattr(row, name, value)
        if given.get("flushes"):
            await self.session.flush()


app = App(
    Resource(Plain, read=anyone, write=anyone), Resource(Served, read=anyone, write=anyone, service=ServedService)
)
failures: list[RequestFailed] = []
app.events.subscribe(RequestFailed, failures.append)
MISFITS = [
    ("n", "abc"), ("n", 2**31), ("token", "abc"), ("tags", 5), ("tags", ["x"]), ("word", "longer"), ("amount", 10**6),
    ("word", 5),
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    async with TestApp(app, module_database_url) as found:
        yield found


@pytest.fixture(autouse=True)
def nothing_given() -> None:
    given.clear()
    failures.clear()


@pytest.mark.parametrize(("name", "value"), MISFITS)
@pytest.mark.parametrize("path", ["plain", "served"])
async def test_a_default_that_does_not_fit_is_a_500_that_names_it(
    running: TestApp, path: str, name: str, value: Any
) -> None:
    given[name] = value
    response = await running.anonymous.post(f"/api/{path}", json={"note": "x", "short": "ab"})
    assert response.status == 500, response.body
    assert isinstance(failures[0].error, MisfitValue)
    assert f"{path.title()}.{name} (column {path}.{name}), a {type(value).__name__}, does not fit its column" in str(
        failures[0].error
    )


@pytest.mark.parametrize(("name", "value"), MISFITS)
@pytest.mark.parametrize("flushes", [False, True])
async def test_a_value_of_a_service_that_does_not_fit_is_a_500_that_names_it(
    running: TestApp, name: str, value: Any, flushes: bool
) -> None:
    created = await running.anonymous.post("/api/served", json={"note": "x"})
    given.update(service={name: value}, flushes=flushes)
    one = await running.anonymous.post("/api/served", json={"note": "x"})
    other = await running.anonymous.patch(f"/api/served/{created.data['id']}", json={"note": "y"})
    assert (one.status, other.status, len(failures)) == (500, 500, 2)
    for failure in failures:
        assert isinstance(failure.error, MisfitValue)
        assert f"The value for Served.{name} (column served.{name})" in str(failure.error)


@pytest.mark.parametrize(("name", "value"), MISFITS)
async def test_outside_of_requests_a_verb_raises_it(running: TestApp, name: str, value: Any) -> None:
    for model in (Plain, Served):
        with pytest.raises(MisfitValue, match=rf"The value for {model.__name__}\.{name} "):
            async with app.transaction() as work:
                await work.service(model).create(model(**{name: value}), work.actor)


async def test_a_value_of_the_client_is_a_422_at_its_field(running: TestApp) -> None:
    response = await running.anonymous.post("/api/plain", json={"note": "x", "short": "abcd"})
    assert response.status == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/short"]
