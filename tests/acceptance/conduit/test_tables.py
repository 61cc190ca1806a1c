"""The tables themselves: they ask only what the specification describes, all of it, and what both collections ask."""

import re
from typing import Any
from urllib.parse import parse_qsl

import pytest
from tests.acceptance.conduit.expectations import (
    COUNT,
    FLAG,
    INTEGER,
    TEXT,
    TEXTS,
    TIME,
    Each,
    Expected,
    Kept,
    at_least,
    differences,
    filled,
    other_than,
    with_each_once,
)
from tests.acceptance.conduit.published import COUNTS, HURL, POSTMAN, requests_of
from tests.acceptance.conduit.scenarios import SCENARIOS
from tests.acceptance.conduit.specification import BODIES, ENVELOPES, LISTS, OPERATIONS, QUERY, operation_of
from tests.acceptance.conduit.steps import BLANK, Scenario, Step, errors

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
STEPS = [(scenario, step) for scenario in SCENARIOS for step in scenario.steps]
PARAMETER = re.compile(r"\{(\w+)\}")

ALSO = {("PUT /user", 409)}
"""A name or an e-mail address that is taken has no status of its own in a change; it is that of a registration."""
NEVER_SENT = {
    *((operation, 422) for operation in OPERATIONS if operation not in BODIES),  # nothing there can be invalid
    ("DELETE /articles/{slug}/comments/{id}", 422),
    ("POST /articles", 409),  # two articles may have one title
    # Those who need not sign in can still send a token that is none; the list of articles stands for them.
    ("GET /profiles/{username}", 401),
    ("GET /articles/{slug}/comments", 401),
}
"""What the description lists and nothing brings about."""


def operation(step: Step) -> str:
    """The operation of a step."""
    found = operation_of(step.request)
    assert found, step.request
    return found


def names_in(template: Any) -> set[str]:
    """What a template uses of what was kept."""
    match template:
        case str():
            return set(PARAMETER.findall(template))
        case Kept(name):
            return {name}
        case Expected(_, _, parts):
            pass
        case Each(part, _):
            parts = [part]
        case dict():
            parts = [*template.values()]
        case _:
            parts = template if isinstance(template, list) else []
    return {name for part in parts for name in names_in(part)}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=BY_NAME)
def test_requests_are_those_that_are_described(scenario: Scenario) -> None:
    for step in scenario.steps:
        described = operation(step)
        assert step.status in OPERATIONS[described] or (described, step.status) in ALSO, step.request
        asked = {name for name, _ in parse_qsl(step.request.partition("?")[2])}
        assert asked <= QUERY.get(described, frozenset()), step.request
        assert all(value == value.strip() for value in step.headers.values()), "HTTP has no such header"
        if step.sends is not None and step not in BY_NAME["postman"].steps:
            envelope, fields = BODIES[described]
            assert list(step.sends) == [envelope], step.request
            assert step.sends[envelope].keys() <= fields, step.request


@pytest.mark.parametrize("scenario", SCENARIOS, ids=BY_NAME)
def test_responses_have_every_member_of_their_schema_and_no_other(scenario: Scenario) -> None:
    for step in scenario.steps:
        if step.status == 204:
            assert step.shows is None, step.request
        elif step.status >= 400:
            assert step.shows.keys() == {"errors"}, step.request
            assert step.shows["errors"], step.request
        elif operation(step) == "GET /tags":
            assert step.shows.keys() == {"tags"}
        else:
            assert members(step.shows) == schema_of(step.shows), step.request


def members(shown: dict[str, Any]) -> list[Any]:
    """The members of a response and of the objects inside."""
    [inside] = [value for value in shown.values() if isinstance(value, dict | Each | list)]
    objects = inside if isinstance(inside, list) else [inside.template if isinstance(inside, Each) else inside]
    return [shown.keys(), *(each.keys() for each in objects)]


def schema_of(shown: dict[str, Any]) -> list[Any]:
    """What the members have to be."""
    name = next(iter(shown))
    if name in ENVELOPES:
        return [{name}, ENVELOPES[name].keys()]
    schema, around = LISTS[name]
    inside = shown[name]
    return [around, *[schema.keys()] * (len(inside) if isinstance(inside, list) else 1)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=BY_NAME)
