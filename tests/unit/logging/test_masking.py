"""What a line shows of secrets and personal values: masked by the name of a field, and in texts by the value."""

from types import SimpleNamespace
from typing import Any

import pytest

from gatepost.events import RequestFinished
from gatepost.logging.access import console_lines, json_lines
from gatepost.logging.masking import Masking
from gatepost.logging.text import without_values
from gatepost.personal_data import forms_of

FIELDS: Any = SimpleNamespace(names=frozenset({"phone"}), patterns=frozenset({"/api/c/{id}"}), names_actors=True)


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("call ada@example.com now", "ada@example.com", "call *** now"),
        ("call ADA@Example.com now", "ada@example.com", "call *** now"),
        ("GET /c/ada%40example.com", "ada@example.com", "GET /c/***"),
        ("GET /?q=O%27Hara+x", "O'Hara x", "GET /?q=***"),
        (f"KeyError: {'O' + chr(39) + 'Ha' + chr(34) + 'ra'!r}", "O'Ha\"ra", "KeyError: '***'"),
        (r'{"name": "say \"hi\" to\\all"}', 'say "hi" to\\all', '{"name": "***"}'),
        ("Zoë and ZOË", "Zoë", "*** and ***"),
        ("room 7, 17 and 7.", "7", "room ***, 17 and ***."),
        ("a+b (c)", "a+b (c)", "***"),
        ("nothing", "other", "nothing"),
    ],
)
def test_a_value_is_masked_in_whatever_form_it_stands_in_a_text(text: str, value: str, shown: str) -> None:
    assert without_values(text, forms_of([value])) == shown


def test_values_are_masked_in_mappings_lists_and_numbers() -> None:
    shown = without_values({"to ada": ["ada", {"x": 4711}], "n": 1, "yes": True}, ["ada", "4711"])
    assert shown == {"to ***": ["***", {"x": "***"}], "n": 1, "yes": True}


def test_a_line_of_an_application_is_masked_by_name_and_by_value() -> None:
    masking = Masking(lambda: FIELDS, lambda: ["ada@example.com"])
    shown = masking.fields(
        {
            "event": "wrote to ada@example.com",
            "logger": "shop",
            "phone": 5,
            "given": {"phone": "5", "others": [{"phone": 6, "of": "ada@example.com"}]},
            "exception": "ValueError: ada@example.com",
            "request_id": "ada@example.com",
            "password": "x",
        }
    )
    assert shown == {
        "event": "wrote to ***",
        "logger": "shop",
        "phone": "***",
        "given": {"phone": "***", "others": [{"phone": "***", "of": "***"}]},
        "exception": "ValueError: ***",
        "request_id": "ada@example.com",
        "password": "***",
    }


def test_a_line_of_gatepost_keeps_its_event_and_its_names_and_shows_no_value() -> None:
    masking = Masking(lambda: FIELDS, lambda: ["limit_exceeded", "ada@example.com"])
    line = {"event": "limit_exceeded", "logger": "gatepost", "phone": "kept", "key": "ada@example.com"}
    assert masking.fields(line) == {**line, "key": "***"}


def _finished(route: str) -> RequestFinished:
    path = route.replace("{id}", "canary")
    return RequestFinished("1", "GET", path, route, None, 200, 0.0, 0.0, 0.0, 0, 0, None, "canary", None)


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_access_line_shows_the_pattern_of_a_path_with_a_personal_key(form: str) -> None:
    def masking() -> Masking:
        return Masking(lambda: FIELDS)

    render = json_lines(None, masking) if form == "json" else console_lines(coloured=False, find_masking=masking)
    line = render(1.0, _finished("/api/c/{id}")).decode()
    assert "canary" not in line
    assert "/api/c/{id}" in line
    other = json_lines(None, masking)(1.0, _finished("/api/d/{id}")).decode()
    assert "/api/d/canary" in other
