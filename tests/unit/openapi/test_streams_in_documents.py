"""Endpoints that send streams and files, in the OpenAPI document."""

import json
from typing import Any

from msgspec import Struct
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy.orm import Mapped

from gatepost import DTO, App, Controller, File, Model, Resource, ServerSentEvent, Stream, anyone, get, post, system
from gatepost.settings import Settings


class Signal(Model):
    __tablename__ = "documented_signals"

    title: Mapped[str]


class SignalCard(DTO[Signal]):
    title: str


class Pulse(Struct):
    strength: int


class Pulses(Controller):
    path = "pulses"

    @get("", allow=anyone)
    async def both(self) -> Stream[Pulse]: ...

    @post("/events", allow=anyone)
    async def events(self) -> Stream[ServerSentEvent[Pulse]] | None: ...

    @post("/rows", allow=anyone, answers=SignalCard)
    async def rows(self) -> Stream[Signal]: ...


class Papers(Controller):
    path = "papers"

    @get("", allow=anyone)
    async def read(self) -> File: ...

    @post("", allow=anyone)
    async def make(self) -> File: ...


def test_a_stream_is_described_by_its_forms_and_its_items() -> None:
    app = App(Resource(Signal, read=anyone), controllers=[Pulses])
    found = json.loads(app.composed(Settings()).openapi.document(system).body)
    assert [error.message for error in OpenAPIV31SpecValidator(found).iter_errors()] == []

    plain = content(found, "/api/pulses", "get")
    events = content(found, "/api/pulses/events", "post")
    rows = content(found, "/api/pulses/rows", "post")

    assert [*plain] == ["application/x-ndjson", "text/event-stream"]
    assert [*events] == ["text/event-stream"]
    assert [*rows] == ["application/x-ndjson", "text/event-stream"]
    assert plain["application/x-ndjson"]["schema"] == {"type": "string"}
    assert plain["text/event-stream"]["schema"] == {}
    assert item(found, plain).keys() == item(found, events).keys() == {"strength"}
    assert item(found, rows).keys() == {"title"}
    assert "204" in found["paths"]["/api/pulses/events"]["post"]["responses"]
    assert "204" not in found["paths"]["/api/pulses/rows"]["post"]["responses"]


def content(document: Any, path: str, method: str) -> Any:
    """What a success of an operation has as its body, by content type."""
    return document["paths"][path][method]["responses"]["200"]["content"]


def item(document: Any, content: Any) -> Any:
    """The properties of the items."""
    name = content["text/event-stream"]["x-item-schema"]["$ref"].rpartition("/")[2]
    return document["components"]["schemas"][name]["properties"]


def test_a_file_is_described_whole_in_parts_and_unchanged() -> None:
    app = App(Resource(Signal, read=anyone), controllers=[Papers])
    found = json.loads(app.composed(Settings()).openapi.document(system).body)
    assert [error.message for error in OpenAPIV31SpecValidator(found).iter_errors()] == []

    read, made = found["paths"]["/api/papers"]["get"], found["paths"]["/api/papers"]["post"]

    assert {"200", "206", "304", "404", "412", "416"} <= read["responses"].keys()
    assert {"206", "304", "412", "416"}.isdisjoint(made["responses"])
    assert [*read["responses"]["206"]["content"]] == ["*/*"]
    refusal = found["components"]["responses"][read["responses"]["416"]["$ref"].rpartition("/")[2]]
    assert "Content-Range" in refusal["headers"]
    assert [each["$ref"].rpartition("/")[2] for each in read["parameters"]] == ["If-None-Match", "Range"]
