"""Plays a scenario against a server, and says which responses are not as they should be."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
from tests.acceptance.conduit.expectations import differences, filled
from tests.acceptance.conduit.steps import PASSWORD, Scenario, Step

NEVER = re.compile(
    rf'"(?:password_?hash|password_?version|roles|is_?active|version|author_?id|followers)"|{PASSWORD}', re.I
)
"""Members of no response, at no depth, and what was sent as a password."""


def failures(scenario: Scenario, client: httpx.Client) -> list[str]:
    """A sentence for each step whose response differs. All steps are sent: one that needs what an earlier one should
    have given fails."""
    kept: dict[str, Any] = scenario.names()
    found: list[str] = []
    for number, step in enumerate(scenario.steps, 1):
        differing = list(play(step, scenario, client, kept))
        found += [f"{number}. {step.request} by {step.by or 'anonymous'}: {difference}" for difference in differing]
    return found


def play(step: Step, scenario: Scenario, client: httpx.Client, kept: dict[str, Any]) -> Iterator[str]:
    """The differences of one response; what the step keeps is put into `kept`."""
    try:
        response = send(step, scenario, client, kept)
        shows = filled(step.shows, kept)
    except KeyError as missing:
        yield f"no earlier response gave {missing}"
        return
    if response.status_code != step.status:
        yield f"expected {step.status}, is {response.status_code}: {response.text[:500]}"
        return
    if never := NEVER.findall(response.text):
        yield f"must not be there: {never}"
    yield from differing(shows, response)
    for name, place in step.keeps.items():
        if (value := at(place, response)) is not None:
            kept[name] = value


def send(step: Step, scenario: Scenario, client: httpx.Client, kept: dict[str, Any]) -> httpx.Response:
    """The request of a step, by whom it names."""
    method, _, path = step.request.partition(" ")
    headers = {**scenario.headers, **step.headers}
    if step.by is not None:
        headers["Authorization"] = f"Token {kept[f'{step.by}_token']}"
    body = {} if step.sends is None else {"json": filled(step.sends, kept)}
    return client.request(method, f"/api{path.format_map(kept)}", headers=headers, **body)


def differing(shows: Any, response: httpx.Response) -> Iterator[str]:
    """The differences of a body. Where none is shown there is none."""
    if shows is None:
        if response.content:
            yield f"expected no body, is {response.text[:500]}"
    elif response.headers.get("Content-Type", "").partition(";")[0] != "application/json":
        yield f"expected application/json, is {response.headers.get('Content-Type')}"
    else:
        yield from differences(shows, response.json())


def at(place: str, response: httpx.Response) -> Any:
    """The value at a path into a response, or None."""
    value = response.json()
    for key in place.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value
