"""What a JSON value has to be: a template that is compared with the value, difference by difference.

In a template a dictionary has exactly these keys and a list exactly these elements, an `Expected` is a condition, and
everything else is equal. `{name}` in a text, and `Kept("name")` as a value, stand for what an earlier response gave.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(frozen=True)
class Kept:
    """The value itself that an earlier response gave, where a text will not do."""

    name: str


@dataclass(frozen=True)
class Expected:
    """A condition on a value. `values` are templates that are filled, and given to `holds` after the value."""

    words: str
    holds: Callable[..., bool]
    values: Sequence[Any] = ()

    def filled(self, kept: Mapping[str, Any]) -> "Expected":
        """Itself with its values filled."""
        return Expected(self.words, self.holds, filled(list(self.values), kept))


@dataclass(frozen=True)
class Each:
    """A list of at least `least` elements, each as in the template."""

    template: Any
    least: int = 1

    def filled(self, kept: Mapping[str, Any]) -> "Each":
        """Itself with its template filled."""
        return Each(filled(self.template, kept), self.least)


def is_integer(value: object) -> bool:
    """Whether it is a number without a fraction; JSON's true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


TEXT = Expected("a text that is not empty", lambda value: isinstance(value, str) and value != "")
TEXT_OR_NULL = Expected("a text or null", lambda value: value is None or isinstance(value, str))
TEXTS = Expected(
    "a list of texts", lambda value: isinstance(value, list) and all(isinstance(text, str) for text in value)
)
INTEGER = Expected("an integer", is_integer)
COUNT = Expected("an integer from 0", lambda value: is_integer(value) and value >= 0)
FLAG = Expected("true or false", lambda value: isinstance(value, bool))
TIME = Expected("a time of RFC 3339 with Z", lambda value: isinstance(value, str) and bool(MOMENT.fullmatch(value)))


def at_least(least: int) -> Expected:
    """An integer from `least`."""
    return Expected(f"an integer from {least}", lambda value: is_integer(value) and value >= least)


def other_than(value: object) -> Expected:
    """A text that differs."""
    return Expected("another text than", lambda actual, other: isinstance(actual, str) and actual != other, (value,))


def with_each_once(*values: str) -> Expected:
    """A list that has each of these exactly once, among others."""
    return Expected(
        "a list with each once of", lambda actual, *texts: all(actual.count(text) == 1 for text in texts), values
    )


def filled(template: Any, kept: Mapping[str, Any]) -> Any:
    """The template with what was kept put in; raises `KeyError` for what was not."""
    match template:
        case str():
            return template.format_map(kept)
        case Kept(name):
            return kept[name]
        case Expected() | Each():
            return template.filled(kept)
        case dict():
            return {key: filled(value, kept) for key, value in template.items()}
        case list():
            return [filled(value, kept) for value in template]
        case _:
            return template


def differences(expected: Any, actual: Any, place: str = "") -> Iterator[str]:
    """A sentence for each difference of a value from a filled template."""
    match expected:
        case Expected(words, holds, values):
            if not held(holds, actual, values):
                yield f"{place}: expected {' '.join([words, *map(repr, values)])}, is {actual!r}"
        case Each(template, least):
            if not isinstance(actual, list) or len(actual) < least:
                yield f"{place}: expected a list of at least {least}, is {actual!r}"
            else:
                yield from in_elements([template] * len(actual), actual, place)
        case dict():
            yield from in_members(expected, actual, place)
        case list():
            if not isinstance(actual, list) or len(actual) != len(expected):
                yield f"{place}: expected a list of {len(expected)}, is {actual!r}"
            else:
                yield from in_elements(expected, actual, place)
        case _:
            # 1 == True and 0 == False in Python; in JSON they are not the same.
            if type(actual) is not type(expected) or actual != expected:
                yield f"{place}: expected {expected!r}, is {actual!r}"


def held(holds: Callable[..., bool], actual: Any, values: Sequence[Any]) -> bool:
    """Whether a condition holds; it does not for a value of a type that it cannot ask."""
    try:
        return holds(actual, *values)
    except (AttributeError, TypeError):
        return False


def in_members(expected: Mapping[str, Any], actual: Any, place: str) -> Iterator[str]:
    """The differences of an object: absent members, those that must not be there, and those inside."""
    if not isinstance(actual, dict):
        yield f"{place}: expected an object, is {actual!r}"
        return
    yield from (f"{place}.{key}: is absent" for key in expected.keys() - actual.keys())
    yield from (f"{place}.{key}: must not be there, is {actual[key]!r}" for key in actual.keys() - expected.keys())
    for key in expected.keys() & actual.keys():
        yield from differences(expected[key], actual[key], f"{place}.{key}")


def in_elements(expected: list[Any], actual: list[Any], place: str) -> Iterator[str]:
    """The differences inside of a list."""
    for number, (template, value) in enumerate(zip(expected, actual, strict=True)):
        yield from differences(template, value, f"{place}[{number}]")
