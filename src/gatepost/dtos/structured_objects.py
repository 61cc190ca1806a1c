"""JSON objects and arrays as instances of one class: every violation of their members, then the class's own.

The readers of the members come from `structured_json.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from gatepost.dtos.body_errors import unknown_field
from gatepost.dtos.foreign_types import Read, pydantic_violations
from gatepost.dtos.json_input import noun_of
from gatepost.dtos.strict_json import as_node
from gatepost.dtos.structured_members import Member
from gatepost.dtos.violations import VIOLATIONS_MAX, Violation, raise_all, wrong_type
from gatepost.json_pointers import escape


class ObjectReader:
    """Reads the documents of one class. Its members are added when it is known, because they may be of the same
    class. `tag` is the member, with its value, that says of which class of a union a document is."""

    def __init__(self, make: Callable[..., Any], tag: tuple[str, Any] | None = None) -> None:
        self._make = make
        self._tag = tag
        self._members: dict[str, tuple[str, Read]] = {}
        self._required: list[str] = []

    def add(self, member: Member, read: Read) -> None:
        """Know one more member."""
        self._members[member.key] = member.name, read
        if member.is_required:
            self._required.append(member.key)

    def __call__(self, value: Any) -> Any:
        """The instance of a document."""
        given = object_of(value)
        missing = [key for key in self._required if key not in given]
        violations = [Violation("required", "The field is missing.", f"/{escape(key)}") for key in missing]
        found: dict[str, Any] = {}
        for key, item in given.items():
            if key not in self._members:
                violations += self._unknown(key, item)
                continue
            name, read = self._members[key]
            try:
                found[name] = read(item)
            except Violation as violation:
                violations += violation.each_below(key)
        raise_all(violations[:VIOLATIONS_MAX])
        return made(self._make, value, **found)

    def _unknown(self, key: str, item: Any) -> list[Violation]:
        """What is wrong with a member that is none of the class: nothing where it is the tag."""
        if self._tag is None or key != self._tag[0]:
            return [unknown_field(key, self._members, f"/{escape(key)}")]
        if item == self._tag[1]:
            return []
        return [not_a_choice([self._tag[1]], f"/{escape(key)}")]


class PlaceReader:
    """Reads arrays each of whose elements has its own type. Its elements are added when it is known."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make
        self._places: list[Read] = []
        self._required = 0

    def add(self, member: Member, read: Read) -> None:
        """Know one more element."""
        self._places.append(read)
        self._required += member.is_required

    def __call__(self, value: Any) -> Any:
        """The instance of an array."""
        if not isinstance(value, list):
            raise wrong_type("a list", noun_of(as_node(value)))
        items, most = cast("Any", value), len(self._places)
        if len(items) < self._required:
            raise Violation("too_short", f"Send at least {self._required} elements.", params={"min": self._required})
        if len(items) > most:
            raise Violation("too_long", f"Send at most {most} elements.", params={"max": most})
        found: list[Any] = []
        violations: list[Violation] = []
        for index, (read, item) in enumerate(zip(self._places, items, strict=False)):
            try:
                found.append(read(item))
            except Violation as violation:
                violations += violation.each_below(str(index))
        raise_all(violations[:VIOLATIONS_MAX])
        return made(self._make, value, *found)


def made(make: Callable[..., Any], document: Any, *places: Any, **members: Any) -> Any:
    """The instance of these members. What the class itself refuses, with a `ValueError`, is a violation of the whole;
    what pydantic refuses names the member."""
    try:
        return make(*places, **members)
    except Violation:
        raise
    except ValueError as error:
        if hasattr(error, "errors"):
            raise_all(pydantic_violations(error, document))
        raise Violation("invalid_value", str(error)) from None


def object_of(value: Any) -> Mapping[str, Any]:
    """A JSON object; `Violation` for anything else."""
    if not isinstance(value, dict):
        raise wrong_type("an object", noun_of(as_node(value)))
    return cast("dict[str, Any]", value)


def not_a_choice(choices: list[Any], pointer: str = "") -> Violation:
    """The violation of a value that is none of the choices."""
    names = [str(choice) for choice in choices]
    return Violation("not_a_choice", f"Choose one of: {', '.join(names)}.", pointer, params={"choices": names})
