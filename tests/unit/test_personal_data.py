"""Which fields, routes and values of an application are personal, and where it says so."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import Actor, App, CamelCase, Controller, Field, Group, Resource, anyone, get, hidden
from gatepost.call import CURRENT_SPENT, Call, Spent
from gatepost.composition import Composition
from gatepost.models.personal_values import note_personal_values, texts_of
from gatepost.operations import RouteRules
from gatepost.personal_data import PersonalData
from gatepost.settings import Settings


class Base(DeclarativeBase):
    """A MetaData of its own."""


class Patient(Base):
    __tablename__ = "patients"

    card: Mapped[str] = mapped_column(String(20), primary_key=True)
    home_address: Mapped[str] = mapped_column("address", String(200))
    ward: Mapped[int]


class Ward(Base):
    __tablename__ = "wards"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Visits(Controller[Patient]):
    @get("/{patient}/visits", allow=anyone)
    async def visits(self, patient: Patient) -> dict[str, str]:
        """Of one patient."""
        return {}


personal = Field(personal=True)
PATIENTS: Any = Resource(
    Patient, read=anyone, write=anyone, fields={"card": personal, "home_address": personal}, controller=Visits
)
app = App(PATIENTS, Resource(Ward, read=anyone), Group("/v2", Resource(Patient, read=anyone)), dialect=CamelCase())


@pytest.fixture(scope="module")
def composition() -> Composition:
    return app.composed(Settings())


@pytest.fixture(scope="module")
def data(composition: Composition) -> PersonalData:
    return composition.personal_data


def _call(pattern: str = "/", query: str = "", body: bytes = b"", **headers: str) -> Call:
    named = {name.encode(): value.encode() for name, value in headers.items()}

    async def receive() -> Any:
        return {}

    call = Call({"type": "http"}, receive, "1", "", named, query.encode(), rules=RouteRules(pattern=pattern))
    call.content = body
    return call


def test_a_personal_field_is_known_by_all_its_names_and_so_is_the_email_of_users(data: PersonalData) -> None:
    assert data.names == {"card", "home_address", "homeAddress", "address", "email"}


def test_paths_with_a_personal_key_are_known_in_every_group(data: PersonalData) -> None:
    assert all(pattern.startswith(("/api/patients/{", "/api/v2/patients/{")) for pattern in data.patterns)
    assert {pattern.split("{")[0] for pattern in data.patterns} == {"/api/patients/", "/api/v2/patients/"}
    assert any(pattern.endswith("/visits") for pattern in data.patterns)


def test_the_values_that_a_request_brings_are_known(data: PersonalData) -> None:
    [pattern, *_] = sorted(data.patterns)
    body = {"data": [{"homeAddress": "12 Canary St", "ward": 7, "other": {"card": ["a-card", 12]}}]}
    call = _call(
        pattern,
        "homeAddress[contains]=Elm+St&ward=9&patient.card[in]=x1,x2&q=y",
        json.dumps(body).encode(),
        authorization="Bearer a-token",
        cookie='one=first; two="second"',
    )
    call.path_values = ("the-key",)
    found = data.forms_of(call)
    assert {*found} == {
        *("12 canary st", "12%20canary%20st", "12+canary+st", "elm st", "elm%20st", "elm+st", "a-card", "12"),
        *("x1,x2", "x1%2cx2", "x1", "x2", "the-key", "a-token", "first", "second"),
    }
    assert [*found] == sorted(found, key=len, reverse=True)
    assert data.forms_of(call) is found
    call.content = b""
    assert "a-card" not in data.forms_of(call)


def test_the_values_of_the_user_who_sends_a_request_are_known(data: PersonalData) -> None:
    call = _call()
    call.actor = Actor(1, user=SimpleNamespace(email="ada@example.com", home_address="of another model"))
    assert "ada@example.com" in data.forms_of(call)
    assert "of another model" not in data.forms_of(call)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b"null", b'{"card": null}'])
def test_a_body_that_is_no_document_has_no_values(data: PersonalData, body: bytes) -> None:
    assert data.forms_of(_call(body=body)) == ()


def test_the_values_of_objects_that_code_makes_and_changes_are_noted_for_its_request(data: PersonalData) -> None:
    note_personal_values(data.attributes)
    note_personal_values(data.attributes)
    token = CURRENT_SPENT.set(Spent())
    try:
        assert data.forms_of(None) == ()
        patient = Patient(card="card-1", home_address="1 Elm St", ward=3)
        patient.home_address = "2 Elm St"
        assert {*data.forms_of(None)} >= {"card-1", "1 elm st", "2 elm st"}
    finally:
        CURRENT_SPENT.reset(token)


def test_an_expression_has_no_text() -> None:
    assert [*texts_of(Patient.ward + 1), *texts_of(True), *texts_of(None), *texts_of({"a": [1, "b"]})] == ["1", "b"]


def test_the_document_says_which_members_are_personal(composition: Composition) -> None:
    schemas = composition.openapi.full()["components"]["schemas"]
    assert schemas["Patient"]["properties"]["homeAddress"]["x-personal"] is True
    assert "x-personal" not in schemas["Patient"]["properties"]["ward"]
    assert schemas["PatientCreate"]["properties"]["card"]["x-personal"] is True


def test_a_hidden_field_may_be_personal() -> None:
    field = Field(hidden=True, personal=True)
    assert (field.hidden, field.personal, hidden.personal) == (True, True, False)
