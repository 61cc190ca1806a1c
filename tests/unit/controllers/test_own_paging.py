"""Endpoints whose parameters are named as those of paging: they page themselves, or are refused when the app is
built."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import pytest
from annotated_types import Ge
from msgspec import Struct
from sqlalchemy import Select
from sqlalchemy.orm import Mapped

from gatepost import App, ConfigurationError, Controller, Model, Query, Resource, anyone, get


class PagedParcel(Model):
    __tablename__ = "own_paging_parcels"

    title: Mapped[str]


class Window(Struct):
    before: datetime


def app_of(parameters: dict[str, Any], **declared: Any) -> App:
    """An app with an endpoint that takes these parameters and returns a Select."""

    scope = dict(globals())
    exec(f"async def method(self, {', '.join(parameters)}): ...", scope)  # noqa: S102 - parameters by name
    method = scope["method"]
    method.__annotations__ = {**parameters, "return": f"{Select.__name__}[PagedParcel]"}
    endpoint = get("/stale", allow=anyone, **declared)(method)
    controller = type("Parcels", (Controller,), {"path": "desk", "__module__": __name__, "method": endpoint})
    return App(Resource(PagedParcel, read=anyone), controllers=[controller])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"before": datetime}, "takes 'before' of type datetime, and an endpoint with a parameter of this name pages"),
        (
            {"after": datetime | None},
            "Rename it, as in `since`, and the list is paged; to page by it, take `limit: int`",
        ),
        ({"after": UUID}, "takes 'after' of type UUID"),
        ({"window": Annotated[Window, Query]}, "Rename it, as in `until`"),
        ({"limit": float}, "takes 'limit' of type float"),
        ({"limit": str | None}, "Rename it, as in `most`, and the list is paged; to page by it, write `limit: int`."),
        ({"limit": int, "offset": str}, "takes 'offset' of type str"),
    ],
)
def test_a_name_of_paging_for_something_else(parameters: dict[str, Any], words: str) -> None:
    for declared in ({}, {"filters": True}):
        with pytest.raises(ConfigurationError) as error:
            app_of(parameters, **declared)

        assert words in str(error.value)


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": Annotated[int, Ge(1)]},
        {"limit": int | None, "offset": int},
        {"before": datetime, "limit": int},
        {"after": str | None},
        {"count": int},
    ],
)
def test_names_of_paging_that_page(parameters: dict[str, Any]) -> None:
    assert app_of(parameters).operations


def test_a_list_without_pages_may_use_the_names() -> None:
    assert app_of({"before": datetime}, paging=False).operations
