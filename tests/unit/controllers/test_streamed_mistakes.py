"""Return annotations of endpoints that stream: what could not be sent is refused when the app is built."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any

import pytest
from msgspec import Struct
from sqlalchemy import Select
from sqlalchemy.orm import Mapped

from gatepost import (
    DTO,
    App,
    ConfigurationError,
    Controller,
    File,
    Model,
    Resource,
    Response,
    ServerSentEvent,
    Stream,
    anyone,
    get,
)


class Beacon(Model):
    __tablename__ = "streamed_mistake_beacons"

    title: Mapped[str]


class Buoy(Model):
    __tablename__ = "streamed_mistake_buoys"


class BeaconCard(DTO[Beacon]):
    title: str


class Flash(Struct):
    seconds: float


def app_of(returned: Any, **options: Any) -> App:
    async def flashes(self: Any) -> Any: ...

    flashes.__annotations__["return"] = returned
    made = type("Flashes", (Controller,), {"path": "flashes", "flashes": get("", allow=anyone, **options)(flashes)})
    return App(Resource(Beacon, read=anyone), controllers=[made])


@pytest.mark.parametrize(
    ("returned", "options"),
    [
        (Stream, {}),
        (Stream[Any], {}),
        (Stream[Flash], {}),
        (Stream[Flash | None], {}),
        (Stream[dict[str, int]] | None, {}),
        (Stream[list[Flash]] | Response, {}),
        (File, {}),
        (File | Response | None, {"cache_control": "public"}),
        (Annotated[Stream[Beacon], "the beacons"], {}),
        (Stream[Beacon], {"answers": BeaconCard}),
        (Stream[ServerSentEvent], {}),
        (Stream[ServerSentEvent[Flash]], {}),
        (Stream[ServerSentEvent[Beacon]] | Response | None, {"answers": BeaconCard}),
    ],
)
def test_streams_of_what_can_be_written_are_admitted(returned: Any, options: dict[str, Any]) -> None:
    assert app_of(returned, **options).operations


@pytest.mark.parametrize(
    ("returned", "options", "problem"),
    [
        (Stream[Flash] | Flash, {}, "returns a stream or something else"),
        (Stream[Flash] | Stream[int], {}, "returns a stream or something else"),
        (Stream[Beacon] | Beacon, {}, "returns a stream or something else"),
        (Stream[Beacon] | Select[Any], {}, "returns a stream or something else"),
        (Stream[complex], {}, "returns complex, which has no form in JSON"),
        (Stream[Buoy], {}, "returns rows of Buoy, which has no resource"),
        (Stream[list[Beacon]], {}, "returns rows of Beacon inside of other data"),
        (Stream[Beacon | Flash], {}, "returns rows of Beacon inside of other data"),
        (Stream[BeaconCard], {}, "returns BeaconCard, and what makes it is a row"),
        (Stream[Stream[int]], {}, "returns Stream inside of other data"),
        (list[Stream[int]], {}, "returns Stream inside of other data"),
        (Stream[ServerSentEvent[Flash] | Flash], {}, "returns a stream of events or something else"),
        (Stream[Response], {}, "returns Response inside of other data"),
        (Stream[Flash], {"answers": BeaconCard}, "answers=BeaconCard shows rows of Beacon, and it returns"),
        (Stream[Flash], {"cache_control": "public"}, "returns a stream, which no cache stores"),
        (Stream[Flash], {"status": 204}, "returns something, and status=204 has no body"),
        (Stream[Beacon], {"paging": False}, "has paging=False, which is about the rows of a Select"),
        (File | Flash, {}, "returns a file or something else"),
        (File | Stream[Flash], {}, "returns a stream or something else"),
        (File | Beacon, {}, "returns a file or something else"),
        (File, {"status": 201}, "returns a file, and has status=201"),
        (File, {"answers": BeaconCard}, "answers=BeaconCard shows rows of Beacon, and it returns"),
        (list[File], {}, "returns File inside of other data"),
        (Stream[File], {}, "returns File inside of other data"),
        (AsyncIterator[Flash], {}, "returns AsyncIterator, which is the source of a stream"),
        (AsyncGenerator[Flash, None], {}, "returns AsyncGenerator, which is the source of a stream"),
    ],
)
def test_other_streams_are_refused(returned: Any, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=r"test_streamed_mistakes\.py:\d+: Flashes\.flashes.*") as refused:
        app_of(returned, **options)
    assert problem in str(refused.value)