def test_a_scenario_uses_what_it_has_kept(scenario: Scenario) -> None:
    kept = set(scenario.names())
    for step in scenario.steps:
        used = names_in([step.request, step.sends, step.shows]) | ({f"{step.by}_token"} if step.by else set())
        assert used <= kept, step.request
        kept |= step.keeps.keys()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=BY_NAME)
def test_only_the_signed_in_are_expected_to_be_let_in(scenario: Scenario) -> None:
    for step in scenario.steps:
        if "401" in str(step.status) and operation(step) != "POST /users/login":
            assert step.by in {None, "other"}, step.request
        if step.status in {403, 404} and not step.request.startswith("GET"):
            assert step.by is not None, step.request


def test_scenarios_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(SCENARIOS)
    people = [name for scenario in SCENARIOS for name in scenario.names().values()]
    assert len(set(people)) == len(people)


def test_every_operation_is_asked_for_every_status_that_it_can_have() -> None:
    asked = {(operation(step), step.status) for _, step in STEPS}
    described = {(name, status) for name, statuses in OPERATIONS.items() for status in statuses}
    assert asked == (described | ALSO) - NEVER_SENT


def test_every_query_parameter_and_every_field_of_a_body_is_sent() -> None:
    asked = {(operation(step), name) for _, step in STEPS for name, _ in parse_qsl(step.request.partition("?")[2])}
    assert asked == {(name, parameter) for name, parameters in QUERY.items() for parameter in parameters}
    sent = {
        (operation(step), field)
        for scenario, step in STEPS
        if step.sends is not None and scenario.name != "postman"
        for fields in step.sends.values()
        for field in fields
    }
    assert sent == {(name, field) for name, (_, fields) in BODIES.items() for field in fields}


@pytest.mark.parametrize(("name", "published"), [*requests_of(HURL).items(), *requests_of(POSTMAN).items()])
def test_a_scenario_makes_the_published_requests_in_their_order(name: str, published: list[str]) -> None:
    made = iter(f"{operation(step)} {step.status}" for step in BY_NAME[name].steps)
    assert [request for request in published if request not in made] == []


def test_the_published_requests_are_all() -> None:
    assert sum(map(len, requests_of(HURL).values())) == COUNTS["hurl"]
    assert sum(map(len, requests_of(POSTMAN).values())) == COUNTS["postman"]


@pytest.mark.parametrize(
    ("template", "right", "wrong"),
    [
        ("{ann}", "ann_x", "ann"),
        (None, None, ""),
        (0, 0, False),
        (True, True, 1),
        (Kept("id"), 7, "7"),
        (TEXT, "a", ""),
        (TEXTS, ["a"], ["a", None]),
        (COUNT, 0, -1),
        (INTEGER, 7, 7.5),
        (INTEGER, 7, True),
        (FLAG, False, 0),
        (TIME, "2026-01-02T03:04:05.678Z", "2026-01-02 03:04:05"),
        (TIME, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05"),
        (at_least(2), 2, 1),
        (other_than("{ann}"), "ann", "ann_x"),
        (with_each_once("a", "{ann}"), ["ann_x", "b", "a"], ["a", "ann_x", "a"]),
        (with_each_once("a"), ["a"], None),
        ({"a": TEXT}, {"a": "a"}, {"a": "a", "password": "b"}),
        ({"a": TEXT, "b": None}, {"a": "a", "b": None}, {"a": "a"}),
        ([{"a": 1}], [{"a": 1}], [{"a": 1}, {"a": 1}]),
        ([{"a": 1}], [{"a": 1}], [{"a": 2}]),
        ([], [], None),
        (Each({"a": TEXT}), [{"a": "a"}, {"a": "b"}], [{"a": "a"}, {}]),
        (Each({"a": TEXT}), [{"a": "a"}], []),
        (errors(title=BLANK), {"errors": {"title": [BLANK]}}, {"errors": {"title": [BLANK], "body": [BLANK]}}),
        (errors(title=None), {"errors": {"title": ["x"]}}, {"errors": {"title": []}}),
    ],
)
def test_a_template_accepts_the_right_and_refuses_the_wrong(template: Any, right: Any, wrong: Any) -> None:
    expected = filled(template, {"ann": "ann_x", "id": 7})
    assert list(differences(expected, right)) == []
    assert len(list(differences(expected, wrong))) == 1
