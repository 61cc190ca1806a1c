"""Constraints on values as data: what `Annotated` declares, and what a column type implies.

The only module that knows annotated-types. Bodies are checked (`dtos/value_checks.py`) and CHECKs are written
(`check_conditions.py`) from the same `Constraint`s.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from typing import Any, Literal, cast

import msgspec
from annotated_types import BaseMetadata, Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen, MultipleOf, Not, Predicate

ConstraintName = Literal[
    "ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "predicate", "second_digits"
]

_NAMES: Sequence[tuple[type[Any], ConstraintName]] = (
    (Ge, "ge"), (Gt, "gt"), (Le, "le"), (Lt, "lt"),
    (MultipleOf, "multiple_of"), (MinLen, "min_length"), (MaxLen, "max_length"),
)  # fmt: skip
"""Each class names its bound as the constraint is named."""

LENGTHS: tuple[ConstraintName, ...] = ("min_length", "max_length")

_MEANINGS: Mapping[ConstraintName, tuple[str, str, str]] = {
    "ge": ("too_small", "min", "The value must be {} or more."),
    "gt": ("too_small", "more_than", "The value must be more than {}."),
    "le": ("too_large", "max", "The value must be {} or less."),
    "lt": ("too_large", "less_than", "The value must be less than {}."),
    "multiple_of": ("not_a_multiple", "multiple_of", "The value must be a multiple of {}."),
    "min_length": ("too_short", "min", "Send at least {}."),
    "max_length": ("too_long", "max", "Send at most {}."),
    "predicate": ("pattern_mismatch", "predicate", "The value does not satisfy {}."),
    "second_digits": ("too_precise", "digits", "Send at most {} digits of a second."),
}
"""What a violation means, whether a body has it or PostgreSQL reports it: the code, the name of the bound in the
`params` of the error, and the sentence."""

_UNNAMED = "the condition of this field"


class Constraint(msgspec.Struct, frozen=True):
    """What holds of every value: `value` is the bound as it is declared, or the function of a `predicate`. Lengths are
    counted in the units of the form; `second_digits` are those that a column keeps of a fraction of a second."""

    name: ConstraintName
    value: Any

    @property
    def code(self) -> str:
        """The code of a violation, one of FIELD_CODES."""
        return _MEANINGS[self.name][0]

    def detail(self, unit: str | None = None) -> str:
        """The message of a violation; a length is given in `unit`s."""
        bound = self.value
        if self.name == "predicate":
            bound = predicate_name(bound)
        elif isinstance(bound, date | time):
            bound = bound.isoformat()
        elif unit is not None and self.name in LENGTHS:
            bound = f"{bound} {unit}" if bound == 1 else f"{bound} {unit}s"
        return _MEANINGS[self.name][2].format(bound)

    @property
    def params(self) -> dict[str, Any]:
        """The value in the message, for programs. A predicate without a name has none."""
        bound = predicate_name(self.value) if self.name == "predicate" else self.value
        return {} if bound == _UNNAMED else {_MEANINGS[self.name][1]: bound}

    def __str__(self) -> str:
        return f"{self.name}={predicate_name(self.value) if self.name == 'predicate' else self.value}"


def declared_constraints(metadata: Iterable[Any]) -> Iterator[tuple[Any, Constraint]]:
    """The constraints in the metadata of an `Annotated`, each behind its annotation; other metadata is ignored."""
    for item in metadata:
        if isinstance(item, GroupedMetadata):
            yield from declared_constraints(cast("Iterable[Any]", item))
        elif isinstance(item, Not):
            yield item, Constraint("predicate", item)
        elif isinstance(item, Predicate):
            yield item, Constraint("predicate", item.func)
        else:
            for kind, name in _NAMES:
                if isinstance(item, kind):
                    yield item, Constraint(name, getattr(item, name))


def bounds_of(item: Any) -> Iterator[Any]:
    """What a `msgspec.Meta` bounds, as annotated-types say it; any other metadata as it is."""
    if not isinstance(item, msgspec.Meta):
        yield item
        return
    for kind, name in _NAMES:
        if (bound := getattr(item, name)) is not None:
            yield kind(bound)
    if item.pattern is not None:
        yield Predicate(_matcher(item.pattern))


def _matcher(pattern: str) -> Callable[[str], bool]:
    search = re.compile(pattern).search

    def matches(text: str) -> bool:
        return search(text) is not None

    matches.__name__ = f"the pattern {pattern}"
    matches.__dict__["pattern"] = pattern
    return matches


def pattern_of(function: object) -> str | None:
    """The regular expression that a predicate looks for; None where it is another condition."""
    found = getattr(function, "pattern", None)
    return found if isinstance(found, str) else None


def is_constraint(item: object) -> bool:
    """Whether an item of `Annotated` metadata is a constraint; other items belong to other libraries and are
    ignored."""
    if isinstance(item, GroupedMetadata):
        return any(is_constraint(part) for part in cast("Iterable[object]", item))
    return isinstance(item, BaseMetadata | Not)


def predicate_name(function: Callable[[Any], object]) -> str:
    """The name by which a refusal calls a predicate."""
    if isinstance(function, Not):
        return f"not {predicate_name(function.func)}"
    name = getattr(function, "__name__", "")
    return name.strip("_") if name and name != "<lambda>" else _UNNAMED
